"""Service levels: measured by the server itself, kept over kill -9, reload and upgrade."""
import os
import pathlib

import pytest

from lib.patrond import TOP
from lib.wait import wait_until


@pytest.fixture
def served(patrond_factory, database, sample_sales):
    instance = patrond_factory(DATABASE_URL=database, SYNC_SOURCE=f"csv:{sample_sales(100)}")
    instance.start()
    instance.sync("full")
    instance.wait_data()
    return instance


def objective(instance, name):
    answer = instance.get("/admin/slo")
    assert answer.status == 200, answer.body
    return next(o for o in answer.json()["objectives"] if o["name"] == name)


def events(instance, name="error_rate", window="30d"):
    return objective(instance, name)["windows"][window]["events"]


def test_requests_are_measured(served):
    before = events(served)
    for _ in range(20):
        assert served.get("/api/mcp/customer/random").status == 200
    wait_until(lambda: events(served) >= before + 20, 10, "the requests counted")
    latency = objective(served, "latency_p95_seconds")["windows"]["1h"]
    assert 0 < latency["value"] < 10 and latency["events"] >= 20
    assert objective(served, "error_rate")["windows"]["1h"]["value"] < 1


def test_history_outlives_kill_9_reload_and_upgrade(served, tmp_path):
    for _ in range(50):
        served.get("/health")
    wait_until(lambda: events(served) >= 50, 10, "the requests counted")
    served.kill_everything()
    served.start()
    wait_until(lambda: events(served) >= 50, 5, "the history read")
    served.ctl("reload")
    assert events(served) >= 50
    assert objective(served, "data_freshness_seconds")["unit"] == "seconds"
    image = pathlib.Path(served.binary).resolve()
    copy = tmp_path / "patrond"
    copy.write_bytes(image.read_bytes())
    copy.chmod(0o755)
    served.stop()
    served.binary = str(copy)
    served.start()
    other = pathlib.Path(os.environ.get("PATROND_BUILD", TOP)) / "tests/unit/patrond_other_layout"
    (tmp_path / "next").write_bytes(other.read_bytes())
    (tmp_path / "next").chmod(0o755)
    os.rename(tmp_path / "next", copy)
    done = served.ctl("upgrade")
    assert done.returncode == 0, done.stdout + done.stderr
    wait_until(lambda: events(served) >= 50, 10, "the history in the new scoreboard")
