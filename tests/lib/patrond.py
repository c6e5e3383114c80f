"""One patrond under test: the real binary with a configuration of its own."""
import contextlib
import http.client
import json
import os
import pathlib
import re
import secrets
import select
import signal
import socket
import subprocess
import threading
import time

from lib import openapi
from lib.processes import started
from lib.wait import FACTOR, free_port, wait_until

TOP = pathlib.Path(__file__).resolve().parents[2]
BUILD = pathlib.Path(os.environ.get("PATROND_BUILD", TOP))


def _program(variable, name):
    path = os.environ.get(variable) or str(TOP / name)
    if not os.access(path, os.X_OK):
        raise RuntimeError(f"{path} is not there: build first, or set {variable}")
    return path


class Answer:
    """Status, headers (names in lower case) and body of one response."""

    def __init__(self, response):
        self.status = response.status
        self.headers = {k.lower(): v for k, v in response.getheaders()}
        self.body = response.read()

    def json(self):
        return json.loads(self.body)


class Log:
    """Lines that processes write into pipes; whoever looks sees all that was written before."""

    def __init__(self):
        self._lines, self._rest, self._lock = [], {}, threading.Lock()

    def follow(self, pipe):
        """Collects from there, too, until its other end is closed. Answers the thread that does."""
        os.set_blocking(pipe.fileno(), False)
        self._rest[pipe] = b""
        reader = threading.Thread(target=self._collect, args=(pipe,), daemon=True)
        reader.start()
        return reader

    def _collect(self, pipe):
        written = select.poll()
        written.register(pipe, select.POLLIN)
        while pipe in self._rest:
            written.poll()
            self._take(pipe)

    def _take(self, pipe):
        """What is there now."""
        with self._lock:
            while pipe in self._rest:
                try:
                    data = os.read(pipe.fileno(), 65536)
                except BlockingIOError:
                    return
                *whole, self._rest[pipe] = (self._rest[pipe] + data).split(b"\n")
                if not data and (last := self._rest.pop(pipe)):
                    whole.append(last)
                self._lines += [line.decode(errors="replace") for line in whole]

    def lines(self):
        for pipe in list(self._rest):
            self._take(pipe)
        return self._lines


class Patrond:
    def __init__(self, directory, settings):
        self.directory = pathlib.Path(directory)
        self.directory.mkdir(parents=True)
        self.port = int(settings.pop("port", 0)) or free_port()
        self.binary = str(settings.pop("binary", "")) or _program("PATROND_BIN", "patrond")
        self.admin_key = settings.get("ADMIN_KEY") or secrets.token_hex(16)
        self.settings = {"LISTEN": f"127.0.0.1:{self.port}", "WORKERS": 2, "STATE_DIR": self.directory / "state",
                         "RUN_DIR": self.directory / "run", "ADMIN_KEY": self.admin_key, "ENVIRONMENT": "test",
                         "ENABLE_SALES_SYNC": "false", "LOG_LEVEL": "INFO", "ALLOW_LIST": "127.0.0.0/8"}
        self.settings.update(settings)
        self.file = self.directory / "patrond.conf"
        self._log, self._reader, self.process = Log(), None, None
        self._seen = {}  # pid: when it was started
        self.write_settings()

    # configuration and life

    def write_settings(self, **changes):
        self.settings.update(changes)
        self.file.write_text("".join(f"{k} = {v}\n" for k, v in self.settings.items() if v is not None))

    def environment(self):
        keep = {k: v for k, v in os.environ.items() if k in ("PATH", "HOME", "LANG", "ASAN_OPTIONS", "UBSAN_OPTIONS", "LSAN_OPTIONS")}
        keep.setdefault("UBSAN_OPTIONS", "print_stacktrace=1")
        return keep

    def spawn(self, *arguments):
        """Starts the process and collects what it says; does not wait for readiness."""
        self._began = len(self.lines)
        self.process = subprocess.Popen([self.binary, "-c", str(self.file), *arguments],
                                        stderr=subprocess.PIPE, stdout=subprocess.DEVNULL, env=self.environment(),
                                        cwd="/", start_new_session=True)
        self._reader = self._log.follow(self.process.stderr)
        return self.process

    def start(self, timeout=15):
        self.spawn()
        return self.wait_ready(timeout)

    def wait_ready(self, timeout=15):
        wait_until(self._ready, timeout, "patrond ready")
        wait_until(lambda: not any("master" in t for t in self.children().values()), timeout, "children with names of their own")
        self.pids()
        return self

    def _ready(self):
        if self.process.poll() is not None:
            raise AssertionError(f"patrond ended with {self.process.returncode}:\n{self.log_tail()}")
        return any(e.startswith("application_ready") for e in self.lines[self._began:])

    @property
    def lines(self):
        """All it has said so far."""
        return self._log.lines()

    def run(self, *arguments, timeout=20):
        """patrond with other options, to its end."""
        return subprocess.run([self.binary, "-c", str(self.file), *arguments], env=self.environment(),
                              capture_output=True, text=True, timeout=timeout * FACTOR)

    def ctl(self, *arguments, timeout=60):
        return subprocess.run([_program("PATRONCTL_BIN", "patronctl"), "-c", str(self.file), *arguments],
                              env=self.environment(), capture_output=True, text=True, timeout=timeout * FACTOR)

    def signal(self, number):
        self.process.send_signal(number)

    def stop(self, timeout=40):
        """TERM, and the exit status."""
        if self.process is not None and self.process.poll() is None:
            self.pids()
            self.process.send_signal(signal.SIGTERM)
            self.process.wait(timeout * FACTOR)
        if self._reader is not None:
            self._reader.join(5)
        return self.process.returncode if self.process is not None else None

    def kill_everything(self):
        pids = self.pids()
        for pid in pids:
            try:
                os.kill(pid, signal.SIGKILL)
            except ProcessLookupError:
                pass
        self.process.wait(10)
        wait_until(lambda: not any(pathlib.Path(f"/proc/{p}").exists() for p in pids), 10, "all processes gone")

    def finish(self):
        """Ends what still runs; answers what was wrong: leftovers, sanitizer reports."""
        problems = []
        if self.process is None:
            return problems
        for pid in self.pids():
            try:
                os.kill(pid, signal.SIGCONT)
            except ProcessLookupError:
                pass
        try:
            self.stop()
        except subprocess.TimeoutExpired:
            problems.append("patrond did not end on SIGTERM")
            self.process.kill()
            self.process.wait(10)
        try:
            wait_until(lambda: not self.survivors(), 10, "children gone")
        except AssertionError:
            problems.append(f"processes left over: {self.survivors()}")
            for pid in self.survivors():
                with contextlib.suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGKILL)
        text = "\n".join(self.lines)
        if "AddressSanitizer" in text or "runtime error:" in text or "LeakSanitizer" in text:
            problems.append("sanitizer report:\n" + text[-6000:])
        return problems

    # processes

    def children(self):
        out = subprocess.run(["ps", "-o", "pid=,args=", "--ppid", str(self.process.pid)], capture_output=True, text=True).stdout
        found = {}
        for line in out.splitlines():
            pid, title = line.split(None, 1)
            found[int(pid)] = title
        return found

    def pids(self, role=None):
        """Pids of the master and its children, or of the children whose title names the role."""
        children = self.children()
        self._seen.update((pid, started(pid)) for pid in children)
        if role is None:
            return [self.process.pid, *children]
        return sorted(p for p, title in children.items() if role in title)

    def workers(self):
        return self.pids("worker")

    def survivors(self):
        return [pid for pid, at in self._seen.items() if at is not None and started(pid) == at]

    # what it says

    def events(self, name):
        return [l for l in list(self.lines) if l.split(":", 1)[0] == name]

    def wait_event(self, name, timeout=10, count=1, matching=""):
        def found():
            lines = [l for l in self.events(name) if re.search(matching, l)]
            return lines if len(lines) >= count else None
        try:
            return wait_until(found, timeout, f"event {name} /{matching}/")[-1]
        except AssertionError as e:
            raise AssertionError(f"{e}\n{self.log_tail()}") from None

    def log_tail(self, n=60):
        return "\n".join(list(self.lines)[-n:])

    # asking it

    def request(self, method, path, body=None, headers=None, key=True, timeout=15):
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=timeout * FACTOR)
        send = {"X-API-Key": self.admin_key} if key is True else {"X-API-Key": key} if key else {}
        send.update(headers or {})
        if isinstance(body, (dict, list)):
            body = json.dumps(body)
        try:
            connection.request(method, path, body=body, headers=send)
            answer = Answer(connection.getresponse())
        finally:
            connection.close()
        openapi.check(method, path, answer)
        return answer

    def get(self, path, **options):
        return self.request("GET", path, **options)

    def post(self, path, body=None, **options):
        return self.request("POST", path, body=body, **options)

    def connect(self, timeout=10):
        return socket.create_connection(("127.0.0.1", self.port), timeout * FACTOR)

    def raw(self, data, timeout=10):
        """Sends bytes on a fresh connection; answers all that comes until the other side closes."""
        with self.connect(timeout) as s:
            s.sendall(data)
            received = b""
            while True:
                piece = s.recv(65536)
                if not piece:
                    return received
                received += piece

    # syncing

    def sync(self, mode="incremental", timeout=120):
        """Asks for a run and waits for its end; answers its object of /admin/sync-status."""
        answer = self.post(f"/admin/sync-sales?mode={mode}")
        assert answer.status == 202, answer.body
        return self.wait_run(answer.json()["run_id"], timeout)

    def wait_run(self, run_id, timeout=120):
        def ended():
            runs = self.get("/admin/sync-status").json()["last_runs"]
            return next((r for r in runs if r["run_id"] == run_id and r["status"] != "running"), None)
        return wait_until(ended, timeout, f"run {run_id} ended", every=0.1)

    def wait_data(self, version=1, timeout=30):
        """Until every worker's answers carry that data version or a later one."""
        wait_until(lambda: all((self.get("/health", key=None).json()["data_status"]["data_version"] or 0) >= version
                               for _ in range(8)), timeout, f"data version {version} served")


@contextlib.contextmanager
def running(directory, settings):
    """A started Patrond, checked at its end."""
    instance = Patrond(directory, settings)
    try:
        yield instance.start()
    finally:
        problems = instance.finish()
        assert not problems, "\n".join(problems)


@contextlib.contextmanager
def serving(directory, settings):
    """The same, after a full sync of its SYNC_SOURCE, every worker having the data."""
    with running(directory, settings) as instance:
        assert instance.sync("full")["status"] == "success"
        instance.wait_data()
        yield instance


class Load:
    """Keep-alive clients that ask one request after the other, with a pause if they are told so, and count precisely what fails."""

    def __init__(self, port, paths, headers, clients=8, pause_s=0):
        self.port, self.paths, self.headers, self.clients, self.pause_s = port, paths, headers, clients, pause_s
        self.good, self.failures, self.latencies = 0, [], []
        self._stop, self._lock, self._threads = threading.Event(), threading.Lock(), []

    def __enter__(self):
        for i in range(self.clients):
            t = threading.Thread(target=self._client, args=(i,), daemon=True)
            t.start()
            self._threads.append(t)
        return self

    def __exit__(self, *exc):
        self._stop.set()
        for t in self._threads:
            t.join(30)

    def wait_requests(self, n, timeout=30):
        start = self.good
        wait_until(lambda: self.good >= start + n, timeout, f"{n} more requests answered")

    def _client(self, number):
        connection, sent = None, number
        while not self._stop.is_set():
            path = self.paths[sent % len(self.paths)]
            sent += 1
            began = time.monotonic()
            fresh = connection is None
            try:
                if fresh:
                    connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=20 * FACTOR)
                connection.request("GET", path, headers=self.headers)
                answer = connection.getresponse()
                answer.read()
                ok = answer.status == 200
                if not ok:
                    self._failed(f"{path}: {answer.status}")
                if answer.getheader("Connection", "").lower() == "close":
                    connection.close()
                    connection = None
            except (OSError, http.client.HTTPException) as e:
                connection.close()
                connection = None
                # An idle connection may be closed while the next request is on its way: that one is sent again.
                if fresh or not isinstance(e, (http.client.RemoteDisconnected, ConnectionResetError, BrokenPipeError)):
                    self._failed(f"{path}: {e!r}")
                continue
            with self._lock:
                self.good += 1
                self.latencies.append(time.monotonic() - began)
            if self.pause_s:
                self._stop.wait(self.pause_s)

    def _failed(self, text):
        with self._lock:
            self.failures.append(text)
