"""wrk as a witness: 64 connections that ask without pause, and an exact count of what failed."""
import re
import subprocess

from lib.wait import FACTOR, wait_until


class Wrk:
    """with Wrk(p) as w: ...; then w.requests, w.failed (answers that are not 2xx or 3xx) and w.lost (connections cut)."""

    def __init__(self, patrond, path="/health/live", seconds=30, connections=64, headers=None, through=()):
        """`through`: words before the command (lib.testbed: Bed.from_outside)."""
        fields = [a for name, value in (headers or {}).items() for a in ("-H", f"{name}: {value}")]
        self.command = [*through, "wrk", "-t1", f"-c{connections}", f"-d{round(seconds * FACTOR)}", "--timeout", "15", *fields,
                        f"http://127.0.0.1:{patrond.port}{path}"]
        self.patrond, self.connections, self.through = patrond, connections, through
        self.requests = self.failed = self.lost = None

    def _connected(self):
        return self.patrond.get("/admin/workers").json()["totals"]["connections"] > self.connections  # and that of the question

    def __enter__(self):
        self._process = subprocess.Popen(self.command, stdout=subprocess.PIPE, text=True)
        if not self.through:
            wait_until(self._connected, 10, f"{self.connections} connections of wrk")
        return self

    def __exit__(self, *exc):
        """Ends the load; wrk tells what it counted when it is interrupted."""
        self._process.send_signal(2)
        self.said = self._process.communicate(timeout=30)[0]
        self.requests = int(re.search(r"(\d+) requests in", self.said).group(1))
        failed = re.search(r"Non-2xx or 3xx responses: (\d+)", self.said)
        errors = re.search(r"Socket errors: connect (\d+), read (\d+), write (\d+), timeout (\d+)", self.said)
        self.failed = int(failed.group(1)) if failed else 0
        self.lost = sum(map(int, errors.groups())) if errors else 0
