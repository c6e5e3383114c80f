"""C3: a reload with a broken configuration.

Users      nothing.
Detection  `reload_failed` naming the line; `patronctl reload` exits 1 (under systemd: test_s_systemd).
Recovery   the running configuration stays, and the next good one is taken.
"""
import signal

import pytest

from lib.drill import elapsed, field, seen
from lib.wrk import Wrk

pytestmark = pytest.mark.drill


def test_running_configuration_stays_under_load(patrond_factory, record_property):
    p = patrond_factory(DATABASE_URL="postgresql://nobody@127.0.0.1:1/none", DB_POOL_SIZE=7).start()
    before = p.pids()
    with Wrk(p) as w:
        p.write_settings(SLOW_REQUEST_MS="soon", DB_POOL_SIZE=9)
        answer, took = elapsed(p.ctl, "reload")
        p.signal(signal.SIGHUP)
        line = p.wait_event("reload_failed", count=2)
        kept = p.get("/admin/db/pool").json()["pool_size"]
    assert answer.returncode == 1 and "SLOW_REQUEST_MS" in answer.stderr
    assert w.failed == 0 and w.lost == 0 and w.requests > 100, w.said
    number = p.file.read_text().splitlines().index("SLOW_REQUEST_MS = soon") + 1
    assert f"patrond.conf:{number}: SLOW_REQUEST_MS" in field(line, "error") and "level=error" in line
    assert kept == 7 and p.pids() == before
    p.write_settings(SLOW_REQUEST_MS=400)
    assert p.ctl("reload").returncode == 0 and "DB_POOL_SIZE" in p.wait_event("reloaded")
    seen(record_property, f"refused twice, {w.requests} requests meanwhile, none failed, the same processes", took)
