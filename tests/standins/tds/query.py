"""Statements to results."""
import itertools

from . import nodes
from .catalog import information_columns, system_columns
from .errors import SqlError
from .evaluate import Compiler, GroupCompiler, Scope, comparable, has_aggregate
from .plan import Planner
from .store import KEY
from .tokens import Layout
from .values import INT


class Result:
    """Rows in their bytes, and the layout that declares them; values(n) answers those of a row."""

    def __init__(self, layout, rows, values):
        self.layout, self.rows, self.values = layout, rows, values


class Relation:
    """What FROM names: columns and rows of values; with `store`, rows are the view's own, in its order."""

    def __init__(self, columns, rows, alias, store=None):
        self.columns, self.rows, self.alias, self.store = columns, rows, alias, store


class Engine:
    """Answers SELECT from a store. Layouts are kept, so that the store's rows are encoded once for a list of columns."""

    def __init__(self, store):
        self.store, self._layouts = store, {}

    def select(self, statement, variables, session):
        """The Result of a statement, as of now."""
        with self.store.lock:
            return Query(self, statement, variables, session).run()

    def layout(self, columns, positions):
        key = tuple(columns), tuple(positions)
        if key not in self._layouts:
            self._layouts[key] = Layout(columns)
        return self._layouts[key]


class Query:
    def __init__(self, engine, select, variables, session):
        self.engine, self.select, self.variables, self.session = engine, select, variables, session
        self.relation = self.source(select.source)
        self.scope = Scope(self.relation.columns, self.relation.alias, variables, session)
        self.items = self.list_items()
        self.limit = self.top()
        if select.group or select.having is not None or has_aggregate([e for e, _ in self.items]):
            self.compiler = GroupCompiler(self.scope, select.group)
        else:
            self.compiler = Compiler(self.scope)
        self.outputs = [self.compiler.compile(e) for e, _ in self.items]

    def run(self):
        if isinstance(self.compiler, GroupCompiler):
            return self.made(self.grouped())
        if self.select.distinct:
            return self.made(self.distinct())
        return self.plain()

    def made(self, rows):
        layout = Layout(self.columns())
        return Result(layout, [layout.row(r) for r in rows], rows.__getitem__)

    # FROM and the select list

    def source(self, source):
        if source is None:
            return Relation([], [()], None)
        store = self.engine.store
        if isinstance(source, tuple):
            result = Query(self.engine, source[0], self.variables, self.session).run()
            rows = [result.values(n) for n in range(len(result.rows))]
            return Relation(result.layout.columns, rows, source[1])
        schema, name = source.schema.lower(), source.name.lower()
        views = {("information_schema", "columns"): information_columns, ("sys", "columns"): system_columns}
        if (schema, name) in views:
            return Relation(*views[schema, name](store), source.alias or source.name)
        if (schema, name) != ("dbo", store.name.lower()):
            full = source.name if schema == "dbo" else f"{source.schema}.{source.name}"
            raise SqlError(208, f"Invalid object name '{full}'.")
        return Relation(store.columns, store.rows, source.alias or source.name, store)

    def list_items(self):
        """The select list with every * written out."""
        out = []
        for e, alias in self.select.items:
            if not isinstance(e, nodes.Star):
                out.append((e, alias))
            elif not self.scope.columns:
                raise SqlError(263, "Must specify table to select from.")
            else:
                out += [(nodes.Column.of(name, e.table), None) for name, _, _ in self.scope.columns]
        return out

    def columns(self):
        """(name, type, nullable) of the result's columns."""
        out = []
        for (e, alias), output in zip(self.items, self.outputs):
            if output.column is not None:
                own, t, nullable = self.scope.columns[output.column]
                out.append((alias or own, t, nullable))
            else:
                out.append((alias or "", output.type or INT, output.nullable))
        return out

    def top(self):
        if self.select.top is None:
            return None
        count = Compiler(self.scope).compile(self.select.top)
        if not count.constant or count.type is None or count.type.family != "integer" or count.value < 0:
            raise SqlError(1060, "The number of rows provided for a TOP or FETCH clauses row count parameter must be an integer.",
                           15)
        return count.value

    # WHERE

    def matching(self, compiler, limit=None):
        """The rows the condition holds for, at most `limit`: values, or the store's own Rows."""
        where, rows = self.select.where, self.relation.rows
        test = compiler.condition(where) if where is not None else None
        if self.relation.store is None:
            return list(rows) if test is None else compiler.function(f"def f(rows):\n return [r for r in rows if {test}]")(rows)
        positions, exact = Planner(self.relation.store, compiler).positions(where)
        if exact and isinstance(positions, range):
            return rows[positions.start:positions.stop if limit is None else min(positions.stop, positions.start + limit)]
        if exact:
            return [rows[p] for p in positions[:limit]]
        find = compiler.function("def f(rows, positions):\n for p in positions:\n  row = rows[p]\n  r = row.values\n"
                                 f"  if {test}:\n   yield row")
        return list(itertools.islice(find(rows, positions), limit))

    # ORDER BY, TOP

    def is_natural(self):
        """Whether the order of the store is the one wanted, or none is."""
        order = self.select.order
        names = [e.key for e, descending in order if isinstance(e, nodes.Column) and not descending]
        return not order or self.relation.store is not None and len(names) == len(order) and names == list(KEY[:len(names)])

    def order(self):
        """[(function of a row, type, descending)]"""
        found = [(self.named_output(e) or self.compiler.compile(e), descending) for e, descending in self.select.order]
        return [(c.function, c.type, descending) for c, descending in found]

    def named_output(self, e):
        """The item an ORDER BY names by its alias or number."""
        for (_, alias), output in zip(self.items, self.outputs):
            if isinstance(e, nodes.Column) and alias and alias.lower() == e.key:
                return output
        if isinstance(e, nodes.Literal) and e.type == INT:
            if not 1 <= e.value <= len(self.items):
                raise SqlError(108, f"The ORDER BY position number {e.value} is out of range of the number of items in the"
                                    " select list.", 15)
            return self.outputs[e.value - 1]
        return None

    def arranged(self, rows, order, values_of, sorted_already=False):
        keys = [sort_key(f, t) for f, t, _ in order]
        if not sorted_already:
            for key, (_, _, descending) in reversed(list(zip(keys, order))):
                rows.sort(key=lambda r: key(values_of(r)), reverse=descending)
        limit = self.limit
        if limit is None or limit >= len(rows):
            return rows
        if self.select.ties and limit:
            last = [k(values_of(rows[limit - 1])) for k in keys]
            while limit < len(rows) and [k(values_of(rows[limit])) for k in keys] == last:
                limit += 1
        return rows[:limit]

    # the three kinds of SELECT

    def plain(self):
        natural, stored = self.is_natural(), self.relation.store is not None
        rows = self.matching(self.compiler, None if self.select.ties or not natural else self.limit)
        rows = self.arranged(rows, self.order(), (lambda row: row.values) if stored else (lambda row: row), natural)
        positions = [o.column for o in self.outputs]
        if stored and None not in positions:
            return self.as_they_are(rows, positions)
        code = ", ".join(o.code for o in self.outputs)
        values = [r.values for r in rows] if stored else rows
        return self.made(self.compiler.function(f"def f(rows):\n return [({code},) for r in rows]")(values))

    def as_they_are(self, rows, positions):
        """Rows of the store in their bytes."""
        layout = self.engine.layout(self.columns(), positions)
        wanted = None if positions == list(range(len(self.scope.columns))) else positions
        encoded = [r.bytes if r.layout is layout else r.encoded(layout, wanted) for r in rows]
        return Result(layout, encoded, lambda n: tuple(rows[n].values[i] for i in positions))

    def distinct(self):
        rows = self.matching(self.compiler)
        values = [r.values for r in rows] if self.relation.store is not None else rows
        code = ", ".join(o.code for o in self.outputs)
        found = list(dict.fromkeys(self.compiler.function(f"def f(rows):\n return [({code},) for r in rows]")(values)))
        order = []
        for e, descending in self.select.order:
            named = self.named_output(e)
            at = [i for i, (item, _) in enumerate(self.items) if self.outputs[i] is named or item == e]
            if not at:
                raise SqlError(145, "ORDER BY items must appear in the select list if SELECT DISTINCT is specified.", 15)
            order.append((lambda r, i=at[0]: r[i], self.outputs[at[0]].type, descending))
        return self.arranged(found, order, lambda r: r)

    def grouped(self):
        compiler, select = self.compiler, self.select
        having = compiler.condition(select.having) if select.having is not None else None
        order = self.order()
        rows = self.matching(compiler.base)
        values = [r.values for r in rows] if self.relation.store is not None else rows
        groups = self.groups(values)
        key = compiler.base.function(f"def f(r):\n return ({''.join(k.code + ', ' for k in compiler.keys)})")
        found = [(key(members[0]) if compiler.keys else ()) + tuple(a.of(members) for a in compiler.aggregates)
                 for members in groups]
        if having:
            found = compiler.function(f"def f(rows):\n return [r for r in rows if {having}]")(found)
        found = self.arranged(found, order, lambda r: r, not order)
        code = ", ".join(o.code for o in self.outputs)
        return compiler.function(f"def f(rows):\n return [({code},) for r in rows]")(found)

    def groups(self, rows):
        """Lists of the rows of each group; without GROUP BY there is one, even of none."""
        if not self.select.group:
            return [rows]
        base, codes = self.compiler.base, []
        for k in self.compiler.keys:
            form = comparable(k.type)
            codes.append(base.made(None, f"{form.__name__}({{}})", k).code if form else k.code)
        collect = base.function("def f(rows):\n groups = {}\n for r in rows:\n"
                                f"  k = ({', '.join(codes)},)\n"
                                "  g = groups.get(k)\n  if g is None:\n   groups[k] = [r]\n  else:\n   g.append(r)\n"
                                " return list(groups.values())")
        return collect(rows)


def sort_key(function, t):
    """NULLs first, then as the type compares."""
    form = comparable(t)

    def key(row):
        v = function(row)
        return (0,) if v is None else (1, form(v) if form else v)
    return key
