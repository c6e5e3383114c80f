"""Expressions to functions of a row's values, with SQL's types, NULLs and errors."""
import datetime
import decimal
import re

from . import nodes
from .convert import common_type, convert
from .errors import SqlError
from .values import BIGINT, DECIMALS, INT, INTEGERS, MONEY, SqlType

AGGREGATES = ("COUNT", "COUNT_BIG", "SUM", "MIN", "MAX")
COMPARE = {"=": lambda a, b: a == b, "<>": lambda a, b: a != b, "<": lambda a, b: a < b, "<=": lambda a, b: a <= b,
           ">": lambda a, b: a > b, ">=": lambda a, b: a >= b}


class Compiled:
    """A function of a row, with its type (None: an untyped NULL; 'condition' has none) and whether it is constant."""

    def __init__(self, type_, function, constant=False, column=None):
        self.type, self.function, self.constant, self.column = type_, function, constant, column

    @property
    def value(self):
        return self.function(())


class Scope:
    """The names an expression may use: columns of one relation, variables, and words about the session."""

    def __init__(self, columns, alias=None, variables=None, session=None):
        self.columns, self.alias = columns, (alias or "").lower()
        self.positions = {name.lower(): i for i, (name, _, _) in enumerate(columns)}
        self.variables, self.session = variables or {}, session

    def find(self, column):
        if column.table is not None and column.table.lower() != self.alias:
            raise SqlError(4104, f"The multi-part identifier \"{column.table}.{column.name}\" could not be bound.")
        if column.key not in self.positions:
            raise SqlError(207, f"Invalid column name '{column.name}'.")
        return self.positions[column.key]


def folded(text):
    """Text as the server's collation compares it."""
    return text.rstrip(" ").casefold()


def comparable(t):
    """A function to what Python compares as SQL Server compares the type, or None: the value itself."""
    if t is not None and t.family == "text":
        return folded
    if t is not None and t.name == "datetimeoffset":
        return lambda v: v[0]
    return None


class Compiler:
    def __init__(self, scope):
        self.scope = scope

    def compile(self, e):
        return getattr(self, "_" + type(e).__name__.lower())(e)

    def condition(self, e):
        """A function that answers True, False or None (unknown)."""
        return self.compile(e).function

    def _literal(self, e):
        return Compiled(e.type, lambda row, v=e.value: v, True)

    def _star(self, e):
        raise SqlError(102, "Incorrect syntax near '*'.", 15)

    def _column(self, e):
        i = self.scope.find(e)
        return Compiled(self.scope.columns[i][1], lambda row: row[i], column=i)

    def _variable(self, e):
        if e.name.startswith("@@"):
            t, value = self.scope.session.system(e.name)
        elif e.name in self.scope.variables:
            t, value = self.scope.variables[e.name]
        else:
            raise SqlError(137, f"Must declare the scalar variable \"{e.name}\".", 15, 2)
        return Compiled(t, lambda row: value, True)

    def _unary(self, e):
        x = self.compile(e.operand)
        f = x.function
        if e.operator == "is null":
            return Compiled(None, lambda row: f(row) is None)
        if e.operator == "not":
            return Compiled(None, lambda row: None if (v := f(row)) is None else not v)
        self._want_number(x.type)
        if e.operator == "+":
            return x
        return Compiled(x.type, lambda row: None if (v := f(row)) is None else -v, x.constant)

    def _want_number(self, t):
        if t is not None and not t.is_number:
            raise SqlError(8117, f"Operand data type {t.name} is invalid for this operator.")

    def _binary(self, e):
        left, right = self.compile(e.left), self.compile(e.right)
        if e.operator in ("and", "or"):
            return Compiled(None, _both(e.operator, left.function, right.function))
        if e.operator == "like":
            return self._like(left, right)
        if e.operator in COMPARE:
            return self._comparison(COMPARE[e.operator], left, right)
        return self._arithmetic(e.operator, left, right)

    def _comparison(self, test, left, right):
        t = common_type(left.type, right.type)
        a, b = self._prepared(left, t), self._prepared(right, t)
        if right.constant:
            value = b(())
            if value is None:
                return Compiled(None, lambda row: None)
            return Compiled(None, lambda row: None if (v := a(row)) is None else test(v, value))
        return Compiled(None, lambda row: None if (v := a(row)) is None or (w := b(row)) is None else test(v, w))

    def _prepared(self, x, t):
        """The operand in the common type and in the form that compares."""
        f, source, form = x.function, x.type, comparable(t)
        if source is not None and source.family != t.family or source != t and t.is_time:
            f = _then(f, lambda v: convert(v, source, t))
        return _then(f, form) if form else f

    def _inlist(self, e):
        x, items = self.compile(e.operand), [self.compile(i) for i in e.items]
        t = x.type
        for item in items:
            t = common_type(t, item.type)
        f, prepared = self._prepared(x, t), [self._prepared(i, t) for i in items]
        if all(i.constant for i in items):
            values = {p(()) for p in prepared}
            unknown = None if None in values else False
            return Compiled(None, lambda row: None if (v := f(row)) is None else v in values or unknown)

        def test(row):
            v, found = f(row), [p(row) for p in prepared]
            return None if v is None else True if v in found else None if None in found else False
        return Compiled(None, test)

    def _like(self, left, right):
        if any(c.type is not None and c.type.family != "text" for c in (left, right)):
            raise SqlError(8116, "Argument data type is invalid for argument 1 of like function.")

        def matches(row):
            text, pattern = left.function(row), right.function(row)
            if text is None or pattern is None:
                return None
            expression = "".join(".*" if c == "%" else "." if c == "_" else re.escape(c) for c in pattern)
            return re.fullmatch(expression, text, re.I | re.S) is not None
        return Compiled(None, matches)

    def _arithmetic(self, operator, left, right):
        if operator == "+" and {"text"} == {x.type.family for x in (left, right) if x.type}:
            return Compiled(SqlType("nvarchar", length=4000), _strict(lambda a, b: a + b, left.function, right.function))
        t = common_type(left.type, right.type)
        self._want_number(t)
        if t.name == "decimal" or t.name in MONEY:
            scales = [x.type.scale if x.type.name == "decimal" else 0 for x in (left, right)]
            t = SqlType("decimal", precision=38, scale=sum(scales) if operator == "*" else max(scales))
        if operator in "/%":
            return Compiled(t, _strict(_divide(operator, t), left.function, right.function))
        function = {"+": DECIMALS.add, "-": DECIMALS.subtract, "*": DECIMALS.multiply}[operator] if t.name == "decimal" \
            else {"+": lambda a, b: a + b, "-": lambda a, b: a - b, "*": lambda a, b: a * b}[operator]
        return Compiled(t, _strict(lambda a, b: in_range(function(a, b), t), left.function, right.function),
                        left.constant and right.constant)

    def _cast(self, e):
        x = self.compile(e.operand)
        f, source = x.function, x.type or e.type
        return Compiled(e.type, lambda row: convert(f(row), source, e.type), x.constant)

    def _case(self, e):
        tests = [self.condition(c) for c, _ in e.branches]
        values = [self.compile(v) for _, v in e.branches] + [self.compile(e.otherwise)]
        t = None
        for v in values:
            t = common_type(t, v.type)
        functions = [lambda row, v=v: convert(v.function(row), v.type, t) for v in values]

        def choose(row):
            for test, f in zip(tests, functions):
                if test(row):
                    return f(row)
            return functions[-1](row)
        return Compiled(t, choose)

    def _call(self, e):
        if e.name in AGGREGATES:
            raise SqlError(147, "An aggregate may not appear in the WHERE clause unless it is in a subquery contained in a"
                                " HAVING clause or a select list, and the column being aggregated is an outer reference.", 15)
        args = [self.compile(a) for a in e.args]
        if e.name in ("COALESCE", "ISNULL") and len(args) >= 2:
            return self._coalesce(args, e.name == "ISNULL")
        if e.name in ("YEAR", "MONTH", "DAY") and len(args) == 1:
            return self._date_part(e.name, args[0])
        if e.name in ("ABS", "LEN") and len(args) == 1:
            t = args[0].type if e.name == "ABS" else INT
            function = abs if e.name == "ABS" else lambda v: len(v.rstrip(" "))
            return Compiled(t, _then(args[0].function, function), args[0].constant)
        return self.scope.session.call(e.name, args)

    def _coalesce(self, args, isnull):
        t = args[0].type
        for a in args[1:]:
            t = t if isnull and t else common_type(t, a.type)

        def first(row):
            for a in args:
                v = a.function(row)
                if v is not None:
                    return convert(v, a.type, t)
            return None
        return Compiled(t, first, all(a.constant for a in args))

    def _date_part(self, part, x):
        day = SqlType("date")
        return Compiled(INT, _then(x.function, lambda v: getattr(
            datetime.date.fromordinal(convert(v, x.type, day) + 1), part.lower())))


def _then(f, g):
    return lambda row: None if (v := f(row)) is None else g(v)


def _strict(g, f1, f2):
    return lambda row: None if (a := f1(row)) is None or (b := f2(row)) is None else g(a, b)


def _both(operator, f, g):
    if operator == "and":
        def test(row):
            a = f(row)
            if a is False:
                return False
            b = g(row)
            return b if a else False if b is False else None
    else:
        def test(row):
            a = f(row)
            if a:
                return True
            b = g(row)
            return b if a is False else True if b else None
    return test


def _divide(operator, t):
    def divide(a, b):
        if b == 0:
            raise SqlError(8134, "Divide by zero error encountered.")
        if t.family == "integer":
            quotient = abs(a) // abs(b) * (1 if (a < 0) == (b < 0) else -1)
            return quotient if operator == "/" else a - b * quotient
        if operator == "%":
            return a % b
        return a / b if t.family == "float" else DECIMALS.divide(decimal.Decimal(a), decimal.Decimal(b))
    return divide


def in_range(v, t):
    """The result of arithmetic, if the type holds it."""
    if t.name in INTEGERS and abs(v) >= 1 << (8 * INTEGERS[t.name][0] - 1):
        raise SqlError(8115, f"Arithmetic overflow error converting expression to data type {t.name}.")
    return v


class Aggregate:
    """COUNT, SUM, MIN or MAX over the rows of a group."""

    def __init__(self, call, compiler):
        self.name, self.distinct = call.name, call.distinct
        self.star = len(call.args) == 1 and isinstance(call.args[0], nodes.Star)
        if self.star and not call.name.startswith("COUNT") or len(call.args) != 1:
            raise SqlError(102, f"Incorrect syntax near '{'*' if self.star else ')'}'.", 15)
        self.argument = None if self.star else compiler.compile(call.args[0])
        self.type = self._result_type()
        self.form = None if self.star else comparable(self.argument.type)

    def _result_type(self):
        if self.name == "COUNT":
            return INT
        if self.name == "COUNT_BIG":
            return BIGINT
        t = self.argument.type
        if self.name in ("MIN", "MAX"):
            if t.name == "bit":
                raise SqlError(8117, f"Operand data type bit is invalid for {self.name.lower()} operator.")
            return t
        if not t.is_number or t.name == "bit":
            raise SqlError(8117, f"Operand data type {t.name} is invalid for sum operator.")
        if t.name == "decimal":
            return SqlType("decimal", precision=38, scale=t.scale)
        return {"integer": BIGINT if t.name == "bigint" else INT, "money": SqlType("money"), "float": SqlType("float")}[t.family]

    def of(self, rows):
        if self.star:
            return len(rows)
        values = [v for v in map(self.argument.function, rows) if v is not None]
        if self.distinct:
            values = list({self.form(v): v for v in values}.values()) if self.form else set(values)
        if self.name.startswith("COUNT"):
            return len(values)
        if not values:
            return None
        if self.name == "SUM":
            return in_range(sum(values), self.type)
        return (min if self.name == "MIN" else max)(values, key=self.form)


class GroupCompiler(Compiler):
    """Expressions over groups: rows are the values of GROUP BY and then those of the aggregates met."""

    def __init__(self, scope, group):
        super().__init__(scope)
        self.base, self.group, self.aggregates = Compiler(scope), list(group), []
        self.keys = [self.base.compile(g) for g in self.group]

    def compile(self, e):
        if e in self.group:
            i = self.group.index(e)
            return Compiled(self.keys[i].type, lambda row: row[i], column=self.keys[i].column)
        if isinstance(e, nodes.Call) and e.name in AGGREGATES:
            aggregate, i = Aggregate(e, self.base), len(self.group) + len(self.aggregates)
            self.aggregates.append(aggregate)
            return Compiled(aggregate.type, lambda row: row[i])
        return super().compile(e)

    def _column(self, e):
        self.scope.find(e)
        raise SqlError(8120, f"Column '{e.name}' is invalid in the select list because it is not contained in either an"
                             " aggregate function or the GROUP BY clause.")


def has_aggregate(e):
    if isinstance(e, nodes.Call):
        return e.name in AGGREGATES or any(map(has_aggregate, e.args))
    if isinstance(e, (list, tuple)):
        return any(map(has_aggregate, e))
    return hasattr(e, "__dataclass_fields__") and any(has_aggregate(getattr(e, f)) for f in e.__dataclass_fields__)
