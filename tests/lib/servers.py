"""Private PostgreSQL and Redis servers that tests may stop, freeze and kill."""
import contextlib
import glob
import itertools
import os
import pathlib
import pwd
import shutil
import signal
import subprocess
import tempfile

import psycopg2

from lib.wait import free_port, wait_until


NO_HOST = "x" * 64 + ".invalid"  # no label is that long: the resolver knows without asking anybody, who might not answer


def postgres_bin():
    found = sorted(glob.glob("/usr/lib/postgresql/*/bin"), key=lambda p: int(p.split("/")[4]))
    if not found:
        raise RuntimeError("no PostgreSQL server found: apt-get install postgresql")
    return pathlib.Path(found[-1])


@contextlib.contextmanager
def private(kind, **settings):
    """A started Postgres or Redis of one's own, gone at the end."""
    with tempfile.TemporaryDirectory(prefix="patrond-own-") as name:
        os.chmod(name, 0o755)
        server = kind(pathlib.Path(name) / "server", **settings)
        server.start()
        try:
            yield server
        finally:
            server.stop()


def _unprivileged():
    """Arguments before a command that PostgreSQL refuses to run as root."""
    if os.geteuid() != 0:
        return []
    return ["setpriv", "--reuid=postgres", "--regid=postgres", "--clear-groups", "--"]


class Server:
    """A child process with the verbs of a fault."""
    process = None

    def pid(self):
        return self.process.pid

    def alive(self):
        return self.process is not None and self.process.poll() is None

    def ensure(self):
        if not self.alive():
            self.start()

    def kill(self):
        if self.alive():
            os.kill(self.pid(), signal.SIGKILL)
        self.process.wait(10)

    def stop(self):
        if self.alive():
            self.resume()
            self.process.send_signal(signal.SIGINT)
            try:
                self.process.wait(20)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait(10)


class Postgres(Server):
    _numbers = itertools.count()

    def __init__(self, directory, **settings):
        self.directory = pathlib.Path(directory)
        self.data = self.directory / "data"
        self.port = free_port()
        # synchronous_commit stays on: a drill kills the server and counts on what was committed
        self.settings = {"max_connections": 120, "fsync": "off", "full_page_writes": "off",
                         "listen_addresses": "127.0.0.1", "unix_socket_directories": str(self.directory),
                         "autovacuum": "on", "shared_buffers": "128MB", "max_wal_size": "2GB", "log_min_messages": "warning"}
        self.settings.update(settings)

    def _init(self):
        self.directory.mkdir(parents=True, exist_ok=True)
        if os.geteuid() == 0:
            user = pwd.getpwnam("postgres")
            os.chown(self.directory, user.pw_uid, user.pw_gid)
        subprocess.run(_unprivileged() + [str(postgres_bin() / "initdb"), "-D", str(self.data), "-U", "patrond", "-A",
                       "trust", "-E", "UTF8", "--locale=C.UTF-8", "-N"], check=True, stdout=subprocess.DEVNULL,
                       cwd="/")

    def start(self):
        if not self.data.exists():
            self._init()
        options = [a for k, v in self.settings.items() for a in ("-c", f"{k}={v}")]
        pidfile = self.data / "postmaster.pid"
        if self.process is not None and pidfile.exists():
            pidfile.unlink()
        self.log = open(self.directory / "log", "ab")
        self.process = subprocess.Popen(_unprivileged() + [str(postgres_bin() / "postgres"), "-D", str(self.data), "-p",
                                        str(self.port)] + options, stdout=self.log, stderr=self.log, cwd="/",
                                        start_new_session=True)
        wait_until(self._answers, 60, "PostgreSQL accepting connections")

    def _answers(self):
        if not self.alive():
            raise AssertionError("PostgreSQL ended:\n" + (self.directory / "log").read_text(errors="replace")[-2000:])
        try:
            self.connect().close()
            return True
        except psycopg2.OperationalError:
            return False

    def url(self, database="postgres", host="127.0.0.1"):
        return f"postgresql://patrond@{host}:{self.port}/{database}"

    def connect(self, database="postgres"):
        connection = psycopg2.connect(self.url(database), connect_timeout=5)
        connection.autocommit = True
        return connection

    def create_database(self, template="template1"):
        """Of a template nobody is connected to."""
        name = f"t{os.getpid()}_{next(self._numbers)}"
        connection = self.connect()
        with connection.cursor() as cursor:
            cursor.execute(f"CREATE DATABASE {name} TEMPLATE {template}")
        connection.close()
        return self.url(name)

    def _family(self):
        out = subprocess.run(["ps", "-o", "pid=", "--ppid", str(self.pid())], capture_output=True, text=True).stdout
        return [self.pid()] + [int(p) for p in out.split()]

    def _signal_family(self, number):
        """To all that live: none is born while they are listed, but a backend may end before it is signalled."""
        os.kill(self.pid(), signal.SIGSTOP)
        family = self._family()
        for pid in family:
            try:
                os.kill(pid, number)
            except ProcessLookupError:
                pass
        return family

    def freeze(self):
        """All its processes stand still: connections are accepted by the kernel and never answered."""
        self._signal_family(signal.SIGSTOP)

    def resume(self):
        self._signal_family(signal.SIGCONT)

    def kill(self):
        family = self._signal_family(signal.SIGKILL)
        self.process.wait(10)
        wait_until(lambda: not any(pathlib.Path(f"/proc/{p}").exists() for p in family), 10, "PostgreSQL gone")


class Redis(Server):
    def __init__(self, directory):
        self.directory = pathlib.Path(directory)
        self.port = free_port()
        self.socket = self.directory / "redis.sock"

    def start(self):
        self.directory.mkdir(parents=True, exist_ok=True)
        if shutil.which("redis-server") is None:
            raise RuntimeError("no redis-server found: apt-get install redis-server")
        self.process = subprocess.Popen(["redis-server", "--port", str(self.port), "--bind", "127.0.0.1", "-::1", "--unixsocket",
                                         str(self.socket), "--save", "", "--appendonly", "no", "--dir",
                                         str(self.directory)], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
                                        start_new_session=True)
        wait_until(self._answers, 20, "Redis answering")

    def _answers(self):
        return subprocess.run(["redis-cli", "-p", str(self.port), "ping"], capture_output=True,
                              text=True).stdout.strip() == "PONG"

    def url(self):
        return f"redis://127.0.0.1:{self.port}/0"

    def keys(self):
        """Names of all that patronds keep there."""
        return set(subprocess.run(["redis-cli", "-p", str(self.port), "--raw", "KEYS", "patrond:*"], capture_output=True,
                                  text=True, check=True).stdout.split())

    def freeze(self):
        os.kill(self.pid(), signal.SIGSTOP)

    def resume(self):
        os.kill(self.pid(), signal.SIGCONT)
