"""The Debian package in a systemd of its own: installs, starts, reloads, upgrades with no failed request, purges.

Builds two packages that differ in their revision alone. PATROND_DEB_FLAGS are the CFLAGS, "-O1" otherwise.
"""
import os
import subprocess
import threading

import pytest

from lib.testbed import TOP, KEY, Bed
from lib.wait import FACTOR, wait_until

pytestmark = pytest.mark.drill
LIVE = ["curl", "-s", "-o", "/dev/null", "-w", "%{http_code}", "http://127.0.0.1:8000/health/live"]


@pytest.fixture(scope="module")
def packages(tmp_path_factory):
    made = []
    for revision in ("1", "2"):
        directory = tmp_path_factory.mktemp("deb" + revision)
        done = subprocess.run([TOP / "scripts/make-deb", directory], capture_output=True, text=True, timeout=600 * FACTOR,
                              env=os.environ | {"DEB_REVISION": revision, "BUILD_FLAGS": os.environ.get("PATROND_DEB_FLAGS", "-O1")})
        assert done.returncode == 0, done.stderr
        made.append(next(directory.glob("patrond_*.deb")))
    return made


@pytest.fixture
def bed(tmp_path_factory):
    b = Bed(tmp_path_factory.mktemp("bed") / "bed")
    yield b
    b.down()


class Questions:
    """Asks inside the bed, without a pause, until told to stop."""

    def __init__(self, bed):
        self.answers, self.stop = [], False
        self.bed = bed
        self.thread = threading.Thread(target=self.ask)

    def ask(self):
        while not self.stop:
            self.answers.append(self.bed.run(*LIVE).stdout)

    def __enter__(self):
        self.thread.start()
        return self

    def __exit__(self, *exc):
        self.stop = True
        self.thread.join()


def test_installs_serves_upgrades_and_purges(bed, packages):
    for package in packages:
        (bed.root / "root" / package.name).write_bytes(package.read_bytes())
    said = bed.out("dpkg", "-i", f"/root/{packages[0].name}")
    assert "set DATABASE_URL and ADMIN_KEY" in said
    assert bed.out("systemctl", "is-enabled", "patrond") == "enabled"
    assert bed.out("stat", "-c", "%U:%G %a", "/etc/patrond/patrond.conf") == "root:patrond 640"
    bed.out("sh", "-c", f"printf 'DATABASE_URL = postgresql://u@127.0.0.1:1/none\\nADMIN_KEY = {KEY}\\n' >>/etc/patrond/patrond.conf")
    bed.out("systemctl", "start", "patrond")
    wait_until(lambda: bed.run(*LIVE).stdout == "200", 15, "the service answers")
    bed.out("systemctl", "reload", "patrond")
    pid = bed.show("patrond", "MainPID")
    with Questions(bed) as questions:
        wait_until(lambda: len(questions.answers) > 3, 15, "questions")
        bed.out("dpkg", "-i", f"/root/{packages[1].name}", timeout=120)
        n = len(questions.answers)
        wait_until(lambda: len(questions.answers) > n + 3, 15, "questions after the upgrade")
    assert set(questions.answers) == {"200"}
    assert bed.show("patrond", "MainPID") == pid
    assert "upgrade_completed" in bed.out("journalctl", "-u", "patrond", "-o", "cat")
    assert f"ADMIN_KEY = {KEY}" in bed.out("cat", "/etc/patrond/patrond.conf")
    assert bed.out("dpkg-query", "-W", "-f", "${Version}", "patrond").endswith("-2")
    listed = bed.out("dpkg", "-L", "patrond").split()
    assert "/usr/share/patrond/grafana/patrond.json" in listed
    bed.out("dpkg", "--purge", "patrond", timeout=120)
    assert bed.run("systemctl", "is-active", "patrond").stdout.strip() != "active"
    left = [p for p in listed if "patron" in p and (bed.root / p.lstrip("/")).exists()]
    assert left == [] and not (bed.root / "etc/patrond").exists()
    assert bed.run("test", "-d", "/var/lib/patrond").returncode == 0
