"""Relations with columns of their own as SQL: constants, projections with windows, groups and set operations.

The privacy unit is added here, to every PARTITION BY, every GROUP BY and every compared row, and not by the plan: it cannot
be forgotten there. What an aggregate or a window reads is a column of an inner SELECT first, so that its total form may
repeat it, and EXISTS may stand in it.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field

from policies.terms import Scalar, SqlType
from sandbox.algebra import (
    Branch,
    Column,
    Constants,
    Expr,
    Group,
    Literal,
    Project,
    Relation,
    SetKind,
    SetOperation,
    Windowed,
)
from sandbox.boundary import UNIT_COLUMN
from sandbox.worker.names import quoted, row_reference
from sandbox.worker.row_aggregates import render_aggregation, settled_double
from sandbox.worker.row_windows import NUMBER, needs_number, render_window
from sandbox.worker.scalars import Rendering
from sandbox.worker.sql_types import DOUBLE, HUGEINT, NotRenderable, listed, name_of

_UNIT = quoted(UNIT_COLUMN)
_BETWEEN = {kind: kind.value.replace("_", " ").upper() for kind in SetKind}
_COUNTED = (SetKind.UNION_ALL, SetKind.EXCEPT_ALL, SetKind.INTERSECT_ALL)


@dataclass(frozen=True, slots=True)
class Derived:
    """Renders derived relations; `rows` gives a relation as the text after FROM."""

    rendering: Rendering
    rows: Callable[[Relation], str]

    def render(self, relation: Constants | Project | Group | SetOperation) -> str:
        """Return the relation in brackets, under its own name."""
        if isinstance(relation, Constants):
            text = self._constants(relation)
        elif isinstance(relation, Project):
            text = self._windowed(relation) if relation.windows else self._projected(relation)
        elif isinstance(relation, Group):
            text = self._grouped(relation)
        else:
            text = self._combined(relation)
        return f"({text}) AS t{relation.id}"

    def _constants(self, constants: Constants) -> str:
        columns = []
        for index, column in enumerate(constants.columns):
            # A parameter for each column: no value becomes text, and 100 000 rows stay one statement.
            name = f"p{len(self.rendering.parameters)}"
            values = [row[index] for row in constants.rows]
            self.rendering.parameters[name] = _list_of(values, column.type)
            type_ = name_of(column.type)
            columns.append(f"unnest(CAST(${name} AS {type_}[])) AS {quoted(column.name)}")
        return f"SELECT {', '.join(columns)}"

    def _projected(self, project: Project) -> str:
        columns = _unit(project.unit, _UNIT)
        columns += [
            f"{self.rendering.render(expr)} AS c{index}"
            for index, expr in enumerate(project.columns)
        ]
        return _select(columns, self.rows(project.input))

    def _windowed(self, project: Project) -> str:
        """Render windows over named columns, which one numbering tells apart as far as any reader could."""
        named = _Named(self.rendering)
        outputs = [f"u AS {_UNIT}"] if project.unit else []
        outputs += [f"{named.of(expr)} AS c{i}" for i, expr in enumerate(project.columns)]
        outputs += [
            f"{named.window(w, project.unit)} AS w{i}" for i, w in enumerate(project.windows)
        ]
        rows = f"({_select([*_unit(project.unit, 'u'), *named.columns()], self.rows(project.input))}) AS r"
        if any(needs_number(window) for window in project.windows):
            over = " ".join(
                part for part in ("PARTITION BY u" * bool(project.unit), named.order()) if part
            )
            rows = f"(SELECT *, row_number() OVER ({over}) AS {NUMBER} FROM {rows}) AS r"  # noqa: S608
        return _select(outputs, rows)

    def _grouped(self, group: Group) -> str:
        named = _Named(self.rendering)
        by = ["u"] if group.unit else []
        outputs = [f"u AS {_UNIT}"] if group.unit else []
        for index, key in enumerate(group.keys):
            # -0 equals 0, and -NaN NaN: which of them stands for the group must not depend on the order of rows.
            by.append(settled_double(named.of(key), key.type))
            outputs.append(f"{by[-1]} AS k{index}")
        for index, aggregation in enumerate(group.aggregations):
            text = render_aggregation(aggregation, tuple(map(named.of, aggregation.args)))
            if aggregation.where is not None:
                text += f" FILTER (WHERE {named.of(aggregation.where)})"
            outputs.append(f"{text} AS a{index}")
        inner = _select([*_unit(group.unit, "u"), *named.columns()], self.rows(group.input))
        grouped = f" GROUP BY {', '.join(by)}" if by else ""
        return _select(outputs, f"({inner}) AS r{grouped}")

    def _combined(self, found: SetOperation) -> str:
        compared = found.kind is not SetKind.UNION_ALL
        left, right = (self._branch(b, compared) for b in (found.left, found.right))
        if bool(found.left.unit) == bool(found.right.unit):
            return f"{left} {_BETWEEN[found.kind]} {right}"
        if found.kind in _COUNTED or found.kind is SetKind.UNION or not found.left.unit:
            raise NotRenderable("public rows are only taken away from private ones")
        # Public rows have no unit to compare: a row stays or goes by its columns alone.
        equal = " AND ".join(
            f"l.c{i} IS NOT DISTINCT FROM r.c{i}" for i in range(len(found.left.columns))
        )
        no = "NOT " if found.kind is SetKind.EXCEPT else ""
        found_right = f"{no}EXISTS (SELECT 1 FROM ({right}) AS r WHERE {equal})"  # noqa: S608
        return f"SELECT DISTINCT * FROM ({left}) AS l WHERE {found_right}"  # noqa: S608

    def _branch(self, branch: Branch, compared: bool) -> str:
        columns = _unit(branch.unit, _UNIT)
        for index, expr in enumerate(branch.columns):
            text = self.rendering.render(expr)
            columns.append(f"{settled_double(text, expr.type) if compared else text} AS c{index}")
        return _select(columns, self.rows(branch.input))


@dataclass(frozen=True, slots=True)
class _Named:
    """Expressions that become columns e0, e1, … of an inner SELECT, and the text of each."""

    rendering: Rendering
    types: list[SqlType] = field(default_factory=list)
    texts: list[str] = field(default_factory=list)

    def of(self, expr: Expr) -> str:
        """Return the name of the column that holds the expression's value."""
        text = self.rendering.render(expr)
        if text not in self.texts:
            self.texts.append(text)
            self.types.append(expr.type)
        return f"e{self.texts.index(text)}"

    def columns(self) -> list[str]:
        """Return the columns of the inner SELECT."""
        return [f"{text} AS e{index}" for index, text in enumerate(self.texts)]

    def order(self) -> str:
        """Return an order by everything there is; -0 and 0 are equal to it, and told apart by their sign."""
        terms = [f"e{index}" for index in range(len(self.texts))]
        terms += [f"signbit(e{i})" for i, type_ in enumerate(self.types) if type_ == DOUBLE]
        return f"ORDER BY {', '.join(terms)}" if terms else ""

    def window(self, window: Windowed, unit: tuple[Column, ...]) -> str:
        """Return a window over the named columns, within the unit."""
        args = tuple(
            "" if isinstance(arg, Literal) and i else self.of(arg)
            for i, arg in enumerate(window.args)
        )
        partition = [settled_double(self.of(expr), expr.type) for expr in window.partition]
        order = tuple(
            f"{self.of(term.expr)} {'DESC' if term.descending else 'ASC'}"
            f" NULLS {'FIRST' if term.nulls_first else 'LAST'}"
            for term in window.order
        )
        return render_window(window, args, (*(["u"] if unit else []), *partition), order)


def _unit(unit: tuple[Column, ...], name: str) -> list[str]:
    columns = ", ".join(map(row_reference, unit))
    if len(unit) > 1:
        columns = f"coalesce({columns})"
    return [f"{columns} AS {name}"] if unit else []


def _select(columns: Iterable[str], rows: str) -> str:
    return f"SELECT {', '.join(columns) or '1'} FROM {rows}"  # noqa: S608


def _list_of(values: list[Scalar], type_: SqlType) -> list[Scalar]:
    # Whole numbers beyond 64 bits as text: the client would give a list of them one type of its own first.
    if type_ == HUGEINT:
        return [None if value is None else str(value) for value in values]
    return listed(values, type_)
