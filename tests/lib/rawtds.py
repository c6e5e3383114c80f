"""TDS by hand, without encryption: what no client library would send, and exactly which packets come back."""
import socket
import struct

from lib.wait import FACTOR

PRELOGIN, LOGIN7, BATCH, RPC, ATTENTION, TRANSACTION = 0x12, 0x10, 0x01, 0x03, 0x06, 0x0E
# VERSION, ENCRYPTION (not supported), their ends.
HELLO = bytes.fromhex("00000b0006 0100110001 ff") + bytes(6) + b"\x02"


def packet(kind, body, status=1, length=None):
    return struct.pack(">BBHHBB", kind, status, len(body) + 8 if length is None else length, 0, 1, 0) + body


def login7(user, password, database):
    """A LOGIN7 message of the fewest fields."""
    mangled = bytes(((b << 4 | b >> 4) & 0xFF) ^ 0xA5 for b in password.encode("utf-16-le"))
    values = [b"", user.encode("utf-16-le"), mangled, b"", b"", b"", b"", b"", database.encode("utf-16-le")]
    offset, pairs, data = 94, b"", b""
    for v in values:
        pairs += struct.pack("<HH", offset + len(data), len(v) // 2)
        data += v
    pairs += bytes(6) + 3 * struct.pack("<HH", offset + len(data), 0) + bytes(4)
    head = struct.pack("<IIIIIBBBBiI", 0x74000004, 4096, 0, 1, 0, 0, 0, 0, 0, 0, 0)
    return struct.pack("<I", 4 + len(head) + len(pairs) + len(data)) + head + pairs + data


def batch(sql, headers=None):
    if headers is None:
        headers = struct.pack("<IIHQI", 22, 18, 2, 0, 1)
    return headers + sql.encode("utf-16-le")


class RawTds:
    def __init__(self, source, login=True):
        self.socket = socket.create_connection(("127.0.0.1", source.port), 10 * FACTOR)
        self.socket.settimeout(10 * FACTOR)
        if login:
            self.send(PRELOGIN, HELLO)
            self.message()
            self.send(LOGIN7, login7(source.user, source.password, source.database))
            assert b"\xad" in self.message()

    def __enter__(self):
        return self

    def __exit__(self, *exc):
        self.socket.close()

    def send(self, kind, body, **how):
        self.socket.sendall(packet(kind, body, **how))

    def _read(self, n):
        data = b""
        while len(data) < n:
            piece = self.socket.recv(n - len(data))
            if not piece:
                raise EOFError(f"{len(data)} of {n} bytes")
            data += piece
        return data

    def packet(self):
        """(status, body) of the next packet, which must be an answer's."""
        kind, status, length, _, _, _ = struct.unpack(">BBHHBB", self._read(8))
        assert kind == 4, kind
        return status, self._read(length - 8)

    def message(self):
        """The bodies of packets up to one that says it is the last."""
        body = bytearray()
        while True:
            status, piece = self.packet()
            body += piece
            if status & 1:
                return bytes(body)

    def ends(self):
        """True when nothing more comes but the end of the connection."""
        try:
            return self.socket.recv(1) == b""
        except ConnectionResetError:
            return True
