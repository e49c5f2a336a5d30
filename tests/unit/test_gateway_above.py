"""Through the layers above the release: what carries noise is known to, and what is followed is followed rightly."""

from dataclasses import replace

import pytest

from gateway.above import form, is_noisy, origin
from gateway.accuracy import Basis, expected
from policies.terms import Accountant, SqlType, TypeKind
from sandbox.algebra import (
    AggregateRef,
    Aggregation,
    Call,
    Cells,
    Column,
    Expr,
    Filter,
    Group,
    KeyRef,
    Literal,
    Op,
    Project,
    Relation,
    RowAggregate,
    Windowed,
    WindowFunction,
)
from sandbox.boundary import Output
from sandbox.worker.set_cells import error_laws
from tests.unit.compiler_world import compiled

BIGINT, TEXT = SqlType(TypeKind.BIGINT), SqlType(TypeKind.VARCHAR)
BOOLEAN = SqlType(TypeKind.BOOLEAN)
COUNT, KEY = AggregateRef(0, BIGINT), KeyRef(0, TEXT)
TWICE = Call(Op.MUL, (COUNT, Literal(BIGINT, 2)), BIGINT)
RANK = Windowed(WindowFunction.SUM, (COUNT,), (), (), None, BIGINT)
LAYER = Project(1_000, Cells(), (), (KEY, TWICE), (RANK,))
KEPT = Filter(LAYER, Call(Op.GT, (Column(1_000, "c1", BIGINT), Literal(BIGINT, 5)), BOOLEAN))
OVER = Project(1_001, KEPT, (), (Column(1_000, "c1", BIGINT), Column(1_000, "c0", TEXT)), ())
SUMMED = Group(
    1_002,
    OVER,
    (),
    (Column(1_001, "c1", TEXT),),
    (Aggregation(RowAggregate.SUM, (Column(1_001, "c0", BIGINT),), None, BIGINT),),
)

CASES: list[tuple[Relation, Expr, bool, Expr | None]] = [
    (LAYER, Column(1_000, "c0", TEXT), False, KEY),
    (LAYER, Column(1_000, "c1", BIGINT), True, TWICE),
    (LAYER, Column(1_000, "w0", BIGINT), True, None),
    (KEPT, Column(1_000, "c1", BIGINT), True, TWICE),
    (OVER, Column(1_001, "c0", BIGINT), True, TWICE),
    (OVER, Column(1_001, "c1", TEXT), False, KEY),
    (SUMMED, Column(1_002, "k0", TEXT), False, None),
    (SUMMED, Column(1_002, "a0", BIGINT), True, None),
]


@pytest.mark.parametrize(("relation", "column", "noisy", "source"), CASES)
def test_a_column_of_a_layer_is_followed(
    relation: Relation, column: Expr, noisy: bool, source: Expr | None
) -> None:
    assert is_noisy(column, relation) is noisy
    assert origin(column, relation) == source


def test_a_layered_column_has_the_error_of_what_it_is_made_of() -> None:
    plan = compiled("SELECT region, count(*) AS n FROM persons GROUP BY region").plan
    outputs = (Output(Column(1_001, "c0", BIGINT)), Output(Column(1_001, "c1", TEXT)))
    layered = replace(plan, post=replace(plan.post, relation=OVER, outputs=outputs))
    [twice, key] = expected(layered)
    [_, count] = expected(plan)
    assert key is None and twice is not None and count is not None
    assert twice.half_width == 2 * (count.half_width or 0) > 0
    total = (Output(Column(1_002, "a0", BIGINT)),)
    [put_together] = expected(
        replace(plan, post=replace(plan.post, relation=SUMMED, outputs=total))
    )
    assert put_together is not None and put_together.basis is Basis.WITH_ANSWER


def test_a_form_adds_what_it_names_twice() -> None:
    both = Call(Op.ADD, (TWICE, COUNT), BIGINT)
    found = form(both)
    assert found is not None and dict(found.weights) == {0: 3.0}
    assert form(Call(Op.MUL, (COUNT, COUNT), BIGINT)) is None


SETS = [
    "ROLLUP (region, insured)",
    "CUBE (region, insured)",
    "GROUPING SETS ((region), (insured))",
    "GROUPING SETS ((region, insured), ())",
]


@pytest.mark.parametrize("accountant", list(Accountant))
@pytest.mark.parametrize("sets", SETS)
def test_grouping_sets_are_no_less_exact_than_foretold(accountant: Accountant, sets: str) -> None:
    sql = f"SELECT region, insured, count(*) AS n FROM persons GROUP BY {sets}"
    plan = compiled(sql, accountant).plan
    error = expected(plan)[2]
    assert error is not None and error.half_width is not None and error.deviation is not None
    laws = error_laws(plan, (4, 2))
    worst = max(law[0].half_width(0.05) for law in laws)
    assert worst <= error.half_width
    assert max(law[0].deviation for law in laws) <= error.deviation
    # and the bound is of use: not more than twice what there is
    assert error.half_width <= 2 * worst + 3
