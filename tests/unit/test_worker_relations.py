"""Each rule of the proof, met and broken by plans made by hand."""

import pytest

from sandbox.algebra import (
    Aggregation,
    Column,
    ConstantColumn,
    Constants,
    Exists,
    Expr,
    Filter,
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
from tests.unit.relation_world import (
    BIGINT,
    C2,
    INTEGER,
    P2,
    TRUE,
    A,
    C,
    P,
    T,
    both,
    branch,
    call,
    col,
    either,
    eq,
    full,
    group,
    inner,
    left,
    project,
    prove,
    same,
    whole,
)

PEOPLE, CLAIMS, TOWNS, AGES = Scan(P), Scan(C), Scan(T), Scan(A)
AGE, TOWN = col(P, "age"), col(P, "town")
ROWS = Aggregation(RowAggregate.COUNT, (), None, BIGINT)
NUMBERED = Windowed(WindowFunction.ROW_NUMBER, (), (), (RowOrder(AGE, False, False),), None, BIGINT)
LEFT = left(PEOPLE, CLAIMS, same(P, C))
FULL = full(PEOPLE, CLAIMS, same(P, C))
VALUES = Constants(1009, (ConstantColumn("v", INTEGER),), ((1,), (None,)))


def k(number: int, name: str = "k0", type_=INTEGER) -> Column:
    return Column(number, name, type_)


def some(relation: Relation, on: Expr) -> Filter:
    return Filter(PEOPLE, Exists(relation, on))


def combined(kind: SetKind, a: Relation, a_units, b: Relation, b_units) -> SetOperation:
    ages = {P: AGE, C: col(C, "age"), A: col(A, "age")}
    first, second = (
        branch(r, units, ages[r.index] if isinstance(r, Scan) else k(1009, "v"))
        for r, units in ((a, a_units), (b, b_units))
    )
    return SetOperation(1000, kind, first, second)


# name: (relation, the number of the relation whose unit it has)
PROVEN: dict[str, tuple[Relation, int]] = {
    "a private table": (PEOPLE, P),
    "with a filter": (Filter(PEOPLE, eq(AGE, whole(3))), P),
    "with a public table": (inner(PEOPLE, TOWNS, eq(TOWN, col(T, "town"))), P),
    "with all public rows": (inner(TOWNS, PEOPLE), P),
    "with constants": (inner(PEOPLE, VALUES), P),
    "two private tables": (inner(PEOPLE, CLAIMS, same(P, C)), C),
    "the other way round": (inner(PEOPLE, CLAIMS, both(eq(AGE, whole(1)), same(C, P))), P),
    "linked by a filter above": (Filter(inner(PEOPLE, CLAIMS), same(P, C)), C),
    "linked across": (Filter(inner(inner(PEOPLE, CLAIMS), Scan(P2), same(C, P2)), same(P2, P)), P),
    "left with public": (left(PEOPLE, TOWNS, TRUE), P),
    "left with private": (LEFT, P),
    "left, and then the right unit compared": (Filter(LEFT, same(P, C)), C),
    "left, and then joined by the right unit": (inner(LEFT, Scan(C2), same(C, C2)), C2),
    "left, twice by the right unit": (left(LEFT, Scan(C2), same(C, C2)), P),
    "left of a filtered table": (
        left(PEOPLE, Filter(CLAIMS, eq(col(C, "age"), whole(1))), same(P, C)),
        P,
    ),
    "full, by the first that is there": (project(1000, FULL, (P, C), AGE, col(C, "age")), 1000),
    "full, in the other order": (project(1000, FULL, (C, P), AGE), 1000),
    "full under a filter": (project(1000, Filter(FULL, eq(AGE, whole(1))), (C, P), AGE), 1000),
    "full with a public table": (project(1000, left(FULL, TOWNS, TRUE), (C, P), AGE), 1000),
    "full of three": (project(1000, full(FULL, Scan(P2), same(P, P2)), (C, P, P2), AGE), 1000),
    "full, then joined": (inner(FULL, Scan(P2), same(P, P2)), P),
    "full in a group": (group(1000, FULL, (P, C), (AGE,), ROWS), 1000),
    "full in a branch": (
        SetOperation(
            1000,
            SetKind.UNION_ALL,
            branch(FULL, (P, C), AGE),
            branch(Scan(P2), (P2,), col(P2, "age")),
        ),
        1000,
    ),
    "a projection": (project(1000, PEOPLE, (P,), AGE), 1000),
    "without columns": (project(1000, PEOPLE, (P,)), 1000),
    "a window": (Project(1000, PEOPLE, (unit_of(P),), (AGE,), (NUMBERED,)), 1000),
    "a group": (group(1000, PEOPLE, (P,), (TOWN,), ROWS), 1000),
    "a group without keys": (group(1000, PEOPLE, (P,), (), ROWS), 1000),
    "distinct": (group(1000, PEOPLE, (P,), (TOWN, AGE)), 1000),
    "a group joined back": (inner(PEOPLE, group(1000, CLAIMS, (C,), (), ROWS), same(P, 1000)), P),
    "a public group": (inner(PEOPLE, group(1000, TOWNS, (), (col(T, "size"),), ROWS)), P),
    "union all": (combined(SetKind.UNION_ALL, PEOPLE, (P,), CLAIMS, (C,)), 1000),
    "union": (combined(SetKind.UNION, PEOPLE, (P,), CLAIMS, (C,)), 1000),
    "except all": (combined(SetKind.EXCEPT_ALL, PEOPLE, (P,), CLAIMS, (C,)), 1000),
    "except public": (combined(SetKind.EXCEPT, PEOPLE, (P,), AGES, ()), 1000),
    "except constants": (combined(SetKind.EXCEPT, PEOPLE, (P,), VALUES, ()), 1000),
    "intersect public": (combined(SetKind.INTERSECT, PEOPLE, (P,), AGES, ()), 1000),
    "intersect": (combined(SetKind.INTERSECT, PEOPLE, (P,), CLAIMS, (C,)), 1000),
    "a public union joined": (
        inner(PEOPLE, combined(SetKind.UNION, AGES, (), VALUES, ()), eq(AGE, k(1000, "c0"))),
        P,
    ),
    "exists public": (some(TOWNS, eq(TOWN, col(T, "town"))), P),
    "exists private": (some(CLAIMS, both(same(P, C), eq(AGE, col(C, "age")))), P),
    "not exists": (Filter(PEOPLE, call(Op.NOT, Exists(CLAIMS, same(P, C)))), P),
    "exists below a filter of its own": (
        some(Filter(CLAIMS, eq(col(C, "age"), whole(1))), same(C, P)),
        P,
    ),
    "exists of a group": (some(group(1000, CLAIMS, (C,), (), ROWS), same(P, 1000)), P),
    "exists in exists": (
        some(
            CLAIMS, both(same(P, C), Exists(Scan(C2), both(same(C2, C), eq(AGE, col(C2, "age")))))
        ),
        P,
    ),
    "exists private in exists public": (
        some(TOWNS, Exists(CLAIMS, both(same(P, C), eq(col(C, "age"), col(T, "size"))))),
        P,
    ),
    "exists of the half that may be missing": (
        Filter(LEFT, Exists(Scan(C2), same(C, C2))),
        P,
    ),
    "exists in a projection": (project(1000, PEOPLE, (P,), Exists(CLAIMS, same(P, C))), 1000),
    "one exists in two places": (
        project(
            1000,
            PEOPLE,
            (P,),
            Exists(CLAIMS, same(P, C)),
            Exists(CLAIMS, both(same(P, C), eq(AGE, whole(1)))),
        ),
        1000,
    ),
}

REFUSED: dict[str, tuple[Relation, int]] = {
    "no private table": (TOWNS, T),
    "the unit of a public table": (inner(PEOPLE, TOWNS), T),
    "a missing equality": (inner(PEOPLE, CLAIMS), P),
    "an equality of columns": (inner(PEOPLE, CLAIMS, eq(AGE, col(C, "age"))), P),
    "an equality under or": (inner(PEOPLE, CLAIMS, either(same(P, C), eq(AGE, whole(1)))), P),
    "an equality under not": (inner(PEOPLE, CLAIMS, call(Op.NOT, same(P, C))), P),
    "an unequality": (inner(PEOPLE, CLAIMS, call(Op.NE, unit_of(P), unit_of(C))), P),
    "no distinction": (
        inner(PEOPLE, CLAIMS, call(Op.NOT, call(Op.IS_DISTINCT, unit_of(P), unit_of(C)))),
        P,
    ),
    "a unit equal to itself": (inner(PEOPLE, CLAIMS, same(P, P)), P),
    "one of three without": (inner(inner(PEOPLE, CLAIMS, same(P, C)), Scan(P2)), P),
    "an equality that stands before its table": (
        inner(inner(PEOPLE, TOWNS, same(P, C)), CLAIMS, TRUE),
        P,
    ),
    "public left private": (left(TOWNS, PEOPLE, eq(TOWN, col(T, "town"))), P),
    "left without an equality": (left(PEOPLE, CLAIMS, eq(AGE, col(C, "age"))), P),
    "left with the equality above": (Filter(left(PEOPLE, CLAIMS, TRUE), same(P, C)), P),
    "left with the equality under or": (
        left(PEOPLE, CLAIMS, either(same(P, C), eq(AGE, whole(1)))),
        P,
    ),
    "the right unit after left": (LEFT, C),
    "the right unit in a projection": (project(1000, LEFT, (C,), AGE), 1000),
    "the right unit in a group": (group(1000, LEFT, (C,), (), ROWS), 1000),
    "full with public": (full(PEOPLE, TOWNS, TRUE), P),
    "public full private": (full(TOWNS, PEOPLE, TRUE), P),
    "full without an equality": (project(1000, full(PEOPLE, CLAIMS, TRUE), (P, C), AGE), 1000),
    "one unit after full": (FULL, P),
    "one unit of a full join in a projection": (project(1000, FULL, (P,), AGE), 1000),
    "the same half twice": (project(1000, FULL, (P, P), AGE), 1000),
    "two halves of three": (project(1000, full(FULL, Scan(C2), same(P, C2)), (C, P), AGE), 1000),
    "a stranger's unit": (project(1000, FULL, (P, T), AGE), 1000),
    "a projection without its unit": (inner(CLAIMS, project(1000, PEOPLE, (), AGE)), C),
    "a public projection with a unit": (project(1000, TOWNS, (T,), col(T, "size")), 1000),
    "the unit as a column": (project(1000, PEOPLE, (P,), unit_of(P)), 1000),
    "the unit among the keys": (group(1000, PEOPLE, (P,), (unit_of(P),), ROWS), 1000),
    "the unit in an order": (
        Project(
            1000,
            PEOPLE,
            (unit_of(P),),
            (),
            (
                Windowed(
                    WindowFunction.RANK, (), (), (RowOrder(unit_of(P), False, False),), None, BIGINT
                ),
            ),
        ),
        1000,
    ),
    "a window over all units": (
        inner(CLAIMS, Project(1000, PEOPLE, (), (AGE,), (NUMBERED,))),
        C,
    ),
    "a window of another type": (
        Project(
            1000,
            PEOPLE,
            (unit_of(P),),
            (),
            (Windowed(WindowFunction.RANK, (), (), (), None, INTEGER),),
        ),
        1000,
    ),
    "a group without its unit": (inner(CLAIMS, group(1000, PEOPLE, (), (TOWN,), ROWS)), C),
    "a total without its unit": (inner(CLAIMS, group(1000, PEOPLE, (), (), ROWS)), C),
    "an aggregate of another type": (
        group(1000, PEOPLE, (P,), (), Aggregation(RowAggregate.SUM, (AGE,), None, BIGINT)),
        1000,
    ),
    "an aggregate where it is no truth": (
        group(1000, PEOPLE, (P,), (), Aggregation(RowAggregate.COUNT, (), AGE, BIGINT)),
        1000,
    ),
    "nothing in a group": (inner(PEOPLE, group(1000, TOWNS, (), ())), P),
    "public union private": (combined(SetKind.UNION_ALL, AGES, (), PEOPLE, (P,)), 1000),
    "private union public": (combined(SetKind.UNION, PEOPLE, (P,), AGES, ()), 1000),
    "public except private": (combined(SetKind.EXCEPT, AGES, (), PEOPLE, (P,)), 1000),
    "public intersect private": (combined(SetKind.INTERSECT, AGES, (), PEOPLE, (P,)), 1000),
    "except all public": (combined(SetKind.EXCEPT_ALL, PEOPLE, (P,), AGES, ()), 1000),
    "intersect all public": (combined(SetKind.INTERSECT_ALL, PEOPLE, (P,), AGES, ()), 1000),
    "a hidden branch": (combined(SetKind.EXCEPT, PEOPLE, (), CLAIMS, ()), 1000),
    "public union a hidden branch": (combined(SetKind.UNION, AGES, (), PEOPLE, ()), 1000),
    "public except a hidden branch": (combined(SetKind.EXCEPT, AGES, (), PEOPLE, ()), 1000),
    "public intersect a hidden branch": (combined(SetKind.INTERSECT, AGES, (), PEOPLE, ()), 1000),
    "branches of two types": (
        SetOperation(
            1000, SetKind.UNION, branch(PEOPLE, (P,), AGE), branch(CLAIMS, (C,), col(C, "paid"))
        ),
        1000,
    ),
    "branches of two widths": (
        SetOperation(1000, SetKind.UNION, branch(PEOPLE, (P,), AGE), branch(CLAIMS, (C,))),
        1000,
    ),
    "exists of anybody": (some(CLAIMS, eq(AGE, col(C, "age"))), P),
    "exists under or": (some(CLAIMS, either(same(P, C), eq(AGE, whole(1)))), P),
    "exists of the unit itself": (some(CLAIMS, same(C, C)), P),
    "exists over public rows": (inner(PEOPLE, Filter(TOWNS, Exists(CLAIMS, TRUE))), P),
    "exists over public rows with a unit": (
        inner(PEOPLE, Filter(TOWNS, Exists(CLAIMS, same(P, C)))),
        P,
    ),
    "exists that looks out from below": (some(Filter(CLAIMS, same(P, C)), TRUE), P),
    "exists that reads a column from below": (
        some(Filter(CLAIMS, eq(AGE, col(C, "age"))), same(P, C)),
        P,
    ),
    "exists in exists of anybody": (
        some(CLAIMS, both(same(P, C), Exists(Scan(C2), eq(AGE, col(C2, "age"))))),
        P,
    ),
    "exists in itself": (some(CLAIMS, both(same(P, C), Exists(CLAIMS, same(C, C)))), P),
    "exists of the relation around it": (some(PEOPLE, same(P, P)), P),
    "a column that a projection hides": (
        Filter(project(1000, PEOPLE, (P,), AGE), eq(TOWN, TOWN)),
        1000,
    ),
    "a unit that a projection hides": (project(1000, PEOPLE, (P,), AGE), P),
    "a column that a group hides": (
        Filter(group(1000, PEOPLE, (P,), (TOWN,), ROWS), eq(AGE, whole(1))),
        1000,
    ),
    "a column in another type": (
        Filter(group(1000, PEOPLE, (P,), (TOWN,), ROWS), eq(k(1000, "a0"), whole(1))),
        1000,
    ),
    "a column of the other side": (inner(inner(PEOPLE, TOWNS, eq(AGE, col(A, "age"))), AGES), P),
    "a number twice": (
        inner(project(1000, PEOPLE, (P,)), project(1000, CLAIMS, (C,)), same(1000, 1000)),
        1000,
    ),
    "a table twice": (inner(PEOPLE, PEOPLE, same(P, P)), P),
    "a derived relation numbered as a scan": (project(17, PEOPLE, (P,), AGE), 17),
    "constants without columns": (inner(PEOPLE, Constants(1000, (), ((),))), P),
    "constants in disorder": (
        inner(PEOPLE, Constants(1000, (ConstantColumn("v", INTEGER),), ((1, 2),))),
        P,
    ),
    "constants with a unit": (
        inner(
            PEOPLE, Constants(1000, (ConstantColumn("_ky_unit", INTEGER),), ((1,),)), same(P, 1000)
        ),
        P,
    ),
    "a condition that is a number": (Filter(PEOPLE, AGE), P),
}


@pytest.mark.parametrize("name", PROVEN)
def test_a_sound_relation_is_proven(name):
    prove(*PROVEN[name])


@pytest.mark.parametrize("name", REFUSED)
def test_an_unsound_relation_is_refused(name):
    with pytest.raises(ValueError):
        prove(*REFUSED[name])
