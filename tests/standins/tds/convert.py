"""Values from one type to another: what CAST, comparisons and the tests' own values (JSON) need."""
import datetime
import decimal
import re
import uuid

from .errors import SqlError
from .values import DAY, DECIMALS, INTEGERS, MAX, MONEY, PRECEDENCE, SECOND, TEXT, SqlType

RANGES = {"bit": (0, 1), "tinyint": (0, 255), "smallint": (-2**15, 2**15 - 1), "int": (-2**31, 2**31 - 1),
          "bigint": (-2**63, 2**63 - 1)}
TIME = re.compile(r"(\d{4})-?(\d\d)-?(\d\d)(?:[T ](\d\d):(\d\d)(?::(\d\d)(?:\.(\d{1,7}))?)?)?\s*(Z|[+-]\d\d:\d\d)?")


def parse_time(text):
    """(ticks since 0001-01-01 as written, minutes of the zone or None) of an ISO 8601 text."""
    m = TIME.fullmatch(text.strip())
    if not m:
        raise SqlError(241, "Conversion failed when converting date and/or time from character string.")
    try:
        days = datetime.date(int(m[1]), int(m[2]), int(m[3])).toordinal() - 1
    except ValueError:
        raise SqlError(242, "The conversion of a varchar data type to a datetime data type resulted in an out-of-range"
                            " value.") from None
    hour, minute, second = (int(m[i] or 0) for i in (4, 5, 6))
    if hour > 23 or minute > 59 or second > 59:
        raise SqlError(241, "Conversion failed when converting date and/or time from character string.")
    ticks = days * DAY + (hour * 3600 + minute * 60 + second) * SECOND + int((m[7] or "0").ljust(7, "0"))
    if m[8] is None:
        return ticks, None
    zone = 0 if m[8] == "Z" else (int(m[8][1:3]) * 60 + int(m[8][4:])) * (-1 if m[8][0] == "-" else 1)
    return ticks, zone


def date_text(days):
    return datetime.date.fromordinal(days + 1).isoformat()


def time_text(ticks, scale=7):
    seconds, rest = divmod(ticks % DAY, SECOND)
    text = f"{seconds // 3600:02d}:{seconds // 60 % 60:02d}:{seconds % 60:02d}"
    return text + (f".{rest:07d}"[:scale + 1] if scale else "")


def text_of(v, t):
    """The value as CAST(... AS nvarchar) and the tests see it."""
    if t.name in TEXT:
        return v
    if t.name == "date":
        return date_text(v)
    if t.name == "time":
        return time_text(v, t.scale)
    if t.name == "datetimeoffset":
        sign, minutes = "-" if v[1] < 0 else "+", abs(v[1])
        local = v[0] + v[1] * 60 * SECOND
        return f"{date_text(local // DAY)} {time_text(local, t.scale)} {sign}{minutes // 60:02d}:{minutes % 60:02d}"
    if t.is_time:
        return f"{date_text(v // DAY)} {time_text(v, {'datetime': 3, 'smalldatetime': 0}.get(t.name, t.scale))}"
    if t.family == "binary":
        return "0x" + v.hex().upper()
    if t.name == "uniqueidentifier":
        return str(v).upper()
    if t.family == "float":
        return repr(v)
    return format(v, "f") if isinstance(v, decimal.Decimal) else str(v)


def _refused(v, source, target):
    return SqlError(245, f"Conversion failed when converting the {source.name} value '{v}' to data type {target.name}.")


def _number_of(v, source, target):
    if source.name in TEXT:
        try:
            return decimal.Decimal(v.strip() or "0")
        except decimal.InvalidOperation:
            raise _refused(v, source, target) from None
    if source.is_number:
        return v
    raise _clash(source, target)


def _clash(source, target):
    return SqlError(206, f"Operand type clash: {source.name} is incompatible with {target.name}")


def _to_integer(v, source, target):
    number = _number_of(v, source, target)
    if source.name in TEXT and number != number.to_integral_value():
        raise _refused(v, source, target)
    number = int(number)
    low, high = RANGES[target.name]
    if target.name == "bit":
        return 1 if number else 0
    if not low <= number <= high:
        raise SqlError(8115, f"Arithmetic overflow error converting expression to data type {target.name}.")
    return number


def _to_decimal(v, source, target):
    scale = target.scale if target.name == "decimal" else 4
    number = _number_of(v, source, target)
    number = number if isinstance(number, decimal.Decimal) else decimal.Decimal(repr(v) if isinstance(v, float) else v)
    number = number.quantize(decimal.Decimal(1).scaleb(-scale), decimal.ROUND_HALF_UP, DECIMALS)
    digits = {"decimal": target.precision, "money": 19, "smallmoney": 10}[target.name]
    if abs(number.scaleb(scale, DECIMALS)) >= 10 ** digits:
        raise SqlError(8115, f"Arithmetic overflow error converting {source.name} to data type numeric.")
    return number


def _to_time(v, source, target):
    if source.name in TEXT:
        ticks, zone = parse_time("0001-01-01T" + v.strip() if target.name == "time" and re.match(r"\s*\d\d:", v) else v)
        if target.name in ("datetime", "smalldatetime") and ticks % 10_000:
            raise SqlError(241, "Conversion failed when converting date and/or time from character string.")
        if target.name == "datetimeoffset":
            return ticks - (zone or 0) * 60 * SECOND, zone or 0
    elif source.name == "date":
        ticks = v * DAY
    elif source.name == "datetimeoffset":
        if target.name == "datetimeoffset":
            return v
        ticks = v[0] + v[1] * 60 * SECOND
    elif source.is_time and source.name != "time":
        ticks = v
    elif source.name == target.name:
        return v
    else:
        raise _clash(source, target)
    if target.name == "date":
        return ticks // DAY
    if target.name == "datetimeoffset":
        return ticks, 0
    if target.name in ("time", "datetime2"):
        step = 10 ** (7 - target.scale)
        ticks = (ticks + step // 2) // step * step
        return ticks % DAY if target.name == "time" else ticks
    if target.name == "datetime":
        units = (ticks % DAY * 300 + SECOND // 2) // SECOND
        return ticks // DAY * DAY + (units * SECOND + 150) // 300
    return (ticks + 30 * SECOND) // (60 * SECOND) * 60 * SECOND


def _to_text(v, source, target):
    text = text_of(v, source)
    if target.length != MAX and len(text) > target.length:
        if source.name not in TEXT and source.family != "binary":
            raise SqlError(8115, f"Arithmetic overflow error converting {source.name} to data type {target.name}.")
        text = text[:target.length]
    return text.ljust(target.length) if target.name in ("char", "nchar") else text


def convert(v, source, target):
    """The value of one type as another; None stays None. Raises what SQL Server raises."""
    if v is None or source == target:
        return v
    if target.name in INTEGERS or target.name == "bit":
        return _to_integer(v, source, target)
    if target.name == "decimal" or target.name in MONEY:
        return _to_decimal(v, source, target)
    if target.family == "float":
        return float(_number_of(v, source, target))
    if target.name in TEXT:
        return _to_text(v, source, target)
    if target.is_time or target.name == "time":
        return _to_time(v, source, target)
    if target.name == "uniqueidentifier" and source.name in TEXT:
        return uuid.UUID(v)
    if target.family == source.family == "binary":
        return v if target.length == MAX else v[:target.length]
    raise _clash(source, target)


def common_type(a, b):
    """The type two operands are compared in; None when one of them is an untyped NULL gives the other."""
    if a is None or b is None:
        return a or b
    if a.family == b.family and a.name not in ("decimal",) and not a.is_time:
        higher = max(a, b, key=lambda t: PRECEDENCE.index(t.name))
        return SqlType(higher.name, length=0 if MAX in (a.length, b.length) else max(a.length, b.length))
    higher, lower = sorted((a, b), key=lambda t: PRECEDENCE.index(t.name), reverse=True)
    if higher.name == "decimal":
        scale = max(higher.scale, lower.scale if lower.name == "decimal" else 4 if lower.name in MONEY else 0)
        return SqlType("decimal", precision=38, scale=scale)
    if lower.is_number and higher.is_time and higher.name != "datetime" or higher.is_number and lower.family == "binary":
        raise _clash(lower, higher)
    if higher.name in ("datetime2", "datetimeoffset", "time"):
        return SqlType(higher.name, scale=7)
    return higher


def from_json(v, t):
    """A value as tests give it: numbers, texts in ISO form, hexadecimal bytes; None is NULL."""
    if v is None:
        return None
    if t.family == "binary":
        return bytes.fromhex(v)
    if t.family == "float":
        return float(v)
    if isinstance(v, bool):
        v = int(v)
    if t.name in INTEGERS or t.name == "bit":
        return _to_integer(int(v), SqlType("bigint"), t)
    text = str(v)
    exact = convert(text, SqlType("nvarchar", length=MAX), t)
    if (t.name == "decimal" or t.name in MONEY) and exact != decimal.Decimal(text):
        raise ValueError(f"{text} does not fit into {t}")
    if t.name in TEXT and len(exact.rstrip()) < len(text.rstrip()):
        raise ValueError(f"{text!r} does not fit into {t}")
    return exact
