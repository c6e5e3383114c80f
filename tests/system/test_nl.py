"""Questions in words: Claude chooses a tool where it can, the rules where it can't, and there is always an answer."""
import contextlib
import json
import statistics
import threading
import time

import pytest

from lib.patrond import serving
from lib.sales import shop, write
from lib.wait import FACTOR, wait_until
from standins.claude import FAULTS, Claude, error_body, status

KEY = "sk-ant-secret-of-the-tests-0123456789"
TARGET = "/api/mcp/query/natural-language"
WITHIN_S = 3.0
SECRET = "zebra crossing"  # a phrase of the questions, looked for where it must not be


def brain(question):
    """Chooses by words that mean nothing to the rules, so that the two can't be taken for each other."""
    chosen = {
        "best": ("query_customers", {"scope": "list", "analysis": "high_value", "limit": 4, "filters": []}),
        "filters": ("query_customers", {"scope": "list", "analysis": "behavioral", "limit": 5, "filters": [
            {"field": "ltv_min", "value": "20"}, {"field": "segment.lifecycle", "value": "active"},
            {"field": "segment.lifecycle", "value": "cooling"}, {"field": "total_orders_min", "value": "2"}]}),
        "range": ("query_segments", {"limit": 9999, "timeframe_months": 400, "filters": []}),
        "products": ("analyze_products", {"analysis_type": "revenue_by_category", "limit": 3, "timeframe_months": 24}),
        "nobody": ("query_customers", {"scope": "individual", "customer_id": "1", "limit": 10, "filters": []}),
        "unnamed": ("query_customers", {"scope": "individual", "limit": 10, "filters": []}),
    }
    return next((c for word, c in chosen.items() if word in question), "I can only talk about customers.")


@pytest.fixture(scope="module")
def claude():
    with Claude(KEY, brain) as server:
        yield server


@pytest.fixture(scope="module")
def nl(postgres_server, redis_server, claude, tmp_path_factory):
    directory = tmp_path_factory.mktemp("nl")
    write(directory / "sales.csv", shop(400, customers=80))
    postgres_server.ensure()
    redis_server.ensure()
    with serving(directory / "i", {
        "DATABASE_URL": postgres_server.create_database(), "SYNC_SOURCE": f"csv:{directory / 'sales.csv'}",
        "AS_OF_DATE": "2025-01-01", "REDIS_URL": redis_server.url(), "ANTHROPIC_API_KEY": KEY, "ANTHROPIC_BASE_URL": claude.url,
        "NL_TIMEOUT_MS": 2500, "NL_CONCURRENCY": 16, "ACCESS_LOG": "all", "LOG_LEVEL": "DEBUG"}) as instance:
        yield instance
    text = "\n".join(instance.lines)
    assert SECRET not in text and KEY not in text, "a question or the key is in the log"


@pytest.fixture
def clean(nl, claude):
    """No faults, and a circuit that is closed: settings that differ begin with one."""
    claude.faults, claude.always, claude.delay_s, claude.problems = [], None, 0, []
    claude.thinking = claude.compress = claude.chunked = False
    if nl.get("/health", key=None).json()["components"]["ai"] == "down" or claude_is_shut(nl):
        effort = "medium" if nl.settings.get("ANTHROPIC_EFFORT") != "medium" else "high"
        nl.write_settings(ANTHROPIC_EFFORT=effort)
        assert nl.ctl("reload").returncode == 0, nl.log_tail()
    claude.requests.clear()
    return nl


_asked = iter(range(10**6))


def ask(instance, words):
    began = time.monotonic()
    answer = instance.post(TARGET, {"query": words})
    took = time.monotonic() - began
    assert answer.status == 200, answer.body
    assert took < WITHIN_S * FACTOR, f"{took:.2f} s"
    return answer.json()


def fresh(words):
    """A question nobody has asked before."""
    return f"{SECRET} {words} {next(_asked)}x"


def claude_is_shut(instance):
    return ask(instance, fresh("best"))["interpreter"] != "claude"


def test_claude_chooses_tool_and_arguments(clean, claude):
    answer = ask(clean, fresh("best"))
    assert (answer["interpreter"], answer["tool_used"], answer["query_type"]) == ("claude", "query_customers", "high_value_customers")
    assert answer["interpretation"] == {"scope": "list", "analysis": "high_value", "limit": 4}
    assert len(answer["answer"]["customers"]) == 4 and not claude.problems
    (request,) = claude.requests
    body, headers = request["body"], request["headers"]
    assert headers["anthropic-version"] == "2026-10-21" and headers["x-api-key"] == KEY
    assert body["model"] == "claude-haiku-5-5" and body["output_config"]["effort"] in ("low", "medium", "high")
    assert all(t["strict"] for t in body["tools"]) and len(body["tools"]) == 6
    assert body["tool_choice"]["type"] == "auto" and len(body["messages"]) == 1
    event = clean.wait_event("claude_completed")
    assert all(f" {k}=" in event for k in ("model", "tool", "duration_seconds", "input_tokens", "output_tokens", "request_id"))


def test_a_question_in_the_target_is_not_logged(clean):
    words = fresh("best").replace(" ", "%20")
    answer = clean.post(f"{TARGET}?qu%65ry={words}&admin_key=none", None)
    assert answer.status == 200 and answer.json()["interpreter"] == "claude"
    clean.wait_event("request_started", matching=r'query_params="?query=\*\*\*&admin_key=\*\*\*')
    assert words not in "\n".join(clean.lines)  # the decoded form is looked for at the end, see nl


def test_every_request_begins_with_the_same_bytes(clean, claude):
    for words in ("best of", "filters of"):
        ask(clean, fresh(words))
    first, second = (r["raw"][: r["raw"].index(b'"messages"')] for r in claude.requests)
    assert first == second


def test_keys_of_the_body_are_known(clean):
    """Also where the question stands in the target."""
    for path in ("", "?query=who%20may%20leave"):
        answer = clean.post(f"/api/mcp/query/natural-language{path}", {"question": "who may leave"})
        assert answer.status == 422 and answer.json()["error"]["details"]["validation_errors"][0]["field"] == "body.question"


def test_conditions_become_filters(clean):
    answer = ask(clean, fresh("filters"))
    filters = {"ltv_min": 20, "segment": {"lifecycle": ["active", "cooling"]}, "total_orders_min": 2}
    assert answer["interpretation"]["filters"] == filters and answer["answer"]["filters_applied"] == filters
    told = answer["answer"]
    asked = clean.post("/api/mcp/search", {"filters": filters, "limit": 5}).json()
    assert [c["customer_id"] for c in told["customers"]] == [c["customer_id"] for c in asked["customers"]]
    assert told["aggregate_metrics"]["total_matches"] == asked["total_matches"] > 0


def test_arguments_are_brought_into_range(clean):
    answer = ask(clean, fresh("range"))
    assert answer["interpretation"] == {"limit": 50, "timeframe_months": 60}
    assert answer["archetypes"] == answer["answer"]["projections"] and answer["timeframe_months"] == 60


def test_products_come_from_the_database(clean):
    answer = ask(clean, fresh("products"))
    assert answer["categories"] == answer["answer"]["categories"] and answer["query_type"] == "revenue_by_category"


@pytest.mark.parametrize("words, kind", [("nobody", "customer_lookup_error"), ("unnamed", "error"), ("what", "general_response")])
def test_answers_without_numbers(clean, words, kind):
    answer = ask(clean, fresh(words))
    assert (answer["query_type"], answer["interpreter"]) == (kind, "claude")
    if kind == "general_response":
        assert answer["tool_used"] is None and answer["interpretation"] is None and list(answer["answer"]) == ["message"]


@pytest.mark.parametrize("manner", ["thinking", "compress", "chunked"])
def test_manners_of_the_provider(clean, claude, manner):
    setattr(claude, manner, True)
    assert ask(clean, fresh("best"))["interpreter"] == "claude"


def test_asked_once(clean, claude, redis_server):
    words, before = fresh("best"), redis_server.keys()
    assert ask(clean, words)["interpreter"] == "claude"
    wait_until(lambda: redis_server.keys() > before, 5, "the other worker can find it")
    for variant in (words, words.upper(), f"  {words}?", words.replace(" ", "   ")) * 4:  # both workers, memory and Redis
        assert ask(clean, variant)["interpreter"] == "claude"
    assert len(claude.requests) == 1


def test_asked_once_at_a_time(clean, claude):
    claude.delay_s, words, answers = 0.4, fresh("best"), []
    threads = [threading.Thread(target=lambda: answers.append(ask(clean, words))) for _ in range(12)]
    for t in threads:
        t.start()
    for t in threads:
        t.join()
    assert [a["interpreter"] for a in answers] == ["claude"] * 12
    assert len(claude.requests) <= 2  # one a worker


# ---- what goes wrong ----

@pytest.mark.parametrize("fault", [f for f in FAULTS if f not in ("hang", "drip")])
def test_every_fault_is_answered_by_rules(clean, claude, fault):
    claude.fail_always(fault)
    answer = ask(clean, fresh("top customers"))
    assert (answer["interpreter"], answer["query_type"]) == ("rules", "high_value_customers")
    clean.wait_event("claude_failed", matching="error_type=")
    assert not claude.problems


@pytest.mark.parametrize("fault", ["hang", "drip"])
def test_slow_ones_end_with_the_budget(clean, claude, fault):
    claude.fail_always(fault)
    began = time.monotonic()
    answer = ask(clean, fresh("top customers"))
    assert answer["interpreter"] == "rules" and time.monotonic() - began >= 2.4
    assert len(claude.requests) == 1
    clean.wait_event("claude_failed", matching="error_type=timeout")


@pytest.mark.parametrize("fault, tries", [
    (status(529), 2), (status(500), 2), (status(409), 2), (status(429, retry_after_ms="50"), 2),
    (status(503, b"<html>", retry_after="0.1"), 2), (status(400, x_should_retry="true"), 2), ("reset", 2), ("garbage", 2),
    (status(529, retry_after="60"), 1), (status(529, x_should_retry="false"), 1),
    (status(429, error_body(429, error_code="workspace_spend_limit_reached")), 1),
    (status(529, retry_after="Wed, 21 Oct 2099 07:28:00 GMT"), 1),
], ids=lambda v: v if isinstance(v, (str, int)) else f"{v.status}-{'-'.join(f'{k}:{x[:9]}' for k, x in v.headers.items())}")
def test_retries_as_the_provider_says(clean, claude, fault, tries):
    claude.fail_next(fault)
    answer = ask(clean, fresh("best"))
    assert answer["interpreter"] == ("claude" if tries > 1 else "rules")
    assert len(claude.requests) == tries
    if tries > 1:
        assert len({r["raw"] for r in claude.requests}) == 1


def test_three_tries_at_most(clean, claude):
    claude.fail_always(status(529, retry_after_ms="20"))
    assert ask(clean, fresh("top customers"))["interpreter"] == "rules"
    assert len(claude.requests) == 3
    event = clean.wait_event("claude_failed", matching="status=529")
    assert "error_type=overloaded_error" in event and "request_id=req_stand_in_1" in event


def test_a_wrong_key_opens_the_circuit_until_the_settings_change(clean, claude):
    clean.write_settings(ANTHROPIC_API_KEY="sk-ant-wrong")
    assert clean.ctl("reload").returncode == 0
    assert ask(clean, fresh("top customers"))["interpreter"] == "rules"
    clean.wait_event("claude_failed", matching="status=401.*authentication_error")
    clean.wait_event("component_state_changed", matching="component=ai.* to=down")
    health = clean.get("/health", key=None).json()
    assert (health["status"], health["components"]["ai"], health["checks"]["ai"]["error"]) == ("degraded", "down", "auth_failed")
    before = len(claude.requests)
    for _ in range(5):
        assert ask(clean, fresh("top customers"))["interpreter"] == "rules"
    assert len(claude.requests) == before
    clean.write_settings(ANTHROPIC_API_KEY=KEY)
    assert clean.ctl("reload").returncode == 0
    assert ask(clean, fresh("best"))["interpreter"] == "claude"
    assert clean.get("/health", key=None).json()["components"]["ai"] == "healthy"


def test_asked_by_hand(clean, claude):
    def check():
        done = clean.ctl("check", "claude")
        assert KEY not in done.stdout + done.stderr
        return done.returncode, done.stdout
    assert check()[0] == 0 and not claude.problems
    for fault, words in ((status(401), "ANTHROPIC_API_KEY"), (status(404), "ANTHROPIC_MODEL"), (status(529), "529"),
                         ("reset", "down"), ("garbage", "down")):
        claude.fail_next(fault)
        code, said = check()
        assert code == 1 and words in said, (fault, said)
    doctor = clean.ctl("doctor", "--json")
    assert next(f for f in json.loads(doctor.stdout)["findings"] if f["name"] == "claude")["state"] == "ok", doctor.stdout


def test_the_circuit_opens_and_closes_by_itself(clean, claude):
    claude.fail_always(status(529, x_should_retry="false"))
    for _ in range(3):
        assert ask(clean, fresh("top customers"))["interpreter"] == "rules"
    claude.requests.clear()
    assert ask(clean, fresh("top customers"))["interpreter"] == "rules" and not claude.requests
    claude.always = None
    wait_until(lambda: ask(clean, fresh("best"))["interpreter"] == "claude", 5, "the circuit to close", every=0.1)


def test_no_more_at_once_than_allowed(clean, claude):
    claude.delay_s, claude.most, answers = 0.6, 0, []
    threads = [threading.Thread(target=lambda: answers.append(ask(clean, fresh("best")))) for _ in range(40)]
    for t in threads:
        t.start()
    for t in threads:
        t.join()
    by = [a["interpreter"] for a in answers]
    assert claude.most <= 16 and by.count("claude") >= 8 and by.count("rules") >= 40 - 2 * 16
    wait_until(lambda: claude.now == 0, 5, "all requests ended")
    claude.delay_s = 0
    assert ask(clean, fresh("best"))["interpreter"] == "claude"  # places were given back


def test_a_client_that_leaves_takes_its_question_along(clean, claude):
    claude.fail_always("hang")
    gone, body = claude.gone, json.dumps({"query": fresh("best")})
    with clean.connect() as s:
        s.sendall(f"POST {TARGET} HTTP/1.1\r\nHost: x\r\nX-API-Key: {clean.admin_key}\r\nContent-Length: {len(body)}\r\n\r\n{body}".encode())
        wait_until(lambda: claude.requests, 5, "the question at Claude")
        began = time.monotonic()
    wait_until(lambda: claude.gone > gone, 5, "the transfer dropped")
    assert time.monotonic() - began < 1.5 * FACTOR


def p99(values):
    return sorted(values)[int(len(values) * 0.99)]


def latencies(instance, seconds):
    """P99 of other routes over some slices of time."""
    paths, found, end = ["/api/mcp/customer/random", "/api/mcp/churn/aggregate", "/health"], [], time.monotonic() + seconds
    while time.monotonic() < end:
        slice_ = []
        for i in range(100):
            began = time.monotonic()
            assert instance.get(paths[i % 3]).status == 200
            slice_.append(time.monotonic() - began)
        found.append(p99(slice_))
    return statistics.median(found)


def test_others_do_not_feel_that_claude_hangs(clean, claude):
    quiet = latencies(clean, 2)
    claude.fail_always("hang")
    with contextlib.ExitStack() as stack:
        threads = [threading.Thread(target=ask, args=(clean, fresh("top customers"))) for _ in range(50)]
        for t in threads:
            t.start()
        stack.callback(lambda: [t.join() for t in threads])
        wait_until(lambda: claude.now > 0, 5, "a question that hangs")
        busy = latencies(clean, 2)
    assert busy < 3 * quiet + 0.05 * FACTOR, f"P99 {quiet * 1000:.1f} ms, with hanging questions {busy * 1000:.1f} ms"


def test_metrics(clean, claude):
    text = clean.get("/metrics", key=None).body.decode()
    assert 'nl_queries_total{interpreter="claude",query_type="high_value_customers"}' in text
    assert 'ai_tokens_used_total{model="claude-haiku-5-5",type="input"}' in text
    assert 'ai_query_errors_total{model="claude-haiku-5-5",error_type="timeout"}' in text
    assert 'ai_query_duration_seconds_count{model="claude-haiku-5-5",tool="query_customers"}' in text
    assert 'integration_call_duration_seconds_count{integration="anthropic",operation="message"}' in text
