"""The OpenAPI document: every status it describes is provoked and comes as described; the contract's own examples fit
it; its defaults are the server's; a linter finds nothing in it.

Patrond.request holds each answer against the document, so a test here needs only to ask.
"""
import copy
import csv
import json
import os
import pathlib
import re
import shutil
import subprocess

import pytest

from lib import openapi
from lib.sales import Table
from lib.servers import Redis
from lib.wait import FACTOR, free_port, wait_until
from lib.patrond import running
from lib.walk import Walk, operations, shop

TOP = pathlib.Path(__file__).resolve().parents[2]
CONTRACT = pathlib.Path(os.environ.get("PATROND_CONTRACT") or TOP.parent / "shared/CONTRACT.md")

pytestmark = pytest.mark.skipif(openapi.jsonschema is None, reason="python3-jsonschema is not installed")

# Described, and provoked elsewhere or by nothing that can be arranged within seconds.
NOT_PROVOKED = {
    ("POST", "/admin/sync-sales", "504"): "takes SYNC_TIMEOUT; the drills of the sync",
    **{("POST", "/mcp", status): "test_mcp" for status in ("202", "404", "406", "413", "415", "503")},
}


@pytest.fixture(scope="module")
def redis(tmp_path_factory):
    server = Redis(tmp_path_factory.mktemp("redis"))
    server.start()
    yield server
    server.stop()


@pytest.fixture(scope="module")
def server(postgres_server, redis, tmp_path_factory):
    with shop(postgres_server, tmp_path_factory.mktemp("openapi") / "shop", REDIS_URL=redis.url(), WORKERS=1) as instance:
        yield instance


@pytest.fixture(scope="module")
def empty(tmp_path_factory):
    """Without data, source and database; a denied address; metrics that ask for a key, no status page."""
    with running(tmp_path_factory.mktemp("openapi-empty") / "i", {
            "DATABASE_URL": f"postgresql://nobody@127.0.0.1:{free_port()}/none", "DB_CONNECT_TIMEOUT": 1,
            "TRUSTED_PROXIES": "127.0.0.1", "ALLOW_LIST": "127.0.0.0/8", "DENY_LIST": "198.51.100.0/24",
            "METRICS_PUBLIC": "false", "ENABLE_STATUS_PAGE": "false"}) as instance:
        yield instance


@pytest.fixture(scope="module")
def walk(server):
    return Walk(server)


@pytest.fixture(scope="module")
def seen():
    """(METHOD, template, status) of what was provoked."""
    return set()


@pytest.fixture(scope="module")
def weak(walk):
    """A key that opens nothing."""
    return walk.new_key("write")[1]


def note(seen, method, template, answer, *expected):
    assert answer.status in expected, (method, template, answer.status, answer.body[:500])
    seen.add((method, template, str(answer.status)))
    return answer


def described(method, template, status):
    return str(status) in (openapi.document().operation(method, template) or {"responses": ()})["responses"]


EVERY = [pytest.param(m, t, id=f"{m} {t}") for m, t, _ in operations()] if openapi.jsonschema else []


def test_served_as_it_was_made(server):
    answer = server.get("/openapi.json", key=None)
    assert answer.json() == json.loads(openapi.FILE.read_text())
    assert answer.headers["cache-control"] == "public, max-age=300"
    again = server.get("/openapi.json", key=None, headers={"If-None-Match": answer.headers["etag"]})
    assert again.status == 304 and again.body == b"" and again.headers["etag"] == answer.headers["etag"]


@pytest.mark.parametrize("method, template", EVERY)
def test_success(walk, seen, method, template):
    note(seen, method, template, walk.request(method, template), 200, 201, 202)
    if described(method, template, 304):
        note(seen, method, template, walk.request(method, template, headers={"If-None-Match": "*"}), 304)
    head = walk.request("HEAD", template) if method == "GET" else None
    assert head is None or head.status == 200


@pytest.mark.parametrize("method, template", EVERY)
def test_refusals(walk, empty, seen, method, template):
    """What the guard says on any route, one refusal after the other."""
    path = walk.path(template)
    note(seen, method, template, walk.server.request(method, path + "?x=%zz", body=walk.body(method, template)), 400)
    if described(method, template, 429):
        denied = empty.request(method, path, body="{}", headers={"X-Forwarded-For": "198.51.100.7"})
        note(seen, method, template, denied, 429)
    if template == "/metrics":
        note(seen, method, template, empty.request(method, path, key=None), 401)
    elif described(method, template, 401):
        note(seen, method, template, walk.server.request(method, path, key=None), 401)
        note(seen, method, template, walk.server.request(method, path, key="wrong"), 401)
    if described(method, template, 413) and template != "/mcp":
        note(seen, method, template, walk.server.request(method, path, body=b" " * 1048577), 413)
        note(seen, method, template, walk.server.request(method, path, body=b"{}", headers={"Content-Encoding": "br"}), 415)


@pytest.mark.parametrize("method, template", EVERY)
def test_scopes(walk, weak, seen, method, template):
    if not described(method, template, 403):
        return
    if template == "/metrics":
        NOT_PROVOKED[method, template, "403"] = "test_keys"
        return
    note(seen, method, template, walk.server.request(method, walk.path(template), key=weak), 403)


@pytest.mark.parametrize("method, template", EVERY)
def test_wrong_parameters(walk, seen, method, template):
    operation = openapi.document().operation(method, template)
    if not described(method, template, 422):
        return
    bodies = {"/admin/keys": {"name": ""}, "/admin/keys/{id}/rotate": {"grace_seconds": -1},
              "/api/mcp/search": {"limit": 0}, "/api/mcp/query": {"tool_name": 7}}
    if method == "POST" and template in bodies:
        note(seen, method, template, walk.request(method, template, body=bodies[template]), 422)
        return
    for parameter in (p for p in openapi.document().parameters(operation) if p["in"] == "query"):
        schema = openapi.document().resolve(parameter["schema"])
        wrong = "x" * 1001 if "maxLength" in schema else "no such word"
        answer = walk.request(method, template, {parameter["name"]: wrong})
        note(seen, method, template, answer, 400, 422)


@pytest.mark.parametrize("method, template", EVERY)
def test_unknown_objects(walk, seen, method, template):
    if not described(method, template, 404) or "{" not in template:
        return
    for wrong in ("0", "x", "%C3%A9", "99999999999999999999"):
        path = re.sub(r"\{\w+\}", wrong, template)
        answer = note(seen, method, template, walk.server.request(method, path), 404)
        assert answer.json()["error"]["code"] == "NOT_FOUND"


@pytest.mark.parametrize("method, template", EVERY)
def test_without_data_and_database(empty, seen, method, template):
    if not described(method, template, 503) or template == "/mcp":
        return
    bodies = {"/admin/keys": {"name": "a"}, "/api/mcp/query": {"tool_name": "get_archetype_stats",
                                                               "parameters": {"archetype_id": "arch_1"}}}
    path = re.sub(r"\{\w+\}", "1", template.replace("{analysis}", "revenue_by_category").replace("{goal}", "retention"))
    query = "?query=who" if template.endswith("natural-language") else ""
    note(seen, method, template, empty.request(method, path + query, body=bodies.get(template)), 503)


def add_order(server):
    """So that the next run has something to write."""
    path = server.settings["SYNC_SOURCE"].removeprefix("csv:")
    with open(path, newline="") as f:
        *_, last = csv.DictReader(f)
    with open(path, "a", newline="") as f:
        csv.DictWriter(f, last, lineterminator="\n").writerow({**last, "order_id": int(last["order_id"]) + 1})


def test_of_single_routes(server, walk, empty, seen, postgres_server, tmp_path):
    """What has to be arranged: an object in a body, a run under way, a source that fails, a key revoked before, a page that is off."""
    unknown = {"tool_name": "predict_churn_risk", "parameters": {"customer_id": "1"}}
    note(seen, "POST", "/api/mcp/query", server.post("/api/mcp/query", unknown), 404)
    key = walk.new_key()[0]
    assert server.request("DELETE", f"/admin/keys/{key}").status == 200
    note(seen, "DELETE", "/admin/keys/{id}", server.request("DELETE", f"/admin/keys/{key}"), 409)
    note(seen, "POST", "/admin/keys/{id}/rotate", server.post(f"/admin/keys/{key}/rotate"), 409)
    table = Table(server.settings["DATABASE_URL"])
    add_order(server)
    holder = table.holder("LOCK TABLE combined_sales IN EXCLUSIVE MODE")
    try:
        note(seen, "POST", "/admin/sync-sales", server.post("/admin/sync-sales"), 202)
        table.wait_blocked()
        note(seen, "POST", "/admin/sync-sales", server.post("/admin/sync-sales"), 409)
        wait_until(lambda: server.get("/admin/sync-status").json()["running"], 10, "the run being told of")
    finally:
        holder.close()
    wait_until(lambda: server.get("/admin/sync-status").json()["running"] is None, 30, "the run ended")
    note(seen, "POST", "/admin/sync-sales", server.post("/admin/sync-sales?mode=dry-run&limit=3&wait=true"), 200)
    with running(tmp_path / "i", {"DATABASE_URL": postgres_server.create_database(), "METRICS_PUBLIC": "true",
                                  "ENABLE_PROMETHEUS_METRICS": "false", "SYNC_SOURCE": f"csv:{tmp_path}/none"}) as other:
        wait_until(lambda: other.get("/admin/keys").status == 200, 20, "tables made")
        note(seen, "POST", "/admin/sync-sales", other.post("/admin/sync-sales?wait=true", timeout=60), 502)
        note(seen, "GET", "/metrics", other.get("/metrics"), 404)
    note(seen, "GET", "/status", empty.get("/status"), 404)


def test_every_status_was_provoked(seen):
    """Runs behind the others: what is described is real."""
    wanted = {(m, t, s) for m, t, o in operations() for s in o["responses"] if s != "default"}
    assert sorted(wanted - seen - set(NOT_PROVOKED)) == []


def test_answers_without_its_defaults_and_with_them(walk):
    """A parameter that is not given is the default the document tells."""
    for method, template, operation in operations():
        found = {p["name"]: p["schema"]["default"] for p in openapi.document().parameters(operation)
                 if p["in"] == "query" and "default" in p["schema"]}
        if not found or template == "/admin/sync-sales":
            continue
        plain, told = walk.request(method, template), walk.request(method, template, found)
        assert plain.json() == told.json(), (method, template, found)


# ---- the contract's examples ----

SHORTENED = ["AxisWords", "Strengths", "Memberships"]  # the contract shows the first entries
EXAMPLES = {  # heading: schemas of its JSON blocks, in order; None: no answer
    "## 5. Errors": ["Error"], "GET /": ["Root"], "GET /health": ["Health"], "GET /health/ready": ["Ready"],
    "### 8.1": ["Pool"], "### 8.2": ["CacheStats"], "POST /admin/sync-sales": ["SyncStarted", "SyncFinished"],
    "GET (or POST) /admin/sync-status": ["SyncStatus"], "### 8.4": ["Slo", "Workers"], "### 8.5": ["Keys", "NewKey"],
    "### 9.1": ["Profile"], "### 9.2": ["ChurnRisk"], "### 9.3": ["NextPurchase"], "### 9.4": ["LtvForecast"],
    "### 9.5": ["Orders"], "## 10.": [None, "SearchPage"], "### 11.1": ["ArchetypeStats"], "### 11.2": ["TopArchetypes"],
    "### 11.3": ["ArchetypeGrowth"], "### 12.1": ["ChurnAggregate"], "### 12.2": ["GrowthProjection"],
    "### 12.3": ["RevenueForecast"], "### 13.1": ["Campaign"], "### 13.2": ["CampaignSegments"],
    "### 14.1": ["ProductResult", "PRODUCTS"], "### 14.2": ["Cohorts"], "GET /segments/axes": ["Axes"],
    "GET /segments/stats": ["SegmentStats"], "GET /segments/customer/{id}": ["SegmentCustomer"],
    "GET /api/system/configuration": ["Configuration"], "GET /api/mcp/tools": ["Tools"],
    "POST /api/mcp/query": [None, "ToolAnswer"], "### 17.1": ["QuestionAnswer"], "### 17.3": ["ANSWERS"]}


def blocks(text):
    """(heading, JSON) of every example of the contract."""
    heading = ""
    for m in re.finditer(r"^(#+ [^\n]*)$|^\*\*((?:GET|POST)[^\n*]*)\*\*|```json\n(.*?)```", text, re.M | re.S):
        if m.group(3) is None:
            heading = m.group(1) or m.group(2)
        else:
            yield heading, json.loads(m.group(3))


def lenient():
    """The document without what a shortened example cannot hold."""
    content = copy.deepcopy(openapi.document().content)
    schemas = content["components"]["schemas"]
    for name in SHORTENED:
        schemas[name].pop("required")
    schemas["Health"]["properties"]["checks"].pop("required")
    schemas["Run"].pop("required")
    schemas["SyncFinished"]["properties"].pop("run")
    schemas["NewKey"]["properties"].pop("api_key")
    return openapi.Document(content)


def cases(of, frame, content):
    """Schemas of the members of a block that shows several answers by their word."""
    among = {b["if"]["properties"][of]["const"]: b["then"] for b in content["components"]["schemas"][frame]["allOf"][1:]}
    return {word: then.get("properties", {}).get("answer", then) for word, then in among.items()}


def test_examples_of_the_contract():
    if not CONTRACT.is_file():
        pytest.skip(f"no contract at {CONTRACT}")
    document, rest, wrong, shown = lenient(), {k: list(v) for k, v in EXAMPLES.items()}, [], 0
    for heading, example in blocks(CONTRACT.read_text()):
        key = next((k for k in rest if heading == k or (k.startswith("#") and heading.startswith(k))), None)
        assert key is not None and rest[key], f"an example under {heading!r} that no schema is named for"
        name = rest[key].pop(0)
        if name is None:
            continue
        if name in ("PRODUCTS", "ANSWERS"):
            several = cases("analysis_type" if name == "PRODUCTS" else "query_type", {"PRODUCTS": "ProductAnswer"}.get(name, "Answer"),
                            document.content)
            profile = example.get("customer_lookup", {}).get("profile")
            pairs = [(several[word], {"message": "", "profile": profile, **one}, word) for word, one in example.items()]
        else:
            pairs = [({"$ref": f"#/components/schemas/{name}"}, example, name)]
        for schema, value, word in pairs:
            shown += 1
            wrong += [f"{word}: {f}" for f in document.faults(schema, value)]
    assert not wrong, "\n".join(wrong)
    assert shown > 35


# ---- a linter ----

def test_redocly_finds_nothing(tmp_path):
    if shutil.which("npm") is None:
        pytest.skip("no npm here: the document is not linted by redocly")
    tools = openapi.FILE.parent / "npm"
    program = tools / "node_modules/.bin/redocly"
    if not program.exists():
        got = subprocess.run(["npm", "install", "--no-audit", "--no-fund", "--ignore-scripts", "--prefix", str(tools),
                              "@redocly/cli@2.77.0"], capture_output=True, text=True, timeout=120 * FACTOR)
        if got.returncode != 0:
            pytest.skip("npm does not answer: the document is not linted by redocly")
    (tmp_path / "redocly.yaml").write_text("extends: [recommended]\n")
    shutil.copy(openapi.FILE, tmp_path / "openapi.json")
    found = subprocess.run([str(program), "lint", "--config", "redocly.yaml", "openapi.json"], cwd=tmp_path,
                           capture_output=True, text=True, timeout=120 * FACTOR,
                           env={**os.environ, "REDOCLY_TELEMETRY": "off", "REDOCLY_SUPPRESS_UPDATE_NOTICE": "true"})
    assert found.returncode == 0 and "warning" not in found.stdout + found.stderr.replace("Deprecation warning", ""), \
        (found.stdout + found.stderr)[-3000:]
