"""K1: the data are stale: no sync has succeeded for more than 24 hours.

Users      every answer carries the data's age (X-Data-As-Of), and goes on being one.
Detection  `data_stale` with age_seconds; /health 200 "degraded" with reason "stale_data" and data_status.stale; an alert.
Recovery   with the next sync that succeeds.
"""
import datetime
import time

import pytest

from lib.drill import customers, field, health, healthy, reads, seen, seconds_until
from lib.sales import Table
from lib.wait import FACTOR, wait_until
from lib.walk import shop

pytestmark = pytest.mark.drill

DAY_S = 86400


@pytest.fixture
def served(postgres_server, webhook, tmp_path):
    with shop(postgres_server, tmp_path / "shop", customers=150, ALERT_WEBHOOK_URL=webhook.url) as instance:
        wait_until(lambda: healthy(instance), 10, "healthy")
        yield instance


def age(p, hours):
    """Starts it anew with all that is recorded as if it had happened so long before."""
    assert p.stop() == 0
    table, ago = Table(p.settings["DATABASE_URL"]), f"interval '{hours} hours'"
    table.rows(f"UPDATE sync_runs SET started_at = started_at - {ago}, finished_at = finished_at - {ago}")
    table.rows(f"UPDATE data_versions SET published_at = published_at - {ago}")
    for file in (p.directory / "state").glob("population-*"):
        file.unlink()  # it knows the time, too, and is made again
    p.start()
    p.wait_data()


def told_age_s(p, path):
    """What a reader knows of the data's age."""
    answer = p.get(path)
    assert answer.status == 200
    at = datetime.datetime.fromisoformat(answer.headers["x-data-as-of"].replace("Z", "+00:00"))
    return (datetime.datetime.now(datetime.timezone.utc) - at).total_seconds()


def metric(p, name):
    text = p.get("/metrics", key=None).body.decode()
    return float(next(l.split()[1] for l in text.splitlines() if l.startswith(f"{name} ")))


def test_old_data_say_so_until_a_sync_succeeds(served, webhook, record_property):
    p, path = served, f"/api/mcp/customer/{customers(served, 1)[0]}"
    age(p, 23)
    wait_until(lambda: healthy(p), 5, "healthy")
    assert health(p)["data_status"]["age_seconds"] > 22 * 3600 and not p.events("data_stale")
    age(p, 2)
    began = time.monotonic()
    with reads(p) as load:
        wait_until(lambda: health(p)["reason"] == "stale_data", 5, "stale")
        assert DAY_S < told_age_s(p, path) < DAY_S + 2 * 3600
        body = health(p)
        assert (body["status"], body["reason"], body["components"]["sync"]) == ("degraded", "stale_data", "degraded")
        assert DAY_S < body["data_status"]["age_seconds"] < DAY_S + 2 * 3600
        assert p.get("/admin/sync-status").json()["stale"] and metric(p, "data_stale") == 1 and metric(p, "data_age_seconds") > DAY_S
        line = p.wait_event("data_stale", 5)
        assert int(field(line, "age_seconds")) > DAY_S and "level=error" in line
        webhook.wait("P2: The data are stale")
        noticed = time.monotonic() - began
        load.wait_requests(100)
        assert p.sync()["status"] == "success"
        recovered = seconds_until(lambda: all(healthy(p) for _ in range(8)), 5, "healthy with the sync")
        wait_until(lambda: told_age_s(p, path) < 60 * FACTOR and metric(p, "data_stale") == 0, 5, "readers told, too")
        webhook.wait("Recovered: The data are fresh again")
        load.wait_requests(100)
    assert len(p.events("data_stale")) == 1  # and the next an hour later
    seen(record_property, f"all of it told {noticed:.1f} s after the start; {load.good} requests, none failed; healthy after a sync", recovered)
