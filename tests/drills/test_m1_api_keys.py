"""M1: a customer's API key does not work.

Users      401, or 403 when the scope is missing; the keys of others go on.
Detection  `invalid_api_key_attempted` with the first 10 characters only, a class of reason and the address; `insufficient_scope`.
Recovery   `patronctl keys list|create|rotate|revoke`, in force on all workers and VMs within 2 s.
"""
import contextlib
import json
import time

import pytest

from lib.drill import asking, field, seen
from lib.keys import IN_FORCE_S, Everywhere, in_force
from lib.patrond import running
from lib.sales import Table
from lib.wait import FACTOR, wait_until
from lib.walk import shop

pytestmark = pytest.mark.drill

ADMIN, READ = "/admin/workers", "/api/mcp/customer/random"


class Vms:
    """Two servers on one database, each worker of both at hand."""

    def __init__(self, one, two):
        self.one, self.two, self.all = one, two, [Everywhere(one), Everywhere(two)]

    def patronctl(self, *arguments):
        """On the first machine; what it writes, and the clock before."""
        began = time.monotonic()
        done = self.one.ctl("keys", *arguments)
        assert done.returncode == 0, done.stderr
        return done.stdout.strip(), began

    def number(self, key):
        listed = json.loads(self.patronctl("list", "--json")[0])
        return str(next(k["id"] for k in listed if k["key_prefix"] == key[:10] and k["status"] == "active"))

    def in_force(self, key, good, since):
        """The seconds until both machines know."""
        return max(in_force(e, key, good, since) for e in self.all)

    def create(self, *arguments):
        key, since = self.patronctl("create", *arguments)
        return key, self.in_force(key, True, since)

    def load(self, key):
        """Requests with that key on both machines, of which none may fail."""
        stack = contextlib.ExitStack()
        for vm in (self.one, self.two):
            stack.enter_context(asking(vm, [READ], clients=2, headers={"X-API-Key": key}, pause_s=0.005))
        return stack


@pytest.fixture(scope="module")
def vms(postgres_server, tmp_path_factory):
    directory = tmp_path_factory.mktemp("m1")
    with shop(postgres_server, directory / "one", customers=100) as one, \
            running(directory / "two", {"DATABASE_URL": one.settings["DATABASE_URL"]}) as two:
        two.wait_data()
        yield Vms(one, two)


def test_the_reason_is_told_to_the_operator_alone(vms, record_property):
    p, table = vms.one, Table(vms.one.settings["DATABASE_URL"])
    revoked, expired = (vms.patronctl("create", name)[0] for name in ("gone", "old"))
    vms.patronctl("revoke", vms.number(revoked))
    table.rows("UPDATE api_keys SET expires_at = now() - interval '1 second' WHERE key_prefix = %s", expired[:10])
    keys = {"unknown": "pk_live_" + "Zq" + "x" * 41, "malformed": "pk_live_Zq-too-short", "revoked": revoked, "expired": expired}
    answers = {}

    def told(reason):
        """Asks, now and then: of a flood of bad keys not every one is told."""
        answers[reason] = p.get(READ, key=keys[reason])
        return [l for l in p.events("invalid_api_key_attempted") if f" key_prefix={keys[reason][:10]} reason={reason} " in l]
    for reason in keys:
        line = wait_until(lambda reason=reason: told(reason), IN_FORCE_S + 3, f"{reason} told", every=0.2)[0]
        assert field(line, "client_ip") == "127.0.0.1"
    assert {a.status for a in answers.values()} == {401} and len({a.json()["detail"] for a in answers.values()}) == 1
    assert not any(key in "\n".join(p.lines + vms.two.lines) for key in keys.values())
    metrics = p.get("/metrics", key=None).body.decode()
    assert all(f'auth_failures_total{{reason="{reason}"}}' in metrics for reason in keys)
    seen(record_property, "one answer to the customer; unknown, malformed, revoked, expired told to the operator")


def test_a_missing_scope(vms, record_property):
    key, took = vms.create("reader", "--scopes", "read")
    answer = vms.two.get(ADMIN, key=key)
    assert answer.status == 403 and answer.json()["detail"] == "API key lacks required scope: admin"
    line = vms.two.wait_event("insufficient_scope")
    assert field(line, "required") == "admin" and field(line, "key_id") == vms.number(key)
    seen(record_property, "403 naming the scope; key_id and scope told", took)


def test_a_key_is_made_rotated_and_revoked_on_every_vm(vms, record_property):
    other, took = vms.create("somebody else", "--rate", "1000000")
    times = {}
    with vms.load(other):
        key, times["create"] = vms.create("customer", "--days", "30")
        successor, began = vms.patronctl("rotate", vms.number(key))
        times["rotate"] = max(vms.in_force(successor, True, began), vms.in_force(key, False, began))
        _, began = vms.patronctl("revoke", vms.number(successor), "--reason", "the drill ends")
        times["revoke"] = vms.in_force(successor, False, began)
    listed = {k["name"]: k["status"] for k in json.loads(vms.patronctl("list", "--json")[0])}
    assert listed["customer"] == "revoked" and listed["somebody else"] == "active"
    assert max(times.values()) < IN_FORCE_S * FACTOR
    seen(record_property, "two machines of two workers: " + ", ".join(f"{k} {v:.2f} s" for k, v in times.items()) +
         "; another key asked all the time, none failed", max(times.values()))
