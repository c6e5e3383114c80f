"""Rate limits on the real server: one allowance whichever worker answers, measured; changed by reload; logged in samples."""
import http.client
import re
import threading
import time

import pytest

from lib.patrond import running
from lib.wait import FACTOR, wait_until

ROUTE = "/api/mcp/customer/1"
CLIENTS = 10


@pytest.fixture(scope="module")
def server(postgres_server, tmp_path_factory):
    postgres_server.ensure()
    with running(tmp_path_factory.mktemp("limits") / "i", {
        "DATABASE_URL": postgres_server.create_database(), "ALLOW_LIST": "", "TRUSTED_PROXIES": "127.0.0.1",
        "RATE_LIMIT_DEFAULT": "100000/s;burst=40", "RATE_LIMIT_ANONYMOUS": 0, "RATE_LIMIT_AUTH_FAILURE": 0}) as instance:
        wait_until(lambda: instance.get("/admin/keys").status == 200, 15, "the tables being there")
        yield instance


def make_key(server, **members):
    answer = server.post("/admin/keys", {"name": "test", **members})
    assert answer.status == 201, answer.body
    key, text = answer.json()["key"], answer.json()["api_key"]
    # A missing scope is told before the rate is charged: asking does not use the key up.
    wait_until(lambda: all(server.get("/admin/workers", key=text).status == 403 for _ in range(12)), 5, "known everywhere")
    return key, text


def settle(server, **changes):
    server.write_settings(**changes)
    done = server.ctl("reload")
    assert done.returncode == 0, done.stderr


class Hammer:
    """Clients of one key that together ask `rate` times a second, evenly, each over connections of its own."""

    def __init__(self, server, key, rate):
        self.server, self.key, self.pause = server, key, CLIENTS / rate
        self.admitted, self.refused, self.answered = 0, 0, 0
        self.lock = threading.Lock()

    def run(self, seconds):
        """The seconds until the last answer."""
        began = time.monotonic()
        threads = [threading.Thread(target=self._client, args=(began + i * self.pause / CLIENTS, began + seconds))
                   for i in range(CLIENTS)]
        for t in threads:
            t.start()
        for t in threads:
            t.join()
        return self.answered - began

    def _client(self, at, end):
        connection = http.client.HTTPConnection("127.0.0.1", self.server.port, timeout=15 * FACTOR)
        admitted = refused = 0
        while at < end:
            time.sleep(max(0, at - time.monotonic()))
            connection.request("GET", ROUTE, headers={"X-API-Key": self.key})
            answer = connection.getresponse()
            answer.read()
            admitted += answer.status in (404, 503)
            refused += answer.status == 429
            at += self.pause
        answered = time.monotonic()
        connection.close()
        with self.lock:
            self.answered = max(self.answered, answered)
            self.admitted += admitted
            self.refused += refused


def test_ten_clients_of_one_key(server):
    """At twice the rate: as many are admitted as the rate allows, and the burst, within two percent."""
    per_hour = 360_000  # 100 a second
    key, text = make_key(server, rate_limit_per_hour=per_hour)
    hammer = Hammer(server, text, 2 * per_hour / 3600)
    elapsed = hammer.run(8)
    allowed = elapsed * per_hour / 3600 + 40
    busy = [w["requests_total"] for w in server.get("/admin/workers").json()["workers"] if w["role"] == "worker"]
    assert len(busy) == 2 and min(busy) > 100, "both workers answered"
    asked = hammer.admitted + hammer.refused
    assert asked > 1.2 * allowed, "it was really asked for more"
    print(f"admitted {hammer.admitted} of {asked} in {elapsed:.2f} s; allowed {allowed:.0f}")
    assert 0.98 * allowed <= hammer.admitted <= 1.02 * allowed


def test_what_a_key_is_told(server):
    key, text = make_key(server, rate_limit_per_hour=3)
    answers = [server.get(ROUTE, key=text) for _ in range(5)]
    assert [a.status == 429 for a in answers] == [False] * 3 + [True] * 2
    first, refused = answers[0].headers, answers[-1]
    assert first["ratelimit-policy"] == '"default";q=3;w=3600' and first["ratelimit"] == '"default";r=2;t=1200'
    assert (first["x-ratelimit-limit"], first["x-ratelimit-remaining"]) == ("3", "2")
    assert abs(int(first["x-ratelimit-reset"]) - time.time() - 1200) < 3 * FACTOR
    error = refused.json()["error"]
    assert (error["code"], error["message"]) == ("RATE_LIMIT_EXCEEDED", "Rate limit exceeded: 3 per 1 hour")
    retry = int(refused.headers["retry-after"])
    assert error["details"] == {"limit": 3, "policy": "default", "retry_after_seconds": retry} and 1190 < retry <= 1200
    assert refused.headers["x-ratelimit-remaining"] == "0"
    for header in ("x-correlation-id", "x-content-type-options", "vary"):
        assert header in refused.headers
    # the other keys are as free as before, and so is the operator
    assert server.get(ROUTE).status != 429
    assert 'rate_limited_total{policy="default"}' in server.get("/metrics", key=None).body.decode()


def test_lines_are_sampled(server):
    key, text = make_key(server, rate_limit_per_hour=1)
    for _ in range(30):
        server.get(ROUTE, key=text)
    lines = [l for l in server.events("rate_limit_exceeded") if f"key_id={key['id']} " in l]
    assert len(lines) == 1, "one line for 29 refusals by two workers"
    assert re.search(r"policy=default .*retry_after_seconds=\d+ suppressed=0", lines[0])
    assert text not in "".join(server.lines)


def status_from(server, address, path="/", **options):
    return server.get(path, headers={"X-Forwarded-For": address}, **options).status


def test_addresses_and_lists_change_by_reload(server):
    settle(server, RATE_LIMIT_ANONYMOUS="2/d;burst=2")
    assert [status_from(server, "9.9.9.9", key=None) for _ in range(3)] == [200, 200, 429]
    assert status_from(server, "9.9.9.8", key=None) == 200
    assert [status_from(server, f"2001:db8::{i}", key=None) for i in range(1, 4)] == [200, 200, 429], "a /64 is one client"
    assert status_from(server, "2001:db8:0:1::1", key=None) == 200
    assert status_from(server, "9.9.9.9", "/health/live", key=None) == 200
    assert status_from(server, "9.9.9.9", ROUTE) != 429, "a known key is not the address's"
    settle(server, RATE_LIMIT_ANONYMOUS="3/d;burst=3")
    assert status_from(server, "9.9.9.9", key=None) == 200, "a changed limit begins anew"
    settle(server, RATE_LIMIT_ANONYMOUS=0)
    _, text = make_key(server)
    settle(server, RATE_LIMIT_ANONYMOUS="3/d;burst=3", ALLOW_LIST="9.9.9.9", DENY_LIST=f"6.6.6.0/24, {text[:10]}")
    assert {status_from(server, "9.9.9.9", key=None) for _ in range(6)} == {200}
    refused = server.get(ROUTE, headers={"X-Forwarded-For": "6.6.6.6"})
    assert refused.status == 429 and refused.json()["error"]["details"]["policy"] == "deny_list"
    assert int(refused.headers["retry-after"]) >= 1
    assert server.get(ROUTE, key=text).status == 429 and server.get(ROUTE).status != 429
    assert status_from(server, "6.6.6.6", "/health/live", key=None) == 200
    settle(server, ALLOW_LIST=text[:10], DENY_LIST="", RATE_LIMIT_DEFAULT="1/d;burst=1")
    assert {server.get(ROUTE, key=text).status for _ in range(5)} <= {404, 503}
    assert 429 in {server.get(ROUTE).status for _ in range(3)}
    settle(server, ALLOW_LIST="", RATE_LIMIT_DEFAULT="100000/s;burst=40", RATE_LIMIT_ANONYMOUS=0)


def test_bad_credentials(server):
    settle(server, RATE_LIMIT_AUTH_FAILURE="5/d;burst=5")
    statuses = [server.get(ROUTE, key="pk_live_" + "x" * 43, headers={"X-Forwarded-For": "7.7.7.7"}) for _ in range(8)]
    assert [a.status for a in statuses] == [401] * 5 + [429] * 3
    assert statuses[-1].json()["error"]["details"]["policy"] == "auth_failure"
    assert statuses[0].headers["www-authenticate"] == "ApiKey"
    assert status_from(server, "7.7.7.7", ROUTE) != 429, "good ones are not affected"
    assert status_from(server, "7.7.7.8", ROUTE, key=None) == 401
    assert len([l for l in server.events("invalid_api_key_attempted") if "client_ip=7.7.7.7" in l]) == 5
    settle(server, RATE_LIMIT_AUTH_FAILURE=0)


def test_limits_survive_a_worker(server):
    """What a client has used is not forgotten when the worker that counted it dies."""
    _, text = make_key(server, rate_limit_per_hour=2)
    assert [server.get(ROUTE, key=text).status == 429 for _ in range(3)] == [False, False, True]
    assert server.ctl("reload").returncode == 0
    assert {server.get(ROUTE, key=text).status for _ in range(6)} == {429}
