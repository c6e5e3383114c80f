"""Statements to results."""
import itertools

from . import nodes
from .errors import SqlError
from .evaluate import Compiler, GroupCompiler, Scope, comparable, has_aggregate
from .plan import Planner
from .store import KEY
from .tokens import Layout
from .values import BIT, INT, SqlType

NAME = SqlType("nvarchar", length=128)


class Result:
    """Rows in their bytes, and the layout that declares them; values(n) answers those of a row."""

    def __init__(self, layout, rows, values):
        self.layout, self.rows, self.values = layout, rows, values


class Relation:
    """What FROM names: columns and rows of values; `store` when they are the view's own, in its order."""

    def __init__(self, columns, rows, alias, store=None):
        self.columns, self.rows, self.alias, self.store = columns, rows, alias, store


class Engine:
    """Answers SELECT from a store. Layouts are kept, so that the store's rows are encoded once for each list of columns."""

    def __init__(self, store):
        self.store, self._layouts = store, {}

    def select(self, select, variables, session):
        """The Result of a statement, as of now."""
        with self.store.lock:
            columns, rows = self._select(select, variables, session)
            if isinstance(rows, Result):
                return rows
            layout = Layout(columns)
            return Result(layout, [layout.row(r) for r in rows], rows.__getitem__)

    def _select(self, s, variables, session):
        """(columns, rows of values), or (columns, Result) when rows of the store go out as they are."""
        relation = self._source(s.source, variables, session)
        scope = Scope(relation.columns, relation.alias, variables, session)
        items = self._items(s.items, scope)
        limit = self._limit(s.top, scope)
        if s.group or s.having is not None or has_aggregate([e for e, _ in items]):
            return self._grouped(s, scope, relation, items, limit)
        compiler = Compiler(scope)
        compiled = [compiler.compile(e) for e, _ in items]
        order = self._order(s.order, items, compiled, compiler)
        natural = self._is_natural(s.order, relation)
        found = self._where(s.where, relation, compiler, None if s.ties or s.distinct or not natural else limit)
        columns = [self._describe(e, alias, c, scope) for (e, alias), c in zip(items, compiled)]
        if relation.store is not None and not s.distinct and all(c.column is not None for c in compiled):
            rows = self._arrange([r for r in found], order, natural, limit, s.ties, lambda r: r.values)
            return columns, self._as_they_are(columns, [c.column for c in compiled], rows)
        values = [r.values for r in found] if relation.store is not None else list(found)
        if s.distinct:
            rows = list(dict.fromkeys(tuple(c.function(v) for c in compiled) for v in values))
            order = [(lambda row, i=i: row[i], t, d) for i, t, d in self._order_outputs(s.order, items, compiled)]
            return columns, self._arrange(rows, order, False, limit, s.ties, lambda r: r)
        rows = self._arrange(values, order, natural, limit, s.ties, lambda r: r)
        return columns, [tuple([c.function(v) for c in compiled]) for v in rows]

    # FROM

    def _source(self, source, variables, session):
        if source is None:
            return Relation([], [()], None)
        if isinstance(source, tuple):
            columns, rows = self._select(source[0], variables, session)
            if isinstance(rows, Result):
                rows = [rows.values(n) for n in range(len(rows.rows))]
            return Relation(columns, rows, source[1])
        schema, name = source.schema.lower(), source.name.lower()
        if (schema, name) == ("information_schema", "columns"):
            return Relation(*information_columns(self.store), source.alias or source.name)
        if (schema, name) == ("sys", "columns"):
            return Relation(*system_columns(self.store), source.alias or source.name)
        if (schema, name) != ("dbo", self.store.name.lower()):
            full = source.name if schema == "dbo" else f"{source.schema}.{source.name}"
            raise SqlError(208, f"Invalid object name '{full}'.")
        return Relation(self.store.columns, self.store.rows, source.alias or source.name, self.store)

    def _items(self, items, scope):
        """The select list with every * written out."""
        out = []
        for e, alias in items:
            if isinstance(e, nodes.Star):
                if not scope.columns:
                    raise SqlError(263, "Must specify table to select from.")
                out += [(nodes.Column.of(name, e.table), None) for name, _, _ in scope.columns]
            else:
                out.append((e, alias))
        return out

    def _limit(self, top, scope):
        if top is None:
            return None
        count = Compiler(scope).compile(top)
        if not count.constant or count.type is None or count.type.family != "integer" or count.value < 0:
            raise SqlError(1060, "The number of rows provided for a TOP or FETCH clauses row count parameter must be an integer.",
                           15)
        return count.value

    def _describe(self, e, alias, compiled, scope):
        """(name, type, nullable) of a column of the result."""
        name = alias or (e.name if isinstance(e, nodes.Column) else "")
        if compiled.column is not None:
            own, t, nullable = scope.columns[compiled.column]
            return alias or own, t, nullable
        return name, compiled.type or INT, True

    # WHERE

    def _where(self, where, relation, compiler, limit):
        """The rows the condition holds for (Rows of the store, or values), at most `limit`."""
        if relation.store is None:
            if where is None:
                return relation.rows
            test = compiler.condition(where)
            return [r for r in relation.rows if test(r)]
        test = compiler.condition(where) if where is not None else None
        positions, exact = Planner(relation.store, compiler).positions(where)
        rows = relation.rows
        if exact:
            if isinstance(positions, range):
                stop = positions.stop if limit is None else min(positions.stop, positions.start + limit)
                return rows[positions.start:stop]
            return [rows[p] for p in (positions if limit is None else positions[:limit])]
        matching = (rows[p] for p in positions if test(rows[p].values))
        return list(itertools.islice(matching, limit))

    # ORDER BY, TOP

    def _is_natural(self, order, relation):
        """Whether the store's own order is the one wanted (or none is)."""
        if not order:
            return True
        names = [e.key for e, descending in order if isinstance(e, nodes.Column) and not descending]
        return relation.store is not None and len(names) == len(order) and names == list(KEY[:len(names)])

    def _order(self, order, items, compiled, compiler):
        """[(function of a row, type, descending)]"""
        out = []
        for e, descending in order:
            c = self._output(e, items, compiled) or compiler.compile(e)
            out.append((c.function, c.type, descending))
        return out

    def _output(self, e, items, compiled):
        """The item an ORDER BY names by its alias or number."""
        for i, (item, alias) in enumerate(items):
            if isinstance(e, nodes.Column) and alias and alias.lower() == e.key:
                return compiled[i]
        if isinstance(e, nodes.Literal) and e.type == INT:
            if not 1 <= e.value <= len(items):
                raise SqlError(108, f"The ORDER BY position number {e.value} is out of range of the number of items in the"
                                    " select list.", 15)
            return compiled[e.value - 1]
        return None

    def _order_outputs(self, order, items, compiled):
        for e, descending in order:
            named = self._output(e, items, compiled)
            for i, (item, _) in enumerate(items):
                if compiled[i] is named or item == e:
                    yield i, compiled[i].type, descending
                    break
            else:
                raise SqlError(145, "ORDER BY items must appear in the select list if SELECT DISTINCT is specified.", 15)

    def _arrange(self, rows, order, natural, limit, ties, values_of):
        keys = [sort_key(f, t) for f, t, _ in order]
        if not natural:
            for key, (_, _, descending) in reversed(list(zip(keys, order))):
                rows.sort(key=lambda r: key(values_of(r)), reverse=descending)
        if limit is None or limit >= len(rows):
            return rows
        if ties and limit:
            last = [k(values_of(rows[limit - 1])) for k in keys]
            while limit < len(rows) and [k(values_of(rows[limit])) for k in keys] == last:
                limit += 1
        return rows[:limit]

    # GROUP BY

    def _grouped(self, s, scope, relation, items, limit):
        compiler = GroupCompiler(scope, s.group)
        compiled = [compiler.compile(e) for e, _ in items]
        having = compiler.condition(s.having) if s.having is not None else None
        order = self._order(s.order, items, compiled, compiler)
        found = self._where(s.where, relation, compiler.base, None)
        values = [r.values for r in found] if relation.store is not None else found
        groups = {}
        if not s.group:
            groups[()] = values
        else:
            keys = [comparable(k.type) for k in compiler.keys]
            for v in values:
                key = tuple([k.function(v) for k in compiler.keys])
                groups.setdefault(tuple([f(x) if f and x is not None else x for f, x in zip(keys, key)]), []).append(v)
        rows = []
        for members in groups.values():
            key = tuple(k.function(members[0]) for k in compiler.keys)
            rows.append(key + tuple(a.of(members) for a in compiler.aggregates))
        if having:
            rows = [r for r in rows if having(r)]
        rows = self._arrange(rows, order, not order, limit, s.ties, lambda r: r)
        columns = [self._describe(e, alias, c, scope) for (e, alias), c in zip(items, compiled)]
        return columns, [tuple([c.function(r) for c in compiled]) for r in rows]

    # rows of the store, in their bytes

    def _as_they_are(self, columns, positions, rows):
        key = tuple(columns), tuple(positions)
        layout = self._layouts.setdefault(key, None) or Layout(columns)
        self._layouts[key] = layout
        wanted = None if positions == list(range(len(self.store.columns))) else positions
        encoded = [r.bytes if r.layout is layout else r.encoded(layout, wanted) for r in rows]
        return Result(layout, encoded, lambda n: tuple(rows[n].values[i] for i in positions))


def sort_key(function, t):
    """NULLs first, then as the type compares."""
    form = comparable(t)

    def key(row):
        v = function(row)
        return (0,) if v is None else (1, form(v) if form else v)
    return key


def max_length(t):
    if t.family in ("text", "binary"):
        return -1 if not t.length else t.length
    return None


def information_columns(store):
    columns = [("TABLE_CATALOG", NAME, True), ("TABLE_SCHEMA", NAME, True), ("TABLE_NAME", NAME, False),
               ("COLUMN_NAME", NAME, True), ("ORDINAL_POSITION", INT, False), ("IS_NULLABLE", SqlType("varchar", length=3), True),
               ("DATA_TYPE", NAME, True), ("CHARACTER_MAXIMUM_LENGTH", INT, True),
               ("NUMERIC_PRECISION", SqlType("tinyint"), True), ("NUMERIC_SCALE", INT, True),
               ("DATETIME_PRECISION", SqlType("smallint"), True)]
    integers = {"tinyint": 3, "smallint": 5, "int": 10, "bigint": 19}
    rows = []
    for i, (name, t, nullable) in enumerate(store.columns):
        precision = t.precision or integers.get(t.name) or {"float": 53, "real": 24}.get(t.name)
        times = {"date": 0, "datetime": 3, "smalldatetime": 0}.get(t.name, t.scale if t.is_time else None)
        rows.append(("sales", "dbo", store.name, name, i + 1, "YES" if nullable else "NO", t.name, max_length(t), precision,
                     t.scale if t.name == "decimal" else 0 if t.name in integers else None, times))
    return columns, rows


# sys.types: id and bytes of each type.
SYSTEM_TYPES = {"tinyint": (48, 1), "smallint": (52, 2), "int": (56, 4), "bigint": (127, 8), "bit": (104, 1), "real": (59, 4),
                "float": (62, 8), "decimal": (106, 9), "money": (60, 8), "smallmoney": (122, 4), "date": (40, 3), "time": (41, 5),
                "datetime2": (42, 8), "datetimeoffset": (43, 10), "datetime": (61, 8), "smalldatetime": (58, 4),
                "char": (175, 0), "varchar": (167, 0), "nchar": (239, 0), "nvarchar": (231, 0), "binary": (173, 0),
                "varbinary": (165, 0), "uniqueidentifier": (36, 16)}
OBJECT_ID = 885578193


def system_columns(store):
    columns = [("object_id", INT, False), ("name", NAME, True), ("column_id", INT, False),
               ("system_type_id", SqlType("tinyint"), False), ("user_type_id", INT, False),
               ("max_length", SqlType("smallint"), False), ("precision", SqlType("tinyint"), False),
               ("scale", SqlType("tinyint"), False), ("is_nullable", BIT, True)]
    rows = []
    for i, (name, t, nullable) in enumerate(store.columns):
        number, size = SYSTEM_TYPES[t.name]
        length = max_length(t)
        if length is not None:
            size = length * 2 if length > 0 and t.name.startswith("n") else length
        rows.append((OBJECT_ID, name, i + 1, number, number, size, t.precision, t.scale, int(nullable)))
    return columns, rows
