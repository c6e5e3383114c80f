"""The system views: what the server says about the view's columns."""
from .values import BIT, INT, SqlType

NAME = SqlType("nvarchar", length=128)
OBJECT_ID = 885578193
# sys.types: id and bytes of each type.
SYSTEM_TYPES = {"tinyint": (48, 1), "smallint": (52, 2), "int": (56, 4), "bigint": (127, 8), "bit": (104, 1), "real": (59, 4),
                "float": (62, 8), "decimal": (106, 9), "money": (60, 8), "smallmoney": (122, 4), "date": (40, 3), "time": (41, 5),
                "datetime2": (42, 8), "datetimeoffset": (43, 10), "datetime": (61, 8), "smalldatetime": (58, 4),
                "char": (175, 0), "varchar": (167, 0), "nchar": (239, 0), "nvarchar": (231, 0), "binary": (173, 0),
                "varbinary": (165, 0), "uniqueidentifier": (36, 16)}
TYPE_NAMES = {number: name for name, (number, _) in SYSTEM_TYPES.items()}
DIGITS = {"tinyint": 3, "smallint": 5, "int": 10, "bigint": 19, "real": 24, "float": 53}


def _length(t):
    """Characters or bytes, -1 for max, None where there is none."""
    return (t.length or -1) if t.family in ("text", "binary") else None


def information_columns(store):
    """INFORMATION_SCHEMA.COLUMNS: (columns, rows)."""
    columns = [("TABLE_CATALOG", NAME, True), ("TABLE_SCHEMA", NAME, True), ("TABLE_NAME", NAME, False),
               ("COLUMN_NAME", NAME, True), ("ORDINAL_POSITION", INT, False), ("IS_NULLABLE", SqlType("varchar", length=3), True),
               ("DATA_TYPE", NAME, True), ("CHARACTER_MAXIMUM_LENGTH", INT, True),
               ("NUMERIC_PRECISION", SqlType("tinyint"), True), ("NUMERIC_SCALE", INT, True),
               ("DATETIME_PRECISION", SqlType("smallint"), True)]
    rows = []
    for i, (name, t, nullable) in enumerate(store.columns):
        scale = t.scale if t.name == "decimal" else 0 if t.family == "integer" and t.name != "bit" else None
        parts = {"date": 0, "datetime": 3, "smalldatetime": 0}.get(t.name, t.scale if t.is_time else None)
        rows.append(("sales", "dbo", store.name, name, i + 1, "YES" if nullable else "NO", t.name, _length(t),
                     t.precision or DIGITS.get(t.name), scale, parts))
    return columns, rows


def system_columns(store):
    """sys.columns: (columns, rows)."""
    columns = [("object_id", INT, False), ("name", NAME, True), ("column_id", INT, False),
               ("system_type_id", SqlType("tinyint"), False), ("user_type_id", INT, False),
               ("max_length", SqlType("smallint"), False), ("precision", SqlType("tinyint"), False),
               ("scale", SqlType("tinyint"), False), ("is_nullable", BIT, True)]
    rows = []
    for i, (name, t, nullable) in enumerate(store.columns):
        number, size = SYSTEM_TYPES[t.name]
        length = _length(t)
        if length is not None:
            size = length * 2 if length > 0 and t.name.startswith("n") else length
        rows.append((OBJECT_ID, name, i + 1, number, number, size, t.precision, t.scale, int(nullable)))
    return columns, rows
