"""A systemd of its own (scripts/testbed) with patrond installed in it as `make install` does."""
import contextlib
import json
import os
import pathlib
import subprocess

import pytest

from lib.wait import FACTOR, wait_until

TOP = pathlib.Path(__file__).resolve().parents[2]
BUILD = pathlib.Path(os.environ.get("PATROND_BUILD", TOP))
TESTBED = str(TOP / "scripts/testbed")
KEY = "q8Zr4Lk2Vn7Tb5Xw9c"


def debian_root(*packages):
    """A clean Debian in which `packages` can be installed without a network; skips where there can be none."""
    made = subprocess.run([TOP / "scripts/debian-root", *packages], capture_output=True, text=True)
    if made.returncode == 77:
        pytest.skip(f"no clean Debian here: {made.stderr.strip()}")
    assert made.returncode == 0, made.stderr
    return made.stdout.strip()


class Bed:
    port = 8000

    def __init__(self, directory, root="/"):
        """`root`: what it boots, this machine's own or another (debian_root)."""
        self.directory = str(directory)
        booted = subprocess.run([TESTBED, "up", "-r", root, self.directory], capture_output=True, text=True)
        if booted.returncode != 0:
            pytest.skip(f"no systemd of its own here: {booted.stderr.strip()}")
        self.root = pathlib.Path(subprocess.run([TESTBED, "root", self.directory], capture_output=True, text=True,
                                                check=True).stdout.strip())

    def down(self):
        subprocess.run([TESTBED, "down", self.directory], check=True)

    def run(self, *command, timeout=60):
        return subprocess.run([TESTBED, "run", self.directory, *command], capture_output=True, text=True,
                              timeout=timeout * FACTOR)

    def out(self, *command, timeout=60):
        done = self.run(*command, timeout=timeout)
        assert done.returncode == 0, f"{command}: {done.stdout}{done.stderr}"
        return done.stdout.strip()

    def from_outside(self):
        """The words before a command of this machine that is to run in the bed's network."""
        return ["nsenter", f"--net={self.root.parent}/ns/net"]

    def install(self):
        """The program as it was built, its user, directories and catalog."""
        subprocess.run(["make", "-s", "-C", str(BUILD), "install", f"DESTDIR={self.root}"], check=True,
                       stdout=subprocess.DEVNULL)
        self.out("systemd-sysusers")
        self.out("systemd-tmpfiles", "--create", "patrond.conf")
        self.out("journalctl", "--update-catalog")
        self.out("systemctl", "daemon-reload")

    def path(self, variable):
        """A directory of the installation, inside."""
        line = f"print-{variable}: ; @echo $({variable})\n"
        return subprocess.run(["make", "-s", "-C", str(BUILD), "-f", "Makefile", "-f", "-", f"print-{variable}"],
                              input=line, capture_output=True, text=True, check=True).stdout.strip()

    def write(self, path, text, mode=0o644):
        target = self.root / str(path).lstrip("/")
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_text(text)
        target.chmod(mode)

    def show(self, unit, name):
        return self.out("systemctl", "show", "-P", name, unit)

    def events(self, name, unit="patrond.service", since=None):
        """The journal's entries of an event, as dicts."""
        self.out("journalctl", "--sync")
        since = ["--since", since] if since else []
        out = self.out("journalctl", "--no-pager", "-o", "json", *since, f"EVENT={name}", f"_SYSTEMD_UNIT={unit}")
        return [json.loads(line) for line in out.splitlines()]

    def wait_event(self, name, count=1, timeout=15, unit="patrond.service"):
        found = wait_until(lambda: len(e := self.events(name, unit)) >= count and e, timeout, f"event {name} in the journal",
                           every=0.1)
        return found[-1]

    def get(self, path, *options, port=port):
        """curl in its network: (status, body)."""
        done = subprocess.run([*self.from_outside(), "curl", "-s", "-m", "10", "-w", "\n%{http_code}", "-H", f"X-API-Key: {KEY}",
                               *options, f"http://127.0.0.1:{port}{path}"], capture_output=True, text=True)
        body, _, status = done.stdout.rpartition("\n")
        return int(status or 0), body


@contextlib.contextmanager
def installed_bed(directory):
    """A bed with patrond installed, its key and a database that is not there in the credential store; nothing runs."""
    bed = Bed(directory)
    try:
        bed.install()
        bed.conf = f"{bed.path('sysconfdir')}/patrond/patrond.conf"
        bed.write("/etc/credstore/patrond.ADMIN_KEY", KEY + "\n", 0o600)
        bed.write("/etc/credstore/patrond.DATABASE_URL", "postgresql://nobody@127.0.0.1:1/none", 0o600)
        yield bed
    finally:
        bed.down()


def configure(bed, **values):
    """Writes the settings of patrond.service; does not start it."""
    known = {"WORKERS": 2, "ENABLE_SALES_SYNC": "false", "ENVIRONMENT": "test", **values}
    bed.write(bed.conf, "".join(f"{k} = {v}\n" for k, v in known.items() if v is not None))
