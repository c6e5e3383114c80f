"""POST /mcp: the validation ladder as a table, and what each method answers, in both eras of the protocol."""
import base64
import http.client
import json
import time

import pytest

from lib.patrond import Answer, serving
from lib.wait import FACTOR, wait_until

MODERN = "2026-07-28"
LEGACY = ["2025-11-25", "2025-06-18", "2025-03-26"]
META = "io.modelcontextprotocol/"
CLAIM = {META + "protocolVersion": MODERN, META + "clientCapabilities": {}}
NAME_OF = {"tools/call": "name", "prompts/get": "name", "resources/read": "uri"}
OUTSIDE = object()  # a header or member that is left out


@pytest.fixture(scope="module")
def server(postgres_server, sample_sales, tmp_path_factory):
    postgres_server.ensure()
    with serving(tmp_path_factory.mktemp("mcp") / "i", {
        "DATABASE_URL": postgres_server.create_database(), "SYNC_SOURCE": f"csv:{sample_sales(300)}",
        "AS_OF_DATE": "2024-12-31", "ALLOWED_ORIGINS": "https://shop.example"}) as instance:
        yield instance


def send(server, body, headers=None, method="POST", path="/mcp", key=True):
    """One request as it stands: a body of bytes, or anything as JSON."""
    sent = {"Content-Type": "application/json", "Accept": "application/json, text/event-stream"}
    if key:
        sent["Authorization"] = f"Bearer {server.admin_key}"
    sent.update(headers or {})
    c = http.client.HTTPConnection("127.0.0.1", server.port, timeout=20)
    try:
        raw = body if isinstance(body, bytes) or body is None else json.dumps(body).encode()
        c.request(method, path, raw, {k: v for k, v in sent.items() if v is not OUTSIDE})
        return Answer(c.getresponse())
    finally:
        c.close()


def modern(method, params=None, number=1, meta=None):
    """(body, headers) of a good modern request."""
    params = dict(params or {})
    headers = {"MCP-Protocol-Version": MODERN, "Mcp-Method": method}
    if method in NAME_OF and NAME_OF[method] in params:
        headers["Mcp-Name"] = params[NAME_OF[method]]
    if method == "tools/call" and "goal" in (params.get("arguments") or {}):
        headers["Mcp-Param-Goal"] = params["arguments"]["goal"]
    params["_meta"] = CLAIM if meta is None else meta
    return {"jsonrpc": "2.0", "id": number, "method": method, "params": params}, headers


def legacy(method, params=None, number=1, version=LEGACY[0]):
    body = {"jsonrpc": "2.0", "id": number, "method": method}
    if params is not None:
        body["params"] = params
    return body, {"MCP-Protocol-Version": version}


def result(server, request):
    answer = send(server, *request)
    assert answer.status == 200, answer.body
    body = answer.json()
    assert "result" in body, body
    assert body["jsonrpc"] == "2.0" and body["id"] == request[0]["id"]
    return body["result"]


def refused(server, request):
    answer = send(server, *request)
    body = answer.json()
    assert answer.status == 200 and body["id"] == request[0]["id"], (answer.status, body)
    return body["error"]


def call(server, name, arguments, era=modern):
    return result(server, era("tools/call", {"name": name, "arguments": arguments}))


def customer(server):
    return call(server, "search_customers", {"limit": 1})["structuredContent"]["items"][0]


# ---- the ladder ----

def change(request, headers=None, **members):
    body, sent = request
    body = {k: v for k, v in {**body, **members}.items() if v is not OUTSIDE}
    return body, {**sent, **(headers or {})}


LIST, CALL = modern("tools/list"), modern("tools/call", {"name": "search_customers", "arguments": {"limit": 1}})
GOAL = modern("tools/call", {"name": "recommend_segments_for_campaign", "arguments": {"goal": "retention"}})
NO_GOAL = modern("tools/call", {"name": "recommend_segments_for_campaign", "arguments": {}})
WORD = base64.b64encode(b"retention").decode()


def claim(**keys):
    return {k: v for k, v in {**CLAIM, **{META + name: v for name, v in keys.items()}}.items() if v is not OUTSIDE}


# name: request, status, code (None: a result), is the id echoed?
LADDER = {
    "good": (LIST, 200, None, True),
    "text id": (change(LIST, id="a\"b"), 200, None, True),
    "long id": (change(LIST, id=2**60), 200, None, True),
    "any accept": (change(LIST, {"Accept": "*/*"}), 200, None, True),
    "no accept": (change(LIST, {"Accept": OUTSIDE}), 200, None, True),
    "type with parameters": (change(LIST, {"Content-Type": "application/json; charset=utf-8"}), 200, None, True),
    # 1: origin
    "strange origin": (change(LIST, {"Origin": "https://evil.example"}), 403, 403, False),
    "origin null": (change(LIST, {"Origin": "null"}), 403, 403, False),
    "origin that begins well": (change(LIST, {"Origin": "http://localhost.evil.example"}), 403, 403, False),
    "strange host": (change(LIST, {"Host": "evil.example"}), 403, 403, False),
    "strange host, good origin": (change(LIST, {"Host": "evil.example", "Origin": "http://localhost"}), 403, 403, False),
    "allowed origin": (change(LIST, {"Origin": "https://shop.example"}), 200, None, True),
    "page of this machine": (change(LIST, {"Origin": "http://localhost:6274", "Host": "localhost:80"}), 200, None, True),
    # 2: content
    "wrong type": (change(LIST, {"Content-Type": "text/plain"}), 415, 415, False),
    "no type": (change(LIST, {"Content-Type": OUTSIDE}), 415, 415, False),
    "content encoding": (change(LIST, {"Content-Encoding": "gzip"}), 415, 415, False),
    "accepts pictures": (change(LIST, {"Accept": "image/png"}), 406, 406, False),
    "no json": ((b"{", LIST[1]), 400, -32700, False),
    "empty": ((b"", LIST[1]), 400, -32700, False),
    "no utf-8": ((b'{"jsonrpc":"2.0","id":1,"method":"\xff"}', LIST[1]), 400, -32700, False),
    # 3: shape
    "array": (([LIST[0]], LIST[1]), 400, -32600, False),
    "number": ((7, LIST[1]), 400, -32600, False),
    "no version": (change(LIST, jsonrpc=OUTSIDE), 400, -32600, True),
    "version 1.0": (change(LIST, jsonrpc="1.0"), 400, -32600, True),
    "id null": (change(LIST, id=None), 400, -32600, False),
    "id fraction": (change(LIST, id=1.5), 400, -32600, False),
    "id object": (change(LIST, id={}), 400, -32600, False),
    "method number": (change(LIST, method=4), 400, -32600, True),
    "no method": (change(LIST, method=OUTSIDE), 400, -32600, True),
    "params array": (change(LIST, params=[]), 400, -32600, True),
    "response": (({"jsonrpc": "2.0", "id": 1, "result": {}}, LIST[1]), 400, -32600, True),
    # 4: era
    "modern without claim": (change(LIST, params={}), 400, -32602, True),
    "modern without params": (change(LIST, params=OUTSIDE), 400, -32602, True),
    "unknown version without claim": (change(LIST, {"MCP-Protocol-Version": "1999-01-01"}, params={}), 400, -32602, True),
    "future without claim": (change(LIST, {"MCP-Protocol-Version": "2031-01-01"}, params={}), 400, -32602, True),
    "legacy version not served": (legacy("tools/list", version="2024-11-05"), 400, -32600, True),
    "initialize by a modern header": (change(modern("initialize"), params={}), 400, -32020, True),
    # 5: _meta
    "version number": (modern("tools/list", meta=claim(protocolVersion=7)), 400, -32602, True),
    "no capabilities": (modern("tools/list", meta=claim(clientCapabilities=OUTSIDE)), 400, -32602, True),
    "capabilities array": (modern("tools/list", meta=claim(clientCapabilities=[])), 400, -32602, True),
    # 6: agreement
    "other version in the header": (change(LIST, {"MCP-Protocol-Version": "2025-11-25"}), 400, -32020, True),
    "other method in the header": (change(LIST, {"Mcp-Method": "tools/call"}), 400, -32020, True),
    "method in capitals": (change(LIST, {"Mcp-Method": "Tools/List"}), 400, -32020, True),
    # 7: version
    "future": (change(modern("tools/list", meta=claim(protocolVersion="2031-01-01")),
                      {"MCP-Protocol-Version": "2031-01-01"}), 400, -32022, True),
    "legacy by claim": (change(modern("tools/list", meta=claim(protocolVersion="2025-11-25")),
                               {"MCP-Protocol-Version": "2025-11-25"}), 400, -32022, True),
    "future comes before headers": (change(modern("tools/list", meta=claim(protocolVersion="2031-01-01")),
                                           {"MCP-Protocol-Version": OUTSIDE, "Mcp-Method": OUTSIDE}), 400, -32022, True),
    # 8: headers
    "no version header": (change(LIST, {"MCP-Protocol-Version": OUTSIDE}), 400, -32020, True),
    "no method header": (change(LIST, {"Mcp-Method": OUTSIDE}), 400, -32020, True),
    "no name header": (change(CALL, {"Mcp-Name": OUTSIDE}), 400, -32020, True),
    "other name": (change(CALL, {"Mcp-Name": "predict_churn_risk"}), 400, -32020, True),
    "name in base64": (change(CALL, {"Mcp-Name": "=?base64?c2VhcmNoX2N1c3RvbWVycw==?="}), 200, None, True),
    "name in base64, no padding": (change(CALL, {"Mcp-Name": "=?base64?c2VhcmNoX2N1c3RvbWVycw?="}), 400, -32020, True),
    "name in base64, bad letter": (change(CALL, {"Mcp-Name": "=?base64?c2V!cmNoX2N1c3RvbWVycw==?="}), 400, -32020, True),
    "marker in capitals": (change(CALL, {"Mcp-Name": "=?BASE64?c2VhcmNoX2N1c3RvbWVycw==?="}), 400, -32020, True),
    # 9: arguments in headers
    "argument in a header": (GOAL, 200, None, True),
    "argument in base64": (change(GOAL, {"Mcp-Param-Goal": f"=?base64?{WORD}?="}), 200, None, True),
    "header in small letters": (change(GOAL, {"Mcp-Param-Goal": OUTSIDE, "mcp-param-goal": "retention"}), 200, None, True),
    "argument's header missing": (change(GOAL, {"Mcp-Param-Goal": OUTSIDE}), 400, -32020, True),
    "argument's header differs": (change(GOAL, {"Mcp-Param-Goal": "upsell"}), 400, -32020, True),
    "argument's header unreadable": (change(GOAL, {"Mcp-Param-Goal": "=?base64?!?="}), 400, -32020, True),
    "header without argument": (change(NO_GOAL, {"Mcp-Param-Goal": "retention"}), 400, -32020, True),
    "neither": (NO_GOAL, 200, None, True),
    # 10: method
    "unknown method": (modern("tools/fetch"), 404, -32601, True),
    "initialize": (modern("initialize"), 404, -32601, True),
    "ping": (modern("ping"), 404, -32601, True),
    "subscriptions": (modern("subscriptions/listen"), 404, -32601, True),
    "unknown method, legacy": (legacy("tools/fetch"), 200, -32601, True),
    "discover, legacy": (legacy("server/discover"), 200, -32601, True),
    # 12: handler
    "unknown tool": (modern("tools/call", {"name": "drop_tables"}), 200, -32602, True),
    "no tool": (modern("tools/call", {}), 200, -32602, True),
    "arguments array": (modern("tools/call", {"name": "search_customers", "arguments": []}), 200, -32602, True),
    "strange cursor": (modern("tools/list", {"cursor": "x"}), 200, -32602, True),
    "empty cursor": (modern("tools/list", {"cursor": ""}), 200, None, True),
    # legacy
    "no header": (change(legacy("tools/list"), {"MCP-Protocol-Version": OUTSIDE}), 200, None, True),
    "headers of the other era": (change(legacy("tools/list"), {"Mcp-Method": "nonsense"}), 200, None, True),
    "session": (change(legacy("tools/list"), {"Mcp-Session-Id": "7", "Last-Event-ID": "3"}), 200, None, True),
}


@pytest.mark.parametrize("name", LADDER)
def test_ladder(server, name):
    request, status, code, echoed = LADDER[name]
    answer = send(server, *request)
    assert answer.status == status, answer.body
    body = answer.json()
    assert answer.headers["content-type"].startswith("application/json")
    assert "mcp-session-id" not in answer.headers
    assert body["jsonrpc"] == "2.0"
    assert ("id" in body) == echoed
    if echoed:
        assert body["id"] == request[0]["id"]
    if code is None:
        assert "error" not in body
    else:
        assert "result" not in body
        assert body["error"]["code"] == code and body["error"]["message"]
    if code == -32022:
        asked = request[0]["params"]["_meta"][META + "protocolVersion"]
        assert body["error"]["data"] == {"supported": [MODERN], "requested": asked}


@pytest.mark.parametrize("method", ["GET", "DELETE", "PUT", "PATCH", "HEAD"])
def test_other_methods(server, method):
    answer = send(server, None, method=method)
    assert answer.status == 405
    assert answer.headers["allow"] == "POST, OPTIONS"


def test_what_needs_no_answer(server):
    note = {"jsonrpc": "2.0", "method": "notifications/initialized"}
    notes = [(note, {}), (note, {"MCP-Protocol-Version": LEGACY[0]}),
             ({"jsonrpc": "2.0", "method": "notifications/cancelled", "params": {"_meta": CLAIM}},
              {"MCP-Protocol-Version": MODERN}),
             ({"jsonrpc": "2.0", "id": 1, "result": {}}, {})]
    for body, headers in notes:
        answer = send(server, body, headers)
        assert (answer.status, answer.body) == (202, b""), body


def test_preflight_needs_no_key(server):
    answer = send(server, None, {"Origin": "https://shop.example", "Access-Control-Request-Method": "POST"}, "OPTIONS", key=False)
    assert answer.status == 204
    allowed = {h.strip().lower() for h in answer.headers["access-control-allow-headers"].split(",")}
    assert {"authorization", "content-type", "accept", "mcp-protocol-version", "mcp-method", "mcp-name", "mcp-session-id",
            "last-event-id", "x-api-key", "mcp-param-goal"} <= allowed


def test_credentials(server):
    body, headers = LIST
    answer = send(server, body, headers, key=False)
    assert answer.status == 401 and answer.json()["error"]["code"] == 401
    assert answer.headers["www-authenticate"] == 'Bearer realm="patrond"'
    answer = send(server, body, {**headers, "Authorization": "Bearer pk_live_" + "Z" * 43})
    assert answer.status == 401
    assert answer.headers["www-authenticate"] == 'Bearer realm="patrond", error="invalid_token"'
    assert send(server, b"{", {**headers, "Authorization": "Bearer no"}).status == 401  # before anything is read
    assert send(server, body, {**headers, "X-API-Key": server.admin_key}, key=False).status == 200
    for path in ("/.well-known/oauth-protected-resource", "/.well-known/oauth-protected-resource/mcp"):
        answer = send(server, None, method="GET", path=path, key=False)
        assert answer.status == 404 and answer.json()


# ---- methods ----

def test_discover(server):
    r = result(server, modern("server/discover"))
    assert r["supportedVersions"] == [MODERN]
    assert r["resultType"] == "complete" and r["ttlMs"] > 0 and r["cacheScope"] == "public"
    assert r["_meta"][META + "serverInfo"]["name"] == "patrond"
    assert r["instructions"]


@pytest.mark.parametrize("asked, given", [(v, v) for v in LEGACY] + [("2024-11-05", LEGACY[0]), (MODERN, LEGACY[0])])
def test_initialize(server, asked, given):
    hello = {"protocolVersion": asked, "capabilities": {}, "clientInfo": {"name": "test", "version": "1"}}
    r = result(server, ({"jsonrpc": "2.0", "id": 0, "method": "initialize", "params": hello}, {}))
    assert r["protocolVersion"] == given
    assert r["serverInfo"]["name"] == "patrond"
    assert "resultType" not in r and "_meta" not in r
    assert result(server, legacy("ping", version=given)) == {}


@pytest.mark.parametrize("era", [modern, legacy])
def test_tools_are_described(server, era):
    r = result(server, era("tools/list"))
    assert ("ttlMs" in r) == ("cacheScope" in r) == ("resultType" in r) == (era is modern)
    known = send(server, None, method="GET", path="/api/mcp/tools").json()["tools"]
    assert [t["name"] for t in r["tools"]] == [t["name"] for t in known]
    for tool in r["tools"]:
        assert tool["title"] and tool["description"]
        assert tool["inputSchema"]["type"] == tool["outputSchema"]["type"] == "object"
        assert {k: v for k, v in tool["annotations"].items() if k != "title"} == {
            "readOnlyHint": True, "destructiveHint": False, "idempotentHint": True, "openWorldHint": False}


@pytest.mark.parametrize("era", [modern, legacy])
def test_call(server, era):
    r = call(server, "search_customers", {"limit": 3}, era)
    assert r["isError"] is False
    assert json.loads(r["content"][0]["text"]) == r["structuredContent"]["items"]
    assert len(r["structuredContent"]["items"]) == 3
    who = r["structuredContent"]["items"][0]["customer_id"]
    r = call(server, "get_customer_profile", {"customer_id": who}, era)
    assert r["structuredContent"] == json.loads(r["content"][0]["text"])
    assert r["structuredContent"]["customer_id"] == who


@pytest.mark.parametrize("name, arguments, said", [
    ("get_customer_profile", {"customer_id": "1"}, "Customer 1 not found"),
    ("get_customer_profile", {}, "arguments.customer_id is required"),
    ("get_customer_profile", None, "arguments.customer_id is required"),
    ("search_customers", {"limit": 0, "sort": 1}, "arguments.limit must be between 1 and 1000"),
    ("get_archetype_stats", {"archetype_id": "arch_1"}, "Archetype arch_1 not found"),
])
def test_faults_are_for_the_model_to_read(server, name, arguments, said):
    params = {"name": name} if arguments is None else {"name": name, "arguments": arguments}
    for era in (modern, legacy):
        r = result(server, era("tools/call", params))
        assert r["isError"] is True and "structuredContent" not in r
        assert said in r["content"][0]["text"]


def test_a_result_links_to_what_it_is_about(server):
    who = customer(server)["customer_id"]
    for era, links in ((modern, 1), (legacy, 1), (lambda *a: legacy(*a, version="2025-03-26"), 0)):
        r = call(server, "predict_churn_risk", {"customer_id": who}, era)
        assert [c["uri"] for c in r["content"] if c["type"] == "resource_link"] == [f"customer://{who}"] * links


@pytest.mark.parametrize("era", [modern, legacy])
def test_resources(server, era):
    r = result(server, era("resources/templates/list"))
    assert [t["uriTemplate"] for t in r["resourceTemplates"]] == ["customer://{id}", "archetype://{id}"]
    listed = result(server, era("resources/list"))["resources"]
    assert listed and all(set(x) == {"uri", "name", "title", "mimeType"} for x in listed)
    who = customer(server)["customer_id"]
    for uri, path in ((f"customer://{who}", f"/api/customers/{who}"),
                      (listed[0]["uri"], "/api/mcp/archetype/" + listed[0]["name"])):
        r = result(server, era("resources/read", {"uri": uri}))
        (content,) = r["contents"]
        assert content["uri"] == uri and content["mimeType"] == "application/json"
        assert content["text"].encode() == server.get(path).body
        if era is modern:
            assert r["cacheScope"] == "private" and r["ttlMs"] > 0


@pytest.mark.parametrize("era", [modern, legacy])
def test_all_archetypes_page_by_page(server, era):
    first = result(server, era("resources/list"))
    second = result(server, era("resources/list", {"cursor": first["nextCursor"]}))
    assert len(first["resources"]) == 100 and "nextCursor" not in second
    names = [r["name"] for r in first["resources"] + second["resources"]]
    ranked = server.get("/api/mcp/archetypes/top?metric=member_count&limit=1000").json()
    assert names == [a["archetype_id"] for a in ranked["top_archetypes"]] and len(names) > 100
    assert refused(server, era("resources/list", {"cursor": first["nextCursor"][:-1]}))["code"] == -32602
    assert result(server, era("resources/list", {"cursor": ""})) == first


@pytest.mark.parametrize("uri", ["customer://1", "customer://", "archetype://arch_000000000000", "file:///etc/passwd", "", "x"])
def test_no_such_resource(server, uri):
    error = refused(server, modern("resources/read", {"uri": uri}) if uri else
                    change(modern("resources/read", {"uri": ""}), {"Mcp-Name": ""}))
    assert (error["code"], error["data"]) == (-32602, {"uri": uri})
    error = refused(server, legacy("resources/read", {"uri": uri}))
    assert (error["code"], error["data"]) == (-32002, {"uri": uri})


@pytest.mark.parametrize("era", [modern, legacy])
def test_prompts(server, era):
    r = result(server, era("prompts/list"))
    assert [(p["name"], [a["name"] for a in p["arguments"]]) for p in r["prompts"]] == [
        ("briefing", []), ("churn_review", ["customer_id"]), ("segment_summary", ["archetype_id"])]
    who, group = customer(server)["customer_id"], customer(server)["archetype_id"]
    for name, arguments, uri in (("briefing", {}, None), ("churn_review", {"customer_id": who}, f"customer://{who}"),
                                 ("segment_summary", {"archetype_id": group}, f"archetype://{group}")):
        r = result(server, era("prompts/get", {"name": name, "arguments": arguments}))
        assert "ttlMs" not in r
        assert [m["role"] for m in r["messages"]] == ["user"] * (2 if uri else 1)
        assert r["messages"][0]["content"]["type"] == "text"
        if uri:
            embedded = r["messages"][1]["content"]
            assert embedded["type"] == "resource" and embedded["resource"]["uri"] == uri
            assert json.loads(embedded["resource"]["text"])


@pytest.mark.parametrize("params", [{"name": "poem"}, {}, {"name": "churn_review"},
                                    {"name": "churn_review", "arguments": {"customer_id": 7}},
                                    {"name": "churn_review", "arguments": {"customer_id": "1"}},
                                    {"name": "briefing", "arguments": []}])
def test_prompts_refused(server, params):
    assert refused(server, modern("prompts/get", params))["code"] == -32602


def complete(server, ref, name, value):
    return result(server, modern("completion/complete", {"ref": ref, "argument": {"name": name, "value": value}}))["completion"]


def test_completion(server):
    found = call(server, "search_customers", {"limit": 1000})["structuredContent"]["items"]
    ids = sorted((c["customer_id"] for c in found), key=int)
    groups = sorted({c["archetype_id"] for c in found if c["archetype_id"]})
    by_prompt, by_uri = {"type": "ref/prompt", "name": "churn_review"}, {"type": "ref/resource", "uri": "customer://{id}"}
    for prefix in ("", ids[0][:2], ids[7][:-1], ids[7], "9" * 19, "0", "x", "9" * 30):
        wanted = [i for i in ids if i.startswith(prefix)]
        for ref, name in ((by_prompt, "customer_id"), (by_uri, "id")):
            c = complete(server, ref, name, prefix)
            assert sorted(c["values"]) == sorted(wanted) if len(wanted) <= 100 else c["values"] == wanted[:100]
            assert c["total"] == len(wanted) and c["hasMore"] == (len(wanted) > 100)
    for prefix in ("", "arch_", groups[0][:7], groups[0], groups[0] + "0", "x"):
        c = complete(server, {"type": "ref/resource", "uri": "archetype://{id}"}, "id", prefix)
        assert c["values"] == [g for g in groups if g.startswith(prefix)][:100]


@pytest.mark.parametrize("ref, argument", [
    ({"type": "ref/prompt", "name": "poem"}, {"name": "customer_id", "value": ""}),
    ({"type": "ref/prompt", "name": "briefing"}, {"name": "customer_id", "value": ""}),
    ({"type": "ref/resource", "uri": "file:///{id}"}, {"name": "id", "value": ""}),
    ({"type": "ref/tool"}, {"name": "id", "value": ""}),
    (None, {"name": "id", "value": ""}),
    ({"type": "ref/prompt", "name": "churn_review"}, {"name": "customer_id"}),
    ({"type": "ref/prompt", "name": "churn_review"}, None),
])
def test_completion_refused(server, ref, argument):
    assert refused(server, modern("completion/complete", {"ref": ref, "argument": argument}))["code"] == -32602


# ---- scopes, limits, and when something is missing ----

def test_scope(server):
    made = server.post("/admin/keys", {"name": "writer", "scopes": ["write"]}).json()["api_key"]
    ask = {**LIST[1], "Authorization": f"Bearer {made}"}
    wait_until(lambda: {send(server, LIST[0], ask).status for _ in range(8)} == {403}, 10, "the key is known")
    answer = send(server, LIST[0], ask)
    assert answer.json()["error"]["code"] == 403
    assert answer.headers["www-authenticate"] == (
        'Bearer realm="patrond", error="insufficient_scope", scope="read"')


def test_before_the_first_sync_and_beyond_the_limit(patrond_factory, database):
    server = patrond_factory(DATABASE_URL=database, ALLOW_LIST="", RATE_LIMIT_QUERY="3/h;burst=3")
    server.start()
    assert result(server, modern("resources/list"))["resources"] == []
    assert refused(server, modern("resources/read", {"uri": "customer://1"}))["code"] == -32603
    assert complete(server, {"type": "ref/resource", "uri": "customer://{id}"}, "id", "") == {
        "values": [], "total": 0, "hasMore": False}
    r = call(server, "search_customers", {})
    assert r["isError"] is True and r["content"][0]["text"] == "No customers loaded. Try again in 10 seconds."
    assert refused(server, modern("tools/call", {"name": "poem"}))["code"] == -32602
    answer = send(server, *change(CALL, id="third"))
    assert answer.status == 200 and answer.headers["ratelimit-policy"] == '"query";q=3;w=3600'
    answer = send(server, *change(CALL, id="fourth"))
    body = answer.json()
    assert answer.status == 429 and int(answer.headers["retry-after"]) > 0
    assert (body["id"], body["error"]["code"], body["error"]["data"]["policy"]) == ("fourth", 429, "query")
    for method in ("tools/list", "prompts/list", "server/discover"):
        assert send(server, *modern(method)).status == 200


def test_a_tool_without_its_database(patrond_factory, own_postgres, sample_sales):
    server = patrond_factory(DATABASE_URL=own_postgres.create_database(), SYNC_SOURCE=f"csv:{sample_sales(300)}",
                             AS_OF_DATE="2024-12-31", WORKERS=1)
    server.start()
    assert server.sync("full")["status"] == "success"
    server.wait_data()
    products = ("analyze_products", {"analysis_type": "revenue_by_category"})
    assert call(server, *products)["structuredContent"]["answer"]["categories"]
    own_postgres.stop()
    began = time.monotonic()
    r = call(server, "analyze_products", {"analysis_type": "revenue_by_category", "timeframe_months": 5}, legacy)
    assert time.monotonic() - began < 2 * FACTOR
    assert r["isError"] is True and "Try again in" in r["content"][0]["text"] and "structuredContent" not in r
    assert call(server, "search_customers", {"limit": 1})["isError"] is False
