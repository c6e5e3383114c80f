"""Deploys for drills: an installed program that is replaced by others, good and bad, while it serves."""
import os
import pathlib

import pytest

from lib.drill import asking, elapsed
from lib.patrond import BUILD, _program
from lib.wait import wait_until

SCRIPT = b"#!/bin/sh\n"


def install(path, content, version=None, mode=0o755):
    """As install(1) does: a new file in the place of the old one. `version` replaces the one compiled in."""
    if version is not None:
        assert len(version) == 5 and content.count(b"1.0.0\0") > 0
        content = content.replace(b"1.0.0\0", version.encode() + b"\0")
    fresh = path.with_suffix(".new")
    fresh.write_bytes(content)
    fresh.chmod(mode)
    fresh.rename(path)


def patrond_bytes():
    return pathlib.Path(_program("PATROND_BIN", "patrond")).read_bytes()


def program(name):
    """One of the programs built for tests."""
    path = BUILD / "tests/unit" / name
    if not path.exists():
        pytest.skip(f"{path} is not built: make check TESTS=")
    return path.read_bytes()


def load(p):
    """Requests without pause of which none may fail."""
    return asking(p, ["/health/live"], clients=8)


def generations(p):
    return {w["generation"] for w in p.get("/admin/workers").json()["workers"]}


def descriptors(p):
    """Those that its master keeps: the least of many looks, as a file of /proc may just be open."""
    return min(len(os.listdir(f"/proc/{p.process.pid}/fd")) for _ in range(50))


def settle(p, generation):
    wait_until(lambda: generations(p) == {generation} and len(p.pids()) == 5, 10, f"only generation {generation}")


def good_deploy(p, version, generation):
    """An upgrade to what is installed that must succeed; the seconds until patronctl said so."""
    answer, took = elapsed(p.ctl, "upgrade")
    assert answer.returncode == 0, answer.stderr + p.log_tail()
    assert f"patrond {version} serves, generation {generation}" in answer.stdout
    settle(p, generation)
    return took
