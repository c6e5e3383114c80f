"""Every route of the table against what the contract asks of all: credentials, scopes, methods, HEAD, tags, limits, headers.

The routes come from the program's own table (which scripts/check-routes holds against the contract's index).
"""
import os
import pathlib
import subprocess

import pytest

from lib.patrond import Patrond
from lib.wait import wait_until

TOP = pathlib.Path(__file__).resolve().parents[2]
BUILD = pathlib.Path(os.environ.get("PATROND_BUILD", TOP))
OFF_PATH = ["GET", "POST", "PUT", "DELETE", "PATCH"]
BODIES = {"/api/mcp/search": {}, "/admin/keys": {"name": "made by a walk"}}
BAD = "pk_live_" + "Z" * 43
EVERYWHERE = {"x-content-type-options": "nosniff", "x-frame-options": "DENY", "referrer-policy": "no-referrer",
              "vary": "Accept-Encoding, Origin, X-API-Key, Authorization"}


def table():
    out = subprocess.run([str(BUILD / "tests/unit/print_tables"), "routes"], check=True, capture_output=True, text=True).stdout
    return [line.split("|") for line in out.splitlines()]


ROUTES = [r for r in table() if r[1] != "/mcp"]  # which has its own errors, in its own document
METHODS = {path: {m for m, p, *_ in ROUTES if p == path} for _, path, *_ in ROUTES}


def name(route):
    return f"{route[0]} {route[1]}"


every = pytest.mark.parametrize("route", ROUTES, ids=name)
protected = pytest.mark.parametrize("route", [r for r in ROUTES if r[2] != "public"], ids=name)
paths = pytest.mark.parametrize("path", sorted(METHODS))


@pytest.fixture(scope="module")
def server(postgres_server, sample_sales, tmp_path_factory):
    postgres_server.ensure()
    much = {f"RATE_LIMIT_{n}": "1000000/h;burst=1000000"
            for n in ("DEFAULT", "NL", "QUERY", "SYNC", "ANONYMOUS", "AUTH_FAILURE")}
    instance = Patrond(tmp_path_factory.mktemp("routes") / "i", {
        "DATABASE_URL": postgres_server.create_database(), "SYNC_SOURCE": f"csv:{sample_sales(300)}",
        "AS_OF_DATE": "2024-12-31", "ALLOW_LIST": "", **much,
        "RATE_LIMIT_DEFAULT": "1000000/h;burst=2000000"})  # most is always left of it: the others are told
    instance.start()
    assert instance.sync("full")["status"] == "success"
    instance.wait_data()
    yield instance
    problems = instance.finish()
    assert not problems, "\n".join(problems)


@pytest.fixture(scope="module")
def keys(server):
    """A key of each scope, known to all workers."""
    made = {}
    for scope in ("read", "write", "admin"):
        answer = server.post("/admin/keys", {"name": scope, "scopes": [scope]})
        made[scope] = answer.json()["api_key"]
    made["id"] = str(server.post("/admin/keys", {"name": "to be asked about"}).json()["key"]["id"])
    # A key without the scope is refused with 403 once it is known.
    wait_until(lambda: all(server.get("/admin/workers", key=made["write"]).status == 403 and
                           server.get("/admin/workers", key=made["admin"]).status == 200 for _ in range(12)), 10, "keys known")
    return made


@pytest.fixture(scope="module")
def fill(server, keys):
    """Path of a template, with values that are there."""
    (customer,) = server.post("/api/mcp/search", {"limit": 1}).json()["customers"]
    archetype = server.get("/api/mcp/archetypes/top").json()["top_archetypes"][0]["archetype_id"]

    def filled(path):
        own = archetype if "/archetype" in path else keys["id"] if "/keys/" in path else customer["customer_id"]
        path = path.replace("{id}", own).replace("{analysis}", "revenue_by_category").replace("{goal}", "retention")
        assert "{" not in path, "a parameter this test does not know"
        return path
    return filled


def ask(server, route, fill, **options):
    method, path, *_ = route
    return server.request(method, fill(path), body=BODIES.get(path), **options)


def check_common(answer):
    for header, value in EVERYWHERE.items():
        assert answer.headers[header] == value
    assert "default-src 'none'" in answer.headers["content-security-policy"]
    assert answer.headers["x-correlation-id"] and answer.headers["cache-control"]
    if answer.status >= 400:
        body = answer.json()
        assert body["detail"] == body["error"]["message"] and isinstance(body["error"]["details"], dict)
        assert body["error"]["correlation_id"] == answer.headers["x-correlation-id"]


@protected
def test_who_may_not(server, keys, fill, route):
    admin = route[1].startswith("/admin/")
    answer = ask(server, route, fill, key=None)
    assert answer.status == 401 and answer.headers["www-authenticate"] == "ApiKey"
    assert answer.json()["detail"] == ("Missing admin key. Provide X-Admin-Key header." if admin else
                                       "Missing API key. Provide X-API-Key header.")
    check_common(answer)
    answer = ask(server, route, fill, key=BAD)
    assert answer.status == 401 and answer.headers["www-authenticate"] == "ApiKey"
    assert answer.json()["detail"] == "Invalid or inactive API key"
    assert answer.headers["ratelimit-policy"].startswith('"auth_failure"')
    lacking = {"read": ["write"], "admin": ["read", "write"]}[route[2]]
    for scope in lacking:
        answer = ask(server, route, fill, key=keys[scope])
        assert answer.status == 403 and answer.json()["error"]["code"] == "AUTHORIZATION_ERROR"
        assert answer.json()["detail"] == f"API key lacks required scope: {route[2]}"
        check_common(answer)


@pytest.mark.parametrize("route", [r for r in ROUTES if r[2] == "public"], ids=name)
def test_public_routes_ask_nobody(server, fill, route):
    for key in (None, BAD):
        assert ask(server, route, fill, key=key).status < 400


@pytest.mark.parametrize("route", [r for r in ROUTES if r[2] == "read"], ids=name)
def test_who_may(server, keys, fill, route):
    for scope in ("read", "admin"):
        answer = ask(server, route, fill, key=keys[scope])
        # A body that this test does not know is asked for at the very end.
        wanted = (400, 422) if route[0] == "POST" and route[1] not in BODIES and answer.status != 200 else (200,)
        assert answer.status in wanted, answer.body
        check_common(answer)


@paths
def test_other_methods(server, fill, path):
    allowed = METHODS[path] | {"OPTIONS"} | ({"HEAD"} if "GET" in METHODS[path] else set())
    for method in OFF_PATH:
        if method in allowed:
            continue
        answer = server.request(method, fill(path), key=None)
        assert answer.status == 405 and set(answer.headers["allow"].split(", ")) == allowed
        assert answer.json()["error"]["code"] == "HTTP_ERROR"
        check_common(answer)
    answer = server.request("OPTIONS", fill(path), key=None)
    assert answer.status == 204 and set(answer.headers["allow"].split(", ")) == allowed and answer.body == b""
    assert server.request("BREW", fill(path)).status == 501
    if path != "/":
        answer = server.request("GET", fill(path) + "/", key=None)
        assert answer.status == 404 and answer.json()["detail"] == "Not Found"
        check_common(answer)


@pytest.mark.parametrize("route", [r for r in ROUTES if r[0] == "GET"], ids=name)
def test_head_and_tags(server, fill, route):
    answer = ask(server, route, fill)
    head = server.request("HEAD", fill(route[1]))
    assert head.status == answer.status == 200 and head.body == b""
    assert set(head.headers) == set(answer.headers) and head.headers["content-type"] == answer.headers["content-type"]
    if route[4] in ("E", "P"):
        tag = answer.headers["etag"]
        assert head.headers["etag"] == tag and answer.headers["cache-control"] == "private, max-age=0, must-revalidate"
        for condition in (tag, tag[2:], f'"x", {tag}', "*"):
            same = server.get(fill(route[1]), headers={"If-None-Match": condition})
            assert same.status == 304 and same.body == b"" and same.headers["etag"] == tag
            assert same.headers["x-data-version"] == answer.headers["x-data-version"] and same.headers["x-data-as-of"]
            check_common(same)
        assert server.get(fill(route[1]), headers={"If-None-Match": '"x"'}).status == 200
        assert server.get(fill(route[1]) + "?unknown=1").headers["etag"] != tag
    elif route[1] == "/openapi.json":  # changes with the program only
        assert answer.headers["cache-control"] == "public, max-age=300"
    else:
        assert "etag" not in answer.headers and answer.headers["cache-control"] == "no-store"


@every
def test_rate_headers(server, keys, fill, route):
    method, path, auth, policy, _ = route
    if method == "DELETE":
        return  # there is one key to revoke, and others need it
    answer = ask(server, route, fill, key=keys["admin"] if auth != "public" else None)
    if policy == "none":
        assert not any(h.startswith(("ratelimit", "x-ratelimit")) for h in answer.headers)
        return
    said = answer.headers["ratelimit-policy"]
    assert said == f'"{policy or "default"}";q=1000000;w=3600'
    left = int(answer.headers["x-ratelimit-remaining"])
    assert answer.headers["ratelimit"].startswith(f'"{policy or "default"}";r={left};t=')
    assert 0 < left < (1000000 if policy else 2000000)
    assert answer.headers["x-ratelimit-limit"] == "1000000" and int(answer.headers["x-ratelimit-reset"]) > 0
