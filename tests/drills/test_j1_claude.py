"""J1: Claude is down, slow, rate-limited, refusing, or answers with what is none.

Users      the rules interpreter answers within 3 s and the field `interpreter` says so; ordinary requests notice nothing.
Detection  `claude_failed` with status and request-id, component ai "down", an alert.
Recovery   retries by the provider's headers within the budget; then a circuit, which asks nothing more and closes by itself.
"""
import concurrent.futures
import contextlib
import itertools

import pytest

from lib.drill import component, elapsed, field, health, median_s, reads, seen, seconds_until, wait_component
from lib.wait import FACTOR
from lib.walk import shop
from lib.webhook import Webhook
from standins.claude import Claude, status

pytestmark = pytest.mark.drill

KEY = "sk-ant-secret-of-the-drill-0123456789"
WITHIN_S = 3
TOGETHER = 4
ALWAYS = ("query_customers", {"scope": "list", "analysis": "high_value", "limit": 4, "filters": []})
REQUEST_ID = "req_stand_in_1"
# what is wrong, and status, error_type and request id of the event
KINDS = {
    "down": (None, "0", "connect", ""),
    "hanging": ("hang", "0", "timeout", ""),
    "overloaded": (status(529), "529", "overloaded_error", REQUEST_ID),
    "rate-limited": (status(429, retry_after="3"), "429", "rate_limit_error", REQUEST_ID),
    "garbage": ("garbage", "0", "broken", ""),
    "a proxy's page": ("html", "200", "malformed", REQUEST_ID),
}


class Provider:
    """Claude, which can be gone altogether."""

    def __init__(self):
        self.claude = Claude(KEY, lambda question: ALWAYS).__enter__()
        self.port = self.claude.server_address[1]

    @contextlib.contextmanager
    def broken(self, fault):
        if fault is None:
            self.claude.__exit__()
        else:
            self.claude.fail_always(fault)
        try:
            yield
        finally:
            if fault is None:
                self.claude = Claude(KEY, lambda question: ALWAYS, self.port).__enter__()
            self.claude.always = None


@pytest.fixture(scope="module")
def provider():
    p = Provider()
    yield p
    p.claude.__exit__()


@pytest.fixture(scope="module")
def hook():
    with contextlib.closing(Webhook()) as w:
        yield w


@pytest.fixture(scope="module")
def served(postgres_server, provider, hook, tmp_path_factory):
    with shop(postgres_server, tmp_path_factory.mktemp("j1") / "shop", customers=150, ANTHROPIC_API_KEY=KEY,
              ANTHROPIC_BASE_URL=provider.claude.url, ALERT_WEBHOOK_URL=hook.url) as instance:
        assert ask(instance)[0] == "claude" and component(instance, "ai") == "healthy"
        yield instance
        assert KEY not in "\n".join(instance.lines)


_asked = itertools.count()


def ask(p):
    """(interpreter, seconds) of a question that nobody has asked before and that the rules know, too."""
    answer, took = elapsed(p.post, "/api/mcp/query/natural-language", {"query": f"top {next(_asked) + 2} customers by value"})
    assert answer.status == 200 and answer.json()["answer"]["customers"], answer.body
    return answer.json()["interpreter"], took


def ask_together(p):
    """Several at once, as many as open the circuit; the longest time."""
    with concurrent.futures.ThreadPoolExecutor(TOGETHER) as pool:
        answers = list(pool.map(lambda _: ask(p), range(TOGETHER)))
    assert {interpreter for interpreter, _ in answers} == {"rules"}
    return max(took for _, took in answers)


@pytest.mark.parametrize("kind", KINDS)
def test_rules_answer_and_the_circuit_heals_by_itself(served, provider, hook, kind, record_property):
    fault, *told = KINDS[kind]
    p, since = served, len(served.events("claude_failed"))
    with reads(p, clients=3) as load, concurrent.futures.ThreadPoolExecutor(1) as pool:
        before = median_s(load, 100)
        with provider.broken(fault):
            asked = pool.submit(ask_together, p)
            during = median_s(load, 100)
            longest = asked.result()
            wait_component(p, "ai", "down", 2)
            assert health(p)["status"] == "degraded"
            if kind == "down":
                hook.wait("P1: Claude does not answer", 10)
        healed = seconds_until(lambda: ask(p)[0] == "claude", 6, "Claude asked again", every=0.1)
        wait_component(p, "ai", "healthy", 2)
        if kind == "down":
            hook.wait("Recovered: Claude answers again", 10)
    assert longest < WITHIN_S * FACTOR, f"{longest:.2f} s"
    assert during < 3 * before + 0.02 * FACTOR, f"median {before * 1e3:.1f} ms, meanwhile {during * 1e3:.1f} ms"
    lines = p.events("claude_failed")[since:]
    assert told in [[field(l, n) for n in ("status", "error_type", "request_id")] for l in lines], lines
    seen(record_property, f"{kind}: rules within {longest:.2f} s; {load.good} other requests, none failed,"
         f" median {during * 1e3:.1f} ms (alone {before * 1e3:.1f} ms)", healed)


def test_retries_as_the_provider_asks_and_a_refusal(served, provider, record_property):
    p, claude = served, provider.claude
    asked = len(claude.requests)
    claude.fail_next(status(429, retry_after_ms="50"))
    answered, took = ask(p)
    assert answered == "claude" and len(claude.requests) == asked + 2
    claude.fail_next("refusal")
    assert ask(p)[0] == "rules"
    line = p.wait_event("claude_failed", matching="error_type=refusal")
    assert (field(line, "status"), field(line, "request_id")) == ("200", REQUEST_ID)
    assert component(p, "ai") == "healthy" and ask(p)[0] == "claude"  # that was about the question alone
    seen(record_property, "429 with Retry-After of 50 ms: asked again, answered by Claude; a refusal: rules, no circuit", took)


def test_a_key_that_is_refused(served, provider, record_property):
    """Not tried again before the settings change, which closes the circuit."""
    p = served
    p.write_settings(ANTHROPIC_API_KEY="sk-ant-wrong")
    assert p.ctl("reload").returncode == 0
    with reads(p, clients=3) as load:
        longest = ask_together(p)
        wait_component(p, "ai", "down", 2)
        asked = len(provider.claude.requests)
        assert health(p)["checks"]["ai"]["error"] == "auth_failed" and ask_together(p) < 1 * FACTOR
        assert len(provider.claude.requests) == asked
        p.write_settings(ANTHROPIC_API_KEY=KEY)
        done, took = elapsed(p.ctl, "reload")
        assert done.returncode == 0 and ask(p)[0] == "claude"
        wait_component(p, "ai", "healthy", 2)
    line = p.wait_event("claude_failed", matching="status=401")
    assert (field(line, "error_type"), field(line, "request_id")) == ("authentication_error", REQUEST_ID)
    seen(record_property, f"refused key: rules within {longest:.2f} s, not asked again; {load.good} other requests, none failed;"
         " in force again with the reload", took)
