"""Nested queries through the compiler: whose rows, which epochs, what the policy is asked, and how far one person reaches."""

from decimal import Decimal

import pytest

from policies.refusals import Refused
from policies.terms import ColumnUse
from sandbox import wire
from sandbox.algebra import Group, Join, JoinType, Project, relations
from sandbox.boundary import EitherValues, ImageValues, ListedValues, ValueSeries
from sandbox.worker.accept import check_claims
from tests.unit.compiler_world import compiled, declared_key, policy

PER_PERSON = "SELECT person_id, sum(amount) AS s, count(*) AS n FROM claims GROUP BY person_id"


def refused(sql: str, **how: object) -> Refused:
    with pytest.raises(Refused) as caught:
        compiled(sql, **how)  # type: ignore[arg-type]
    return caught.value


# ---- how far one person reaches


@pytest.mark.parametrize(
    ("sql", "groups", "upper"),
    [
        ("SELECT count(*) FROM claims", 1, 20),
        (f"SELECT count(*) FROM ({PER_PERSON})", 1, 1),
        ("SELECT count(*) FROM (SELECT DISTINCT person_id FROM claims)", 1, 1),
        ("SELECT count(*) FROM (SELECT DISTINCT person_id, region FROM persons)", 1, 1),
        ("SELECT count(*) FROM (SELECT person_id, icd FROM claims GROUP BY ALL)", 1, 20),
        (
            "SELECT count(*) FROM (SELECT person_id FROM persons UNION ALL SELECT person_id FROM claims)",
            1,
            21,
        ),
        (
            "SELECT count(*) FROM (SELECT person_id FROM persons EXCEPT SELECT person_id FROM claims)",
            1,
            1,
        ),
        (
            "SELECT count(*) FROM (SELECT * FROM claims QUALIFY"
            " row_number() OVER (PARTITION BY person_id ORDER BY day) <= 2)",
            1,
            2,
        ),
        (
            "SELECT count(*) FROM (SELECT * FROM claims QUALIFY"
            " row_number() OVER (PARTITION BY person_id, icd ORDER BY day) <= 2)",
            1,
            20,
        ),
        ("SELECT count(*) FROM persons p LEFT JOIN weather w ON w.region = p.region", 1, 1),
    ],
)
def test_what_one_person_weighs(sql: str, groups: int, upper: int) -> None:
    found = compiled(sql, granted=policy(kind="full")).plan.measurement
    assert (found.groups_per_unit_max, found.moments[0].partial_upper) == (groups, upper)


def test_a_sum_of_one_person_has_the_bounds_of_all_its_rows() -> None:
    (total,) = compiled(f"SELECT sum(s) FROM ({PER_PERSON})").plan.measurement.moments
    assert total.row_upper == 100 * 5_000 * 100  # rows of a person, largest amount, steps of a cent


def test_a_condition_narrows_the_bounds() -> None:
    (wide,) = compiled("SELECT sum(income) FROM persons").plan.measurement.moments
    (narrow,) = compiled(
        "SELECT sum(income) FROM persons WHERE income < 500"
    ).plan.measurement.moments
    assert narrow.row_upper * 2**-narrow.step_exponent <= 501
    assert wide.row_upper * 2**-wide.step_exponent >= 200_000


def test_a_condition_on_the_nullable_side_narrows_nothing() -> None:
    sql = (
        "SELECT sum(income) FROM (SELECT income FROM persons p"
        " LEFT JOIN (SELECT person_id, amount FROM claims WHERE amount < 5) c USING (person_id))"
    )
    (moment,) = compiled(sql, granted=policy(kind="full")).plan.measurement.moments
    assert moment.row_upper * 2**-moment.step_exponent >= 200_000


# ---- declared values of computed keys


def test_a_key_computed_inside_has_the_image_of_declared_values() -> None:
    key = declared_key(
        "SELECT date_trunc('month', d) AS m, count(*)"
        " FROM (SELECT person_id, min(day) AS d FROM claims GROUP BY person_id) GROUP BY m"
    )
    assert key.with_null
    assert isinstance(key.sources[0].values, ValueSeries)


def test_a_number_of_rows_is_a_key_up_to_the_cap() -> None:
    key = declared_key(f"SELECT n, count(*) FROM ({PER_PERSON}) GROUP BY n")
    assert key.sources[0].values == ValueSeries(0, 100)


def test_a_set_operation_declares_the_values_of_both_sides() -> None:
    key = declared_key(
        "SELECT x, count(*) FROM (SELECT region AS x FROM persons UNION ALL SELECT icd FROM claims)"
        " GROUP BY x"
    )
    values = key.sources[0].values
    assert isinstance(values, EitherValues)
    assert [type(part) for part in values.parts] == [ListedValues, ListedValues]


def test_an_expression_behind_distinct_keeps_its_declared_values() -> None:
    key = declared_key(
        "SELECT x, count(*) FROM (SELECT DISTINCT person_id, left(region, 1) AS x FROM persons)"
        " GROUP BY x"
    )
    assert isinstance(key.sources[0].values, ImageValues)


def test_a_bin_holds_inside_a_subquery() -> None:
    granted = policy(bins={"persons.income": Decimal(10_000)})
    fine = "SELECT b, count(*) FROM (SELECT DISTINCT person_id, CAST(income AS INTEGER) // 10 AS b FROM persons) GROUP BY b"
    assert refused(fine, granted=granted).code == "key_too_fine"


# ---- epochs


@pytest.mark.parametrize(
    ("sql", "epochs"),
    [
        ("SELECT count(*) FROM (SELECT * FROM claims WHERE day < '2024-01-01')", {"2023"}),
        ("SELECT count(*) FROM (SELECT * FROM claims) WHERE day >= '2024-01-01'", {"2024"}),
        (
            "SELECT count(*) FROM (SELECT person_id, day FROM claims GROUP BY ALL) WHERE day < '2024-01-01'",
            {"2023"},
        ),
        (
            "SELECT count(*) FROM (SELECT person_id, min(day) AS d FROM claims GROUP BY person_id)"
            " WHERE d < '2024-01-01'",
            {"2023", "2024"},
        ),
        (
            "SELECT count(*) FROM (SELECT day, lag(icd) OVER (PARTITION BY person_id ORDER BY claim_id) AS i"
            " FROM claims) WHERE day >= '2024-01-01' AND i = 'C50'",
            {"2023", "2024"},
        ),
        (
            "SELECT count(*) FROM persons p WHERE EXISTS (SELECT 1 FROM claims c"
            " WHERE c.person_id = p.person_id AND c.day < '2024-01-01')",
            {"2023", "always"},
        ),
        (
            "SELECT count(*) FROM persons p LEFT JOIN claims c"
            " ON c.person_id = p.person_id AND c.day >= '2024-01-01'",
            {"2024", "always"},
        ),
        (
            "SELECT count(*) FROM claims a LEFT JOIN persons p"
            " ON a.person_id = p.person_id AND a.day >= '2024-01-01'",
            {"2023", "2024", "always"},
        ),
        (
            "SELECT count(*) FROM (SELECT person_id, day FROM claims EXCEPT"
            " SELECT person_id, day FROM claims) WHERE day < '2024-01-01'",
            {"2023"},
        ),
        (
            "SELECT count(*) FILTER (WHERE EXISTS (SELECT 1 FROM claims c"
            " WHERE c.person_id = p.person_id AND c.day >= '2024-01-01')) FROM persons p",
            {"2024", "always"},
        ),
    ],
)
def test_a_nested_question_is_charged_to_what_it_can_read(sql: str, epochs: set[str]) -> None:
    assert set(compiled(sql, granted=policy(kind="full")).epochs) == epochs


# ---- what the policy is asked


@pytest.mark.parametrize(
    ("sql", "column", "use"),
    [
        (f"SELECT sum(s) FROM ({PER_PERSON})", "claims.amount", ColumnUse.AGGREGATE),
        (
            "SELECT x, count(*) FROM (SELECT region AS x FROM persons) GROUP BY x",
            "persons.region",
            ColumnUse.GROUP,
        ),
        (
            "SELECT count(*) FROM (SELECT DISTINCT person_id, icd FROM claims)",
            "claims.icd",
            ColumnUse.FILTER,
        ),
        (
            "SELECT count(*) FROM (SELECT rank() OVER (PARTITION BY person_id ORDER BY amount) AS r FROM claims)"
            " WHERE r = 1",
            "claims.amount",
            ColumnUse.FILTER,
        ),
        (
            "SELECT count(*) FROM persons p WHERE EXISTS (SELECT 1 FROM claims c"
            " WHERE c.person_id = p.person_id AND c.icd = 'C50')",
            "claims.icd",
            ColumnUse.FILTER,
        ),
        (
            "SELECT count(*) FROM persons WHERE person_id IN (SELECT person_id FROM claims)",
            "claims.person_id",
            ColumnUse.JOIN_KEY,
        ),
        (
            "SELECT sum((SELECT max(amount) FROM claims c WHERE c.person_id = p.person_id)) FROM persons p",
            "claims.amount",
            ColumnUse.AGGREGATE,
        ),
        (
            "SELECT count(*) FROM persons p JOIN (VALUES (17)) v(id) ON v.id = p.person_id",
            "persons.person_id",
            ColumnUse.FILTER,
        ),
    ],
)
def test_a_use_inside_is_a_use(sql: str, column: str, use: ColumnUse) -> None:
    assert compiled(sql, granted=policy(kind="full")).plan
    found = refused(sql, granted=policy(kind="full", withdrawn=(column, use)))
    assert (found.code, found.params["use"]) == ("column_use_not_granted", use.value)


@pytest.mark.parametrize(
    ("sql", "least"),
    [
        ("SELECT count(*) FROM persons JOIN claims USING (person_id)", "inner"),
        ("SELECT count(*) FROM persons WHERE person_id IN (SELECT person_id FROM claims)", "inner"),
        (
            "SELECT count(*) FROM persons WHERE person_id NOT IN (SELECT person_id FROM claims)",
            "left",
        ),
        ("SELECT count(*) FROM persons ANTI JOIN claims USING (person_id)", "left"),
        ("SELECT count(*) FROM persons LEFT JOIN claims USING (person_id)", "left"),
        ("SELECT count(*) FROM persons FULL JOIN claims USING (person_id)", "full"),
    ],
)
def test_who_has_no_partner_takes_more_than_an_inner_join(sql: str, least: str) -> None:
    kinds = ("inner", "left", "full")
    for kind in kinds:
        if kinds.index(kind) < kinds.index(least):
            assert refused(sql, granted=policy(kind=kind)).code == "join_not_granted"
        else:
            assert compiled(sql, granted=policy(kind=kind)).plan


def test_what_a_star_brings_but_nobody_reads_is_not_asked_for() -> None:
    granted = policy(withdrawn=("claims.icd", ColumnUse.FILTER))
    made = compiled("WITH c AS (SELECT * FROM claims) SELECT count(*) FROM c", granted=granted)
    assert made.plan.measurement.scans[0].columns == ()


# ---- one meaning, one plan


@pytest.mark.parametrize(
    "sql",
    [
        "SELECT region, sum(income) FROM (SELECT * FROM persons) GROUP BY region",
        "WITH p AS (SELECT region, income AS i FROM persons) SELECT region, sum(i) FROM p GROUP BY 1",
        "FROM persons SELECT region, sum(income) GROUP BY ALL",
        "SELECT r AS region, sum(x) FROM persons AS t(a, b, r, d, x, e) GROUP BY r",
        "SELECT region, sum(income) FROM (SELECT region, income FROM (SELECT * EXCLUDE (name) FROM persons)) GROUP BY region",
    ],
)
def test_wrapping_changes_nothing(sql: str) -> None:
    plain = compiled("SELECT region, sum(income) FROM persons GROUP BY region")
    assert wire.digest(compiled(sql).plan.measurement) == wire.digest(plain.plan.measurement)


def test_the_sides_of_a_right_join_are_turned() -> None:
    granted = policy(kind="full")
    right = compiled(
        "SELECT count(*) FROM claims c RIGHT JOIN persons p USING (person_id)", granted=granted
    )
    joins = [
        n
        for n in relations(right.plan.measurement.relation)
        if isinstance(n, Join | Project | Group)
    ]
    assert [n.type for n in joins if isinstance(n, Join)] == [JoinType.LEFT]


@pytest.mark.parametrize(
    ("sql", "code"),
    [
        (
            "SELECT count(*) FROM weather w LEFT JOIN persons p USING (region)",
            "sql_feature_refused",
        ),
        (
            "SELECT count(*) FROM persons p FULL JOIN weather w USING (region)",
            "sql_feature_refused",
        ),
        ("SELECT count(*) FROM (SELECT * FROM claims LIMIT 3)", "sql_feature_refused"),
        ("SELECT count(*) FROM (SELECT DISTINCT icd FROM claims)", "sql_feature_refused"),
        (
            "SELECT count(*) FROM (SELECT rank() OVER (ORDER BY amount) AS r FROM claims) WHERE r = 1",
            "sql_feature_refused",
        ),
        (
            "SELECT count(*) FROM (SELECT region FROM persons UNION SELECT icd FROM claims)",
            "sql_feature_refused",
        ),
        (
            "SELECT count(*) FROM (SELECT region FROM persons UNION ALL SELECT region FROM weather)",
            "sql_feature_refused",
        ),
        (
            "SELECT count(*) FROM persons p WHERE EXISTS (SELECT 1 FROM claims c WHERE c.amount > p.income)",
            "unit_join_missing",
        ),
        (
            "SELECT count(*) FROM persons p WHERE EXISTS (SELECT 1 FROM claims c"
            " WHERE c.person_id = p.person_id OR c.amount > 5)",
            "unit_join_missing",
        ),
        (
            "SELECT count(*) FROM persons p LEFT JOIN claims c ON c.amount > 5 WHERE c.person_id = p.person_id",
            "unit_join_missing",
        ),
        (
            "SELECT count(*) FROM persons WHERE person_id NOT IN (SELECT nullif(person_id, 3) FROM claims)",
            "unit_join_missing",
        ),
        ("WITH RECURSIVE r AS (SELECT 1) SELECT count(*) FROM r", "sql_feature_refused"),
        ("SELECT count(*) FROM (SELECT nosuch FROM persons)", "unknown_column"),
        ("SELECT count(*) FROM (SELECT 1) t, persons t", "duplicate_alias"),
    ],
)
def test_what_would_mix_people_is_refused(sql: str, code: str) -> None:
    assert refused(sql, granted=policy(kind="full")).code == code


@pytest.mark.parametrize(
    "linked", ["p.person_id = c.person_id", "c.amount > 5 AND c.person_id = p.person_id"]
)
def test_where_links_what_an_outer_join_follows(linked: str) -> None:
    sql = "SELECT count(*) FROM persons p, claims c LEFT JOIN weather w ON w.day = c.day WHERE "
    granted = policy(kind="full")
    assert compiled(sql + linked, granted=granted).plan
    assert refused(sql + "c.amount > 5", granted=granted).code == "unit_join_missing"


@pytest.mark.parametrize(
    "sql",
    [
        "SELECT count(*) FROM persons CROSS JOIN (SELECT 1 AS x UNION ALL SELECT 2) v",
        "SELECT count(*) FROM persons p JOIN (SELECT region, 1 AS k FROM weather UNION ALL SELECT 'north', 2) v"
        " ON v.region = p.region",
        "SELECT count(*) FROM (SELECT person_id, icd FROM claims EXCEPT SELECT 1, 'C50') x"
        " LEFT JOIN claims USING (person_id)",
    ],
)
def test_constants_in_a_set_operation_join_nothing_new(sql: str) -> None:
    made = compiled(sql, granted=policy(kind="full"))
    check_claims(made.plan)  # raises where the worker would not accept it
    assert made.plan.measurement.moments
