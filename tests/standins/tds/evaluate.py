"""Expressions to Python functions of a row, with SQL's types, NULLs and errors.

An expression becomes Python source over `r`, the tuple of a row's values: a million rows are asked. The source is made here
from parsed nodes alone; whatever the client wrote is in it as a named constant, never as text.
"""
import datetime
import decimal
import re

from . import nodes
from .catalog import NAME, TYPE_NAMES
from .convert import RANGES, common_type, convert
from .errors import SqlError
from .values import BIGINT, DECIMALS, INT, MONEY, SqlType

AGGREGATES = ("COUNT", "COUNT_BIG", "SUM", "MIN", "MAX")
COMPARE = {"=": "==", "<>": "!=", "<": "<", "<=": "<=", ">": ">", ">=": ">="}
WIDENING = ("bit", "tinyint", "smallint", "int", "bigint")


class Compiled:
    """Source of an expression: its type (None: an untyped NULL, or a condition), whether it may be NULL, its value if it is
    constant, and the column if it is nothing but one."""

    def __init__(self, compiler, type_, code, nullable=True, constant=False, column=None):
        self.compiler, self.type, self.code = compiler, type_, code
        self.nullable, self.constant, self.column = nullable, constant, column

    @property
    def function(self):
        return eval(f"lambda r: {self.code}", self.compiler.names)

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


# What the generated source calls.


def folded(text):
    """Text as the server's collation compares it."""
    return text.rstrip(" ").casefold()


def comparable(t):
    """A function to what Python compares as SQL Server compares the type, or None: the value itself."""
    if t is not None and t.family == "text":
        return folded
    return instant if t is not None and t.name == "datetimeoffset" else None


def instant(v):
    return v[0]


def and3(a, b):
    return False if a is False or b is False else None if a is None or b is None else True


def or3(a, b):
    return True if a or b else None if a is None or b is None else False


def overflow(t):
    raise SqlError(8115, f"Arithmetic overflow error converting expression to data type {t}.")


def like(text, pattern):
    expression = "".join(".*" if c == "%" else "." if c == "_" else re.escape(c) for c in pattern)
    return re.fullmatch(expression, text, re.I | re.S) is not None


def units(text):
    """Length in UTF-16 units, as LEN counts."""
    text = text.rstrip(" ")
    return len(text) if text.isascii() else len(text.encode("utf-16-le")) // 2


def first_unit(text):
    return int.from_bytes(text[0].encode("utf-16-le")[:2], "little") if text else None


def quotient(a, b):
    if b == 0:
        raise SqlError(8134, "Divide by zero error encountered.")
    if isinstance(a, int) and isinstance(b, int):
        return abs(a) // abs(b) * (1 if (a < 0) == (b < 0) else -1)
    return a / b if isinstance(a, float) or isinstance(b, float) else DECIMALS.divide(decimal.Decimal(a), decimal.Decimal(b))


def remainder(a, b):
    """Its sign is that of the dividend."""
    if b == 0:
        raise SqlError(8134, "Divide by zero error encountered.")
    return abs(a) % abs(b) * (-1 if a < 0 else 1) if isinstance(a, int) else a % b


def civil(days):
    return datetime.date.fromordinal(days + 1)


HELPERS = {f.__name__: f for f in (folded, instant, and3, or3, overflow, like, units, first_unit, quotient, remainder, civil)}
# Of one value: type of the result (None: that of the argument), source.
SCALARS = {"ABS": (None, "abs({})"), "LEN": (INT, "units({})"), "UNICODE": (INT, "first_unit({})"),
           "RTRIM": (None, "{}.rstrip(' ')"), "LTRIM": (None, "{}.lstrip(' ')"), "UPPER": (None, "{}.upper()"),
           "LOWER": (None, "{}.lower()")}


class Compiler:
    def __init__(self, scope):
        self.scope, self.names, self._count = scope, dict(HELPERS), 0

    def compile(self, e):
        return getattr(self, "_" + type(e).__name__.lower())(e)

    def condition(self, e):
        """Source that is true when the condition is, and false or None when not."""
        if isinstance(e, nodes.Binary) and e.operator in ("and", "or"):
            return f"({self.condition(e.left)} {e.operator} {self.condition(e.right)})"
        return self.compile(e).code

    def named(self, value):
        """A name for a value in the source."""
        self._count += 1
        self.names[f"k{self._count}"] = value
        return f"k{self._count}"

    def constant(self, t, value):
        code = repr(value) if type(value) is int or value is None else self.named(value)
        return Compiled(self, t, code, value is None, True)

    def made(self, t, code, *operands, nullable=None):
        """An expression over operands: {0}, {1} in the code are theirs, looked at only when none is NULL."""
        names, checks = [], []
        for x in operands:
            if x.nullable:
                self._count += 1
                names.append(f"t{self._count}")
                checks.append(f"(t{self._count} := {x.code}) is None")
            else:
                names.append(x.code)
        code = code.format(*names)
        if checks:
            code = f"(None if {' or '.join(checks)} else {code})"
        made = Compiled(self, t, code, bool(checks) if nullable is None else nullable)
        if operands and all(x.constant for x in operands):
            return self.constant(t, made.value)
        return made

    def _literal(self, e):
        return self.constant(e.type, e.value)

    def _star(self, e):
        raise SqlError(102, "Incorrect syntax near '*'.", 15)

    def _column(self, e):
        i = self.scope.find(e)
        return Compiled(self, self.scope.columns[i][1], f"r[{i}]", column=i)

    def _variable(self, e):
        if e.name.startswith("@@"):
            return self.constant(*self.scope.session.system(e.name))
        if e.name not in self.scope.variables:
            raise SqlError(137, f"Must declare the scalar variable \"{e.name}\".", 15, 2)
        return self.constant(*self.scope.variables[e.name])

    def _unary(self, e):
        x = self.compile(e.operand)
        if e.operator == "is null":
            return Compiled(self, None, f"({x.code} is None)" if x.nullable else "False", False)
        if e.operator == "not":
            return self.made(None, "(not {})", x)
        _want_number(x.type)
        return x if e.operator == "+" else self.made(x.type, "(-{})", x)

    def _binary(self, e):
        left, right = self.compile(e.left), self.compile(e.right)
        if e.operator in ("and", "or"):
            return Compiled(self, None, f"{e.operator}3({left.code}, {right.code})", left.nullable or right.nullable)
        if e.operator == "like":
            if any(x.type is not None and x.type.family != "text" for x in (left, right)):
                raise SqlError(8116, "Argument data type is invalid for argument 1 of like function.")
            return self.made(None, "like({}, {})", left, right)
        if e.operator in COMPARE:
            t = common_type(left.type, right.type)
            return self.made(None, f"({{}} {COMPARE[e.operator]} {{}})", self.prepared(left, t), self.prepared(right, t))
        return self._arithmetic(e.operator, left, right)

    def prepared(self, x, t):
        """The operand in the common type and in the form that compares."""
        if t is not None and x.type is not None and (x.type.family != t.family or x.type != t and t.is_time):
            x = self.cast(x, t)
        form = comparable(t)
        return self.made(x.type, f"{form.__name__}({{}})", x) if form else x

    def _inlist(self, e):
        x, items = self.compile(e.operand), [self.compile(i) for i in e.items]
        t = x.type
        for item in items:
            t = common_type(t, item.type)
        x, items = self.prepared(x, t), [self.prepared(i, t) for i in items]
        if not all(i.constant for i in items):
            tests = [self.made(None, "({} == {})", x, i) for i in items]
            code = tests[0].code
            for test in tests[1:]:
                code = f"or3({code}, {test.code})"
            return Compiled(self, None, code)
        values = {i.value for i in items}
        wanted = self.named(frozenset(values - {None}))
        return self.made(None, f"({{}} in {wanted} or {'None' if None in values else 'False'})", x,
                         nullable=True if None in values else None)

    def _arithmetic(self, operator, left, right):
        if operator == "+" and {x.type.family for x in (left, right) if x.type} == {"text"}:
            return self.made(SqlType("nvarchar", length=4000), "({} + {})", left, right)
        t = common_type(left.type, right.type)
        _want_number(t)
        if t.name == "decimal" or t.name in MONEY:
            scales = [x.type.scale if x.type.name == "decimal" else 0 for x in (left, right)]
            t = SqlType("decimal", precision=38, scale=sum(scales) if operator == "*" else max(scales))
        if operator == "%" and right.constant and t.family == "integer" and (right.value or 0) > 0:
            return self.made(t, "({0} % {1} if {0} >= 0 else -(-{0} % {1}))", self.once(left), right)
        if operator in "/%":
            return self.made(t, "quotient({}, {})" if operator == "/" else "remainder({}, {})", left, right)
        code = f"({{}} {operator} {{}})"
        return self.made(t, self.in_range(code, t), left, right)

    def once(self, x):
        """An operand that a template names several times."""
        return x if x.nullable or x.constant else Compiled(self, x.type, x.code, True)

    def in_range(self, code, t):
        """Source of a result that the type must hold."""
        if t.name not in RANGES:
            return code
        low, high = RANGES[t.name]
        self._count += 1
        name = f"t{self._count}"
        return f"({name} if {low} <= ({name} := {code}) <= {high} else overflow({self.named(t.name)}))"

    def cast(self, x, t):
        if x.type is None or x.type == t:
            return Compiled(self, t, x.code, x.nullable, x.constant)
        if x.type.name in WIDENING and t.name in WIDENING[WIDENING.index(x.type.name):]:
            return Compiled(self, t, x.code, x.nullable, x.constant)
        if t.name == x.type.name == "decimal" and t.scale == x.type.scale and t.precision >= x.type.precision:
            return Compiled(self, t, x.code, x.nullable, x.constant)
        if t.name in ("int", "bigint") and x.type.name == "decimal":
            return self.made(t, self.in_range("int({})", t), x)
        source = x.type
        return self.made(t, self.named(lambda v: convert(v, source, t)) + "({})", x)

    def _cast(self, e):
        return self.cast(self.compile(e.operand), e.type)

    def _case(self, e):
        values = [self.compile(v) for _, v in e.branches] + [self.compile(e.otherwise)]
        t = self.common(values)
        code = self.cast(values[-1], t).code
        for (test, _), value in reversed(list(zip(e.branches, values))):
            code = f"({self.cast(value, t).code} if {self.condition(test)} else {code})"
        return Compiled(self, t, code)

    def common(self, values):
        t = None
        for v in values:
            t = common_type(t, v.type)
        return t

    def _call(self, e):
        if e.name in AGGREGATES:
            raise SqlError(147, "An aggregate may not appear in the WHERE clause unless it is in a subquery contained in a"
                                " HAVING clause or a select list, and the column being aggregated is an outer reference.", 15)
        args = [self.compile(a) for a in e.args]
        if e.name in ("COALESCE", "ISNULL") and len(args) >= 2:
            return self._coalesce(args, args[0].type if e.name == "ISNULL" and args[0].type else self.common(args))
        if e.name in SCALARS and len(args) == 1:
            t, code = SCALARS[e.name]
            return self.made(t or args[0].type, code, args[0], nullable=True if e.name == "UNICODE" else None)
        if e.name == "LEFT" and len(args) == 2:
            return self.made(args[0].type, "{}[:{}]", *args)
        if e.name in ("YEAR", "MONTH", "DAY") and len(args) == 1:
            return self.made(INT, f"civil({{}}).{e.name.lower()}", self.cast(args[0], SqlType("date")))
        if e.name == "TYPE_NAME" and len(args) == 1:
            return self.made(NAME, self.named(TYPE_NAMES.get) + "({})", args[0], nullable=True)
        if all(a.constant for a in args):
            known = self.scope.session.call(e.name, [a.value for a in args])
            if known is not None:
                return self.constant(*known)
        raise SqlError(195, f"'{e.name}' is not a recognized built-in function name.", 15, 10)

    def _coalesce(self, args, t):
        args = [self.cast(a, t) for a in args]
        last = args[-1]
        for a in reversed(args[:-1]):
            self._count += 1
            name = f"t{self._count}"
            last = Compiled(self, t, f"({last.code} if ({name} := {a.code}) is None else {name})", last.nullable)
        return last

    # loops over rows, as one function each

    def function(self, source):
        """The function f of a few lines of source."""
        names = dict(self.names)
        exec(source, names)
        return names["f"]


def _want_number(t):
    if t is not None and not t.is_number:
        raise SqlError(8117, f"Operand data type {t.name} is invalid for this operator.")


class Aggregate:
    """COUNT, SUM, MIN or MAX over the rows of a group."""

    def __init__(self, call, compiler):
        self.name, self.distinct = call.name, call.distinct
        self.star = len(call.args) == 1 and isinstance(call.args[0], nodes.Star)
        if self.star and not call.name.startswith("COUNT") or len(call.args) != 1:
            raise SqlError(102, f"Incorrect syntax near '{'*' if self.star else ')'}'.", 15)
        if self.star:
            self.argument, self.form = None, None
        else:
            self.argument = compiler.compile(call.args[0])
            self.form = comparable(self.argument.type)
            self.values = compiler.function(
                f"def f(rows):\n return [v for r in rows if (v := {self.argument.code}) is not None]")
        self.type = self._result_type()

    def _result_type(self):
        if self.name in ("COUNT", "COUNT_BIG"):
            return INT if self.name == "COUNT" else BIGINT
        t = self.argument.type
        if t is None or t.name == "bit" or self.name == "SUM" and not t.is_number:
            raise SqlError(8117, f"Operand data type {t and t.name} is invalid for {self.name.lower()} operator.")
        if self.name in ("MIN", "MAX"):
            return t
        if t.name == "decimal":
            return SqlType("decimal", precision=38, scale=t.scale)
        return {"integer": BIGINT if t.name == "bigint" else INT, "money": SqlType("money"), "float": SqlType("float")}[t.family]

    def of(self, rows):
        if self.star:
            return len(rows)
        values = self.values(rows)
        if self.distinct:
            values = list({self.form(v): v for v in values}.values()) if self.form else set(values)
        if self.name.startswith("COUNT"):
            return len(values)
        if not values:
            return None
        if self.name != "SUM":
            return (min if self.name == "MIN" else max)(values, key=self.form)
        total = sum(values)
        if self.type.name in RANGES and not RANGES[self.type.name][0] <= total <= RANGES[self.type.name][1]:
            overflow(self.type.name)
        return total


class GroupCompiler(Compiler):
    """Expressions over groups: rows are the values of GROUP BY and then those of the aggregates met."""

    def __init__(self, scope, group):
        super().__init__(scope)
        self.base, self.group, self.aggregates = Compiler(scope), list(group), []
        self.keys = [self.base.compile(g) for g in self.group]

    def compile(self, e):
        if e in self.group:
            i = self.group.index(e)
            return Compiled(self, self.keys[i].type, f"r[{i}]", column=self.keys[i].column)
        if isinstance(e, nodes.Call) and e.name in AGGREGATES:
            aggregate, i = Aggregate(e, self.base), len(self.group) + len(self.aggregates)
            self.aggregates.append(aggregate)
            return Compiled(self, aggregate.type, f"r[{i}]")
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
