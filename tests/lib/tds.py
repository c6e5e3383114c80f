"""A SQL Server for tests: starts the stand-in (standins/tds) as a process and drives it.

    with SqlServer(scratch) as source:            # or start() and stop(); `certificates` are made below scratch
        source.rows = [line(1001, 7, "2024-01-01"), ...]     # dicts: {column: value}; the rest is NULL (lib.sales.line fits)
        source.load_csv(path)                     # the same 30 columns from a file; an empty field is NULL
        source.generate(1_200_000)                # a plausible shop
        source.add([...]); source.update({"order_id": 5}, {"line_item_refunds": "3.00"}); source.delete({"order_id": [5, 6]})
        source.drop_column("sku"); source.add_column("colour", "nvarchar(20)"); source.retype_column("quantity", "nvarchar(9)")

        patrond_factory(**source.settings(), ...) # AZURE_SQL_*, so that patrond reads it: source.host, .port, .ca_file

        f = source.fault("hang", sql=PAGE, skip=2, row=100)   # kinds and options: standins/tds/faults.py
        source.fault("error", at="login", number=40613, times=3)
        f.hits(); f.wait_hit(); f.waiting(); f.release(); source.clear()
        source.asked()                            # logins and requests so far, oldest first: dicts with what, connection,
                                                  #   sql, parameters, rows, bytes, ended; of a login: user, app, encryption ...
        source.statements(PAGE)                   # texts of the requests that match
        source.problems()                         # breaches of the protocol seen; stop() fails the test if there are any
        source.reset()                            # as new, for the next test of a module

Encryption: 'required' (Azure: the whole session), 'off' (SQL Server as installed: the login only, unless the client asks for
more), 'unsupported', 'downgrade' (whatever is asked for, OFF). Certificates: 'good', 'untrusted' (another CA), 'wronghost'.
source.listen(...) opens another port on the same data, for redirects: source.set(route=("localhost", other.port)).
"""
import json
import pathlib
import re
import subprocess
import sys
import threading

from lib.tls import Certificates
from lib.wait import FACTOR, wait_until

TESTS = pathlib.Path(__file__).resolve().parents[1]
# Statements of a sync, for fault(sql=...) and statements(...): what the view's columns are, a page of days, one of orders by
# their numbers, lines without a key, totals of days.
SCHEMA, PAGE, ORDERS = r"^SELECT TOP \(0\)", r"^SELECT TOP \(\d+\) \[order_id\](?!.* IN \().*ORDER BY", r"\] IN \("
UNKEYED, TOTALS = r"IS NULL OR", r"GROUP BY"


class Fault:
    def __init__(self, server, number):
        self.server, self.id = server, number

    def _status(self):
        return next((f for f in self.server.command("faults") if f["id"] == self.id), {"hits": 0, "waiting": 0})

    def hits(self):
        """How often it did harm."""
        return self._status()["hits"]

    def waiting(self):
        """How many answers stand still by it now."""
        return self._status()["waiting"]

    def wait_hit(self, timeout=20, hits=1):
        wait_until(lambda: self.hits() >= hits, timeout, f"fault {self.id} hit")

    def wait_waiting(self, timeout=20):
        wait_until(self.waiting, timeout, f"fault {self.id} standing still")

    def release(self):
        self.server.command("release", number=self.id)


class Port:
    """One listener of the stand-in."""

    def __init__(self, server, number, port):
        self.server, self.number, self.port = server, number, port

    def set(self, certificate=None, **settings):
        pair = self.server.certificates.pair(certificate) if certificate else {}
        self.server.command("set", listener=self.number, **pair, **settings)

    def close(self):
        """Connections are refused from now on."""
        self.server.command("unlisten", listener=self.number)


class SqlServer:
    user, password, database = "reader", "Pa55 wörd;{}'\"", "sales"
    host = "localhost"

    def __init__(self, scratch, encryption="required", certificate="good", port=0):
        self.scratch = pathlib.Path(scratch)
        self._first = {"encryption": encryption, "certificate": certificate, "port": port}
        self.process, self._lock, self._expected = None, threading.Lock(), False

    # life

    def start(self):
        self.certificates = Certificates(self.scratch)
        self.ca_file = self.certificates.ca_file
        self.process = subprocess.Popen([sys.executable, "-B", "-m", "standins.tds"], cwd=TESTS, stdin=subprocess.PIPE,
                                        stdout=subprocess.PIPE, text=True, start_new_session=True)
        self.command("account", user=self.user, password=self.password, database=self.database)
        self.main = self.listen(**self._first)
        self.port = self.main.port
        return self

    def stop(self):
        """Ends it; fails when a client broke the protocol or the stand-in itself failed."""
        if self.process is None:
            return
        problems = [] if self.process.poll() is not None else self.problems()
        self.process.stdin.close()
        try:
            self.process.wait(10 * FACTOR)
        except subprocess.TimeoutExpired:
            self.process.kill()
        self.process.wait(10)
        self.process.stdout.close()
        self.process = None
        assert not problems or self._expected, "\n".join(problems)

    def expect_problems(self):
        """The test is about them: stop() will not fail by them."""
        self._expected = True

    def reset(self):
        """As new: no rows, the 30 columns, no faults, sessions, requests or problems, and the first encryption."""
        self.clear()
        self.disconnect()
        wait_until(lambda: self.sessions() == 0, 10, "sessions ended")
        self.command("reset")
        self.set(encryption=self._first["encryption"], certificate=self._first["certificate"], route=None)

    def __enter__(self):
        return self.start()

    def __exit__(self, *exc):
        self.stop()

    def command(self, do, **arguments):
        with self._lock:
            self.process.stdin.write(json.dumps({"do": do, **arguments}, default=str) + "\n")
            self.process.stdin.flush()
            line = self.process.stdout.readline()
        if not line:
            raise RuntimeError("the stand-in of SQL Server has ended")
        reply = json.loads(line)
        if "error" in reply:
            raise RuntimeError(f"{do}: {reply['error']}")
        return reply["result"]

    # how it is reached

    def listen(self, encryption="required", certificate="good", port=0, **settings):
        """Another port."""
        reply = self.command("listen", encryption=encryption, port=port, **self.certificates.pair(certificate), **settings)
        return Port(self, reply["listener"], reply["port"])

    def set(self, **settings):
        """encryption=, certificate=, route=(host, port) or None, for sessions to come."""
        self.main.set(**settings)

    def settings(self, **more):
        """What patrond needs to read from it."""
        return {"SYNC_SOURCE": "sqlserver", "AZURE_SQL_SERVER": self.host, "AZURE_SQL_PORT": self.port,
                "AZURE_SQL_DATABASE": self.database, "AZURE_SQL_USERNAME": self.user, "AZURE_SQL_PASSWORD": self.password,
                "AZURE_SQL_CA_FILE": self.ca_file, **more}

    def disconnect(self, reset=True):
        """Ends all sessions, as a failover does."""
        self.command("disconnect", reset=reset)

    # what it holds

    def _set_rows(self, rows):
        self.command("rows", rows=[_given(r) for r in rows])

    rows = property(fset=_set_rows, doc="All rows: dicts of columns to values; texts, numbers, ISO dates; '' and None are NULL.")

    def add(self, rows):
        return self.command("add", rows=[_given(r) for r in rows])

    def load_csv(self, path, limit=None):
        return self.command("load_csv", path=str(path), limit=limit)

    def generate(self, lines, **options):
        """start=, days=, customers=, seed=, first_order="""
        return self.command("generate", lines=lines, **options)

    def dump(self):
        """All rows, in their order, as dicts of columns to texts."""
        return self.command("dump")

    def columns(self):
        """Names of the columns, in their order."""
        return self.command("columns")

    def warm(self):
        """Encodes all rows for a reader of all columns, so that its first answer does not wait for it."""
        return self.command("warm")

    def update(self, where, set_):
        """Changes columns of the rows that have these values (a value, or a list of them); answers how many."""
        return self.command("update", where=where, set=set_)

    def delete(self, where):
        return self.command("delete", where=where)

    def drop_column(self, name):
        self.command("drop_column", name=name)

    def add_column(self, name, declared, value=None, nullable=True, at=None):
        self.command("add_column", name=name, declared=declared, value=value, nullable=nullable, at=at)

    def retype_column(self, name, declared, nullable=None):
        self.command("retype_column", name=name, declared=declared, nullable=nullable)

    def rename_column(self, name, new):
        self.command("rename_column", name=name, new=new)

    # what goes wrong

    def fault(self, kind, **options):
        return Fault(self, self.command("fault", kind=kind, **options))

    def clear(self):
        """Takes all faults back; what stands still goes on."""
        self.command("clear")

    # what was asked

    def asked(self, what=None):
        return [a for a in self.command("asked") if what in (None, a["what"])]

    def logins(self):
        return self.asked("login")

    def statements(self, pattern=""):
        return [a["sql"] for a in self.command("asked") if a.get("sql") and re.search(pattern, a["sql"], re.I | re.S)]

    def forget(self):
        self.command("forget")

    def problems(self):
        return self.command("problems")

    def sessions(self):
        return self.command("status")["sessions"]


def _given(row):
    return {k: None if v == "" else v for k, v in row.items()}
