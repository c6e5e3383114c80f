"""Fixtures of the drills alone."""
import os
import subprocess

import pytest

from lib.testbed import TOP
from lib.wait import FACTOR


@pytest.fixture(scope="session")
def package(tmp_path_factory):
    """The Debian package of this tree, version 1.0.0-1. PATROND_DEB_FLAGS are its CFLAGS, "-O1" otherwise."""
    directory = tmp_path_factory.mktemp("deb")
    done = subprocess.run([TOP / "scripts/make-deb", directory], capture_output=True, text=True, timeout=600 * FACTOR,
                          env=os.environ | {"BUILD_FLAGS": os.environ.get("PATROND_DEB_FLAGS", "-O1")})
    assert done.returncode == 0, done.stderr
    return next(directory.glob("patrond_*.deb"))
