"""Text to statements: a tokenizer and a recursive-descent parser of the SQL a reader of one view needs.

Understood: SELECT [DISTINCT] [TOP (n) [WITH TIES]] ... FROM a table or a derived table, WHERE, GROUP BY, HAVING, ORDER BY,
OPTION; SET, USE, BEGIN/COMMIT/ROLLBACK TRANSACTION. Anything else is an error in SQL Server's words.
"""
import decimal
import re
from typing import NamedTuple

from . import errors
from .errors import SqlError
from .nodes import (Begin, Binary, Call, Case, Cast, Column, End, InList, Literal, Select, Set, Star, Table, Unary, Variable)
from .values import BIGINT, INT, SqlType, make_type

KEYWORDS = set("""ALTER AND AS ASC BEGIN BETWEEN BY CASE COMMIT CONVERT CREATE CROSS DECLARE DELETE DESC DISTINCT DROP ELSE END
EXCEPT EXEC EXECUTE EXISTS FETCH FOR FROM FULL GROUP HAVING IF IN INNER INSERT INTERSECT INTO IS JOIN LEFT LIKE MERGE NOT NULL
ON OPTION OR ORDER OUTER PERCENT PRINT RIGHT ROLLBACK SELECT SET THEN TOP TRAN TRANSACTION TRUNCATE UNION UPDATE USE VALUES
WAITFOR WHEN WHERE WHILE WITH""".split())
STATEMENTS = ("SELECT", "SET", "USE", "BEGIN", "IF", "COMMIT", "ROLLBACK")
TOKENS = re.compile(r"""
    (?P<space>\s+ | --[^\n]* | /\*.*?\*/)
  | (?P<text>N?'(?:[^']|'')*')
  | (?P<quoted>\[(?:[^\]]|\]\])+\] | "(?:[^"]|"")+")
  | (?P<hex>0x[0-9a-f]*)
  | (?P<number>(?:\d+\.?\d*|\.\d+)(?:e[+-]?\d+)?)
  | (?P<system>@@[a-z_]\w*)
  | (?P<variable>@[a-z_#$@]\w*)
  | (?P<word>[a-z_\#][\w$\#@]*)
  | (?P<operator><=|>=|<>|!=|[-+*/%=<>(),.;])
""", re.X | re.I | re.S)


class Token(NamedTuple):
    kind: str
    text: str
    line: int


def tokenize(text):
    tokens, at, line = [], 0, 1
    while at < len(text):
        m = TOKENS.match(text, at)
        if not m:
            if text[at] in "'\"[":
                raise SqlError(105, f"Unclosed quotation mark after the character string '{text[at + 1:at + 60]}'.", 15,
                               line=line)
            raise errors.syntax(text[at], line=line)
        if m.lastgroup != "space":
            tokens.append(Token(m.lastgroup, m[0], line))
        line += m[0].count("\n")
        at = m.end()
    tokens.append(Token("end", "", line))
    return tokens


def parse(text):
    """All statements of a batch."""
    return Parser(tokenize(text)).batch()


def parse_declarations(text):
    """'@a int, @b nvarchar(20)' of sp_executesql: {'@a': type}."""
    return Parser(tokenize(text)).declarations()


class Parser:
    def __init__(self, tokens):
        self.tokens, self.at = tokens, 0

    # tokens

    @property
    def token(self):
        return self.tokens[self.at]

    def wrong(self):
        t = self.token
        if t.kind == "end":
            t = self.tokens[self.at - 1] if self.at else t
        return errors.syntax(t.text.strip("[]"), t.kind == "word" and t.text.upper() in KEYWORDS, t.line)

    def is_word(self, *words):
        return self.token.kind == "word" and self.token.text.upper() in words

    def is_operator(self, *operators):
        return self.token.kind == "operator" and self.token.text in operators

    def next(self):
        self.at += 1
        return self.tokens[self.at - 1]

    def accept(self, *words):
        """Takes these words if they come next, all of them."""
        ahead = self.tokens[self.at:self.at + len(words)]
        if len(ahead) == len(words) and all(t.kind in ("word", "operator") and t.text.upper() == w
                                            for t, w in zip(ahead, words)):
            self.at += len(words)
            return True
        return False

    def expect(self, *words):
        for word in words:
            if not self.accept(word):
                raise self.wrong()

    def identifier(self):
        t = self.token
        if t.kind == "quoted":
            self.next()
            return t.text[1:-1].replace("]]", "]") if t.text[0] == "[" else t.text[1:-1].replace('""', '"')
        if t.kind != "word" or t.text.upper() in KEYWORDS:
            raise self.wrong()
        return self.next().text

    # statements

    def batch(self):
        statements = []
        while self.token.kind != "end":
            if self.accept(";"):
                continue
            statements.append(self.statement())
        return statements

    def statement(self):
        if self.is_word("SELECT"):
            return self.select()
        if self.accept("SET"):
            return self.set()
        if self.accept("USE"):
            return Set(self.identifier())
        if self.accept("BEGIN"):
            if not self.accept("TRAN"):
                self.expect("TRANSACTION")
            return Begin()
        guarded = self.accept("IF")
        if guarded:
            if self.token.text.upper() != "@@TRANCOUNT":
                raise self.wrong()
            self.next()
            self.expect(">")
            if self.next().text != "0":
                raise self.wrong()
        if self.is_word("COMMIT", "ROLLBACK"):
            commit = self.next().text.upper() == "COMMIT"
            self.accept("TRAN") or self.accept("TRANSACTION")
            return End(commit, guarded)
        raise self.wrong()

    def set(self):
        """SET and all words to the next statement."""
        if self.token.kind not in ("word", "variable"):
            raise self.wrong()
        self.next()
        while self.token.kind != "end" and not self.is_operator(";") and not self.is_word(*STATEMENTS):
            self.next()
        return Set()

    def select(self):
        self.expect("SELECT")
        s = Select(distinct=self.accept("DISTINCT"))
        if self.accept("TOP"):
            s.top = self.top()
            if self.accept("WITH"):
                self.expect("TIES")
                s.ties = True
        s.items.append(self.item())
        while self.accept(","):
            s.items.append(self.item())
        if self.accept("FROM"):
            s.source = self.source()
        if self.accept("WHERE"):
            s.where = self.condition()
        if self.accept("GROUP"):
            self.expect("BY")
            s.group = self.expressions()
        if self.accept("HAVING"):
            s.having = self.condition()
        if self.accept("ORDER"):
            self.expect("BY")
            s.order.append(self.ordering())
            while self.accept(","):
                s.order.append(self.ordering())
        if s.ties and not s.order:
            raise SqlError(1062, "The TOP N WITH TIES clause is not allowed without a corresponding ORDER BY clause.", 15)
        if self.accept("OPTION"):
            self.options()
        return s

    def top(self):
        if self.accept("("):
            count = self.sum()
            self.expect(")")
            return count
        if self.token.kind != "number":
            raise self.wrong()
        return self.primary()

    def item(self):
        if self.accept("*"):
            return Star(), None
        if self.token.kind in ("word", "quoted") and [t.text for t in self.tokens[self.at + 1:self.at + 3]] == [".", "*"]:
            table = self.identifier()
            self.at += 2
            return Star(table), None
        expression = self.sum()
        if self.accept("AS"):
            return expression, self.literal_name() if self.token.kind == "text" else self.identifier()
        if self.token.kind == "quoted" or self.token.kind == "word" and self.token.text.upper() not in KEYWORDS:
            return expression, self.identifier()
        return expression, None

    def literal_name(self):
        return self.next().text.lstrip("N")[1:-1]

    def source(self):
        if self.accept("("):
            inner = self.select()
            self.expect(")")
            self.accept("AS")
            return inner, self.identifier()
        parts = [self.identifier()]
        while self.accept("."):
            parts.append(self.identifier())
        alias = None
        if self.accept("AS") or self.token.kind == "quoted" or self.token.kind == "word" and \
                self.token.text.upper() not in KEYWORDS:
            alias = self.identifier()
        if self.accept("WITH"):
            self.options()
        if self.is_operator(","):
            raise self.wrong()
        return Table(parts[-2] if len(parts) > 1 else "dbo", parts[-1], alias)

    def options(self):
        """( hint [n], ... ): read over."""
        self.expect("(")
        while not self.accept(")"):
            if self.token.kind not in ("word", "number") and not self.is_operator(","):
                raise self.wrong()
            self.next()

    def ordering(self):
        expression = self.sum()
        descending = self.accept("DESC")
        if not descending:
            self.accept("ASC")
        return expression, descending

    def expressions(self):
        found = [self.sum()]
        while self.accept(","):
            found.append(self.sum())
        return found

    def declarations(self):
        found = {}
        while self.token.kind != "end":
            if self.token.kind != "variable":
                raise self.wrong()
            name = self.next().text.lower()
            self.accept("AS")
            found[name] = self.type()
            if self.token.kind != "end":
                self.expect(",")
        return found

    def type(self):
        name, sizes = self.identifier().lower(), []
        if self.accept("("):
            sizes.append(self.next().text.lower())
            if self.accept(","):
                sizes.append(self.next().text)
            self.expect(")")
        if any(not re.fullmatch(r"\d+|max", s) for s in sizes):
            raise self.wrong()
        return make_type(name, *sizes)

    # conditions

    def condition(self):
        left = self.conjunction()
        while self.accept("OR"):
            left = Binary("or", left, self.conjunction())
        return left

    def conjunction(self):
        left = self.negation()
        while self.accept("AND"):
            left = Binary("and", left, self.negation())
        return left

    def negation(self):
        if self.accept("NOT"):
            return Unary("not", self.negation())
        if self.is_operator("(") and self.opens_condition():
            self.next()
            inner = self.condition()
            self.expect(")")
            return inner
        return self.comparison()

    def opens_condition(self):
        """Whether the parenthesis ahead holds a condition rather than an expression."""
        before = self.at
        try:
            self.next()
            self.condition()
            return self.is_operator(")")
        except SqlError:
            return False
        finally:
            self.at = before

    def comparison(self):
        left = self.sum()
        if self.is_operator("=", "<>", "!=", "<", "<=", ">", ">="):
            operator = self.next().text
            return Binary("<>" if operator == "!=" else operator, left, self.sum())
        if self.accept("IS"):
            negated = self.accept("NOT")
            self.expect("NULL")
            test = Unary("is null", left)
            return Unary("not", test) if negated else test
        negated = self.accept("NOT")
        if self.accept("IN"):
            self.expect("(")
            test = InList(left, tuple(self.expressions()))
            self.expect(")")
        elif self.accept("BETWEEN"):
            low = self.sum()
            self.expect("AND")
            test = Binary("and", Binary(">=", left, low), Binary("<=", left, self.sum()))
        elif self.accept("LIKE"):
            test = Binary("like", left, self.sum())
        else:
            raise self.wrong()
        return Unary("not", test) if negated else test

    # expressions

    def sum(self):
        left = self.product()
        while self.is_operator("+", "-"):
            left = Binary(self.next().text, left, self.product())
        return left

    def product(self):
        left = self.sign()
        while self.is_operator("*", "/", "%"):
            left = Binary(self.next().text, left, self.sign())
        return left

    def sign(self):
        if self.is_operator("-", "+"):
            operator, operand = self.next().text, self.sign()
            if operator == "-" and isinstance(operand, Literal) and operand.type and operand.type.is_number:
                return Literal(-operand.value, operand.type)
            return Unary(operator, operand)
        return self.primary()

    def primary(self):
        t = self.token
        if t.kind == "number":
            return number(self.next().text)
        if t.kind == "text":
            value = self.next().text
            name = "nvarchar" if value[0] in "nN" else "varchar"
            value = value.lstrip("nN")[1:-1].replace("''", "'")
            return Literal(value, SqlType(name, length=max(len(value), 1)))
        if t.kind == "hex":
            digits = self.next().text[2:]
            data = bytes.fromhex("0" * (len(digits) % 2) + digits)
            return Literal(data, SqlType("varbinary", length=max(len(data), 1)))
        if t.kind in ("variable", "system"):
            return Variable(self.next().text.lower())
        if self.accept("("):
            inner = self.sum()
            self.expect(")")
            return inner
        if self.accept("NULL"):
            return Literal(None, None)
        if self.accept("CASE"):
            return self.case()
        if self.accept("CONVERT"):
            self.expect("(")
            target = self.type()
            self.expect(",")
            cast = Cast(self.sum(), target)
            if self.accept(","):
                self.sum()
            self.expect(")")
            return cast
        return self.name()

    def case(self):
        branches, otherwise = [], Literal(None, None)
        operand = None if self.is_word("WHEN") else self.sum()
        while self.accept("WHEN"):
            test = self.condition() if operand is None else Binary("=", operand, self.sum())
            self.expect("THEN")
            branches.append((test, self.sum()))
        if self.accept("ELSE"):
            otherwise = self.sum()
        self.expect("END")
        if not branches:
            raise self.wrong()
        return Case(tuple(branches), otherwise)

    def name(self):
        """A column, perhaps with its table, or a call."""
        if self.is_word("LEFT", "RIGHT") and self.tokens[self.at + 1].text == "(":
            name = self.next().text.upper()
            self.next()
            return self.call(name)
        first = self.identifier()
        if self.accept("("):
            return self.call(first.upper())
        parts = [first]
        while self.accept("."):
            parts.append(self.identifier())
        return Column.of(parts[-1], parts[-2] if len(parts) > 1 else None)

    def call(self, name):
        if name in ("CAST", "TRY_CAST"):
            operand = self.sum()
            self.expect("AS")
            target = self.type()
            self.expect(")")
            return Cast(operand, target)
        if self.accept(")"):
            return Call(name, ())
        distinct = self.accept("DISTINCT")
        if self.accept("*"):
            args = (Star(),)
        else:
            args = tuple(self.expressions())
        self.expect(")")
        return Call(name, args, distinct)


def number(text):
    if "e" in text.lower():
        return Literal(float(text), SqlType("float"))
    if "." not in text:
        value = int(text)
        if value < 2**31:
            return Literal(value, INT)
        # A whole number beyond int is numeric in T-SQL; bigint compares the same and keeps indexes usable.
        return Literal(value, BIGINT) if value < 2**63 else _numeric(text)
    return _numeric(text)


def _numeric(text):
    whole, _, fraction = text.partition(".")
    precision = len(whole.lstrip("0")) + len(fraction)
    if precision > 38:
        raise SqlError(1007, f"The number '{text}' is out of the range for numeric representation (maximum precision 38).", 15)
    return Literal(decimal.Decimal(text), SqlType("decimal", precision=max(precision, 1), scale=len(fraction)))
