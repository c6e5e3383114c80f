"""C1, C2, C3, G2: settings that are missing, wrong, broken in a reload, or raised.

Users      C1: the service does not start open or half-configured; C2: questions are answered by rules; C3, G2: nothing.
Detection  all problems at once, exit 78; `ai_not_configured` once; `reload_failed` naming the line; `reloaded` with what changed.
Recovery   C3: the running configuration stays; G2: a new generation within 5 s. (No restart loop: test_s_systemd.)
"""
import time

import pytest

from lib.wait import FACTOR
from lib.wrk import Wrk

pytestmark = pytest.mark.drill

NO_DATABASE = "postgresql://nobody@127.0.0.1:1/none"


def test_c1_all_problems_at_once_and_no_start(patrond_factory):
    p = patrond_factory(DATABASE_URL=None, ADMIN_KEY="changeme", ALLOWED_ORIGINS="*", ENVIRONMENT="production", DB_POOL_SIZE="many")
    p.spawn()
    assert p.process.wait(10) == 78
    p.stop()
    said = "\n".join(p.events("configuration_invalid") + p.events("security_validation_failed"))
    for words in ["DATABASE_URL is required", "ADMIN_KEY", "ALLOWED_ORIGINS", "DB_POOL_SIZE"]:
        assert words in said, said
    assert not p.events("application_starting")
    assert not (p.directory / "run/scoreboard").exists()


def test_c2_no_key_for_claude_is_told_once_and_no_fault(patrond_factory):
    p = patrond_factory(DATABASE_URL=NO_DATABASE).start()
    assert p.ctl("reload").returncode == 0
    (line,) = p.events("ai_not_configured")
    assert "ANTHROPIC_API_KEY not found" in line
    assert p.get("/health", key=None).json()["components"]["ai"] == "not_configured"


def test_c3_broken_reload_changes_nothing_under_load(patrond_factory):
    p = patrond_factory(DATABASE_URL=NO_DATABASE).start()
    before = p.pids()
    with Wrk(p) as w:
        p.write_settings(SLOW_REQUEST_MS="soon", IDLE_TIMEOUT=11)
        answer = p.ctl("reload")
        assert answer.returncode == 1 and "SLOW_REQUEST_MS" in answer.stderr
    assert w.failed == 0 and w.lost == 0 and w.requests > 100, w.said
    line = p.wait_event("reload_failed")
    number = p.file.read_text().splitlines().index("SLOW_REQUEST_MS = soon") + 1
    assert f"patrond.conf:{number}: SLOW_REQUEST_MS" in line
    assert p.pids() == before


def test_g2_raised_pool_is_in_force_and_nothing_failed(patrond_factory):
    p = patrond_factory(DATABASE_URL=NO_DATABASE, DB_POOL_SIZE=10, DB_MAX_OVERFLOW=5).start()
    with Wrk(p) as w:
        p.write_settings(DB_POOL_SIZE=40, DB_MAX_OVERFLOW=10)
        began = time.monotonic()
        assert p.ctl("reload").returncode == 0
        took = time.monotonic() - began
        pool = p.get("/admin/db/pool").json()
        for _ in range(3):
            assert p.ctl("reload").returncode == 0
    assert w.failed == 0 and w.lost == 0 and w.requests > 100, w.said
    assert took < 5 * FACTOR
    assert "DB_POOL_SIZE" in p.events("reloaded")[0] and "DB_MAX_OVERFLOW" in p.events("reloaded")[0]
    assert (pool["pool_size"], pool["configuration"]["max_overflow"]) == (40, 10), pool
