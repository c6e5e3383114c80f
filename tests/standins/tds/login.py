"""PRELOGIN and LOGIN7: what a client says of itself before it may ask."""
import struct

from .wire import Reader

# Encryption as PRELOGIN says it.
OFF, ON, NOT_SUP, REQUIRED = 0, 1, 2, 3
ENCRYPTION = 1
NAMES = {0: "VERSION", 1: "ENCRYPTION", 2: "INSTOPT", 3: "THREADID", 4: "MARS", 5: "TRACEID", 6: "FEDAUTHREQUIRED",
         7: "NONCEOPT"}
FEATURES = {0x01, 0x02, 0x04, 0x05, 0x08, 0x09, 0x0A, 0x0B, 0x0D}
CLIENT_VERSIONS = {0x72090002: "7.2", 0x730A0003: "7.3", 0x730B0003: "7.3", 0x74000004: "7.4"}


def parse_prelogin(body):
    """The options as {token: bytes}."""
    reader, wanted = Reader(body, "PRELOGIN"), []
    while True:
        token = reader.u8()
        if token == 0xFF:
            break
        if token not in NAMES or token in [t for t, _, _ in wanted]:
            raise reader.wrong(f"option {token}")
        wanted.append((token, *struct.unpack(">HH", reader.take(4))))
    options, begin = {}, reader.at
    for token, offset, length in wanted:
        if offset < begin or offset + length > len(body):
            raise reader.wrong(f"{NAMES[token]} outside of the message")
        options[token] = body[offset:offset + length]
    if len(options.get(0, b"")) != 6 or (wanted and wanted[0][0] != 0):
        raise reader.wrong("VERSION missing, not first or not of 6 bytes")
    if len(options.get(ENCRYPTION, b"")) != 1 or options[ENCRYPTION][0] > 3:
        raise reader.wrong("ENCRYPTION missing or none that exists")
    return options


def build_prelogin(encryption):
    values = [(0, bytes([12, 0, 8, 0, 0, 0])), (ENCRYPTION, bytes([encryption])), (2, b"\0"), (3, b""), (4, b"\0")]
    offset, head, data = 5 * len(values) + 1, b"", b""
    for token, value in values:
        head += struct.pack(">BHH", token, offset + len(data), len(value))
        data += value
    return head + b"\xff" + data


def agree_encryption(policy, asked):
    """What the server answers: (PRELOGIN value, TLS for 'nothing', 'login' or 'session', whether the client is let in).

    policy: 'off' as SQL Server is installed, 'required' as Azure has it, 'unsupported', or 'downgrade': says OFF to all.
    """
    if policy == "unsupported":
        return NOT_SUP, "nothing", asked in (OFF, NOT_SUP)
    if policy == "downgrade":
        return OFF, "nothing" if asked == NOT_SUP else "login", True
    if asked == NOT_SUP:
        return (REQUIRED, "nothing", False) if policy == "required" else (NOT_SUP, "nothing", True)
    if asked in (ON, REQUIRED):
        return ON, "session", True
    return (REQUIRED, "session", True) if policy == "required" else (OFF, "login", True)


class Login:
    """What a LOGIN7 message says. The password is kept apart: `as_record` does not have it."""

    FIELDS = ["host", "user", "password", "app", "server", "extension", "library", "language", "database"]

    def __init__(self, body):
        r = Reader(body, "LOGIN7")
        if r.u32() != len(body):
            raise r.wrong("a length that is not the message's")
        self.version, self.packet_size, _, self.pid, _ = (r.u32() for _ in range(5))
        self.flags1, self.flags2, self.type_flags, self.flags3 = (r.u8() for _ in range(4))
        r.take(8)
        if self.version not in CLIENT_VERSIONS:
            raise r.wrong(f"TDS version 0x{self.version:08x}")
        if not (self.packet_size == 0 or 512 <= self.packet_size <= 32767):
            raise r.wrong(f"packet size {self.packet_size}")
        if self.flags2 & 0x80:
            raise r.wrong("integrated security")
        self._body, self._reader = body, r
        self.features = set()
        for name in self.FIELDS:
            setattr(self, name, self._field(name, *struct.unpack("<HH", r.take(4))))
        r.take(6)
        for name in ("sspi", "attach", "new password"):
            offset, length = struct.unpack("<HH", r.take(4))
            if length:
                raise r.wrong(f"{name} given")
        r.take(4)

    def _field(self, name, offset, length):
        size = length if name == "extension" else 2 * length
        if length and (offset < 94 or offset + size > len(self._body)) or name != "extension" and length > 128:
            raise self._reader.wrong(f"{name} outside of the message or too long")
        data = self._body[offset:offset + size] if length else b""
        if name == "password":
            data = bytes(((b ^ 0xA5) >> 4 | (b ^ 0xA5) << 4) & 0xFF for b in data)
        if name != "extension":
            try:
                return data.decode("utf-16-le")
            except UnicodeDecodeError:
                raise self._reader.wrong(f"{name} that is not UTF-16") from None
        if self.flags3 & 0x10:
            if length != 4:
                raise self._reader.wrong("an extension that is no offset")
            self._features(struct.unpack("<I", data)[0])
        return ""

    def _features(self, offset):
        r = Reader(self._body, "LOGIN7 features")
        r.take(offset)
        while True:
            feature = r.u8()
            if feature == 0xFF:
                return
            if feature not in FEATURES or feature in self.features:
                raise r.wrong(f"feature 0x{feature:02x}")
            self.features.add(feature)
            r.take(r.u32())

    def as_record(self):
        """What tests may see of it."""
        return {"user": self.user, "database": self.database, "server": self.server, "app": self.app, "host": self.host,
                "library": self.library, "version": CLIENT_VERSIONS[self.version], "packet_size": self.packet_size,
                "read_only": bool(self.type_flags & 0x20), "password_chars": len(self.password)}
