"""The contract's endpoint index (CONTRACT 6), row by row: who may ask, methods, HEAD, tags, paths, rates; and each bound
of each parameter, just inside and just outside."""
import itertools
import re

import pytest

from lib import openapi
from lib.patrond import running
from lib.walk import MCP_HEADERS, Walk, shop

pytestmark = pytest.mark.skipif(openapi.jsonschema is None, reason="python3-jsonschema is not installed")

# method, path, who (- public, R read, A admin), rate policy that shows (none: no header), E or P
INDEX = [line.split() for line in """
GET /                                            -  anonymous  .
GET /openapi.json                                -  anonymous  .
GET /status                                      -  anonymous  .
GET /health                                      -  none       .
GET /health/ready                                -  none       .
GET /health/live                                 -  none       .
GET /metrics                                     -  none       .
GET /admin/db/pool                               A  default    .
GET /admin/cache/stats                           A  default    .
GET /admin/slo                                   A  default    .
GET /admin/workers                               A  default    .
GET /admin/sync-status                           A  default    .
POST /admin/sync-status                          A  default    .
POST /admin/sync-sales                           A  sync       .
GET /admin/keys                                  A  default    .
POST /admin/keys                                 A  default    .
GET /admin/keys/{id}                             A  default    .
DELETE /admin/keys/{id}                          A  default    .
POST /admin/keys/{id}/rotate                     A  default    .
GET /api/mcp/customer/random                     R  default    .
GET /api/mcp/customer/{id}                       R  default    E
GET /api/customers/{id}                          R  default    E
GET /api/mcp/customer/{id}/churn-risk            R  default    E
GET /api/mcp/customer/{id}/next-purchase         R  default    E
GET /api/mcp/customer/{id}/ltv-forecast          R  default    E
GET /api/mcp/customer/{id}/orders                R  default    P
POST /api/mcp/search                             R  default    .
GET /api/mcp/archetypes/top                      R  default    E
GET /api/mcp/archetypes/growth-projection        R  default    E
GET /api/mcp/archetype/{id}                      R  default    E
GET /api/mcp/archetypes/{id}                     R  default    E
GET /api/mcp/churn/aggregate                     R  default    E
GET /api/mcp/growth/projection                   R  default    E
GET /api/mcp/revenue/forecast                    R  default    E
POST /api/mcp/campaigns/recommend                R  default    .
GET /api/mcp/campaign/{goal}                     R  default    E
GET /api/mcp/products/{analysis}                 R  default    P
GET /api/mcp/cohorts                             R  default    E
GET /segments/axes                               R  default    E
GET /segments/stats                              R  default    E
GET /segments/customer/{id}                      R  default    E
GET /api/system/configuration                    R  default    E
GET /api/mcp/tools                               -  anonymous  E
POST /api/mcp/query                              R  query      .
POST /api/mcp/query/natural-language             R  nl         .
POST /mcp                                        R  query      .
""".strip().splitlines()]
ROWS = [pytest.param(*row, id=f"{row[0]} {row[1]}") for row in INDEX]
PATHS = sorted({row[1] for row in INDEX})
METHODS = ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE")

NO_KEY = {"R": "Missing API key. Provide X-API-Key header.", "A": "Missing admin key. Provide X-Admin-Key header."}


@pytest.fixture(scope="module")
def server(postgres_server, tmp_path_factory):
    with shop(postgres_server, tmp_path_factory.mktemp("contract") / "shop", WORKERS=1) as instance:
        yield instance


@pytest.fixture(scope="module")
def walk(server):
    return Walk(server)


@pytest.fixture(scope="module")
def keys(walk):
    """API keys by their one scope."""
    return {scope: walk.new_key(scope)[1] for scope in ("read", "write", "admin")}


@pytest.fixture(scope="module")
def limited(tmp_path_factory):
    """With all limits as they are by default, and without data."""
    with running(tmp_path_factory.mktemp("limited") / "i", {"DATABASE_URL": "postgresql://nobody@127.0.0.1:9/none",
                                                            "ALLOW_LIST": "", "DB_CONNECT_TIMEOUT": 1}) as instance:
        yield instance


def refused(answer, status, code, message=None):
    assert answer.status == status, answer.body
    error = answer.json()["error"]
    assert error["code"] == code and (message is None or error["message"] == message), error
    return error["details"]



def test_the_server_has_these_routes_and_no_others():
    assert {(m, t) for m, t, _ in openapi.document().operations()} == {(r[0], r[1]) for r in INDEX}


# ---- who may ask ----

@pytest.mark.parametrize("method, path, who, policy, mark", ROWS)
def test_without_a_key(walk, method, path, who, policy, mark):
    answer = walk.request(method, path, key=None)
    if who == "-":
        assert answer.status == 200
    elif path == "/mcp":
        assert answer.status == 401
    else:
        refused(answer, 401, "AUTHENTICATION_ERROR", NO_KEY[who])
        assert answer.headers["www-authenticate"] == "ApiKey"


@pytest.mark.parametrize("method, path, who, policy, mark", ROWS)
def test_with_a_bad_key(walk, method, path, who, policy, mark):
    for bad in ("wrong", "pk_live_" + "x" * 43, ""):
        answer = walk.request(method, path, key=None, headers={"X-API-Key": bad} if bad else {"Authorization": "Bearer x"})
        if who == "-":
            assert answer.status == 200
        elif path == "/mcp":
            assert answer.status == 401
        else:
            refused(answer, 401, "AUTHENTICATION_ERROR", "Invalid or inactive API key")


@pytest.mark.parametrize("method, path, who, policy, mark", ROWS)
def test_scopes(walk, keys, method, path, who, policy, mark):
    """read opens reads, admin everything, write nothing."""
    enough = {"-": {"read", "write", "admin"}, "R": {"read", "admin"}, "A": {"admin"}}[who]
    for scope, key in keys.items():
        answer = walk.request(method, path, key=key)
        if scope in enough:
            assert answer.status in (200, 201, 202, 409), answer.body
        elif path == "/mcp":
            assert answer.status == 403
        else:
            refused(answer, 403, "AUTHORIZATION_ERROR",
                    f"API key lacks required scope: {'admin' if who == 'A' else 'read'}")


@pytest.mark.parametrize("method, path, who, policy, mark", [r for r in ROWS if r.values[2] != "-" and r.values[1] != "/mcp"])
def test_where_a_credential_may_stand(walk, method, path, who, policy, mark):
    admin = walk.server.admin_key
    bearer = walk.request(method, path, key=None, headers={"Authorization": f"Bearer {admin}"})
    assert bearer.status in (200, 201, 202, 409), bearer.body
    other = walk.request(method, path, key=None, headers={"X-Admin-Key": admin})
    assert other.status == 401 if who == "R" else other.status in (200, 201, 202, 409)
    in_query = walk.request(method, path, {"admin_key": admin}, key=None)
    if path == "/admin/sync-sales":
        assert in_query.status in (202, 409) and re.fullmatch(r"@\d+", in_query.headers["deprecation"])
    else:
        assert in_query.status == 401


# ---- paths and methods ----

@pytest.mark.parametrize("path", PATHS)
def test_methods(walk, path):
    """A method the path does not have is 405, with those it has; an unknown one 501."""
    has = {row[0] for row in INDEX if row[1] == path}
    has |= {"HEAD"} if "GET" in has else set()
    for method in METHODS:
        answer = walk.server.request(method, walk.path(path), key=None)
        if method in has:
            assert answer.status not in (405, 501)
        else:
            assert answer.status == 405
            assert set(answer.headers["allow"].split(", ")) == has | {"OPTIONS"}
            assert method == "HEAD" or path == "/mcp" or answer.json()["error"]["code"] == "HTTP_ERROR"
    assert walk.server.request("BREW", walk.path(path), key=None).status == 501


@pytest.mark.parametrize("path", PATHS)
def test_options(walk, path):
    has = {row[0] for row in INDEX if row[1] == path}
    has |= {"HEAD"} if "GET" in has else set()
    answer = walk.server.request("OPTIONS", walk.path(path), key=None)
    assert answer.status == 204 and set(answer.headers["allow"].split(", ")) == has | {"OPTIONS"}
    origin = {"Origin": "http://localhost:3000", "Access-Control-Request-Method": "POST"}
    answer = walk.server.request("OPTIONS", walk.path(path), key=None, headers=origin)
    assert answer.status == 204 and answer.headers["access-control-allow-origin"] == "http://localhost:3000"
    answer = walk.server.request("OPTIONS", walk.path(path), key=None, headers={"Origin": "http://evil.example"})
    assert answer.status == 400 and b"Disallowed CORS origin" in answer.body


@pytest.mark.parametrize("path", [p for p in PATHS if p != "/"])
def test_paths_are_exact(walk, path):
    """A trailing slash, another case, a doubled slash: 404 before anything else is looked at, never a redirect."""
    good = walk.path(path)
    for wrong in (good + "/", good.upper(), good.replace("/", "//"), good + "/x", good[:-1] + "%2F"):
        if openapi.document().template(wrong) is None:
            refused(walk.server.request("GET", wrong, key=None), 404, "NOT_FOUND", "Not Found")


# ---- HEAD and tags ----

@pytest.mark.parametrize("method, path, who, policy, mark", [r for r in ROWS if r.values[0] == "GET"])
def test_head(walk, method, path, who, policy, mark):
    target = walk.path(path)
    get, head = walk.server.get(target), walk.server.request("HEAD", target)
    assert head.status == get.status == 200 and head.body == b""
    changing = {"x-correlation-id", "date"} | ({"content-length"} if mark == "." else set())
    assert {k: v for k, v in head.headers.items() if k not in changing} == \
           {k: v for k, v in get.headers.items() if k not in changing}


@pytest.mark.parametrize("method, path, who, policy, mark", ROWS)
def test_tags(walk, method, path, who, policy, mark):
    answer = walk.request(method, path)
    if path == "/openapi.json":
        return  # test_openapi
    if mark == ".":
        assert "etag" not in answer.headers and answer.headers["cache-control"] == "no-store"
        assert walk.request(method, path, headers={"If-None-Match": "*"}).status != 304
        return
    tag = answer.headers["etag"]
    assert re.fullmatch(r'W/"%s-[0-9a-f]{16}"' % answer.headers["x-data-version"], tag)
    assert answer.headers["cache-control"] == "private, max-age=0, must-revalidate"
    for condition in (tag, tag[2:], f'"other", {tag}', "*"):
        again = walk.request(method, path, headers={"If-None-Match": condition})
        assert again.status == 304 and again.body == b""
        for name in ("etag", "cache-control", "x-data-version", "x-data-as-of", "vary"):
            assert again.headers[name] == answer.headers[name]
    assert walk.request(method, path, headers={"If-None-Match": f'{tag[:-2]}x"'}).status == 200
    assert walk.request(method, path, {"unknown": 1}).headers["etag"] != tag


# ---- rates ----

@pytest.mark.parametrize("method, path, who, policy, mark", ROWS)
def test_policy_shown(limited, method, path, who, policy, mark):
    """The policy with the least left is the one the row names; monitors are never limited."""
    bodies = {"/mcp": {"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": {"name": "predict_churn_risk"}}}
    answer = limited.request(method, re.sub(r"\{\w+\}", "1", path), body=bodies.get(path),
                             headers=MCP_HEADERS if path == "/mcp" else {})
    if policy == "none":
        assert not [h for h in answer.headers if "ratelimit" in h]
        return
    limits = {"default": (10000, 3600), "anonymous": (1000, 3600), "query": (100, 3600), "nl": (50, 3600), "sync": (10, 3600)}
    count, seconds = limits[policy]
    assert answer.headers["ratelimit-policy"] == f'"{policy}";q={count};w={seconds}'
    assert re.fullmatch(rf'"{policy}";r=\d+;t=\d+', answer.headers["ratelimit"])
    assert answer.headers["x-ratelimit-limit"] == str(count)


# ---- bounds ----

# CONTRACT 5 and the endpoints' own: what the document must say of a parameter of that name.
BOUNDS = {"months": (1, 60, 12), "months_ago": (1, 60, None), "target_size": (1, 10000, 100), "top_n": (1, 100, 10),
          "max_segments": (1, 100, 5)}
LIMITS = {"/api/mcp/customer/{id}/orders": (1, 1000, 50), "/api/mcp/archetypes/top": (1, 1000, 10),
          "/api/mcp/search": (1, 1000, 100), "/api/mcp/products/{analysis}": (1, 1000, 100),
          "/admin/sync-sales": (1, 10000000, None)}
# A word outside its closed list is 400 here and names field and words; 422 elsewhere.
CLOSED = {"metric", "campaign_type", "sort_by", "mode"}


def parameters():
    """(method, path, name, schema) of every query parameter."""
    for method, path, operation in openapi.document().operations():
        for p in openapi.document().parameters(operation):
            if p["in"] == "query":
                yield pytest.param(method, path, p["name"], {**openapi.document().resolve(p["schema"]), **p["schema"]},
                                   id=f"{method} {path} {p['name']}")


@pytest.mark.parametrize("method, path, name, schema", parameters())
def test_document_has_the_bounds(method, path, name, schema):
    wanted = LIMITS[path] if name == "limit" else BOUNDS.get(name)
    if wanted:
        assert (schema["minimum"], schema["maximum"], schema.get("default")) == wanted


def check_number(ask_for, name, schema):
    low, high, step = schema["minimum"], schema["maximum"], 1 if schema["type"] == "integer" else 0.5
    for value in (low, high):
        assert ask_for(value).status not in (400, 422), value
    for value in (low - step, high + step, -10 ** 30, 10 ** 30):
        fault = refused(ask_for(value), 422, "VALIDATION_ERROR")["validation_errors"][0]
        assert (fault["field"], fault["type"]) == (f"query.{name}", "out_of_range"), value
    for value in ("x", "1x", "0x10", "NaN", "inf", "1 2", "true") + (("1.5",) if schema["type"] == "integer" else ()):
        fault = refused(ask_for(value), 422, "VALIDATION_ERROR")["validation_errors"][0]
        assert (fault["field"], fault["type"]) == (f"query.{name}", "wrong_type"), value


def check_words(ask_for, name, words, of_several):
    answers = {word: ask_for(word) for word in words}
    good = {w for w, a in answers.items() if a.status not in (400, 422)}
    assert good if of_several else good == set(words)
    for wrong in ("no-such-word", words[0].upper() + "x", words[0][:-1], " ", "é"):
        if name not in CLOSED:
            refused(ask_for(wrong), 422, "VALIDATION_ERROR")
            continue
        details = refused(ask_for(wrong), 400, "VALIDATION_ERROR")
        assert details["field"] == name and set(details["allowed"]) == (good if of_several else set(words))


def check_text(ask_for, name, schema):
    longest = schema["maxLength"]
    if name not in ("cursor",):  # of which only those are good that were given out
        assert ask_for("é" * longest).status not in (400, 422)
    fault = refused(ask_for("é" * (longest + 1)), 422, "VALIDATION_ERROR")["validation_errors"][0]
    assert fault["field"] == f"query.{name}"


@pytest.mark.parametrize("method, path, name, schema", parameters())
def test_bounds(walk, method, path, name, schema):
    def ask_for(value):
        return walk.request(method, path, {name: value})
    if "enum" in schema:
        check_words(ask_for, name, schema["enum"], of_several="{analysis}" in path)
    elif schema["type"] in ("integer", "number"):
        check_number(ask_for, name, schema)
    elif schema.get("format") == "date":
        assert ask_for("2025-02-28").status not in (400, 422)
        for wrong in ("2025-02-29", "2025-13-01", "25-01-01", "2025-1-1", "yesterday", "2025-01-01T00:00:00Z"):
            assert refused(ask_for(wrong), 422, "VALIDATION_ERROR")["validation_errors"][0]["field"] == f"query.{name}"
    elif schema["type"] == "boolean":
        for good in ("true", "false"):
            assert ask_for(good).status not in (400, 422)
        assert refused(ask_for("perhaps"), 422, "VALIDATION_ERROR")["validation_errors"][0]["type"] == "wrong_type"
    elif "maxLength" in schema:
        check_text(ask_for, name, schema)


def body_bounds():
    """(method, path, keys to the value, schema) of every bounded number of a body."""
    def inside(schema, keys):
        schema = openapi.document().resolve(schema)
        for branch in schema.get("anyOf", [schema]):
            branch = openapi.document().resolve(branch)
            for name, inner in branch.get("properties", {}).items():
                yield from inside(inner, [*keys, name])
        if "minimum" in schema or "maxLength" in schema:
            yield keys, schema
    for method, path, operation in openapi.document().operations():
        body = operation.get("requestBody", {}).get("content", {}).get("application/json", {}).get("schema", {})
        for keys, schema in inside(body, []):
            yield pytest.param(method, path, keys, schema, id=f"{method} {path} {'.'.join(keys)}")


def nested(keys, value):
    for key in reversed(keys):
        value = {key: value}
    return value


@pytest.mark.parametrize("method, path, keys, schema", body_bounds())
def test_bounds_of_bodies(walk, method, path, keys, schema):
    def ask_for(value):
        return walk.request(method, path, body=nested(keys, value))
    if "minimum" in schema:
        inside = [schema["minimum"], schema["maximum"]]
        outside = [schema["minimum"] - 1, schema["maximum"] + 1, -10 ** 30, 1e300]
        wrong = ["1", True, [1], {"a": 1}] + ([1.5] if "integer" in schema["type"] else [])
    else:
        inside = ["é" * schema["maxLength"]]
        outside = ["é" * (schema["maxLength"] + 1)] + ([""] if schema.get("minLength") else [])
        wrong = [1, False, [], {}]
    for value in inside + [None] * ("null" in schema["type"]):
        if keys[-1] != "cursor" or value is None:
            assert ask_for(value).status not in (400, 422), value
    for value, kind in itertools.chain(((v, "out_of_range") for v in outside), ((v, "wrong_type") for v in wrong)):
        fault = refused(ask_for(value), 422, "VALIDATION_ERROR")["validation_errors"][0]
        assert (fault["field"], fault["type"]) == (f"body.{'.'.join(keys)}", kind), (value, fault)


@pytest.mark.parametrize("method, path", sorted({(m, p) for m, p, o in openapi.document().operations()
                                                 if "requestBody" in o and p != "/mcp"}))
def test_bodies(walk, method, path):
    """What no JSON object is, is 400; a key that is not known is 422 by name."""
    target = walk.path(path)
    for bad in (b"{", b"[]", b"1", b'"x"', b"null", b"{} x", b'{"a":1,}', b"{'a':1}", b'{"a":"\xff"}', b"\xef\xbb\xbf{}",
                b'{"a":' + b"[" * 40 + b"]" * 40 + b"}", b'{"a":NaN}', b'{"a":1e}'):
        refused(walk.server.request(method, target, body=bad), 400, "BAD_REQUEST")
    fault = refused(walk.request(method, path, body={"no_such_key": 1}), 422, "VALIDATION_ERROR")["validation_errors"][-1]
    assert fault["type"] == "unknown_field" and fault["field"].startswith("body.")
    form = {"Content-Type": "application/x-www-form-urlencoded"}  # curl -d
    assert walk.request(method, path, headers=form).status in (200, 201)
