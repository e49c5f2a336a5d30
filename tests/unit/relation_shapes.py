"""Random relations, mostly linked as they should be and sometimes not: what the proof accepts of them must be true."""

import random
from dataclasses import dataclass, field

from sandbox.algebra import (
    Aggregation,
    Branch,
    Column,
    ConstantColumn,
    Constants,
    Exists,
    Expr,
    Filter,
    Group,
    Join,
    JoinType,
    Op,
    Project,
    Relation,
    RowAggregate,
    RowOrder,
    Scan,
    SetKind,
    SetOperation,
    Windowed,
    WindowFunction,
)
from sandbox.worker.proven import unit_of
from tests.unit.relation_rows import exposed
from tests.unit.relation_world import (
    BIGINT,
    DOUBLE,
    INTEGER,
    NAMES,
    PRIVATE,
    TRUE,
    both,
    call,
    either,
    eq,
    whole,
)

_SCANS_MAX = 4  # of one relation: their product stays small
_COUNT = Aggregation(RowAggregate.COUNT, (), None, BIGINT)


@dataclass(frozen=True, slots=True)
class Shapes:
    """Draws relations. `care` is how often a link or a unit is drawn as the rules want it."""

    dice: random.Random
    care: float
    scans: list[int] = field(default_factory=list)
    numbers: list[int] = field(default_factory=list)

    def relation(self) -> Relation:
        """Return a relation over at most four scans, each read once."""
        self.scans[:] = self.dice.sample(range(len(NAMES)), _SCANS_MAX)
        self.numbers[:] = range(1099, 999, -1)
        return self._any(3)

    def _any(self, depth: int) -> Relation:
        if depth == 0 or not self.scans:
            return self._leaf()
        draw = self.dice.choices(
            (self._join, self._filter, self._project, self._group, self._set, self._leaf_at),
            (5, 3, 2, 2, 2, 1),
        )[0]
        return draw(depth - 1)

    def _leaf_at(self, _: int) -> Relation:
        return self._leaf()

    def _leaf(self) -> Relation:
        if self.scans and self.dice.random() < 0.95:
            return Scan(self.scans.pop())
        rows = ((1,), (None,), (3,))
        return Constants(self.numbers.pop(), (ConstantColumn("v", INTEGER),), rows)

    def _join(self, depth: int) -> Relation:
        first, second = self._any(depth), self._any(depth)
        kind = self.dice.choices(tuple(JoinType), (4, 3, 2))[0]
        return Join(kind, first, second, self._link(first, second))

    def _filter(self, depth: int) -> Relation:
        below = self._any(depth)
        if self.scans and self.dice.random() < 0.4:
            asked = self._any(0)
            found: Expr = Exists(asked, self._link(below, asked))
            return Filter(below, call(Op.NOT, found) if self.dice.random() < 0.5 else found)
        return Filter(below, self._condition(below, below))

    def _project(self, depth: int) -> Relation:
        below = self._any(depth)
        columns = tuple(c for c in exposed(below) if self.dice.random() < 0.7)
        order = tuple(RowOrder(c, self.dice.random() < 0.5, True) for c in columns[:1])
        windows = (
            Windowed(WindowFunction.ROW_NUMBER, (), (), order, None, BIGINT),
            Windowed(WindowFunction.COUNT, (), columns[1:2], order, None, BIGINT),
        )
        taken = windows[: self.dice.randrange(3)] if self.dice.random() < 0.5 else ()
        return Project(self.numbers.pop(), below, self._unit(below), columns, taken)

    def _group(self, depth: int) -> Relation:
        below = self._any(depth)
        columns = exposed(below)
        keys = tuple(c for c in columns if self.dice.random() < 0.3)
        found = [_COUNT]
        for column in columns:
            if column.type == DOUBLE:
                found.append(Aggregation(RowAggregate.SUM, (column,), None, DOUBLE))
        return Group(self.numbers.pop(), below, self._unit(below), keys, tuple(found))

    def _set(self, depth: int) -> Relation:
        branches = []
        for below in (self._any(depth), self._any(depth)):
            whole_numbers: list[Expr] = [c for c in exposed(below) if c.type == INTEGER]
            whole_numbers = whole_numbers or [whole(1)]
            branches.append(Branch(below, self._unit(below), (self.dice.choice(whole_numbers),)))
        return SetOperation(self.numbers.pop(), self.dice.choice(tuple(SetKind)), *branches)

    def _unit(self, below: Relation) -> tuple[Column, ...]:
        units = units_shown(below)
        if self.dice.random() > self.care:
            return tuple(self.dice.sample(units, min(len(units), self.dice.randrange(3))))
        return tuple(units[: self.dice.choice((1, 1, 2))])

    def _link(self, first: Relation, second: Relation) -> Expr:
        rest = self._condition(first, second)
        left, right = units_shown(first), units_shown(second)
        if not left or not right:
            return rest
        same = eq(self.dice.choice(left[:2]), self.dice.choice(right[:2]))
        if self.dice.random() < self.care:
            return same if self.dice.random() < 0.5 else both(rest, same)
        return self.dice.choice(
            (rest, either(same, rest), call(Op.NOT, same), eq(left[0], left[0]))
        )

    def _condition(self, first: Relation, second: Relation) -> Expr:
        pairs = [
            (a, b) for a in exposed(first) for b in exposed(second) if a.type == b.type and a != b
        ]
        if pairs and self.dice.random() < 0.7:
            return eq(*self.dice.choice(pairs))
        columns = exposed(first)
        return call(Op.IS_NULL, self.dice.choice(columns)) if columns else TRUE


def units_shown(relation: Relation) -> list[Column]:
    """Return the unit columns that a relation shows, whether or not they are proven, the leftmost first."""
    if isinstance(relation, Scan):
        return [unit_of(relation.index)] if NAMES[relation.index] in PRIVATE else []
    if isinstance(relation, Join):
        return units_shown(relation.left) + units_shown(relation.right)
    if isinstance(relation, Filter):
        return units_shown(relation.input)
    if isinstance(relation, SetOperation | Project | Group):
        shown = relation.left.unit if isinstance(relation, SetOperation) else relation.unit
        return [unit_of(relation.id)] if shown else []
    return []
