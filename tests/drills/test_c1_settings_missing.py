"""C1: a required setting is missing or invalid.

Users      the service does not start open or half-configured: nothing listens, nothing is written.
Detection  all problems at once, each naming the setting and the remedy ("DATABASE_URL is required"); exit status 78.
Recovery   none, and no restart loop: RestartPreventExitStatus=78 (under systemd: test_s_systemd).
"""
import socket

import pytest

from lib.drill import elapsed, seen
from lib.wait import FACTOR

pytestmark = pytest.mark.drill

OPEN = {"DATABASE_URL": None, "ADMIN_KEY": None, "ALLOWED_ORIGINS": "*", "ENVIRONMENT": "production", "DB_POOL_SIZE": "many",
        "NO_SUCH_SETTING": 1}
# event, setting, remedy
TOLD = [("configuration_invalid", "DATABASE_URL is required", "set it to postgresql://"),
        ("security_validation_failed", "ADMIN_KEY not set", "openssl rand"),
        ("security_validation_failed", "ALLOWED_ORIGINS", "list the origins"),
        ("configuration_invalid", "DB_POOL_SIZE = many", "a whole number from 1 to 1000"),
        ("configuration_invalid", "unknown setting NO_SUCH_SETTING", "patrond.conf(5)")]
ALONE = [({"DATABASE_URL": None}, "DATABASE_URL is required"), ({"ADMIN_KEY": "changemechangeme"}, "ADMIN_KEY is a common value"),
         ({"ADMIN_KEY": "short"}, "ADMIN_KEY too short"), ({"DATABASE_URL": "mysql://x@y/z"}, "DATABASE_URL: expected postgresql://"),
         ({"AZURE_SQL_SERVER": "sql.example"}, "AZURE_SQL_PASSWORD not set")]


def refused(p):
    """Whether nobody listens there."""
    with socket.socket() as s:
        return s.connect_ex(("127.0.0.1", p.port)) != 0


def test_all_problems_at_once_and_no_start(patrond_factory, record_property):
    p = patrond_factory(**OPEN)
    p.spawn()
    status, took = elapsed(p.process.wait, 10 * FACTOR)
    p.stop()
    assert status == 78
    for event, setting, remedy in TOLD:
        assert any(setting in l and remedy in l and "level=critical" in l for l in p.events(event)), p.log_tail()
    assert len(p.lines) == len(TOLD), p.log_tail()
    assert refused(p) and not (p.directory / "run/scoreboard").exists()
    tested = p.run("-t")
    assert tested.returncode == 78 and all(setting in tested.stderr for _, setting, _ in TOLD)
    seen(record_property, f"{len(TOLD)} problems told at once, exit 78, nothing listened", took)


@pytest.mark.parametrize("wrong, words", ALONE)
def test_each_alone_is_enough(patrond_factory, wrong, words):
    p = patrond_factory(**{"DATABASE_URL": "postgresql://nobody@127.0.0.1:1/none", "ENVIRONMENT": "production", **wrong})
    done = p.run()
    assert done.returncode == 78 and words in done.stderr, done.stderr
