"""What the parser makes of SQL text. Equal expressions compare equal, whatever the case of their names."""
from dataclasses import dataclass, field

from .values import SqlType


@dataclass(frozen=True)
class Literal:
    value: object
    type: object  # None: NULL


@dataclass(frozen=True)
class Column:
    name: str = field(compare=False)  # as written
    table: str = field(default=None, compare=False)
    key: str = ""

    @classmethod
    def of(cls, name, table=None):
        return cls(name, table, name.lower())


@dataclass(frozen=True)
class Variable:
    name: str


@dataclass(frozen=True)
class Star:
    table: str = None


@dataclass(frozen=True)
class Unary:
    operator: str  # '-', '+', 'not', 'is null'
    operand: object


@dataclass(frozen=True)
class Binary:
    operator: str  # and or = <> < <= > >= + - * / % like
    left: object
    right: object


@dataclass(frozen=True)
class InList:
    operand: object
    items: tuple


@dataclass(frozen=True)
class Call:
    name: str
    args: tuple
    distinct: bool = False


@dataclass(frozen=True)
class Cast:
    operand: object
    type: SqlType


@dataclass(frozen=True)
class Case:
    branches: tuple  # (condition, value)
    otherwise: object


@dataclass(frozen=True)
class Table:
    schema: str
    name: str
    alias: str = None


@dataclass
class Select:
    items: list = field(default_factory=list)  # (expression, alias or None)
    distinct: bool = False
    top: object = None
    ties: bool = False
    source: object = None  # Table, (Select, alias) or None
    where: object = None
    group: list = field(default_factory=list)
    having: object = None
    order: list = field(default_factory=list)  # (expression, descending)


@dataclass(frozen=True)
class Begin:
    pass


@dataclass(frozen=True)
class End:
    """COMMIT or ROLLBACK; `guarded` by IF @@TRANCOUNT > 0."""
    commit: bool
    guarded: bool = False


@dataclass(frozen=True)
class Set:
    """SET or USE: accepted, without effect."""
    database: str = None
