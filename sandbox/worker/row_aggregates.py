"""The closed list of exact aggregates over rows: each with its type, and one form that is total and knows no order.

Statement   On the same multiset of values the form gives the same value, whatever the order of rows and the number of
            threads, and it never raises: not on NULL, NaN, infinities, the ends of the types, or no rows at all.
Reason      docs/proofs/totality.md, part 2. DuckDB's own forms differ: sums of DOUBLE depend on the order of rows, ties of
            mode and arg_max on which row comes first, so that removing one person changed values of thousands of others;
            sums of HUGEINT overflow with an error, and no TRY may stand around an aggregate.
"""

from collections.abc import Callable
from dataclasses import dataclass
from types import MappingProxyType

from policies.terms import SqlType, TypeKind
from sandbox.algebra import Aggregation, RowAggregate
from sandbox.worker.sql_types import (
    BIGINT,
    BOOLEAN,
    DECIMAL_DIGITS_MAX,
    DOUBLE,
    HUGEINT,
    NotRenderable,
    is_integer,
    is_number,
    name_of,
)

# With fewer than 10**12 rows, no sum of values below this leaves 38 digits, and so none leaves 128 bits.
SUMMED_DIGITS_MAX = 26

Types = tuple[SqlType, ...]
# (name of the aggregate, argument texts, argument types) → SQL. Arguments are names of columns: they may be repeated.
Form = Callable[[str, tuple[str, ...], Types], str]


@dataclass(frozen=True, slots=True)
class RowForm:
    """One allowed aggregate: the type of its value, which refuses argument types, and its total form."""

    type_of: Callable[[Types], SqlType]
    render: Form


def settled_double(text: str, type_: SqlType) -> str:
    """Return a value with -0 as 0 and one NaN: equal values of which either could stand for both show no difference.

    Text tells them apart (`-0.0`, `-nan`), so which one a group keeps would show the order of rows.
    """
    if type_ != DOUBLE:
        return text
    return f"(CASE WHEN isnan({text}) THEN 'nan'::DOUBLE ELSE {text} + 0.0::DOUBLE END)"


def addable(text: str, type_: SqlType) -> str:
    """Return a number held within digits whose sum has room."""
    digits = DECIMAL_DIGITS_MAX if type_ == HUGEINT else type_.precision
    if digits <= SUMMED_DIGITS_MAX:
        return settled_double(text, type_)
    most = "9" * SUMMED_DIGITS_MAX
    if type_.kind is TypeKind.DECIMAL and type_.scale:
        # As text with a point: a literal of the type itself, so that no hidden cast decides.
        digits_before = SUMMED_DIGITS_MAX - type_.scale
        most = f"{'9' * digits_before or '0'}.{'9' * min(type_.scale, SUMMED_DIGITS_MAX)}"
        if digits_before < 0:
            most = "0." + "0" * -digits_before + "9" * SUMMED_DIGITS_MAX
    low, high = (f"CAST('{sign}{most}' AS {name_of(type_)})" for sign in ("-", ""))
    # NULL first: least and greatest skip it.
    return f"(CASE WHEN {text} IS NOT NULL THEN least(greatest({text}, {low}), {high}) END)"


def sum_type(types: Types) -> SqlType:
    """Return the type of a sum, as DuckDB has it."""
    (type_,) = _count(types, 1)
    if is_integer(type_):
        return HUGEINT
    if type_.kind is TypeKind.DECIMAL:
        return SqlType(TypeKind.DECIMAL, DECIMAL_DIGITS_MAX, type_.scale)
    return _number(type_)


def double_of_number(types: Types) -> SqlType:
    """Return DOUBLE for one number."""
    _number(*_count(types, 1))
    return DOUBLE


def same_type(types: Types) -> SqlType:
    """Return the type of the one argument."""
    return _count(types, 1)[0]


def count_type(types: Types) -> SqlType:
    """Return the type of a count, of rows or of values."""
    if len(types) > 1:
        raise NotRenderable("a count has at most one argument")
    return BIGINT


def is_wide(type_: SqlType) -> bool:
    """Tell whether sums of the type could leave 38 digits."""
    return type_ == HUGEINT or type_.precision > SUMMED_DIGITS_MAX


def _count(types: Types, count: int) -> Types:
    if len(types) != count:
        raise NotRenderable(f"the aggregate has {count} arguments")
    return types


def _number(type_: SqlType) -> SqlType:
    if not is_number(type_):
        raise NotRenderable("the aggregate is of numbers")
    return type_


def _distinct_type(types: Types) -> SqlType:
    _count(types, 1)
    return BIGINT


def _truth_type(types: Types) -> SqlType:
    if types != (BOOLEAN,):
        raise NotRenderable("the aggregate is of truth values")
    return BOOLEAN


def _median_type(types: Types) -> SqlType:
    (type_,) = _count(types, 1)
    return DOUBLE if is_integer(type_) else _number(type_)


def _chosen_type(types: Types) -> SqlType:
    return _count(types, 2)[0]


def _counted(_: str, args: tuple[str, ...], types: Types) -> str:
    return f"count({args[0]})" if args else "count(*)"


def _distinct(_: str, args: tuple[str, ...], types: Types) -> str:
    return f"count(DISTINCT {settled_double(args[0], types[0])})"


def _summed(_: str, args: tuple[str, ...], types: Types) -> str:
    if types == (DOUBLE,):
        return in_value_order("sum", args[0])
    return f"sum({addable(args[0], types[0])})"


def _averaged(_: str, args: tuple[str, ...], types: Types) -> str:
    if types == (DOUBLE,) or is_wide(types[0]):
        return in_value_order("avg", args[0])
    return f"avg({args[0]})"


def _plain(name: str, args: tuple[str, ...], types: Types) -> str:
    return f"{name}({settled_double(args[0], types[0])})"


def _spread(name: str, args: tuple[str, ...], types: Types) -> str:
    return in_value_order(name, args[0])


def _commonest(_: str, args: tuple[str, ...], types: Types) -> str:
    # Of several commonest values DuckDB keeps the one it met first: in value order, the smallest.
    value = settled_double(args[0], types[0])
    return f"mode({value} ORDER BY {value})"


def _least_by(_: str, args: tuple[str, ...], types: Types) -> str:
    return _chosen(args, types, "ASC")


def _most_by(_: str, args: tuple[str, ...], types: Types) -> str:
    return _chosen(args, types, "DESC")


def _chosen(args: tuple[str, ...], types: Types, direction: str) -> str:
    # DuckDB passes over rows in which either is NULL; of ties the smallest value is taken.
    value = settled_double(args[0], types[0])
    both = f"CASE WHEN {args[1]} IS NOT NULL THEN {value} END"
    by = f"CASE WHEN {args[0]} IS NOT NULL THEN {args[1]} END"
    return f"first({both} ORDER BY {by} {direction} NULLS LAST, {value} ASC NULLS LAST)"


def in_value_order(name: str, text: str) -> str:
    """Return an aggregate over DOUBLE that takes its values from the smallest up."""
    value = settled_double(f"CAST({text} AS DOUBLE)", DOUBLE)
    return f"{name}({value} ORDER BY {value})"


# One visible line for each aggregate: one without a line here cannot reach a row.
ROW_AGGREGATES = MappingProxyType[RowAggregate, RowForm](
    {
        RowAggregate.COUNT: RowForm(count_type, _counted),
        RowAggregate.COUNT_DISTINCT: RowForm(_distinct_type, _distinct),
        RowAggregate.SUM: RowForm(sum_type, _summed),
        RowAggregate.AVG: RowForm(double_of_number, _averaged),
        RowAggregate.MIN: RowForm(same_type, _plain),
        RowAggregate.MAX: RowForm(same_type, _plain),
        RowAggregate.BOOL_AND: RowForm(_truth_type, _plain),
        RowAggregate.BOOL_OR: RowForm(_truth_type, _plain),
        RowAggregate.MEDIAN: RowForm(_median_type, _plain),
        RowAggregate.VAR_SAMP: RowForm(double_of_number, _spread),
        RowAggregate.VAR_POP: RowForm(double_of_number, _spread),
        RowAggregate.STDDEV_SAMP: RowForm(double_of_number, _spread),
        RowAggregate.STDDEV_POP: RowForm(double_of_number, _spread),
        RowAggregate.ARG_MIN: RowForm(_chosen_type, _least_by),
        RowAggregate.ARG_MAX: RowForm(_chosen_type, _most_by),
        RowAggregate.MODE: RowForm(same_type, _commonest),
    }
)


def check_aggregation(aggregation: Aggregation) -> None:
    """Refuse (NotRenderable) an aggregate whose type is not the one DuckDB gives it."""
    types = tuple(arg.type for arg in aggregation.args)
    if ROW_AGGREGATES[aggregation.function].type_of(types) != aggregation.type:
        raise NotRenderable("an aggregate over rows has another type")


def render_aggregation(aggregation: Aggregation, args: tuple[str, ...]) -> str:
    """Return the total form over columns of these names, FILTER apart."""
    check_aggregation(aggregation)
    types = tuple(arg.type for arg in aggregation.args)
    return ROW_AGGREGATES[aggregation.function].render(aggregation.function.value, args, types)
