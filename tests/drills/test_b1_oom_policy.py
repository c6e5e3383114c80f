"""B1 under version 2 control groups: OOMPolicy=continue keeps the unit up when the kernel kills a worker.

Needs      scripts/vmbed: a virtual machine, as this machine's systemd may have no memory controller of version 2; so root, qemu,
           and a mirror the first time; skipped, loudly, without. The processor is emulated: a second here takes several there,
           which is why test_b1_worker_oom, not this drill, holds the runbook's second.
Detection  `worker_oom_killed` with pid, rss, what it was doing and the count of memory.events; systemd's own line.
Recovery   the worker's place is filled; the unit stays as it is. With OOMPolicy=stop, to compare, systemd ends it.
"""
import json
import os
import pathlib
import re
import subprocess

import pytest

from lib.drill import seen
from lib.testbed import TOP
from lib.wait import FACTOR

pytestmark = pytest.mark.drill

SCRIPT = pathlib.Path(__file__).with_name("oom_policy.sh")
SECONDS = 240


@pytest.fixture(scope="module")
def said(package):
    """What the script in the machine printed: its values, and the journal's entries."""
    done = subprocess.run([TOP / "scripts/vmbed", SCRIPT, package], capture_output=True, text=True,
                          env=os.environ | {"VMBED_SECONDS": str(round(SECONDS * FACTOR))})
    if done.returncode == 77:
        pytest.skip(f"no virtual machine here: {done.stderr.strip()}")
    assert done.returncode == 0, done.stdout[-4000:] + done.stderr
    lines = done.stdout.splitlines()
    return dict(l.split("=", 1) for l in lines if "{" not in l), [json.loads(l) for l in lines if l.startswith("{")]


def happened_us(entry):
    """When, since the machine started: as the sender tells, not as journald read it."""
    if "_SOURCE_MONOTONIC_TIMESTAMP" in entry:
        return int(entry["_SOURCE_MONOTONIC_TIMESTAMP"])
    late = int(entry["__REALTIME_TIMESTAMP"]) - int(entry["_SOURCE_REALTIME_TIMESTAMP"])
    return int(entry["__MONOTONIC_TIMESTAMP"]) - late


def test_unit_stays_up_and_the_worker_is_replaced(said, record_property):
    values, journal = said
    assert values["before.OOMPolicy"] == "continue" and values["before.ActiveState"] == "active"
    assert values["after.MainPID"] == values["before.MainPID"] and values["after.NRestarts"] == "0"
    assert (values["after.ActiveState"], values["after.SubState"], values["after.Result"]) == ("active", "running", "success")
    kills = int(values["memory.events.oom_kill"])
    lines = [e for e in journal if e.get("EVENT") == "worker_oom_killed"]
    assert len(lines) == kills > 0
    line = next(e for e in lines if e["PROCESS"] == "worker")
    assert int(line["RSS_BYTES"]) > 16 << 20 and line["DOING"] == "serving"
    assert re.search(r"was killed by the kernel's OOM killer \(cgroup count [1-9]\d*\)", line["MESSAGE"])
    assert any(e.get("MESSAGE") == "patrond.service: A process of this unit has been killed by the OOM killer." for e in journal)
    kernel = next(e for e in journal if f"Killed process {line['CHILD_PID']} (patrond)" in str(e.get("MESSAGE")))
    starts = [e for e in journal if e.get("EVENT") == "no_customer_data"]  # what each worker says when it begins
    replacement = next(e for e in starts if happened_us(e) > happened_us(line))
    noticed, served = ((happened_us(e) - happened_us(kernel)) / 1e6 for e in (line, replacement))
    assert served < 10 * FACTOR
    seen(record_property, f"cgroup v2: {kills} oom_kill in memory.events, each a worker_oom_killed (rss_bytes={line['RSS_BYTES']},"
         f" noticed after {noticed:.2f} s of an emulated processor); same main process, unit active, NRestarts=0", served)


def test_other_policy_would_have_ended_it(said, record_property):
    values, journal = said
    assert values["other.OOMPolicy"] == "stop" and any(e.get("UNIT_RESULT") == "oom-kill" for e in journal)
    seen(record_property, "the same under OOMPolicy=stop, to compare: the unit failed with result oom-kill")
