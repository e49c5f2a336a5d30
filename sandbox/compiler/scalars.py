"""Scalar syntax → total typed expressions. One line of a table for each kind of node.

Reading is split from naming: a subclass says what a column (or, above the release, an aggregate) is; this file says what
everything around it means.
"""

from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Any, cast

from sqlglot import exp

from policies.refusals import Refused, Stage
from policies.terms import SqlType
from sandbox.algebra import Call, Expr, Literal, Op, TimeUnit
from sandbox.compiler import arithmetic, dates
from sandbox.compiler.conditions import alike, among, case, chain, compare, is_truth
from sandbox.compiler.patterns import PATTERN_RUNS_MAX, is_cheap_pattern
from sandbox.compiler.places import position, quoted
from sandbox.compiler.plain_operators import (
    COMPARISONS,
    CONSTANT_TEXT,
    HELD,
    ONE_SIDED,
    TWO_SIDED,
    text,
)
from sandbox.compiler.time_words import PARTS, UNITS
from sandbox.compiler.type_names import TYPE_NAMES, named_type
from sandbox.compiler.types import (
    BOOLEAN,
    INTEGER,
    VARCHAR,
    NoCommonType,
    TooWide,
    UnreadableConstant,
    convert,
    is_integer,
)

TEXT_POSITION_MAX = 10**6


class ScalarReader:
    """Reads one scalar node after the other; what cannot be made total is refused with its place."""

    def __init__(self, sql: str) -> None:
        self.sql = sql

    def column(self, node: exp.Column) -> Expr:
        """Return what a column name stands for; each subclass knows its own scope."""
        raise self.refused("unknown_column", node, name=quoted(node), scope="a constant")

    def is_above(self) -> bool:
        """Tell whether expressions are read over released values."""
        return False

    def refused(self, code: str, node: exp.Expr, **params: Any) -> Refused:
        """Return a refusal that points at `node`."""
        return Refused(code, Stage.RESOLVE, at=position(node, self.sql), **params)

    def read(self, node: exp.Expr) -> Expr:
        """Return the typed, total expression for `node`.

        Refuses: types that do not meet, results that no type holds, arguments that must be constants and are not.
        """
        try:
            return self._read(node)
        except UnreadableConstant as error:
            raise self.refused(
                "sql_argument_refused",
                node,
                name=str(error.value)[:40],
                need=f"a constant that reads as {error.target}",
                cure="correct the constant, or cast the other side",
            ) from None
        except NoCommonType:
            operands = ", ".join(quoted(part) for part in node.iter_expressions())
            raise self.refused(
                "sql_type_mismatch", node, what=quoted(node), types=f"the types of {operands}"
            ) from None
        except TooWide:
            raise self.refused("expression_may_overflow", node, what=quoted(node)) from None

    def _read(self, node: exp.Expr) -> Expr:
        kind = type(node)
        if kind in TWO_SIDED:
            if isinstance(node.expression, exp.Interval):
                return self._shift(node)
            return self._combined(kind, self.read(node.this), self.read(node.expression))
        if kind in ONE_SIDED:
            return ONE_SIDED[kind](self.read(node.this))
        if kind in COMPARISONS:
            return self._compare(COMPARISONS[kind], node.this, node.expression)
        if kind in CONSTANT_TEXT:
            return self._constant_text(CONSTANT_TEXT[kind], node)
        if kind in PARTS:
            return dates.part(PARTS[kind], self.read(node.this))
        reader = _READERS.get(kind)
        if reader is None:
            raise self.refused(
                "sql_feature_refused",
                node,
                what=quoted(node),
                cure="it has no meaning at this place",
            )
        return reader(self, node)

    def _combined(self, kind: type[exp.Expr], a: Expr, b: Expr) -> Expr:
        try:
            return TWO_SIDED[kind](a, b)
        except TooWide:
            # Above the noise a value that fits no type may be NULL: which it is tells of noisy values only.
            if kind not in HELD or not self.is_above():
                raise
            return arithmetic.held(HELD[kind], a, b)

    def _column(self, node: exp.Expr) -> Expr:
        return self.column(cast("exp.Column", node))

    def _paren(self, node: exp.Expr) -> Expr:
        return self.read(node.this)

    def _literal(self, node: exp.Expr) -> Expr:
        if node.args.get("is_string"):
            return Literal(VARCHAR, str(node.this))
        return arithmetic.number_literal(str(node.this))

    def _null(self, _: exp.Expr) -> Expr:
        return Literal(INTEGER, None)

    def _boolean(self, node: exp.Expr) -> Expr:
        return Literal(BOOLEAN, bool(node.this))

    def _connector(self, node: exp.Expr) -> Expr:
        op = Op.AND if isinstance(node, exp.And) else Op.OR
        parts = tuple(convert(self.read(part), BOOLEAN) for part in chain(node))
        return Call(op, parts, BOOLEAN)

    def _compare(self, op: Op, left: exp.Expr, right: exp.Expr) -> Expr:
        return compare(op, self.read(left), self.read(right))

    def _is(self, node: exp.Expr) -> Expr:
        subject = self.read(node.this)
        if isinstance(node.expression, exp.Null):
            return Call(Op.IS_NULL, (subject,), BOOLEAN)
        if isinstance(node.expression, exp.Boolean):
            return is_truth(subject, bool(node.expression.this))
        raise NoCommonType

    def _distinct_from(self, node: exp.Expr) -> Expr:
        differs = self._compare(Op.IS_DISTINCT, node.this, node.expression)
        same = isinstance(node, exp.NullSafeEQ)
        return Call(Op.NOT, (differs,), BOOLEAN) if same else differs

    def _between(self, node: exp.Expr) -> Expr:
        low = self._compare(Op.GE, node.this, node.args["low"])
        high = self._compare(Op.LE, node.this, node.args["high"])
        return Call(Op.AND, (low, high), BOOLEAN)

    def nested(self, node: exp.Expr) -> Expr:
        """Return the value of a query inside the expression; only rows have one, see scope.py."""
        raise self.refused(
            "sql_feature_refused",
            node,
            what="a subquery at this place",
            cure="move it to WHERE, or join it",
        )

    def _in(self, node: exp.Expr) -> Expr:
        if node.args.get("query") is not None:
            return self.nested(node)
        items = [self.read(item) for item in node.expressions]
        if not items or not all(isinstance(item, Literal) for item in items):
            raise self.refused(
                "sql_argument_refused",
                node,
                name="IN",
                need="a list of constants",
                cure="write the values out, or join a table",
            )
        return among(self.read(node.this), items)

    def _case(self, node: exp.Expr) -> Expr:
        subject = self.read(node.this) if node.this else None
        whens, thens = [], []
        for branch in node.args["ifs"]:
            when = self.read(branch.this)
            whens.append(
                convert(when, BOOLEAN) if subject is None else compare(Op.EQ, subject, when)
            )
            thens.append(self.read(branch.args["true"]))
        default = node.args.get("default")
        return case(whens, thens, self.read(default) if default is not None else None)

    def _if(self, node: exp.Expr) -> Expr:
        default = node.args.get("false")
        return case(
            [convert(self.read(node.this), BOOLEAN)],
            [self.read(node.args["true"])],
            self.read(default) if default is not None else None,
        )

    def _alike(self, node: exp.Expr) -> Expr:
        rest = node.expressions or [node.expression]
        # `least(, 1)`: the parser drops what is missing
        parts = [part for part in (node.this, *rest) if part is not None]
        return alike(_ALIKE[type(node)], tuple(self.read(part) for part in parts))

    def _round(self, node: exp.Expr) -> Expr:
        digits = node.args.get("decimals")
        return arithmetic.round_to(
            self.read(node.this), self._whole_constant(digits, node) if digits is not None else 0
        )

    def _cast(self, node: exp.Expr) -> Expr:
        target = self._data_type(node.args["to"], node)
        subject = self.read(node.this)
        if isinstance(subject, Literal):
            try:
                return convert(subject, target)
            except UnreadableConstant:
                if isinstance(subject.value, str):  # a slip; `2.5::INTEGER` rounds like any value
                    raise
        return Call(Op.CAST, (subject,), target) if subject.type != target else subject

    def _data_type(self, node: exp.Expr, cast_node: exp.Expr) -> SqlType:
        sizes = [self._whole_constant(part.this, cast_node) for part in node.expressions]
        found = named_type(str(node.this.value), tuple(sizes))
        if found is None:
            raise self.refused(
                "sql_feature_refused",
                cast_node,
                what=node.sql(dialect="duckdb"),
                cure=f"cast to one of {TYPE_NAMES}",
            )
        return found

    def _substring(self, node: exp.Expr) -> Expr:
        start, length = node.args.get("start"), node.args.get("length")
        if start is None or length is None:
            raise self.refused(
                "sql_argument_refused",
                node,
                name="substring",
                need="a constant start and length",
                cure="write substring(text, start, length)",
            )
        numbers = [self._whole_constant(part, node) for part in (start, length)]
        args = (text(self.read(node.this)), *map(arithmetic.integer_literal, numbers))
        return Call(Op.SUBSTRING, args, VARCHAR)

    def _edge(self, node: exp.Expr) -> Expr:
        op = Op.LEFT if isinstance(node, exp.Left) else Op.RIGHT
        count = self._whole_constant(node.expression, node)
        return Call(op, (text(self.read(node.this)), arithmetic.integer_literal(count)), VARCHAR)

    def _join_text(self, node: exp.Expr) -> Expr:
        parts = (text(self.read(node.this)), text(self.read(node.expression)))
        if all(isinstance(part, Literal) and part.value is not None for part in parts):
            return Literal(VARCHAR, "".join(str(p.value) for p in parts if isinstance(p, Literal)))
        return Call(Op.CONCAT, parts, VARCHAR)

    def _constant_text(self, op: Op, node: exp.Expr) -> Expr:
        pattern = self.read(node.expression)
        if not isinstance(pattern, Literal) or not isinstance(pattern.value, str):
            raise self.refused(
                "sql_argument_refused",
                node,
                name=op.value,
                need="a constant pattern",
                cure="write the text out; a pattern taken from a row could raise",
            )
        if op in (Op.LIKE, Op.ILIKE) and not is_cheap_pattern(pattern.value):
            raise self.refused(
                "sql_argument_refused",
                node,
                name=op.value,
                need="a pattern with few wildcards",
                cure=f"use at most {PATTERN_RUNS_MAX} `%`, or 2 beside `_`",
            )
        found = Call(op, (text(self.read(node.this)), pattern), BOOLEAN)
        return Call(Op.NOT, (found,), BOOLEAN) if node.args.get("negate") else found

    def _date_part(self, node: exp.Expr) -> Expr:
        if isinstance(node, exp.Extract):
            unit, subject = node.this, node.expression
        else:
            if len(node.expressions) != 2:
                raise NoCommonType
            unit, subject = node.expressions
        return dates.part(self._unit(unit, node), self.read(subject))

    def _date_trunc(self, node: exp.Expr) -> Expr:
        return dates.truncate(self._unit(node.args["unit"], node), self.read(node.this))

    def _date_diff(self, node: exp.Expr) -> Expr:
        unit = self._unit(node.args.get("unit"), node)
        start, end = self.read(node.expression), self.read(node.this)
        return dates.difference(unit, start, end)

    def _shift(self, node: exp.Expr) -> Expr:
        interval = node.expression
        unit = self._unit(interval.args.get("unit"), node)
        amount = self._whole_constant(interval.this, node)
        sign = -1 if isinstance(node, exp.Sub) else 1
        return dates.shift(self.read(node.this), sign * amount, unit)

    def _unit(self, node: exp.Expr | None, around: exp.Expr) -> TimeUnit:
        word = str(node.this).lower() if isinstance(node, (exp.Var, exp.Literal)) else ""
        unit = UNITS.get(word)
        if unit is None:
            raise self.refused(
                "sql_argument_refused",
                around,
                name=quoted(around),
                need="a constant unit of time",
                cure=f"use one of {', '.join(sorted(set(UNITS.values())))}",
            )
        return unit

    def _whole_constant(self, node: exp.Expr, around: exp.Expr) -> int:
        value = self.read(node)
        if isinstance(value, Literal) and isinstance(value.value, str):
            value = arithmetic.number_literal(value.value) if value.value.isdecimal() else value
        number = value.value if isinstance(value, Literal) else None
        if (
            not isinstance(number, int)
            or abs(number) > TEXT_POSITION_MAX
            or not is_integer(value.type)
        ):
            raise self.refused(
                "sql_argument_refused",
                around,
                name=quoted(around),
                need="a small whole-number constant",
                cure="write the number out",
            )
        return number


_ALIKE: Mapping[type[exp.Expr], Op] = MappingProxyType(
    {
        exp.Coalesce: Op.COALESCE,
        exp.Nullif: Op.NULLIF,
        exp.Least: Op.LEAST,
        exp.Greatest: Op.GREATEST,
    }
)

_READERS: Mapping[type[exp.Expr], Callable[[ScalarReader, exp.Expr], Expr]] = MappingProxyType(
    {
        exp.Column: ScalarReader._column,
        exp.Paren: ScalarReader._paren,
        exp.Literal: ScalarReader._literal,
        exp.Null: ScalarReader._null,
        exp.Boolean: ScalarReader._boolean,
        exp.And: ScalarReader._connector,
        exp.Or: ScalarReader._connector,
        exp.Is: ScalarReader._is,
        exp.NullSafeEQ: ScalarReader._distinct_from,
        exp.NullSafeNEQ: ScalarReader._distinct_from,
        exp.Between: ScalarReader._between,
        exp.In: ScalarReader._in,
        exp.Exists: lambda reader, node: reader.nested(node),
        exp.Subquery: lambda reader, node: reader.nested(node),
        exp.Case: ScalarReader._case,
        exp.If: ScalarReader._if,
        exp.Coalesce: ScalarReader._alike,
        exp.Nullif: ScalarReader._alike,
        exp.Least: ScalarReader._alike,
        exp.Greatest: ScalarReader._alike,
        exp.Round: ScalarReader._round,
        exp.Cast: ScalarReader._cast,
        exp.TryCast: ScalarReader._cast,
        exp.Substring: ScalarReader._substring,
        exp.Left: ScalarReader._edge,
        exp.Right: ScalarReader._edge,
        exp.DPipe: ScalarReader._join_text,
        exp.Extract: ScalarReader._date_part,
        exp.Anonymous: ScalarReader._date_part,
        exp.TimestampTrunc: ScalarReader._date_trunc,
        exp.DateTrunc: ScalarReader._date_trunc,
        exp.DateDiff: ScalarReader._date_diff,
    }
)
