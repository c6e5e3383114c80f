"""The tokens answers are made of."""
import struct

from .values import COLLATION, declare, encoder, is_fixed, null

VERSION = 0x74000004
SERVER = "standin"
DONE, DONEPROC, DONEINPROC = 0xFD, 0xFE, 0xFF
MORE, ERROR, COUNT, ATTN = 0x01, 0x02, 0x10, 0x20
SELECT, OTHER = 0xC1, 0xFD


def short_text(text):
    return bytes([len(text.encode("utf-16-le")) // 2]) + text.encode("utf-16-le")


def long_text(text):
    return struct.pack("<H", len(text.encode("utf-16-le")) // 2) + text.encode("utf-16-le")


def _counted(token, body):
    return struct.pack("<BH", token, len(body)) + body


def error(e):
    return _message(0xAA, e.number, e.state, e.severity, e.text, e.line)


def info(number, text, state=2, severity=0):
    return _message(0xAB, number, state, severity, text, 1)


def _message(token, number, state, severity, text, line):
    return _counted(token, struct.pack("<iBB", number, state, severity) + long_text(text[:2000]) + short_text(SERVER)
                    + short_text("") + struct.pack("<i", line))


def envchange(kind, new, old=""):
    return _counted(0xE3, bytes([kind]) + short_text(new) + short_text(old))


def collation():
    return _counted(0xE3, b"\x07\x05" + COLLATION + b"\0")


def routing(host, port):
    target = b"\0" + struct.pack("<H", port) + long_text(host)
    return _counted(0xE3, b"\x14" + struct.pack("<H", len(target)) + target + b"\0\0")


def transaction(kind, descriptor):
    """ENVCHANGE 8 (begun), 9 (committed) or 10 (rolled back)."""
    number = struct.pack("<Q", descriptor)
    new, old = (number, b"") if kind == 8 else (b"", number)
    return _counted(0xE3, bytes([kind, len(new)]) + new + bytes([len(old)]) + old)


def login_ack():
    return _counted(0xAD, b"\x01" + struct.pack(">I", VERSION) + short_text("Microsoft SQL Server") + bytes([12, 0, 8, 0]))


def features(ids):
    """FEATUREEXTACK for those we know: UTF-8."""
    return b"\xae" + (b"\x0a\x01\0\0\0\x01" if 0x0A in ids else b"") + b"\xff"


def done(status=0, rows=0, command=OTHER, token=DONE):
    return struct.pack("<BHHQ", token, status, command, rows)


def return_status(value=0):
    return struct.pack("<Bi", 0x79, value)


class Memo(dict):
    """Remembers what a function made of a value; starts anew when it has grown large."""

    def __init__(self, function):
        super().__init__()
        self.function = function

    def __missing__(self, value):
        if len(self) > 50_000:
            self.clear()
        made = self[value] = self.function(value)
        return made


class Layout:
    """The columns of a result: (name, type, nullable), declared once, and rows in their bytes."""

    def __init__(self, columns):
        self.columns, self.last_row = columns, None
        # Texts and decimals repeat, and take long; numbers are made as quickly as found.
        self.encoders = [Memo(encoder(t, nullable)).__getitem__ if t.family in ("text", "decimal", "date")
                         else encoder(t, nullable) for _, t, nullable in columns]
        self.nulls = [None if is_fixed(t, nullable) else null(t) for _, t, nullable in columns]
        self.bitmap_bytes = (len(columns) + 7) // 8

    def metadata(self):
        out = struct.pack("<BH", 0x81, len(self.columns))
        for name, t, nullable in self.columns:
            out += struct.pack("<IH", 0, 0x09 if nullable else 0x08) + declare(t, nullable) + short_text(name)
        return out

    def row(self, values):
        """ROW, or NBCROW where that is shorter or a NULL can't be said otherwise."""
        missing = [i for i, v in enumerate(values) if v is None]
        if not missing:
            return b"\xd1" + b"".join([e(v) for e, v in zip(self.encoders, values)])
        nulls = [self.nulls[i] for i in missing]
        if None in nulls or sum(map(len, nulls)) > self.bitmap_bytes:
            bitmap = bytearray(self.bitmap_bytes)
            for i in missing:
                bitmap[i >> 3] |= 1 << (i & 7)
            return b"\xd2" + bitmap + b"".join([e(v) for e, v in zip(self.encoders, values) if v is not None])
        return b"\xd1" + b"".join([e(v) if v is not None else n for e, v, n in zip(self.encoders, values, self.nulls)])
