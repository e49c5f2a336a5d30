"""The rows of a relation are those of the SQL that an analyst would write for one person at a time, over random tables."""

import random
from collections import Counter

import pytest

from sandbox.algebra import (
    Aggregation,
    Column,
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
    Windowed,
    WindowFunction,
)
from sandbox.worker.proven import unit_of
from tests.unit.relation_rows import exposed, loaded, random_world, rows_of
from tests.unit.relation_world import (
    BIGINT,
    C2,
    DOUBLE,
    HUGEINT,
    A,
    C,
    P,
    T,
    both,
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
from tests.unit.test_worker_relations import combined

PEOPLE, CLAIMS, TOWNS, AGES = Scan(P), Scan(C), Scan(T), Scan(A)
AGE, TOWN, PAID, RISK = col(P, "age"), col(P, "town"), col(C, "paid"), col(C, "risk")
OLD = call(Op.GT, AGE, whole(1))
SMALL = call(Op.LT, col(C, "age"), whole(3))
U = "_ky_unit"


def taken(
    function: RowAggregate, *args: Expr, where: Expr | None = None, type_=DOUBLE
) -> Aggregation:
    return Aggregation(function, args, where, type_)


FIRST = Windowed(
    WindowFunction.ROW_NUMBER,
    (),
    (TOWN,),
    (RowOrder(AGE, True, False), RowOrder(TOWN, False, True)),
    None,
    BIGINT,
)
RUNNING = Windowed(WindowFunction.SUM, (AGE,), (), (RowOrder(AGE, False, True),), None, HUGEINT)

# name: (relation, number of its unit, the same by hand)
SQL: dict[str, tuple[Relation, int, str]] = {
    "left, both sides filtered": (
        left(Filter(PEOPLE, OLD), Filter(CLAIMS, SMALL), both(same(P, C), eq(AGE, col(C, "age")))),
        P,
        "SELECT p._ky_unit, c.age, c.paid, c.risk, p.age, p.town FROM (SELECT * FROM persons WHERE age > 1) p LEFT JOIN"
        " (SELECT * FROM claims WHERE age < 3) c ON p._ky_unit = c._ky_unit AND p.age = c.age",
    ),
    "full, both sides filtered": (
        project(
            1000, full(Filter(PEOPLE, OLD), Filter(CLAIMS, SMALL), same(P, C)), (P, C), AGE, PAID
        ),
        1000,
        "SELECT coalesce(p._ky_unit, c._ky_unit), p.age, c.paid FROM (SELECT * FROM persons WHERE age > 1) p FULL JOIN"
        " (SELECT * FROM claims WHERE age < 3) c ON p._ky_unit = c._ky_unit",
    ),
    "full of a filtered left join": (
        project(
            1000,
            full(
                Filter(
                    left(PEOPLE, TOWNS, eq(TOWN, col(T, "town"))),
                    either(OLD, call(Op.IS_NULL, col(T, "size"))),
                ),
                Filter(
                    Filter(CLAIMS, SMALL),
                    call(Op.NOT, Exists(Scan(C2), both(same(C, C2), eq(PAID, col(C2, "paid"))))),
                ),
                same(P, C),
            ),
            (C, P),
            AGE,
            col(T, "size"),
            PAID,
        ),
        1000,
        "SELECT coalesce(l._ky_unit, r._ky_unit), l.age, l.size, r.paid FROM (SELECT p._ky_unit, p.age, t.size FROM persons p"
        " LEFT JOIN towns t ON p.town = t.town WHERE p.age > 1 OR t.size IS NULL) l FULL JOIN (SELECT c._ky_unit, c.paid"
        " FROM claims c WHERE c.age < 3 AND NOT EXISTS (FROM claims d WHERE d._ky_unit = c._ky_unit AND d.paid = c.paid)) r"
        " ON l._ky_unit = r._ky_unit",
    ),
    "a filter above a left join": (
        Filter(left(PEOPLE, CLAIMS, same(P, C)), call(Op.IS_NULL, PAID)),
        P,
        "SELECT p._ky_unit, c.age, c.paid, c.risk, p.age, p.town FROM persons p LEFT JOIN claims c"
        " ON p._ky_unit = c._ky_unit WHERE c.paid IS NULL",
    ),
    "inner under left under inner": (
        inner(
            left(inner(PEOPLE, TOWNS, eq(TOWN, col(T, "town"))), Filter(CLAIMS, SMALL), same(P, C)),
            AGES,
            eq(AGE, col(A, "age")),
        ),
        P,
        "SELECT p._ky_unit, a.age, c.age, c.paid, c.risk, p.age, p.town, t.size, t.town FROM persons p JOIN towns t"
        " ON p.town = t.town LEFT JOIN (SELECT * FROM claims WHERE age < 3) c ON p._ky_unit = c._ky_unit JOIN ages a"
        " ON p.age = a.age",
    ),
    "a group": (
        group(
            1000,
            Filter(CLAIMS, SMALL),
            (C,),
            (RISK,),
            taken(RowAggregate.COUNT, PAID, type_=BIGINT),
            taken(RowAggregate.SUM, col(C, "age"), where=call(Op.IS_NULL, PAID), type_=HUGEINT),
        ),
        1000,
        "SELECT _ky_unit, count(paid), sum(age) FILTER (WHERE paid IS NULL), r FROM"
        " (SELECT *, CASE WHEN isnan(risk) THEN 'nan' ELSE risk + 0.0::DOUBLE END AS r FROM claims) WHERE age < 3"
        " GROUP BY _ky_unit, r",
    ),
    "distinct": (
        group(1000, PEOPLE, (P,), (TOWN, AGE)),
        1000,
        "SELECT DISTINCT _ky_unit, town, age FROM persons",
    ),
    "a group of groups": (
        group(
            1001,
            group(1000, CLAIMS, (C,), (col(C, "age"),), taken(RowAggregate.COUNT, type_=BIGINT)),
            (1000,),
            (),
            taken(RowAggregate.MAX, Column(1000, "a0", BIGINT), type_=BIGINT),
        ),
        1001,
        "SELECT _ky_unit, max(n) FROM (SELECT _ky_unit, age, count(*) AS n FROM claims GROUP BY ALL) GROUP BY _ky_unit",
    ),
    "the newest of each town": (
        Filter(
            Project(1000, PEOPLE, (unit_of(P),), (AGE, TOWN), (FIRST,)),
            eq(Column(1000, "w0", BIGINT), whole(1)),
        ),
        1000,
        "SELECT _ky_unit, age, town, 1 FROM persons QUALIFY row_number() OVER (PARTITION BY _ky_unit, town ORDER BY age DESC"
        " NULLS LAST) = 1",
    ),
    "a running sum": (
        Project(1000, PEOPLE, (unit_of(P),), (AGE,), (RUNNING,)),
        1000,
        "SELECT _ky_unit, age, sum(age) OVER (PARTITION BY _ky_unit ORDER BY age NULLS FIRST) FROM persons",
    ),
    "union": (
        combined(SetKind.UNION, PEOPLE, (P,), CLAIMS, (C,)),
        1000,
        "SELECT _ky_unit, age FROM persons UNION SELECT _ky_unit, age FROM claims",
    ),
    "except all": (
        combined(SetKind.EXCEPT_ALL, PEOPLE, (P,), CLAIMS, (C,)),
        1000,
        "SELECT _ky_unit, age FROM persons EXCEPT ALL SELECT _ky_unit, age FROM claims",
    ),
    "intersect all": (
        combined(SetKind.INTERSECT_ALL, PEOPLE, (P,), CLAIMS, (C,)),
        1000,
        "SELECT _ky_unit, age FROM persons INTERSECT ALL SELECT _ky_unit, age FROM claims",
    ),
    "except public": (
        combined(SetKind.EXCEPT, PEOPLE, (P,), AGES, ()),
        1000,
        "SELECT _ky_unit, age FROM persons EXCEPT SELECT u, age FROM (SELECT DISTINCT _ky_unit AS u FROM persons), ages",
    ),
    "intersect public": (
        combined(SetKind.INTERSECT, PEOPLE, (P,), AGES, ()),
        1000,
        "SELECT _ky_unit, age FROM persons INTERSECT SELECT u, age FROM (SELECT DISTINCT _ky_unit AS u FROM persons), ages",
    ),
    "in": (
        Filter(PEOPLE, Exists(Filter(CLAIMS, SMALL), both(same(P, C), eq(AGE, col(C, "age"))))),
        P,
        "SELECT _ky_unit, age, town FROM persons p WHERE age IN (SELECT age FROM claims c WHERE age < 3 AND"
        " c._ky_unit = p._ky_unit)",
    ),
    "exists in exists": (
        Filter(
            PEOPLE,
            Exists(
                TOWNS,
                both(
                    eq(TOWN, col(T, "town")),
                    Exists(CLAIMS, both(same(P, C), eq(col(C, "age"), col(T, "size")))),
                ),
            ),
        ),
        P,
        "SELECT _ky_unit, age, town FROM persons p WHERE EXISTS (FROM towns t WHERE t.town = p.town AND EXISTS (FROM claims c"
        " WHERE c._ky_unit = p._ky_unit AND c.age = t.size))",
    ),
    "exists in a condition of a left join": (
        left(
            PEOPLE,
            CLAIMS,
            both(
                same(P, C),
                Exists(AGES, both(eq(AGE, col(A, "age")), eq(col(C, "age"), col(A, "age")))),
            ),
        ),
        P,
        "SELECT p._ky_unit, c.age, c.paid, c.risk, p.age, p.town FROM persons p LEFT JOIN claims c ON p._ky_unit = c._ky_unit"
        " AND p.age = c.age AND p.age IN (SELECT age FROM ages WHERE age IS NOT NULL)",
    ),
    "exists counted": (
        group(
            1000,
            PEOPLE,
            (P,),
            (Exists(AGES, eq(AGE, col(A, "age"))),),
            taken(
                RowAggregate.COUNT,
                where=Exists(CLAIMS, both(same(P, C), eq(AGE, col(C, "age")))),
                type_=BIGINT,
            ),
        ),
        1000,
        "SELECT _ky_unit, count(*) FILTER (WHERE b), a FROM (SELECT _ky_unit, coalesce(age IN (SELECT age FROM ages WHERE age IS"
        " NOT NULL), false) AS a, EXISTS (FROM claims c WHERE c._ky_unit = p._ky_unit AND c.age = p.age) AS b FROM persons p)"
        " GROUP BY _ky_unit, a",
    ),
}


@pytest.mark.parametrize("name", SQL)
def test_rows_are_those_of_the_sql(name):
    relation, unit, text = SQL[name]
    prove(relation, unit)
    columns = (unit_of(unit), *sorted(exposed(relation), key=lambda c: (NAMED[c.scan], c.name)))
    met = 0
    for seed in range(10):
        with loaded(random_world(random.Random(seed), rows=5)) as connection:
            ours = rows_of(relation, columns, connection)
            texts = "SELECT CAST(COLUMNS(*) AS VARCHAR) FROM"
            theirs = connection.execute(f"{texts} ({text})").fetchall()
        assert ours == Counter(tuple(map(str, row)) for row in theirs), seed
        met += len(theirs)
    assert met


NAMED = {
    A: "a",
    C: "c",
    P: "p",
    T: "t",
    1000: "z",
    1001: "z",
}  # by the first letter, as the SQL by hand lists them
