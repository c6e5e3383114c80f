"""Fixtures of the drills alone."""
import os
import subprocess

import pytest

from lib.deploy import install, patrond_bytes
from lib.testbed import TOP
from lib.wait import FACTOR
from lib.webhook import Webhook


@pytest.fixture
def deployed(patrond_factory, tmp_path, monkeypatch):
    """make(**settings) -> a server that was installed as tmp_path/patrond, version 1.0.0."""
    def make(fault=None, **settings):
        path = tmp_path / "patrond"
        install(path, patrond_bytes())
        p = patrond_factory(binary=path, DATABASE_URL="postgresql://nobody@127.0.0.1:1/none", **settings)
        if fault is not None:
            inherited = p.environment()
            monkeypatch.setattr(p, "environment", lambda: {**inherited, "PATROND_FAULT": fault})
        p.installed = path
        return p.start()
    return make


@pytest.fixture
def webhook():
    hook = Webhook()
    yield hook
    hook.close()


@pytest.fixture(scope="session")
def package(tmp_path_factory):
    """The Debian package of this tree, version 1.0.0-1. PATROND_DEB_FLAGS are its CFLAGS, "-O1" otherwise."""
    directory = tmp_path_factory.mktemp("deb")
    done = subprocess.run([TOP / "scripts/make-deb", directory], capture_output=True, text=True, timeout=600 * FACTOR,
                          env=os.environ | {"BUILD_FLAGS": os.environ.get("PATROND_DEB_FLAGS", "-O1")})
    assert done.returncode == 0, done.stderr
    return next(directory.glob("patrond_*.deb"))
