"""The view: rows in order of their key, their encoded form, indexes; and what changes them.

All access goes through `lock`. Rows are immutable: who has captured some may send them while others are changed.
"""
import bisect
import csv
import threading

from .convert import from_json
from .values import parse_type

VIEW = "vw_Combined_Sales"
# The 30 columns as SQL Server would have them: name, type, nullable.
COLUMNS = [(name, parse_type(declared), nullable) for name, declared, nullable in [
    ("order_id", "bigint", False), ("order_number", "bigint", True), ("customer_id", "bigint", True),
    ("order_date", "date", False), ("created_at", "datetime2(7)", True), ("year", "int", True), ("quarter", "int", True),
    ("month", "int", True), ("month_name", "nvarchar(20)", True), ("week", "int", True), ("day", "int", True),
    ("week_day", "nvarchar(20)", True), ("sku", "nvarchar(255)", True), ("product_id", "bigint", True),
    ("product_name", "nvarchar(max)", True), ("variant_name", "nvarchar(1000)", True), ("product_type", "nvarchar(255)", True),
    ("category", "nvarchar(255)", True), ("quantity", "int", True), ("line_item_sales", "decimal(18,2)", True),
    ("line_item_discount", "decimal(18,2)", True), ("line_item_refunds", "decimal(18,2)", True),
    ("currency", "varchar(10)", True), ("sales_channel", "nvarchar(255)", True), ("latitude", "float", True),
    ("longitude", "float", True), ("fulfillment_status", "nvarchar(100)", True), ("financial_status", "nvarchar(100)", True),
    ("order_total", "decimal(18,2)", True), ("order_total_items", "int", True)]]
KEY = ("order_date", "order_id")


class Row:
    """One line: its values, and its bytes in the layout that asked last."""
    __slots__ = ("values", "layout", "bytes")

    def __init__(self, values):
        self.values, self.layout, self.bytes = values, None, None

    def encoded(self, layout, columns):
        if self.layout is not layout:
            values = self.values if columns is None else [self.values[i] for i in columns]
            self.layout, self.bytes = layout, layout.row(values)
        return self.bytes


class Store:
    """A table of any columns; kept in order when it has the key's."""

    def __init__(self, name=VIEW, columns=COLUMNS):
        self.name, self.columns, self.rows, self.lock = name, list(columns), [], threading.RLock()
        self.version, self._indexes, self._known = 0, {}, {}

    # structure

    def position(self, name):
        for i, (n, _, _) in enumerate(self.columns):
            if n.lower() == name.lower():
                return i
        raise KeyError(f"no column {name}")

    def key_positions(self):
        names = [n.lower() for n, _, _ in self.columns]
        return [names.index(k) for k in KEY] if set(KEY) <= set(names) else None

    def is_ordered_by_integers(self):
        """Whether keys are whole numbers, none NULL: then a range of them is a range of rows."""
        positions = self.key_positions()
        if not positions:
            return False
        day, order = (self.columns[p] for p in positions)
        return (day[1].name == "date" or day[1].is_time) and day[1].name != "datetimeoffset" and \
            order[1].family == "integer" and not self._null_keys

    def key_of(self, row):
        positions = self.key_positions()
        return tuple(-1 if row.values[p] is None else row.values[p] for p in positions) if positions else ()

    def _sort(self):
        positions = self.key_positions()
        self._null_keys = bool(positions) and any(r.values[p] is None for r in self.rows for p in positions)
        if not positions:
            return
        day, order = positions
        if self._null_keys:
            self.rows.sort(key=lambda r: tuple((r.values[p] is not None, r.values[p]) if r.values[p] is not None else (False,)
                                               for p in positions))
        else:
            self.rows.sort(key=lambda r: (r.values[day], r.values[order]))

    _null_keys = False

    def _changed(self):
        self.version += 1
        self._indexes.clear()
        self._sort()

    def find(self, low):
        """The first position whose key is not below."""
        return bisect.bisect_left(self.rows, low, key=self.key_of)

    def index(self, column):
        """{value: positions} of a column, built when first asked for."""
        if column not in self._indexes:
            found = self._indexes[column] = {}
            for i, row in enumerate(self.rows):
                found.setdefault(row.values[column], []).append(i)
        return self._indexes[column]

    # data

    def reset(self):
        with self.lock:
            self.name, self.columns, self.rows = VIEW, list(COLUMNS), []
            self._changed()

    def make_row(self, given):
        """A row from {column: value as JSON}; what is not given is NULL."""
        by_name = {k.lower(): v for k, v in given.items()}
        values = []
        for name, t, _ in self.columns:
            v = from_json(by_name.pop(name.lower(), None), t)
            values.append(self._known.setdefault((v, t.name), v) if type(v) is not float and len(self._known) < 100_000 else v)
        if by_name:
            raise KeyError(f"no column {', '.join(by_name)}")
        return Row(tuple(values))

    def add(self, given):
        with self.lock:
            self.rows.extend(self.make_row(g) for g in given)
            self._changed()
            return len(given)

    def replace(self, given):
        with self.lock:
            self.rows = [self.make_row(g) for g in given]
            self._changed()
            return len(given)

    def load_csv(self, path, limit=None):
        """Lines of a file with a header; an empty field is NULL."""
        with open(path, newline="", encoding="utf-8") as f:
            given = []
            for line in csv.DictReader(f):
                given.append({k: v if v != "" else None for k, v in line.items()})
                if limit is not None and len(given) == limit:
                    break
            return self.replace(given)

    def adopt(self, rows):
        """Rows made elsewhere, whole."""
        with self.lock:
            self.rows = rows
            self._changed()
            return len(rows)

    def _matching(self, where):
        """Positions of the rows that have these values: {column: value or list of values}."""
        tests = []
        for name, wanted in where.items():
            i = self.position(name)
            tests.append((i, {from_json(w, self.columns[i][1]) for w in (wanted if isinstance(wanted, list) else [wanted])}))
        if not tests:
            return list(range(len(self.rows)))
        first = min(tests, key=lambda t: t[0])
        if first[0] == self.position("order_id") and len(first[1]) < 1000:
            candidates = sorted(p for w in first[1] for p in self.index(first[0]).get(w, ()))
        else:
            candidates = range(len(self.rows))
        return [p for p in candidates if all(self.rows[p].values[i] in wanted for i, wanted in tests)]

    def update(self, where, set_):
        with self.lock:
            new = [(self.position(n), from_json(v, self.columns[self.position(n)][1])) for n, v in set_.items()]
            found = self._matching(where)
            for p in found:
                values = list(self.rows[p].values)
                for i, v in new:
                    values[i] = v
                self.rows[p] = Row(tuple(values))
            self._changed()
            return len(found)

    def delete(self, where):
        with self.lock:
            gone = set(self._matching(where))
            self.rows = [r for p, r in enumerate(self.rows) if p not in gone]
            self._changed()
            return len(gone)

    # drift

    def drop_column(self, name):
        with self.lock:
            i = self.position(name)
            self._remake(self.columns[:i] + self.columns[i + 1:], lambda v: v[:i] + v[i + 1:])

    def add_column(self, name, declared, value=None, nullable=True, at=None):
        with self.lock:
            t = parse_type(declared)
            value, i = from_json(value, t), len(self.columns) if at is None else at
            self._remake(self.columns[:i] + [(name, t, nullable)] + self.columns[i:], lambda v: v[:i] + (value,) + v[i:])

    def retype_column(self, name, declared, nullable=None):
        """Gives the column another type; values are converted as CAST does."""
        from .convert import convert
        with self.lock:
            i, t = self.position(name), parse_type(declared)
            old_name, old, was = self.columns[i]
            columns = list(self.columns)
            columns[i] = (old_name, t, was if nullable is None else nullable)
            self._remake(columns, lambda v: v[:i] + (convert(v[i], old, t),) + v[i + 1:])

    def rename_column(self, name, new):
        with self.lock:
            i = self.position(name)
            columns = list(self.columns)
            columns[i] = (new, *columns[i][1:])
            self._remake(columns, lambda v: v)

    def _remake(self, columns, change):
        rows = [Row(change(r.values)) for r in self.rows]
        self.columns, self.rows = columns, rows
        self._changed()
