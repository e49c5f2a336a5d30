"""UNION, EXCEPT and INTERSECT below the release: which unit the rows of the outcome belong to."""

from collections.abc import Mapping
from types import MappingProxyType

from sqlglot import exp

from sandbox.algebra import Branch, Column, Expr, SetKind, SetOperation
from sandbox.compiler.question import Reading
from sandbox.compiler.rows import Named, Rows, public_rows, unit_of
from sandbox.compiler.table_value import TableValue
from sandbox.compiler.types import NoCommonType, TooWide, common_type, convert

_KINDS: Mapping[tuple[type[exp.Expr], bool], SetKind] = MappingProxyType(
    {
        (exp.Union, False): SetKind.UNION_ALL,
        (exp.Union, True): SetKind.UNION,
        (exp.Except, False): SetKind.EXCEPT_ALL,
        (exp.Except, True): SetKind.EXCEPT,
        (exp.Intersect, False): SetKind.INTERSECT_ALL,
        (exp.Intersect, True): SetKind.INTERSECT,
    }
)
_UNIONS = frozenset({SetKind.UNION_ALL, SetKind.UNION})


def combine(node: exp.Expr, left: TableValue, right: TableValue, reading: Reading) -> TableValue:
    """Return two tables put together.

    Refuses: other numbers of columns, types that do not meet, public rows where a unit is needed, and comparisons in which
    the unit has no part the query can see.
    """
    kind = _KINDS[type(node), bool(node.args.get("distinct"))]
    if len(left.columns) != len(right.columns):
        raise reading.refused(
            "sql_type_mismatch", node, what=_words(node), types="another number of columns"
        )
    pairs = [
        _met(node, a.expr, b.expr, reading)
        for a, b in zip(left.columns, right.columns, strict=True)
    ]
    _check_units(node, kind, left, right, reading)
    number = reading.number(node)
    relation = SetOperation(
        number,
        kind,
        _branch(left.rows, tuple(a for a, _ in pairs)),
        _branch(right.rows, tuple(b for _, b in pairs)),
    )
    columns = tuple(
        Named(named.name, Column(number, f"c{index}", pair[0].type))
        for index, (named, pair) in enumerate(zip(left.columns, pairs, strict=True))
    )
    return TableValue(_rows(relation, columns, left, right), columns)


def _met(node: exp.Expr, a: Expr, b: Expr, reading: Reading) -> tuple[Expr, Expr]:
    try:
        met = common_type((a, b))
        return convert(a, met), convert(b, met)
    except (NoCommonType, TooWide):
        raise reading.refused(
            "sql_type_mismatch", node, what=_words(node), types=f"{a.type} and {b.type}"
        ) from None


def _check_units(
    node: exp.Expr, kind: SetKind, left: TableValue, right: TableValue, reading: Reading
) -> None:
    ours, theirs = left.rows.unit is not None, right.rows.unit is not None
    if ours != theirs and (kind in _UNIONS or theirs):
        raise reading.unsupported(
            node, f"{_words(node)} of public and private rows", "combine tables of the same people"
        )
    if ours and not theirs and kind in (SetKind.EXCEPT_ALL, SetKind.INTERSECT_ALL):
        raise reading.unsupported(node, f"{_words(node)} ALL with public rows", "leave ALL out")
    if ours and theirs and kind is not SetKind.UNION_ALL and not _same_place(left, right):
        # The hidden unit takes part in the comparison: without it among the columns, SQL means something else.
        raise reading.unsupported(
            node,
            f"{_words(node)} without the unit's key",
            "select the unit's key at the same position of both, or use UNION ALL",
        )


def _same_place(left: TableValue, right: TableValue) -> bool:
    return any(
        a.expr in left.rows.keys and b.expr in right.rows.keys
        for a, b in zip(left.columns, right.columns, strict=True)
    )


def _branch(rows: Rows, columns: tuple[Expr, ...]) -> Branch:
    return Branch(rows.relation, () if rows.unit is None else (rows.unit,), columns)


def _rows(
    relation: SetOperation, columns: tuple[Named, ...], left: TableValue, right: TableValue
) -> Rows:
    if left.rows.unit is None:
        return public_rows(relation, left.rows.name)
    either = relation.kind in _UNIONS
    known = frozenset(
        column.expr
        for column, a, b in zip(columns, left.columns, right.columns, strict=True)
        if isinstance(column.expr, Column)
        and a.expr in left.rows.keys
        and (b.expr in right.rows.keys or not either)
    )
    return Rows(relation, unit_of(relation.id), frozenset(), known, left.rows.name)


def _words(node: exp.Expr) -> str:
    return type(node).__name__.upper()
