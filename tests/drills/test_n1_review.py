"""N1: post-incident review.

Needs      scripts/testbed, so root and systemd; skipped, loudly, where it can't be.
Recovery   `patronctl incident --since ... [--until ...]` writes the review document: first sign, recovery and duration, impact
           from the history of the service levels, affected services, a timeline from the journal's transitions; root cause
           and action items are left to people.
"""
import re

import pytest

from lib.drill import elapsed, seen
from lib.testbed import configure, installed_bed
from lib.wait import wait_until

pytestmark = pytest.mark.drill

UNIT, PORT = "patrond.service", 6399


@pytest.fixture
def bed(tmp_path):
    """A service with a Redis that runs, and PostgreSQL that is away since before the incident."""
    with installed_bed(tmp_path / "bed") as bed:
        redis(bed)
        configure(bed, REDIS_URL=f"redis://127.0.0.1:{PORT}/0")
        bed.out("systemctl", "start", UNIT)
        wait_until(lambda: state(bed, "cache", "up") and state(bed, "database", "down"), 15, "its beginnings", every=0.1)
        yield bed


def redis(bed):
    bed.out("systemd-run", "--unit=redis", "--collect", "redis-server", "--port", str(PORT), "--bind", "127.0.0.1", "--save", "")


def state(bed, name, word):
    """Without data /health is 503, whose words these are."""
    return f'"{name}":"{word}"' in bed.get("/health")[1].replace(" ", "")


def next_second(bed):
    """A time that nothing of before is in."""
    now = bed.out("date", "-u", "+%FT%TZ")
    return wait_until(lambda: (t := bed.out("date", "-u", "+%FT%TZ")) != now and t, 3, "the next second", every=0.05)


def incident(bed):
    """Redis goes and a worker crashes; both are back by themselves. By the journal, the seconds from the first sign on."""
    before = len(bed.events("cache_up"))
    bed.out("systemctl", "stop", "redis")
    bed.wait_event("cache_down")
    bed.out("kill", "-SEGV", bed.out("pgrep", "-f", "^patrond: worker").split()[0])
    bed.wait_event("worker_crashed")
    wait_until(lambda: state(bed, "cache", "down"), 10, "component cache down", every=0.1)
    redis(bed)
    bed.wait_event("cache_up", before + 1)
    wait_until(lambda: state(bed, "cache", "up"), 10, "component cache healthy", every=0.1)
    first, last = (int(bed.events(name)[-1]["__REALTIME_TIMESTAMP"]) for name in ("cache_down", "cache_up"))
    return (last - first) / 1e6


def seconds_of(pattern, text):
    return int(re.search(pattern + r" (\d+) s$", text, re.M).group(1))


def test_review_document(bed, record_property):
    since = next_second(bed)
    lasted = incident(bed)
    until = next_second(bed)
    text, took = elapsed(bed.out, "patronctl", "incident", "--since", since, "--until", until)
    assert text.startswith(f"# Incident review: {UNIT} on ")
    assert f"- Window: {since} to {until} (UTC)" in text
    first, recovered = (re.search(rf"^- {word}: (\S+)$", text, re.M).group(1) for word in ("First sign", "Recovered"))
    assert since <= first < recovered <= until
    assert abs(seconds_of("- Duration:", text) - lasted) < 2 and seconds_of("- cache: down or degraded for", text) <= lasted + 1
    assert "- database:" not in text  # it was away before, and is still
    assert re.search(r"- \d+ requests answered, \d+ of them with 5xx|measured nothing", text)
    assert "- processes that crashed: 1 in the journal" in text
    timeline = re.findall(r"^\| \S+Z \| (\w+) \|", text, re.M)
    assert timeline.index("cache_down") < timeline.index("worker_crashed") < timeline.index("cache_up")
    assert re.search(r"\| \S+Z \| worker_crashed \| worker \d \(pid \d+\) crashed with SIGSEGV", text)
    assert "## Root cause\n\n\n" in text and "## Action items\n\n| action | who | until |\n|---|---|---|\n| | | |" in text
    before = bed.out("patronctl", "incident", "--since", "1h", "--until", since)
    assert "component_state_changed" in before and "worker_crashed" not in before and "- database: down" in before
    assert bed.run("patronctl", "incident", "--since", "never").returncode == 2
    seen(record_property, f"document of an incident of {lasted:.0f} s: {len(timeline)} lines of timeline, duration, impact, services", took)
