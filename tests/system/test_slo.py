"""Service levels: measured by the server itself, kept over kill -9, reload and upgrade."""
import os
import pathlib
import re
import subprocess

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


def make_history(instance, ended_s=0):
    """30 made-up days."""
    state = pathlib.Path(instance.settings["STATE_DIR"])
    state.mkdir(parents=True)
    program = pathlib.Path(os.environ.get("PATROND_BUILD", TOP)) / "tests/unit/slo_history"
    subprocess.run([program, state, str(ended_s)], check=True)


def objective(instance, name):
    answer = instance.get("/admin/slo")
    assert answer.status == 200, answer.body
    return next(o for o in answer.json()["objectives"] if o["name"] == name)


def events(instance, name="error_rate", window="30d"):
    return objective(instance, name)["windows"][window]["events"]


BOUNDS = [.005, .01, .025, .05, .1, .25, .5, 1, 2.5, 5, 10]


def scrape(instance):
    samples = {}
    for line in instance.get("/metrics", key=None).body.decode().splitlines():
        if not line.startswith("#"):
            series, value = line.rsplit(" ", 1)
            samples[series] = float(value)
    return samples


def percentile_by_hand(samples, fraction):
    """From the histogram of /metrics, as Prometheus' histogram_quantile has it."""
    counts = dict.fromkeys(BOUNDS + [float("inf")], 0)
    for series, value in samples.items():
        if m := re.fullmatch(r'http_request_duration_seconds_bucket\{.*endpoint="([^"]*)",le="([^"]*)"\}', series):
            if m[1] != "/api/mcp/query/natural-language":
                counts[float(m[2])] += value
    rank, low, below = fraction * counts[float("inf")], 0, 0
    for bound in BOUNDS:
        if counts[bound] > below and counts[bound] >= rank:
            return low + (bound - low) * (rank - below) / (counts[bound] - below)
        low, below = bound, counts[bound]
    return BOUNDS[-1]


def test_known_traffic_gives_the_levels_worked_out_by_hand(patrond_factory, database, sample_sales):
    """30 answers of 503 before there are data, 170 of 200 after, and what /metrics itself counts."""
    instance = patrond_factory(DATABASE_URL=database, SYNC_SOURCE=f"csv:{sample_sales(100)}")
    instance.start()
    for _ in range(30):
        assert instance.get("/health", key=None).status == 503
    instance.sync("full")
    instance.wait_data()
    for _ in range(170):
        assert instance.get("/api/mcp/customer/random").status == 200
    samples = scrape(instance)
    answers = {s: v for s, v in samples.items() if s.startswith("http_requests_total{")}
    requests = sum(answers.values())
    errors = sum(v for s, v in answers.items() if 'status_code="5xx"' in s)
    assert errors >= 30 and requests >= 200

    def counted():
        window = objective(instance, "error_rate")["windows"]["30d"]
        return window if window["events"] >= requests else None
    window = wait_until(counted, 10, "the requests counted", every=0.05)  # which happens every second
    assert window["events"] <= sum(v for s, v in scrape(instance).items() if s.startswith("http_requests_total{"))
    assert window["value"] == pytest.approx(errors / window["events"], abs=1e-4)
    assert window["met"] is (errors / window["events"] < 0.01)
    for name, fraction in (("latency_p95_seconds", 0.95), ("latency_p99_seconds", 0.99)):
        def agree(name=name, fraction=fraction):
            level = objective(instance, name)["windows"]["30d"]
            return level if level["value"] == pytest.approx(percentile_by_hand(scrape(instance), fraction), rel=0.1) else None
        level = wait_until(agree, 5, f"{name} as of the same requests", every=0.3)  # what came just now may be a slow one
        assert level["met"] and level["events"] >= requests
    age = objective(instance, "data_freshness_seconds")["windows"]["1h"]
    assert age["value"] is None or age["value"] < 60  # the first slot of 30 s may not be over yet


def test_time_without_a_server_is_downtime(patrond_factory, database):
    """History that ends two hours ago: they are used up of the month's 216 minutes, and of the hour's many times over."""
    instance = patrond_factory(DATABASE_URL=database)
    make_history(instance, ended_s=7200)
    instance.start()
    wait_until(lambda: objective(instance, "availability")["windows"]["1h"]["events"] > 100, 10, "the downtime counted")
    found = objective(instance, "availability")
    budget, month = found["budget"], found["windows"]["30d"]
    # of the made-up days each tenth lacks ten minutes; the two hours are bad whole, but for the slot at either end
    assert 120 + 20 - 1 <= budget["used_minutes"] <= 120 + 40 + 1
    assert budget["remaining_minutes"] == pytest.approx(216 - budget["used_minutes"], abs=0.11)
    assert month["value"] == pytest.approx(1 - 2 * budget["used_minutes"] / month["events"], abs=1e-4)
    assert found["windows"]["1h"]["value"] == 0 and budget["burn_rate"]["1h"] == 200  # all of it, where 0.5 % is allowed
    samples = scrape(instance)
    assert samples['slo_availability_ratio{window="30d"}'] == pytest.approx(month["value"], abs=1e-3)
    assert samples['slo_error_budget_remaining_ratio{window="30d"}'] == pytest.approx(budget["remaining_minutes"] / 216, abs=1e-3)
    assert samples['slo_error_budget_remaining_ratio{window="1h"}'] == pytest.approx(1 - 200, abs=1)


def install(program, path):
    fresh = path.with_suffix(".new")
    fresh.write_bytes(pathlib.Path(program).read_bytes())
    fresh.chmod(0o755)
    fresh.rename(path)


def test_thirty_days_outlive_whatever_ends_the_server(patrond_factory, database, tmp_path):
    instance = patrond_factory(DATABASE_URL=database)
    own = pathlib.Path(instance.binary)
    instance.binary = str(tmp_path / "patrond")
    install(own, tmp_path / "patrond")
    make_history(instance)
    instance.start()

    def read():
        """Requests, slots and minutes lost of 30 days."""
        available, answers = objective(instance, "availability"), objective(instance, "error_rate")
        return answers["windows"]["30d"]["events"], available["windows"]["30d"]["events"], available["budget"]["used_minutes"]
    before = wait_until(lambda: (r := read())[0] > 1e6 and r, 5, "the history read")

    def check(what):
        def there():
            requests, slots, lost = read()
            # five minutes of thirty days may go meanwhile, and a server that is away for a moment may lose a slot
            return (before[0] * 0.999 < requests < before[0] * 1.001 and before[1] - 20 <= slots <= before[1] + 20
                    and before[2] - 10 <= lost <= before[2] + 3)
        wait_until(there, 5, f"the history of before {what}, {before},")

    instance.kill_everything()
    instance.start()
    check("kill -9")
    instance.stop()
    instance.start()
    check("restart")
    assert instance.ctl("reload").returncode == 0
    check("reload")
    assert instance.ctl("upgrade").returncode == 0
    check("upgrade")
    install(pathlib.Path(os.environ.get("PATROND_BUILD", TOP)) / "tests/unit/patrond_other_layout", tmp_path / "patrond")
    assert instance.ctl("upgrade").returncode == 0
    check("upgrade to another layout")
    install(own, tmp_path / "patrond")
    assert instance.ctl("upgrade").returncode == 0
    check("the way back")


def test_what_was_counted_outlives_kill_9_and_a_change_of_layout(served, tmp_path):
    for _ in range(50):
        served.get("/health")
    wait_until(lambda: events(served) >= 50, 10, "the requests counted")
    served.kill_everything()
    served.binary, own = str(tmp_path / "patrond"), served.binary
    install(own, tmp_path / "patrond")
    served.start()
    wait_until(lambda: events(served) >= 50, 5, "the history read")
    install(pathlib.Path(os.environ.get("PATROND_BUILD", TOP)) / "tests/unit/patrond_other_layout", tmp_path / "patrond")
    done = served.ctl("upgrade")
    assert done.returncode == 0, done.stdout + done.stderr
    wait_until(lambda: events(served) >= 50, 10, "the history in the new scoreboard")
