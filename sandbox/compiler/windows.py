"""Window functions below the release: inside the rows of one unit, or over public rows."""

from collections.abc import Mapping
from types import MappingProxyType

from sqlglot import exp

from policies.terms import SqlType, TypeKind
from sandbox.algebra import (
    AggregateRef,
    Call,
    Column,
    Expr,
    Frame,
    GroupingRef,
    KeyRef,
    Literal,
    Op,
    RowOrder,
    Windowed,
    WindowFunction,
    walk,
)
from sandbox.compiler.derive import own, project
from sandbox.compiler.keyed import holds_window, whole_number
from sandbox.compiler.places import quoted
from sandbox.compiler.rows import Rows
from sandbox.compiler.scalars import ScalarReader
from sandbox.compiler.scope import Scope, condition
from sandbox.compiler.types import BIGINT, DOUBLE, HUGEINT, INTEGER, is_integer, is_numeric

_NAMES = (Column, KeyRef, AggregateRef, GroupingRef)  # what an expression reads a row by

FRAME_MAX = 1_000_000
EXACT_DIGITS = 26  # of a decimal whose sums are exact beside the data
_WIDE = "cast to a DECIMAL of at most 26 digits"

_RANKS: Mapping[type[exp.Expr], WindowFunction] = MappingProxyType(
    {
        exp.RowNumber: WindowFunction.ROW_NUMBER,
        exp.Rank: WindowFunction.RANK,
        exp.DenseRank: WindowFunction.DENSE_RANK,
    }
)
_VALUES: Mapping[type[exp.Expr], WindowFunction] = MappingProxyType(
    {
        exp.Lag: WindowFunction.LAG,
        exp.Lead: WindowFunction.LEAD,
        exp.FirstValue: WindowFunction.FIRST_VALUE,
        exp.LastValue: WindowFunction.LAST_VALUE,
        exp.Min: WindowFunction.MIN,
        exp.Max: WindowFunction.MAX,
    }
)
_NUMBERS: Mapping[type[exp.Expr], WindowFunction] = MappingProxyType(
    {exp.Sum: WindowFunction.SUM, exp.Avg: WindowFunction.AVG}
)
_FILTERED = frozenset(
    {
        WindowFunction.COUNT,
        WindowFunction.SUM,
        WindowFunction.AVG,
        WindowFunction.MIN,
        WindowFunction.MAX,
    }
)
_FRAMED = frozenset({*_FILTERED, WindowFunction.FIRST_VALUE, WindowFunction.LAST_VALUE})


class WindowReader(ScalarReader):
    """Reads expressions over rows that have window functions beside them.

    What holds no window function is passed on from the rows below as a column of its own.
    """

    def __init__(self, scope: Scope, below: ScalarReader, select: exp.Select, number: int) -> None:
        super().__init__(scope.sql)
        self.scope = scope
        self.below = below
        self.id = number
        self.released = (
            False  # no row here is one person's: sums of DOUBLE may come in order of value
        )
        self.named = {str(w.this.name).lower(): w for w in select.args.get("windows") or []}
        self.passed: list[Expr] = []
        self.windows: list[Windowed] = []

    def is_above(self) -> bool:
        """Tell whether the rows are released ones."""
        return self.below.is_above()

    def read(self, node: exp.Expr) -> Expr:
        """Return the expression over passed columns and windows."""
        if isinstance(node, exp.Window):
            return self._window(node)
        if isinstance(node, exp.Column) and self._is_windowed_alias(node):
            return self.read(self.scope.aliases[node.name.lower()])
        if not holds_window(node) and not self._reads_windowed_alias(node):
            return self._pass(self.below.read(node))
        return super().read(node)

    def rows(self, rows: Rows) -> Rows:
        """Return the rows with their passed columns and windows."""
        return project(self.id, rows, tuple(self.passed), tuple(self.windows), rows.name)

    def _is_windowed_alias(self, node: exp.Column) -> bool:
        aliased = self.scope.aliases.get(node.name.lower()) if not node.table else None
        if aliased is None or not holds_window(aliased):
            return False
        return self.scope.column(node) is None

    def _reads_windowed_alias(self, node: exp.Expr) -> bool:
        return any(self._is_windowed_alias(column) for column in node.find_all(exp.Column))

    def _pass(self, expr: Expr) -> Expr:
        if not any(isinstance(node, _NAMES) for node in walk(expr)):
            return expr
        if expr not in self.passed:
            self.passed.append(expr)
        return own(self.id, self.passed.index(expr), expr)

    def _window(self, node: exp.Window) -> Expr:
        shape = self._named(node)
        function, args, type_ = self._filtered(node.this)
        partition = tuple(self.below.read(p) for p in shape.args.get("partition_by") or [])
        order = self._order(shape)
        frame = self._frame(shape, function)
        if order or frame:
            self._check_moving(node, function, args)
        if not order and function not in _FRAMED:
            raise self.refused(
                "sql_feature_refused",
                node,
                what=quoted(node),
                cure="add ORDER BY to its OVER clause",
            )
        found = Windowed(function, args, partition, order, frame, type_)
        if found not in self.windows:
            self.windows.append(found)
        return Column(self.id, f"w{self.windows.index(found)}", type_)

    def _named(self, node: exp.Window) -> exp.Window:
        name = node.alias.lower() if node.args.get("alias") else ""
        if not name:
            return node
        if name not in self.named:
            raise self.refused("unknown_column", node, name=name, scope="WINDOW")
        found: exp.Window = self.named[name]
        return found

    def _filtered(self, node: exp.Expr) -> tuple[WindowFunction, tuple[Expr, ...], SqlType]:
        """Return a function with its arguments; those of the rows that its FILTER leaves out are NULL."""
        if not isinstance(node, exp.Filter):
            return self._function(node)
        function, args, type_ = self._function(node.this)
        if function not in _FILTERED:
            raise self.refused(
                "sql_feature_refused",
                node,
                what=quoted(node),
                cure="docs/SQL.md lists the window functions",
            )
        kept = condition(self.below, node.expression.this)
        value = args[0] if args else Literal(INTEGER, 1)
        return function, (Call(Op.CASE, (kept, value), value.type),), type_

    def _check_moving(
        self, node: exp.Window, function: WindowFunction, args: tuple[Expr, ...]
    ) -> None:
        """Refuse moving sums of what is not added exactly; over a whole partition they are added from the smallest up."""
        if function not in _NUMBERS.values() or self.is_above():  # above, all are
            return
        type_ = args[0].type
        wide = function is WindowFunction.AVG and (
            type_ == HUGEINT or type_.precision > EXACT_DIGITS
        )
        if type_ == DOUBLE or wide:
            cure = (
                _WIDE if wide else "cast to a DECIMAL: sums of DOUBLE depend on the order of rows"
            )
            what = f"{quoted(node.this)} over {type_}"
            raise self.refused("sql_feature_refused", node, what=what, cure=cure)

    def _function(self, node: exp.Expr) -> tuple[WindowFunction, tuple[Expr, ...], SqlType]:
        kind = type(node)
        if kind in _RANKS:
            return _RANKS[kind], (), BIGINT
        if isinstance(node, exp.Count) and not isinstance(node.this, exp.Distinct):
            counts_rows = node.this is None or isinstance(node.this, exp.Star)
            return (
                WindowFunction.COUNT,
                () if counts_rows else (self.below.read(node.this),),
                BIGINT,
            )
        if kind in _NUMBERS:
            value = self.below.read(node.this)
            return _NUMBERS[kind], (value,), self._number_type(node, value)
        if kind not in _VALUES:
            raise self.refused(
                "sql_feature_refused",
                node,
                what=quoted(node),
                cure="docs/SQL.md lists the window functions",
            )
        value = self.below.read(node.this)
        if kind in (exp.Lag, exp.Lead):
            return _VALUES[kind], (value, self._distance(node)), value.type
        return _VALUES[kind], (value,), value.type

    def _number_type(self, node: exp.Expr, value: Expr) -> SqlType:
        if not is_numeric(value.type):
            raise self.refused("sql_type_mismatch", node, what=quoted(node), types=str(value.type))
        if isinstance(node, exp.Avg) or value.type == DOUBLE:
            return DOUBLE
        if is_integer(value.type):
            return HUGEINT
        return SqlType(TypeKind.DECIMAL, 38, value.type.scale)

    def _distance(self, node: exp.Expr) -> Expr:
        offset = node.args.get("offset")
        distance = 1 if offset is None else whole_number(offset)
        if not 0 <= distance <= FRAME_MAX or node.args.get("default") is not None:
            raise self.refused(
                "sql_argument_refused",
                node,
                name=quoted(node),
                need="a small whole-number constant",
                cure="write the number out",
            )
        return Literal(BIGINT, distance)

    def _order(self, shape: exp.Window) -> tuple[RowOrder, ...]:
        order = shape.args.get("order")
        return tuple(
            RowOrder(
                self.below.read(term.this),
                bool(term.args.get("desc")),
                bool(term.args.get("nulls_first")),
            )
            for term in (order.expressions if order is not None else [])
        )

    def _frame(self, shape: exp.Window, function: WindowFunction) -> Frame | None:
        spec = shape.args.get("spec")
        if spec is None:
            return None
        start = self._offset(spec, "start", -1)
        end = self._offset(spec, "end", 1) if spec.args.get("end") else 0
        if str(spec.args.get("kind")).upper() != "ROWS" or function not in _FRAMED:
            raise self.refused(
                "sql_feature_refused",
                shape,
                what=quoted(spec),
                cure="use ROWS BETWEEN, with an aggregate, first_value or last_value",
            )
        return Frame(None if start is None else -start, end)

    def _offset(self, spec: exp.Expr, name: str, outward: int) -> int | None:
        """Return the offset of one end of the frame from the current row, None where it is unbounded."""
        value, side = spec.args.get(name), str(spec.args.get(f"{name}_side") or "").upper()
        word = value.upper() if isinstance(value, str) else ""
        if word == "CURRENT ROW":
            return 0
        sign = -1 if side == "PRECEDING" else 1
        if word == "UNBOUNDED" and sign == outward:
            return None
        distance = whole_number(value) if isinstance(value, exp.Expr) else -1
        if not 0 <= distance <= FRAME_MAX:
            raise self.refused(
                "sql_argument_refused",
                spec,
                name=quoted(spec),
                need="a small whole-number constant",
                cure="write the number out",
            )
        return sign * distance
