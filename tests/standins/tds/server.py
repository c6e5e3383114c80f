"""The process: listeners, sessions, and the commands that drive it, one JSON object a line."""
import collections
import decimal
import gc
import json
import socket
import ssl
import sys
import threading

from . import values
from .convert import text_of
from .faults import Faults
from .generate import generate
from .query import Engine
from .session import Session
from .store import Store

ASKED = 100_000


class Listener:
    """One port: how it encrypts, with which certificate, and where it routes to."""

    def __init__(self, server, number, host, port):
        self.server, self.number = server, number
        self.encryption, self.context, self.route = "unsupported", None, None
        self.socket = socket.create_server((host, port), backlog=64)
        self.port = self.socket.getsockname()[1]
        threading.Thread(target=self._accept, daemon=True).start()

    def set(self, encryption=None, cert=None, key=None, route=()):
        """Changes what is given; sessions that exist stay as they are."""
        if cert is not None:
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            # TLS 1.3 inside TDS 7.4 works with no client; real servers offer it in TDS 8 alone.
            context.maximum_version = ssl.TLSVersion.TLSv1_2
            context.load_cert_chain(cert, key)
            self.context = context
        if encryption is not None:
            if encryption not in ("off", "required", "unsupported", "downgrade"):
                raise ValueError(f"no encryption {encryption}")
            if encryption != "unsupported" and self.context is None:
                raise ValueError("encryption wants a certificate")
            self.encryption = encryption
        if route != ():
            self.route = tuple(route) if route else None

    def _accept(self):
        while True:
            try:
                sock, _ = self.socket.accept()
            except OSError:
                return
            self.server.begin_session(self, sock)

    def close(self):
        self.socket.shutdown(socket.SHUT_RDWR)
        self.socket.close()


class Server:
    def __init__(self):
        self.store = Store()
        self.engine = Engine(self.store)
        self.faults = Faults()
        self.account = {"user": "reader", "password": "secret", "database": "sales"}
        self.asked = collections.deque(maxlen=ASKED)
        self.problems, self.listeners, self.sessions = [], {}, {}
        self._numbers, self._lock = 50, threading.Lock()

    def begin_session(self, listener, sock):
        with self._lock:
            self._numbers += 1
            number = self._numbers
        session = Session(self, listener, sock, number & 0x7FFF)
        self.sessions[number] = session

        def work():
            decimal.setcontext(values.DECIMALS.copy())
            try:
                session.run()
            except Exception as e:
                self.problems.append(f"the stand-in's own: {e!r}")
                raise
            finally:
                del self.sessions[number]
        threading.Thread(target=work, daemon=True).start()

    # commands

    def command(self, order):
        order = dict(order)
        method = getattr(self, "do_" + order.pop("do"), None)
        if method is None:
            raise ValueError("no such command")
        return method(**order)

    def do_listen(self, host="127.0.0.1", port=0, **settings):
        listener = Listener(self, len(self.listeners), host, port)
        listener.set(**settings)
        self.listeners[listener.number] = listener
        return {"listener": listener.number, "port": listener.port}

    def do_set(self, listener=0, **settings):
        self.listeners[listener].set(**settings)

    def do_unlisten(self, listener=0):
        self.listeners[listener].close()

    def do_account(self, **account):
        self.account.update(account)

    def do_name(self, name):
        self.store.name = name

    def do_rows(self, rows):
        return self.store.replace(rows)

    def do_add(self, rows):
        return self.store.add(rows)

    def do_load_csv(self, path, limit=None):
        return self._settled(self.store.load_csv(path, limit))

    def do_generate(self, lines, **options):
        return self._settled(self.store.adopt(generate(self.store.columns, lines, **options)))

    def _settled(self, n):
        """Many rows that stay: the collector need not look at them again."""
        gc.collect()
        gc.freeze()
        return n

    def do_warm(self):
        """Encodes all rows, so that the first reader does not wait for it."""
        from . import sql
        return len(self.engine.select(sql.parse(f"SELECT * FROM {self.store.name}")[0], {}, None).rows)

    def do_columns(self):
        return [name for name, _, _ in self.store.columns]

    def do_dump(self):
        with self.store.lock:
            names = [(name, t) for name, t, _ in self.store.columns]
            return [{n: None if v is None else text_of(v, t) for (n, t), v in zip(names, row.values)} for row in self.store.rows]

    def do_update(self, where, set):
        return self.store.update(where, set)

    def do_delete(self, where):
        return self.store.delete(where)

    def do_drop_column(self, name):
        self.store.drop_column(name)

    def do_add_column(self, **column):
        self.store.add_column(**column)

    def do_retype_column(self, **column):
        self.store.retype_column(**column)

    def do_rename_column(self, name, new):
        self.store.rename_column(name, new)

    def do_fault(self, **description):
        return self.faults.add(**description).id

    def do_faults(self):
        return [f.status() for f in list(self.faults.all)]

    def do_release(self, number=None):
        self.faults.release(number)

    def do_clear(self):
        self.faults.clear()

    def do_asked(self, since=0):
        return list(self.asked)[since:]

    def do_reset(self):
        self.store.reset()
        self.asked.clear()
        self.problems.clear()

    def do_forget(self):
        self.asked.clear()

    def do_problems(self):
        return self.problems

    def do_status(self):
        return {"rows": len(self.store.rows), "sessions": len(self.sessions), "asked": len(self.asked)}

    def do_disconnect(self, reset=True):
        """Ends every session, as a failover does."""
        for session in list(self.sessions.values()):
            session.transport.abandon(reset)


def serve(server, lines, out):
    """Commands to their end."""
    for line in lines:
        try:
            reply = {"result": server.command(json.loads(line))}
        except Exception as e:  # told to the test, which fails by it
            reply = {"error": f"{type(e).__name__}: {e}"}
        out.write(json.dumps(reply, default=str) + "\n")
        out.flush()


def main():
    decimal.setcontext(values.DECIMALS.copy())
    gc.disable()
    serve(Server(), sys.stdin, sys.stdout)
