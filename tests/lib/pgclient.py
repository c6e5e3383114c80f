"""Drives tests/unit/pg_client: one worker's loop and pool, without the server around them."""
import json
import os
import pathlib
import select
import subprocess
import time

from lib.wait import FACTOR

BUILD = pathlib.Path(os.environ.get("PATROND_BUILD", pathlib.Path(__file__).resolve().parents[2]))


class PgClient:
    def __init__(self, url, directory, **settings):
        directory.mkdir(parents=True, exist_ok=True)
        environment = {"PATH": os.environ["PATH"], "DATABASE_URL": url, "RUN_DIR": str(directory),
                       "STATE_DIR": str(directory), "ADMIN_KEY": "k3y-of-th3-op3rator-9f2c", "ENVIRONMENT": "test"}
        environment.update({k: str(v) for k, v in settings.items()})
        for name in ("ASAN_OPTIONS", "UBSAN_OPTIONS"):
            if name in os.environ:
                environment[name] = os.environ[name]
        self.log_path = directory / f"client-{time.monotonic_ns()}.log"
        self.log = open(self.log_path, "wb")
        self.process = subprocess.Popen([str(BUILD / "tests/unit/pg_client")], stdin=subprocess.PIPE,
                                        stdout=subprocess.PIPE, stderr=self.log, env=environment, bufsize=0)
        self.buffer, self.orders, self.answers = b"", 0, {}

    def send(self, order):
        """Gives an order; answers its number."""
        self.process.stdin.write(order.encode() + b"\n")
        self.orders += 1
        return self.orders

    def answer(self, number, timeout=30):
        """Waits for the answer to that order; others are kept."""
        end = time.monotonic() + timeout * FACTOR
        while number not in self.answers:
            ready, _, _ = select.select([self.process.stdout], [], [], max(0, end - time.monotonic()))
            if not ready:
                raise AssertionError(f"no answer from the client within {timeout} s\n" + self.log_path.read_text())
            data = self.process.stdout.read(65536)
            if not data:
                raise AssertionError(f"the client ended: {self.process.wait(5)}\n" + self.log_path.read_text())
            *lines, self.buffer = (self.buffer + data).split(b"\n")
            self.answers.update((x["id"], x) for x in map(json.loads, lines))
        return self.answers.pop(number)

    def ask(self, order, timeout=30):
        return self.answer(self.send(order), timeout)

    def stat(self):
        return self.ask("stat")

    def events(self, name=None):
        lines = [json.loads(x) for x in self.log_path.read_text().splitlines() if x.startswith("{")]
        return [x for x in lines if name is None or x["event"] == name]

    def finish(self):
        """Ends it, and answers what was wrong with the way it ended."""
        if self.process.poll() is None:
            try:
                self.send("quit")
                self.process.stdin.close()
                self.process.wait(10 * FACTOR)
            except (BrokenPipeError, subprocess.TimeoutExpired):
                self.process.kill()
        status = self.process.wait(10)
        self.process.stdout.close()
        self.log.close()
        text = self.log_path.read_text(errors="replace")
        if status != 0 or "Sanitizer" in text:
            return [f"pg_client ended with {status}\n{text[-4000:]}"]
        return []
