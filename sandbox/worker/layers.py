"""Relations over the released rows, as SQL: what a nested SELECT, a window or a join above the release becomes.

Every column has a name of its own in the whole query (r1000_c0), so that no name of the operator's is ever text and no two
can be mixed up. Beside its columns a row carries, under hidden names, what tells it from every other row (its identity), the
number of the released row it stems from, and in a simulation the number of the draw.
"""

from dataclasses import dataclass, replace

from policies.terms import Scalar
from sandbox.algebra import (
    Branch,
    Cells,
    Column,
    Constants,
    Exists,
    Expr,
    Filter,
    Group,
    Join,
    JoinType,
    Limit,
    Project,
    Relation,
    SetKind,
    SetOperation,
)
from sandbox.boundary import Plan
from sandbox.worker.layer_forms import aggregation_text, ordered_by, window_text
from sandbox.worker.released import select_released
from sandbox.worker.render import released_reference
from sandbox.worker.scalars import Reference, Rendering, scalars
from sandbox.worker.sql_types import NotRenderable, listed, name_of

_JOINS = {
    JoinType.INNER: "JOIN",
    JoinType.LEFT: "LEFT JOIN",
    JoinType.FULL: "FULL JOIN",
}
_SETS = {kind: kind.value.upper().replace("_", " ") for kind in SetKind}


@dataclass(frozen=True, slots=True)
class Rows:
    """A rendered relation: the text after FROM and the hidden names.

    `identity` is None where rows need not differ; `leaves` name, for each time the released rows are read and still stand
    row by row, the number of the released row; `draw` is the number of the draw.
    """

    text: str
    columns: tuple[str, ...]
    identity: tuple[str, ...] | None
    leaves: tuple[str, ...]
    draw: str | None

    @property
    def ties(self) -> tuple[str, ...]:
        """Return columns that make an order total: rows that are equal in all columns cannot be told apart anyway."""
        return self.columns if self.identity is None else self.identity

    @property
    def hidden(self) -> tuple[str, ...]:
        """Return every hidden name once."""
        names = (*(self.identity or ()), *self.leaves, *((self.draw,) if self.draw else ()))
        return tuple(dict.fromkeys(names))


class LayerRendering:
    """Renders the layers of one plan over one table of totals; with `draws`, over so many draws of them at once."""

    def __init__(self, plan: Plan, cells: str, draws: int) -> None:
        self.plan = plan
        self.cells = cells
        self.draws = draws
        self.drawn = draws > 0
        self.rendering = replace(scalars(self._refer, {}), exists=self._exists)
        self._draws: list[
            str | None
        ] = []  # of the rows whose expressions are rendered, outermost first
        self._names: dict[tuple[int, str], str] = {}
        self._hidden = 0

    def _refer(self, reference: Reference) -> str:
        if isinstance(reference, Column):
            found = self._names.get((reference.scan, reference.name))
            if found is None:
                raise NotRenderable("above the release there are released values only")
            return found
        return released_reference(reference)

    def _exists(self, rendering: Rendering, found: Exists) -> str:
        inside = self.rows(found.relation, spine=False)
        around = self._draws[-1] if self._draws else None
        condition = self.over(inside if inside.draw else None, found.on)
        if inside.draw and around:
            condition += f" AND {inside.draw} = {around}"
        return f"EXISTS (SELECT 1 FROM {inside.text} WHERE {condition})"  # noqa: S608

    def over(self, rows: Rows | None, expr: Expr) -> str:
        """Return an expression over rows; None for rows without draws inside those that have them."""
        self._draws.append(rows.draw if rows else self._draws[-1] if self._draws else None)
        text = self.rendering.render(expr)
        self._draws.pop()
        return text

    def rows(self, relation: Relation, spine: bool) -> Rows:
        """Return a relation as SQL. `spine` says that its rows are the answer's own: draws do not choose among them anew."""
        if isinstance(relation, Cells):
            return self._cells()
        if isinstance(relation, Constants):
            return self._constants(relation)
        if isinstance(relation, Join):
            return self._join(relation, spine)
        if isinstance(relation, SetOperation):
            return self._set_operation(relation)
        if isinstance(relation, Group):
            return self._group(relation)
        if isinstance(relation, Project):
            return self._project(relation, spine)
        if isinstance(relation, Filter | Limit):
            found = self.rows(relation.input, spine)
            return found if self.drawn and spine else self._kept(relation, found)
        raise NotRenderable("above the release there are no tables")

    def _kept(self, relation: Filter | Limit, found: Rows) -> Rows:
        text = f"(SELECT * FROM {found.text}"  # noqa: S608
        if isinstance(relation, Filter):
            return replace(found, text=f"{text} WHERE {self.over(found, relation.predicate)})")
        by = ordered_by(relation.order, found.ties, self.rendering)
        if found.draw:
            place = f"row_number() OVER (PARTITION BY {found.draw}{by})"
            last = "" if relation.count is None else f" AND x <= {relation.offset + relation.count}"
            kept = f"(SELECT *, {place} AS x FROM {found.text})"  # noqa: S608
            text = f"(SELECT * EXCLUDE (x) FROM {kept} WHERE x > {relation.offset}{last})"  # noqa: S608
            return replace(found, text=text)
        limit = "" if relation.count is None else f" LIMIT {relation.count}"
        return replace(found, text=f"{text}{by}{limit} OFFSET {relation.offset})")

    def _hide(self) -> str:
        self._hidden += 1
        return f"h{self._hidden}"

    def _named(self, relation: int, name: str) -> str:
        self._names[relation, name] = text = f"r{relation}_{name}"
        return text

    def _cells(self) -> Rows:
        group = self._hide()
        draw = self._hide() if self.drawn else None
        columns = tuple(f"k{index}" for index in range(len(self.plan.measurement.keys)))
        if self.plan.measurement.sets:
            columns += tuple(f"r{index}" for index in range(len(columns)))
        columns += tuple(f"a{index}" for index in range(len(self.plan.aggregates)))
        shown = [*columns, f"g AS {group}", *([f"d AS {draw}"] if draw else [])]
        text = select_released(self.plan, self.rendering, ", ".join(shown), "", self.cells)
        return Rows(f"({text})", columns, (group,), (group,), draw)

    def _constants(self, relation: Constants) -> Rows:
        place = self._hide()
        parts = [self._unnested(list(range(len(relation.rows))), "BIGINT", place)]
        names = []
        for index, column in enumerate(relation.columns):
            values = listed((row[index] for row in relation.rows), column.type)
            # The operator's name for the column stays a name: the text has its number.
            self._names[relation.id, column.name] = name = f"r{relation.id}_v{index}"
            names.append(name)
            parts.append(self._unnested(values, name_of(column.type), name))
        return Rows(f"(SELECT {', '.join(parts)})", tuple(names), (place,), (), None)

    def _unnested(self, values: list[Scalar], type_: str, name: str) -> str:
        parameter = f"p{len(self.rendering.parameters)}"
        self.rendering.parameters[parameter] = values
        return f"unnest(CAST(${parameter} AS {type_}[])) AS {name}"

    def _join(self, relation: Join, spine: bool) -> Rows:
        left = self.rows(relation.left, spine)
        right = self.rows(relation.right, spine and relation.type is JoinType.INNER)
        both = left.draw or right.draw
        on = self.over(replace(left, draw=both), relation.on)
        if left.draw and right.draw:
            on += f" AND {left.draw} = {right.draw}"
        known = left.identity is not None and right.identity is not None
        return Rows(
            f"({left.text} {_JOINS[relation.type]} {right.text} ON {on})",
            left.columns + right.columns,
            (left.identity or ()) + (right.identity or ()) if known else None,
            left.leaves + right.leaves,
            self._met(relation, left.draw, right.draw),
        )

    def _met(self, relation: Join, left: str | None, right: str | None) -> str | None:
        if left and right and relation.type is JoinType.FULL:
            return f"coalesce({left}, {right})"
        return left or right

    def _project(self, relation: Project, spine: bool) -> Rows:
        found = self.rows(relation.input, spine and not relation.windows)
        shown = [self.over(found, expr) for expr in relation.columns]
        shown += [
            window_text(window, self.rendering, found.ties, found.draw)
            for window in relation.windows
        ]
        labels = [f"c{i}" for i in range(len(relation.columns))]
        labels += [f"w{i}" for i in range(len(relation.windows))]
        names = tuple(self._named(relation.id, label) for label in labels)
        parts = [f"{text} AS {name}" for text, name in zip(shown, names, strict=True)]
        return self._renamed(found, parts, names)

    def _renamed(self, found: Rows, parts: list[str], names: tuple[str, ...]) -> Rows:
        """Return a new selection from `found` that carries its hidden columns along under new names."""
        new = {name: self._hide() for name in found.hidden}
        parts = parts + [f"{name} AS {alias}" for name, alias in new.items()]
        return Rows(
            f"(SELECT {', '.join(parts)} FROM {found.text})",  # noqa: S608
            names,
            None if found.identity is None else tuple(new[name] for name in found.identity),
            tuple(new[name] for name in found.leaves),
            new[found.draw] if found.draw else None,
        )

    def _group(self, relation: Group) -> Rows:
        found = self.rows(relation.input, spine=False)
        keys = [self.over(found, key) for key in relation.keys]
        values = [aggregation_text(a, self.rendering) for a in relation.aggregations]
        key_names = tuple(self._named(relation.id, f"k{i}") for i in range(len(keys)))
        names = tuple(self._named(relation.id, f"a{i}") for i in range(len(values)))
        keyed = "".join(f", {text} AS {name}" for text, name in zip(keys, key_names, strict=True))
        draw = self._hide() if found.draw else None
        shown = [
            *key_names,
            *(f"{text} AS {name}" for text, name in zip(values, names, strict=True)),
        ]
        by = list(key_names)
        if draw:
            shown.append(f"{found.draw} AS {draw}")
            by.append(str(found.draw))
        grouped = f" GROUP BY {', '.join(by)}" if by else ""
        text = f"(SELECT {', '.join(shown)} FROM (SELECT *{keyed} FROM {found.text}){grouped})"  # noqa: S608
        return Rows(text, key_names + names, key_names, (), draw)

    def _set_operation(self, relation: SetOperation) -> Rows:
        left, right = self.rows(relation.left.input, False), self.rows(relation.right.input, False)
        width = 0
        if relation.kind is SetKind.UNION_ALL and None not in (left.identity, right.identity):
            width = 1 + max(len(left.identity or ()), len(right.identity or ()))
        drawn = bool(left.draw or right.draw)
        texts = [
            self._branch(branch, found, side, width, drawn)
            for side, (branch, found) in enumerate(((relation.left, left), (relation.right, right)))
        ]
        inner = len(relation.left.columns)
        names = tuple(self._named(relation.id, f"c{i}") for i in range(inner))
        hidden = tuple(self._hide() for _ in range(width + drawn))
        both = f"{texts[0]} {_SETS[relation.kind]} {texts[1]}"
        labels = ", ".join((*names, *hidden))
        return Rows(
            f"(SELECT * FROM ({both}) AS r{relation.id}({labels}))",  # noqa: S608
            names,
            hidden[:width] if width else None,
            (),
            hidden[-1] if drawn else None,
        )

    def _branch(self, branch: Branch, found: Rows, side: int, width: int, drawn: bool) -> str:
        shown = [self.over(found, expr) for expr in branch.columns]
        if width:
            identity = [f"CAST({name} AS VARCHAR)" for name in found.identity or ()]
            shown += [str(side), *identity, *["NULL"] * (width - 1 - len(identity))]
        text = found.text
        if drawn and found.draw:
            shown.append(found.draw)
        elif drawn:
            shown.append("d")
            text += f" CROSS JOIN (SELECT range AS d FROM range({self.draws}))"  # noqa: S608
        return f"SELECT {', '.join(shown)} FROM {text}"  # noqa: S608
