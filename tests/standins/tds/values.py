"""SQL Server's types: how each is declared and sent, read from a parameter, written in SQL and in JSON.

Values in memory: integers as int; decimal and money as Decimal; float and real as float; bit as 0 or 1; text as str;
binary as bytes; uniqueidentifier as UUID; date as days since 0001-01-01; time, datetime and datetime2 as ticks of 100 ns (of
the day, or since 0001-01-01); datetimeoffset as (UTC ticks, minutes). NULL is None.
"""
import datetime
import decimal
import re
import struct
import uuid
from dataclasses import dataclass

from .errors import SqlError

DECIMALS = decimal.Context(prec=77)
SECOND = 10_000_000
DAY = 86400 * SECOND
DAYS_1900 = datetime.date(1900, 1, 1).toordinal() - 1
MAX = 0  # the length of varchar(max) and its like
COLLATION = bytes([0x09, 0x04, 0xD0, 0x00, 0x34])  # SQL_Latin1_General_CP1_CI_AS

# Bytes, and the token of the type that can't be NULL.
INTEGERS = {"tinyint": (1, 0x30), "smallint": (2, 0x34), "int": (4, 0x38), "bigint": (8, 0x7F)}
FLOATS = {"real": (4, 0x3B), "float": (8, 0x3E)}
MONEY = {"smallmoney": (4, 0x7A), "money": (8, 0x3C)}
TIMES = {"smalldatetime": (4, 0x3A), "datetime": (8, 0x3D)}
TEXT = {"char": 0xAF, "varchar": 0xA7, "nchar": 0xEF, "nvarchar": 0xE7}
BINARY = {"binary": 0xAD, "varbinary": 0xA5}
SCALED_TIMES = {"time": 0x29, "datetime2": 0x2A, "datetimeoffset": 0x2B}
# Lower converts to higher in a comparison.
PRECEDENCE = ["binary", "varbinary", "char", "varchar", "nchar", "nvarchar", "uniqueidentifier", "bit", "tinyint", "smallint",
              "int", "bigint", "smallmoney", "money", "decimal", "real", "float", "time", "date", "smalldatetime", "datetime",
              "datetime2", "datetimeoffset"]


@dataclass(frozen=True)
class SqlType:
    """A type with its size: length in characters or bytes (MAX: no limit), or precision and scale."""
    name: str
    length: int = 0
    precision: int = 0
    scale: int = 0

    def __str__(self):
        if self.name in TEXT or self.name in BINARY:
            return f"{self.name}({self.length or 'max'})"
        if self.name == "decimal":
            return f"decimal({self.precision},{self.scale})"
        return f"{self.name}({self.scale})" if self.name in SCALED_TIMES else self.name

    @property
    def family(self):
        for family, members in (("text", TEXT), ("binary", BINARY), ("integer", INTEGERS), ("float", FLOATS),
                                ("money", MONEY)):
            if self.name in members:
                return family
        return "integer" if self.name == "bit" else self.name

    @property
    def is_number(self):
        return self.family in ("integer", "float", "money", "decimal")

    @property
    def is_time(self):
        return self.name in TIMES or self.name in SCALED_TIMES or self.name == "date"


def parse_type(text):
    """The type a declaration names: 'bigint', 'decimal(18,2)', 'nvarchar(max)'."""
    m = re.fullmatch(r"\s*([a-z_0-9]+)\s*(?:\(\s*(\d+|max)\s*(?:,\s*(\d+)\s*)?\))?\s*", text.lower())
    if not m:
        raise SqlError(102, f"Incorrect syntax near '{text}'.", 15)
    return make_type(m[1], m[2], m[3])


def make_type(name, first=None, second=None):
    name = {"numeric": "decimal", "integer": "int", "rowversion": "binary", "timestamp": "binary"}.get(name, name)
    if name in TEXT or name in BINARY:
        length = MAX if first == "max" else int(first or 1)
        return SqlType(name, length=length)
    if name == "decimal":
        return SqlType(name, precision=int(first or 18), scale=int(second or 0))
    if name in SCALED_TIMES:
        return SqlType(name, scale=7 if first is None else int(first))
    if name in PRECEDENCE:
        return SqlType(name)
    raise SqlError(243, f"Type {name} is not a defined system type.")


BIGINT, INT, BIT, FLOAT = SqlType("bigint"), SqlType("int"), SqlType("bit"), SqlType("float")


# Declarations


def decimal_bytes(precision):
    return 5 if precision <= 9 else 9 if precision <= 19 else 13 if precision <= 28 else 17


def time_bytes(scale):
    return 3 if scale <= 2 else 4 if scale <= 4 else 5


def declare(t, nullable=True):
    """TYPE_INFO; columns that are never NULL have the fixed types, as in a real server's answers."""
    for family, token in ((INTEGERS, 0x26), (FLOATS, 0x6D), (MONEY, 0x6E), (TIMES, 0x6F)):
        if t.name in family:
            size, fixed = family[t.name]
            return bytes([token, size]) if nullable else bytes([fixed])
    if t.name == "bit":
        return b"\x68\x01" if nullable else b"\x32"
    if t.name in TEXT or t.name in BINARY:
        width = 2 if t.name.startswith("n") else 1
        size = 0xFFFF if t.length == MAX else t.length * width
        if t.name in BINARY:
            return struct.pack("<BH", BINARY[t.name], size)
        return struct.pack("<BH", TEXT[t.name], size) + COLLATION
    if t.name == "decimal":
        return bytes([0x6C, decimal_bytes(t.precision), t.precision, t.scale])
    if t.name == "date":
        return b"\x28"
    if t.name in SCALED_TIMES:
        return bytes([SCALED_TIMES[t.name], t.scale])
    return b"\x24\x10"


def is_fixed(t, nullable):
    """Whether values are sent without a length."""
    return not nullable and (t.name in INTEGERS or t.name in FLOATS or t.name in MONEY or t.name in TIMES or t.name == "bit")


# Values out


def _sized(data):
    return bytes([len(data)]) + data


def _encode_text(t):
    # A lone surrogate is sent as it is: SQL Server holds such text as well.
    codec, lost = ("utf-16-le", "surrogatepass") if t.name.startswith("n") else ("cp1252", "replace")
    if t.length == MAX:
        def encode(v):
            data = v.encode(codec, lost)
            chunk = struct.pack("<I", len(data)) + data if data else b""
            return struct.pack("<Q", len(data)) + chunk + bytes(4)
        return encode
    if t.name in ("char", "nchar"):
        return lambda v: (lambda d: struct.pack("<H", len(d)) + d)(v.ljust(t.length).encode(codec, lost))
    return lambda v: (lambda d: struct.pack("<H", len(d)) + d)(v.encode(codec, lost))


def _encode_binary(t):
    if t.length == MAX:
        return lambda v: struct.pack("<Q", len(v)) + (struct.pack("<I", len(v)) + v if v else b"") + bytes(4)
    if t.name == "binary":
        return lambda v: struct.pack("<H", t.length) + v.ljust(t.length, b"\0")
    return lambda v: struct.pack("<H", len(v)) + v


def _encode_decimal(t):
    size = decimal_bytes(t.precision)

    def encode(v):
        magnitude = int(v.scaleb(t.scale, DECIMALS))
        return bytes([size, 0 if magnitude < 0 else 1]) + abs(magnitude).to_bytes(size - 1, "little")
    return encode


def _encode_time(t):
    step, width = 10 ** (7 - t.scale), time_bytes(t.scale)
    if t.name == "time":
        return lambda v: _sized((v // step).to_bytes(width, "little"))
    if t.name == "datetime2":
        return lambda v: _sized((v % DAY // step).to_bytes(width, "little") + (v // DAY).to_bytes(3, "little"))
    return lambda v: _sized((v[0] % DAY // step).to_bytes(width, "little") + (v[0] // DAY).to_bytes(3, "little")
                            + struct.pack("<h", v[1]))


def _datetime(v):
    units = (v % DAY * 300 + SECOND // 2) // SECOND
    return struct.pack("<iI", v // DAY - DAYS_1900 + units // (86400 * 300), units % (86400 * 300))


def _smalldatetime(v):
    minutes = (v % DAY + 30 * SECOND) // (60 * SECOND)
    return struct.pack("<HH", v // DAY - DAYS_1900 + minutes // 1440, minutes % 1440)


def _money(v):
    return struct.pack("<iI", *divmod(int(v.scaleb(4, DECIMALS)), 1 << 32))


def _bytes_of(t):
    """The function that answers the bytes of a value without length, for the types that may be fixed."""
    if t.name in INTEGERS:
        pack = struct.Struct({"tinyint": "<B", "smallint": "<h", "int": "<i", "bigint": "<q"}[t.name]).pack
        return pack
    if t.name in FLOATS:
        return struct.Struct("<d" if t.name == "float" else "<f").pack
    return {"bit": lambda v: bytes([v]), "datetime": _datetime, "smalldatetime": _smalldatetime, "money": _money,
            "smallmoney": lambda v: struct.pack("<i", int(v.scaleb(4, DECIMALS)))}[t.name]


def encoder(t, nullable=True):
    """A function from a value that is not None to the bytes of a ROW."""
    if t.name in TEXT:
        return _encode_text(t)
    if t.name in BINARY:
        return _encode_binary(t)
    if t.name == "decimal":
        return _encode_decimal(t)
    if t.name in SCALED_TIMES:
        return _encode_time(t)
    if t.name == "date":
        return lambda v: b"\x03" + v.to_bytes(3, "little")
    if t.name == "uniqueidentifier":
        return lambda v: b"\x10" + v.bytes_le
    plain = _bytes_of(t)
    if is_fixed(t, nullable):
        return plain
    size = bytes([len(plain(decimal.Decimal(0) if t.name in MONEY else DAYS_1900 * DAY if t.name in TIMES else 0))])
    return lambda v: size + plain(v)


def null(t):
    """NULL in a ROW."""
    if t.name in TEXT or t.name in BINARY:
        return b"\xff" * (8 if t.length == MAX else 2)
    return b"\0"


# Parameters in


def read_parameter(reader):
    """TYPE_INFO and value of an RPC parameter: (type, value)."""
    token = reader.u8()
    sized = {0x26: INTEGERS, 0x6D: FLOATS, 0x6E: MONEY, 0x6F: TIMES}.get(token)
    if sized:
        size = reader.u8()
        names = [n for n, (length, _) in sized.items() if length == size]
        if not names:
            raise reader.wrong(f"type 0x{token:02x} of {size} bytes")
        return _read_sized(reader, SqlType(names[0]))
    if token in (0x68, 0x24):
        size = reader.u8()
        if size != (1 if token == 0x68 else 16):
            raise reader.wrong(f"type 0x{token:02x} of {size} bytes")
        return _read_sized(reader, SqlType("bit" if token == 0x68 else "uniqueidentifier"))
    if token in (0x6A, 0x6C):
        size, precision, scale = reader.u8(), reader.u8(), reader.u8()
        if not 1 <= precision <= 38 or scale > precision or size not in (5, 9, 13, 17):
            raise reader.wrong(f"decimal({precision},{scale}) of {size} bytes")
        return _read_sized(reader, SqlType("decimal", precision=precision, scale=scale))
    if token == 0x28:
        return _read_sized(reader, SqlType("date"))
    for name, known in SCALED_TIMES.items():
        if token == known:
            scale = reader.u8()
            if scale > 7:
                raise reader.wrong(f"{name}({scale})")
            return _read_sized(reader, SqlType(name, scale=scale))
    for name, known in {**TEXT, **BINARY}.items():
        if token == known:
            return _read_long(reader, name)
    raise reader.wrong(f"parameter of unknown type 0x{token:02x}")


def _read_sized(reader, t):
    size = reader.u8()
    if size == 0:
        return t, None
    data = reader.take(size)
    try:
        return t, _decode(t, data)
    except (struct.error, ValueError, IndexError):
        raise reader.wrong(f"{size} bytes as {t}") from None


def _decode(t, data):
    if t.name in INTEGERS:
        return struct.unpack({"tinyint": "<B", "smallint": "<h", "int": "<i", "bigint": "<q"}[t.name], data)[0]
    if t.name in FLOATS:
        return struct.unpack("<d" if t.name == "float" else "<f", data)[0]
    if t.name == "bit":
        return data[0] and 1
    if t.name == "uniqueidentifier":
        return uuid.UUID(bytes_le=data)
    if t.name == "decimal":
        number = decimal.Decimal(int.from_bytes(data[1:], "little")).scaleb(-t.scale, DECIMALS)
        return number if data[0] else -number
    if t.name in MONEY:
        high, low = struct.unpack("<iI", data) if len(data) == 8 else (0, struct.unpack("<i", data)[0])
        return decimal.Decimal((high << 32) + low).scaleb(-4, DECIMALS)
    if t.name == "datetime":
        days, units = struct.unpack("<iI", data)
        return (days + DAYS_1900) * DAY + (units * SECOND + 150) // 300
    if t.name == "smalldatetime":
        days, minutes = struct.unpack("<HH", data)
        return (days + DAYS_1900) * DAY + minutes * 60 * SECOND
    if t.name == "date":
        return int.from_bytes(data, "little")
    width, step = time_bytes(t.scale), 10 ** (7 - t.scale)
    ticks = int.from_bytes(data[:width], "little") * step
    if t.name == "time":
        return ticks
    ticks += int.from_bytes(data[width:width + 3], "little") * DAY
    return ticks if t.name == "datetime2" else (ticks, struct.unpack("<h", data[width + 3:])[0])


def _read_long(reader, name):
    size = reader.u16()
    if name in TEXT:
        reader.take(5)
    width = 2 if name.startswith("n") else 1
    t = SqlType(name, length=MAX if size == 0xFFFF else size // width)
    if size == 0xFFFF:
        data = _read_chunks(reader)
    else:
        length = reader.u16()
        data = None if length == 0xFFFF else reader.take(length)
    if data is None or name in BINARY:
        return t, data
    try:
        return t, data.decode("utf-16-le" if width == 2 else "cp1252")
    except UnicodeDecodeError:
        raise reader.wrong(f"bytes that are no {name}") from None


def _read_chunks(reader):
    total = reader.u64()
    if total == 0xFFFFFFFFFFFFFFFF:
        return None
    data = b""
    while True:
        size = reader.u32()
        if size == 0:
            break
        data += reader.take(size)
    if total not in (len(data), 0xFFFFFFFFFFFFFFFE):
        raise reader.wrong(f"{len(data)} bytes where {total} were announced")
    return data
