"""Which rows a WHERE can be true for: ranges of the key, or an index. Only a guide: who is not told `exact` tests each row.

A range is a pair of points (day, order), the first in it, the second not; both are whole numbers or infinite.
"""
from . import nodes
from .convert import common_type, convert

LEAST, MOST = float("-inf"), float("inf")
ALL = [((LEAST, LEAST), (MOST, MOST))]


class Planner:
    def __init__(self, store, compiler):
        self.store, self.compiler = store, compiler
        self.day, self.order = store.key_positions() or (None, None)

    def positions(self, where):
        """(positions in ascending order: a range or a list, whether each of them satisfies the condition)."""
        rows = self.store.rows
        if where is None:
            return range(len(rows)), True
        conjuncts = flatten("and", where)
        for c in conjuncts:
            found = self.by_index(c)
            if found is not None:
                return found, len(conjuncts) == 1
        if not self.store.is_ordered_by_integers():
            return range(len(rows)), False
        ranges, exact = self.ranges(where)
        spans = [(self.store.find(low), self.store.find(high)) for low, high in ranges]
        if len(spans) == 1:
            return range(*spans[0]), exact
        return [p for a, b in spans for p in range(a, b)], exact

    def by_index(self, e):
        """Positions by a list of wanted values, for a column = constant or a column IN (constants)."""
        if isinstance(e, nodes.InList):
            column, items = self.column(e.operand), e.items
        elif isinstance(e, nodes.Binary) and e.operator == "=":
            column, items = self.column(e.left), (e.right,)
        else:
            return None
        if column is None or column == self.day:
            return None
        t, wanted = self.store.columns[column][1], set()
        for item in map(self.compiler.compile, items):
            if not item.constant or item.type is None or t.family != "integer" or item.type.family != "integer":
                return None
            wanted.add(item.value)
        index = self.store.index(column)
        return sorted(p for w in wanted for p in index.get(w, ()) if w is not None)

    def column(self, e):
        return self.compiler.scope.find(e) if isinstance(e, nodes.Column) else None

    def bound(self, e):
        """(column, operator, value) of a comparison of a key column with a constant of its own kind, else None."""
        if not isinstance(e, nodes.Binary) or e.operator not in ("=", "<", "<=", ">", ">="):
            return None
        column, operator, other = self.column(e.left), e.operator, e.right
        if column is None:
            column, other = self.column(e.right), e.left
            operator = {"<": ">", "<=": ">=", ">": "<", ">=": "<="}.get(operator, operator)
        if column is None or column not in (self.day, self.order):
            return None
        constant, t = self.compiler.compile(other), self.store.columns[column][1]
        if not constant.constant or constant.type is None or constant.value is None:
            return None
        if column == self.order:
            return (column, operator, constant.value) if constant.type.family == "integer" else None
        common = common_type(constant.type, t)
        if common.name != t.name:
            return None
        value = convert(constant.value, constant.type, common)
        return (column, operator, value) if convert(value, common, t) == value else None

    def ranges(self, e):
        """(ranges in ascending order, exact)."""
        if isinstance(e, nodes.Binary) and e.operator == "or":
            found = [self.ranges(x) for x in flatten("or", e)]
            return union([r for ranges, _ in found for r in ranges]), all(exact for _, exact in found)
        if isinstance(e, nodes.Binary) and e.operator == "and":
            return self.conjunction(flatten("and", e))
        null = self.null_test(e)
        if null is not None:
            return ([] if null else ALL), True
        b = self.bound(e)
        if b is None or b[0] != self.day:
            return ALL, False
        return [span(b[1], b[2], lambda v: (v, LEAST), (LEAST, LEAST), (MOST, MOST))], True

    def null_test(self, e):
        """True for IS NULL of a column of the key, False for IS NOT NULL, else None. No key here has NULLs."""
        wanted = not (isinstance(e, nodes.Unary) and e.operator == "not")
        e = e if wanted else e.operand
        if isinstance(e, nodes.Unary) and e.operator == "is null" and self.column(e.operand) in (self.day, self.order):
            return wanted
        return None

    def conjunction(self, conjuncts):
        """First what bounds days, then what bounds orders where but one day is left."""
        ranges, exact, later = ALL, True, []
        for c in conjuncts:
            alternatives = flatten("or", c)
            if any((self.bound(a) or (None,))[0] == self.order for a in alternatives):
                later.append(alternatives)
                continue
            more, sure = self.ranges(c)
            ranges, exact = intersection(ranges, more), exact and sure
        for alternatives in later:
            ranges, sure = self.alternatives(ranges, alternatives)
            exact = exact and sure
        return ranges, exact

    def alternatives(self, ranges, conditions):
        """What is left of the ranges by an OR (of one or more) that has bounds of the order in it."""
        bounds, days, exact = [], [], True
        for c in conditions:
            b = self.bound(c)
            if b is not None and b[0] == self.order:
                bounds.append(b)
            else:
                more, sure = self.ranges(c)
                days, exact = union(days + intersection(ranges, more)), exact and sure
        rest = difference(ranges, days)
        if not all(within_day(*r) for r in rest):
            return ranges, False
        kept = [r for low, high in rest for _, operator, value in bounds for r in intersection(
            [(low, high)], [span(operator, value, lambda v, d=low[0]: (d, v), (low[0], LEAST), (low[0] + 1, LEAST))])]
        return union(days + kept), exact


def within_day(low, high):
    return low[0] not in (LEAST, MOST) and high <= (low[0] + 1, LEAST)


def span(operator, value, point, least, most):
    """The range of a comparison with a whole number."""
    if operator == "=":
        return point(value), point(value + 1)
    if operator in (">", ">="):
        return point(value + (operator == ">")), most
    return least, point(value + (operator == "<="))


def flatten(operator, e):
    if isinstance(e, nodes.Binary) and e.operator == operator:
        return flatten(operator, e.left) + flatten(operator, e.right)
    return [e]


def union(ranges):
    out = []
    for low, high in sorted(ranges):
        if out and low <= out[-1][1]:
            out[-1] = (out[-1][0], max(out[-1][1], high))
        elif low < high:
            out.append((low, high))
    return out


def intersection(a, b):
    return union([(max(x[0], y[0]), min(x[1], y[1])) for x in a for y in b if max(x[0], y[0]) < min(x[1], y[1])])


def difference(ranges, gone):
    for low, high in gone:
        ranges = [r for a, b in ranges for r in ((a, min(b, low)), (max(a, high), b)) if r[0] < r[1]]
    return union(ranges)
