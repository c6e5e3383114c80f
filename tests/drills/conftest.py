"""Fixtures of several drills."""
import pytest

from lib.deploy import install, patrond_bytes
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
