"""What goes wrong, and exactly when.

A fault waits for its moment: at `accept`, `prelogin`, `tls`, `login` or `answer`; an answer's by a regular expression over the
statement (`sql`), after letting `skip` of those pass that no fault before it took, `times` times (None: always). Within an
answer it springs before row `row` of the first result or at byte `byte` of the tokens; without either at the beginning. A
login's answer has bytes, too.

    hang       nothing more for `seconds` (None: until released or the client goes); `deaf`: not even to ATTENTION
    fin, rst   the connection ends, after what was before the place has been sent; drop: before anything was
    truncate   a packet that ends before its own length, then FIN
    garbage    bytes that are no token
    error      ERROR `number` (`text`, `severity`) and the end of the answer; of a login: refused
    drip       from here on `bytes` bytes each `every` seconds
    null       row `row` has NULL in `column`, whatever the column says
    duplicate  row `row` comes twice; previous: the last row of the answer before comes again, first
    count      the row count in DONE is off by `by`
    redirect   login: routed to `host` and `port`
    do         `commands` run, as given to the control channel, before the statement does
"""
import itertools
import re
import threading
import time

from .errors import known
from .wire import PeerGone

STAGES = ("accept", "prelogin", "tls", "login", "answer")
KINDS = {"hang": STAGES, "fin": STAGES, "rst": STAGES, "drop": STAGES, "truncate": ("login", "answer"),
         "garbage": ("prelogin", "login", "answer"), "error": ("login", "answer"), "drip": ("login", "answer"),
         "null": ("answer",), "duplicate": ("answer",), "previous": ("answer",), "count": ("answer",), "redirect": ("login",),
         "do": ("answer",)}
OPTIONS = {"row": None, "byte": None, "seconds": None, "deaf": False, "number": None, "text": None, "severity": None,
           "bytes": 1, "every": 0.05, "column": None, "by": 1, "host": None, "port": None, "commands": (),
           "address": "203.0.113.7"}
GARBAGE = bytes([0x13, 0x37, 0xC0, 0xDE]) * 8


class Fault:
    _ids = itertools.count(1)

    def __init__(self, kind, at="answer", sql=None, skip=0, times=1, **options):
        if at not in KINDS.get(kind, ()):
            raise ValueError(f"no fault {kind} at {at}")
        unknown = set(options) - set(OPTIONS)
        if unknown:
            raise ValueError(f"fault {kind} has no {', '.join(sorted(unknown))}")
        if kind == "error" and "byte" in options:
            raise ValueError("fault error wants a row: in the middle of one it would be a part of it")
        self.id, self.kind, self.at, self.skip, self.times = next(self._ids), kind, at, skip, times
        self.sql = re.compile(sql, re.I | re.S) if sql else None
        self.taken, self.hits, self.waiting, self.released = 0, 0, 0, threading.Event()
        for name, usual in OPTIONS.items():
            setattr(self, name, options.get(name, usual))

    def takes(self, stage, sql):
        """Whether this is its moment; counts. It may still miss: the answer may be shorter than its place."""
        if stage != self.at or self.times is not None and self.taken >= self.times:
            return False
        if self.sql is not None and not self.sql.search(sql or ""):
            return False
        if self.skip > 0:
            self.skip -= 1
            return False
        self.taken += 1
        return True

    def status(self):
        return {"id": self.id, "kind": self.kind, "at": self.at, "hits": self.hits, "waiting": self.waiting}


class Faults:
    """All that are set, in the order they were."""

    def __init__(self):
        self.all, self.lock = [], threading.Lock()

    def add(self, **description):
        fault = Fault(**description)
        with self.lock:
            self.all.append(fault)
        return fault

    def take(self, stage, sql=None):
        """The first fault whose moment this is, or None."""
        with self.lock:
            return next((f for f in self.all if f.takes(stage, sql)), None)

    def release(self, number=None):
        """Ends waits: of one fault, or of all."""
        with self.lock:
            for f in self.all:
                if number in (None, f.id):
                    f.released.set()

    def clear(self):
        self.release()
        with self.lock:
            self.all.clear()


class Trap:
    """A fault in one answer: where it springs and what it does there."""

    def __init__(self, fault, words):
        self.fault, self.words = fault, words
        self.row, self.byte = fault.row, fault.byte
        if self.row is None and self.byte is None:
            self.byte = 0

    def spring(self, answer):
        self.fault.hits += 1
        getattr(self, "_" + self.fault.kind)(answer, answer.transport)

    def _hang(self, answer, transport):
        answer.flush()
        wait(self.fault, transport, answer.take_attention)

    def _fin(self, answer, transport):
        answer.flush()
        end(self.fault, transport)

    _rst = _fin

    def _drop(self, answer, transport):
        end(self.fault, transport)

    def _truncate(self, answer, transport):
        transport.write(answer.header(len(answer.pending) + 100, False) + answer.pending)
        end(self.fault, transport)

    def _garbage(self, answer, transport):
        answer.pending += GARBAGE
        answer.flush()
        end(self.fault, transport)

    def _error(self, answer, transport):
        raise known(self.fault.number, self.fault.text, self.fault.severity, **self.words)

    def _drip(self, answer, transport):
        answer.flush()
        transport.slow = (self.fault.bytes, self.fault.every)


def wait(fault, transport, came=None):
    """Stands still until its time is over, it is released, or the client has gone. What the client sends meanwhile is told by
    came(), which then ends the wait; a deaf fault throws it away; before there is an answer it is left for later."""
    fault.waiting += 1
    until = None if fault.seconds is None else time.monotonic() + fault.seconds
    try:
        while not fault.released.is_set() and (until is None or time.monotonic() < until):
            if not transport.readable(0.02):
                continue
            if fault.deaf:
                transport.read(1)
            elif came is not None:
                came()
            else:
                transport.check_gone()
                time.sleep(0.02)
    finally:
        fault.waiting -= 1


def end(fault, transport):
    if fault.kind == "rst":
        transport.mark_reset()
    transport.close()
    raise PeerGone(f"fault {fault.kind}")


def strike(fault, transport):
    """Does a fault before there is an answer: at accept, prelogin or tls."""
    fault.hits += 1
    if fault.kind == "hang":
        wait(fault, transport)
    elif fault.kind == "garbage":
        transport.write(GARBAGE)
        end(fault, transport)
    else:
        end(fault, transport)
