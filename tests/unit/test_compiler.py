"""The five stages, on questions small enough to check by eye."""

from decimal import Decimal
from fractions import Fraction

import pytest

from policies.refusals import Position, Refused
from policies.terms import NANO, Accountant, ColumnUse, SqlType, TypeKind
from sandbox.algebra import Call, Column, Filter, Join, Literal, Op, walk
from sandbox.boundary import UNIT_COLUMN, ListedValues, MomentKind, StepBase, ValueSeries
from sandbox.compiler.intervals import EVERYTHING, Interval, interval
from sandbox.compiler.parse import BYTES_MAX, parse
from tests.unit.compiler_world import compiled, declared_key, policy

PERSONS = "SELECT count(*) FROM persons"


def refused(sql: str, **how: object) -> Refused:
    with pytest.raises(Refused) as caught:
        compiled(sql, **how)  # type: ignore[arg-type]
    return caught.value


# ---- parse


@pytest.mark.parametrize(
    ("sql", "code"),
    [
        ("", "sql_not_a_select"),
        ("SELECT 1; SELECT 2", "sql_not_a_select"),
        ("DELETE FROM persons", "sql_not_a_select"),
        ("VACUUM", "sql_not_a_select"),
        ("CALL pragma_version()", "sql_not_a_select"),
        ("SELECT count(* FROM persons", "sql_syntax"),
        ("SELECT 'unfinished", "sql_syntax"),
        ("SELECT count(*) FROM persons -- \x00", "sql_not_text"),
        ("\ufeffSELECT count(*) FROM persons", "sql_not_text"),
        ("SELECT \udcff", "sql_not_text"),
        ("SELECT " + "x" * BYTES_MAX, "sql_too_long"),
        ("SELECT " + "(" * 10_000 + "1" + ")" * 10_000, "sql_too_complex"),
        ("SELECT " + "NOT " * 3_000 + "true", "sql_too_complex"),
        ("SELECT 1" + "+1" * 1_500, "sql_too_complex"),
        ("SELECT count(*) FROM persons FOR UPDATE", "sql_feature_refused"),
        ("SELECT DISTINCT region FROM persons", "not_aggregated"),
        ("SELECT count(*) FROM persons TABLESAMPLE 10%", "sql_feature_refused"),
        ("SELECT count(*) FROM read_csv('/etc/passwd')", "sql_function_refused"),
        ("SELECT sum(random()) FROM persons", "sql_function_refused"),
        ("SELECT sum(error('x')) FROM persons", "sql_function_refused"),
        ("SELECT count(*) FROM persons WHERE region = ?", "parameter_missing"),
    ],
)
def test_what_is_not_one_known_select_is_refused(sql, code):
    assert refused(sql).code == code


def test_long_chains_of_and_are_one_operator():
    chain = " AND ".join(["income > 1"] * 40)
    made = compiled(f"{PERSONS} WHERE {chain}")
    assert isinstance(made.plan.measurement.relation, Filter)


def test_a_refusal_points_at_the_place():
    found = refused("SELECT count(*)\nFROM persons\nWHERE nosuch = 1")
    assert (found.code, found.at) == ("unknown_column", Position(3, 7))


def test_the_parser_logs_nothing_of_the_text(caplog):
    with pytest.raises(Refused):
        parse("EXPLAIN SELECT count(*) FROM persons WHERE name = 'Alice'")
    assert "Alice" not in caplog.text


# ---- resolve


@pytest.mark.parametrize(
    ("sql", "code"),
    [
        ("SELECT count(*) FROM nosuch", "unknown_table"),
        ("SELECT count(*) FROM other.persons", "unknown_table"),
        ("SELECT count(*) FROM persons p, persons p", "duplicate_alias"),
        (
            "SELECT count(*) FROM persons p JOIN claims c ON p.person_id = c.person_id WHERE person_id = 1",
            "ambiguous_column",
        ),
        ("SELECT name FROM persons", "not_aggregated"),
        ("SELECT * FROM persons", "not_aggregated"),
        ("SELECT persons FROM persons", "unknown_column"),
        ("SELECT region, income, count(*) FROM persons GROUP BY region", "not_aggregated"),
        ("SELECT region FROM persons GROUP BY region", "no_aggregate"),
        ("SELECT count(*) FROM persons ORDER BY name", "not_aggregated"),
        ("SELECT count(*) FROM weather", "no_private_table"),
        ("SELECT 1", "no_private_table"),
        ("SELECT count(*) FROM persons WHERE name > 5", "sql_type_mismatch"),
        ("SELECT sum(name) FROM persons", "sql_type_mismatch"),
        ("SELECT count(*) FROM persons WHERE birth > 'soon'", "sql_argument_refused"),
        ("SELECT count(*) FROM persons WHERE name LIKE region", "sql_argument_refused"),
        ("SELECT count(*) FROM persons WHERE name LIKE '%a%a%a_'", "sql_argument_refused"),
        (
            "SELECT count(*) FROM persons WHERE date_trunc(name, birth) = birth",
            "sql_argument_refused",
        ),
        ("SELECT count(*) FROM persons WHERE birth + person_id > birth", "sql_type_mismatch"),
        ("SELECT sum(person_id * person_id * person_id) FROM persons", "expression_may_overflow"),
        ("SELECT count(*) FROM persons GROUP BY 7", "sql_argument_refused"),
        ("SELECT count(*) FROM persons LIMIT -1", "sql_argument_refused"),
    ],
)
def test_names_types_and_rows_are_refused_with_their_code(sql, code):
    assert refused(sql).code == code


@pytest.mark.parametrize(
    "sql",
    [
        "SELECT count(*) FROM persons p, claims c",
        "SELECT count(*) FROM persons p JOIN claims c ON p.region = c.icd",
        "SELECT count(*) FROM persons p JOIN claims c ON p.person_id = c.claim_id",
        "SELECT count(*) FROM persons p JOIN claims c ON p.person_id = c.person_id OR p.income > 1",
        "SELECT count(*) FROM persons p JOIN claims c ON p.person_id = c.person_id + 0",
        "SELECT count(*) FROM persons p JOIN claims c ON NOT (p.person_id <> c.person_id)",
        "SELECT count(*) FROM persons p JOIN claims c ON p.person_id >= c.person_id",
    ],
)
def test_private_tables_must_be_joined_on_the_unit(sql):
    found = refused(sql)
    assert found.code == "unit_join_missing"
    assert "p.person_id = c.person_id" in found.message("en")


@pytest.mark.parametrize(
    "sql",
    [
        "SELECT count(*) FROM persons p JOIN claims c ON p.person_id = c.person_id",
        "SELECT count(*) FROM persons JOIN claims USING (person_id)",
        "SELECT count(*) FROM persons p, claims c WHERE p.person_id = c.person_id AND c.amount > 1",
        "SELECT count(*) FROM claims c JOIN items i ON i.claim_ref = c.claim_id",
        "SELECT count(*) FROM claims a JOIN claims b ON a.person_id = b.person_id",
    ],
)
def test_every_unit_join_carries_the_stored_unit(sql):
    relation = compiled(sql).plan.measurement.relation
    join = relation.input if isinstance(relation, Filter) else relation
    assert isinstance(join, Join)
    units = {n.scan for n in walk(join.on) if isinstance(n, Column) and n.name == UNIT_COLUMN}
    assert units == {0, 1}


# ---- check


def test_a_withdrawn_use_is_refused_with_the_grant_that_would_help():
    granted = policy(withdrawn=("persons.income", ColumnUse.FILTER))
    found = refused(f"{PERSONS} WHERE income > 5", granted=granted)
    assert found.code == "column_use_not_granted"
    assert [(g.table, g.column, g.use) for g in found.needed_grants] == [
        ("persons", "income", "filter")
    ]
    assert compiled("SELECT sum(income) FROM persons", granted=granted)


def test_a_condition_inside_an_aggregate_is_a_filter():
    granted = policy(withdrawn=("persons.region", ColumnUse.FILTER))
    sql = "SELECT sum(CASE WHEN region = 'north' THEN income END) FROM persons"
    assert refused(sql, granted=granted).code == "column_use_not_granted"


# ---- bound


@pytest.mark.parametrize(
    ("sql", "code"),
    [
        ("SELECT sum(person_id) FROM persons", "bounds_missing"),
        ("SELECT sum(income * 1e9) FROM persons", "bounds_too_wide"),
        ("SELECT name, count(*) FROM persons GROUP BY name", "key_domain_missing"),
        ("SELECT income, count(*) FROM persons GROUP BY income", "key_domain_missing"),
        (
            "SELECT CASE WHEN insured THEN name END, count(*) FROM persons GROUP BY 1",
            "key_domain_missing",
        ),
        ("SELECT sum(DISTINCT income) FROM persons", "sql_feature_refused"),
    ],
)
def test_what_has_no_bound_is_refused(sql, code):
    assert refused(sql).code == code


def test_a_sum_of_decimals_is_exact_in_cents():
    (moment,) = compiled("SELECT sum(amount) FROM claims").plan.measurement.moments
    assert (moment.step_base, moment.step_exponent) == (StepBase.TEN, 2)
    assert (moment.row_lower, moment.row_upper) == (0, 500_000)
    assert (moment.partial_lower, moment.partial_upper) == (0, 20 * 500_000)
    assert moment.sensitivity_l1 == 20 * 500_000  # one group, because nothing is grouped


def test_groups_multiply_the_sensitivity_up_to_the_declared_groups():
    plan = compiled("SELECT icd, day, count(*) FROM claims GROUP BY icd, day").plan
    assert plan.measurement.groups_per_unit_max == 5
    assert plan.measurement.moments[0].sensitivity_l1 == 5 * 20
    assert plan.measurement.moments[0].sensitivity_l2_squared == 5 * 20**2
    few = compiled("SELECT insured, count(*) FROM persons GROUP BY insured").plan
    assert few.measurement.groups_per_unit_max == 1


def test_joined_private_tables_multiply_their_contributions():
    sql = "SELECT count(*) FROM claims a JOIN claims b ON a.person_id = b.person_id"
    assert compiled(sql).plan.measurement.moments[0].partial_upper == 20 * 20


def test_counting_units_counts_each_once():
    plan = compiled("SELECT count(DISTINCT person_id) FROM claims").plan
    assert plan.measurement.moments[0].kind is MomentKind.PRESENCE
    assert plan.measurement.moments[0].sensitivity_l1 == 1


def test_avg_sum_and_count_share_their_moments():
    plan = compiled("SELECT avg(amount), sum(amount), count(amount) FROM claims").plan
    assert len(plan.measurement.moments) == 2
    assert sum(m.loss.primary for m in plan.measurement.moments) <= NANO


@pytest.mark.parametrize(
    ("key", "outcomes", "sources", "with_null"),
    [
        ("insured", 0, 1, False),
        ("income > 5", 2, 0, True),
        ("income IS NULL", 2, 0, False),
        ("CASE WHEN income > 5 THEN 'a' ELSE 'b' END", 2, 0, False),
        ("CASE WHEN income > 5 THEN 'a' END", 1, 0, True),
        ("region", 0, 1, False),
        ("upper(region)", 0, 1, False),
        ("CAST(floor(income / 20000) AS INTEGER)", 11, 0, False),
        ("month(birth)", 12, 0, False),
    ],
)
def test_keys_are_declared_without_reading_rows(key, outcomes, sources, with_null):
    made = declared_key(f"SELECT {key}, count(*) FROM persons GROUP BY 1")
    assert (len(made.outcomes), len(made.sources), made.with_null) == (outcomes, sources, with_null)


def test_a_month_comes_from_the_declared_days():
    key = declared_key("SELECT date_trunc('month', day), count(*) FROM claims GROUP BY 1")
    (source,) = key.sources
    assert isinstance(source.values, ValueSeries)
    key = declared_key(
        "SELECT w.region, count(*) FROM persons p JOIN weather w ON w.region = p.region GROUP BY 1"
    )
    (source,) = key.sources
    assert isinstance(source.values, ListedValues)


@pytest.mark.parametrize(
    ("where", "epochs"),
    [
        ("", ("2023", "2024")),
        ("WHERE day >= DATE '2024-02-01'", ("2024",)),
        ("WHERE DATE '2023-06-30' >= day", ("2023",)),
        ("WHERE day BETWEEN '2023-12-31' AND '2024-01-01'", ("2023", "2024")),
        ("WHERE day > DATE '2023-12-31' OR amount > 1", ("2023", "2024")),
        ("WHERE NOT day < DATE '2024-01-01'", ("2023", "2024")),
        ("WHERE day > DATE '2030-01-01'", ("2023",)),
    ],
)
def test_a_query_charges_every_epoch_it_can_touch(where, epochs):
    assert compiled(f"SELECT count(*) FROM claims {where}").epochs == epochs


def test_tables_without_epochs_share_one_account_that_never_resets():
    sql = "SELECT count(*) FROM persons JOIN claims USING (person_id) WHERE day >= '2024-01-01'"
    assert compiled(sql).epochs == ("2024", "always")


BINNED = {"persons.income": Decimal(1000), "claims.amount": Decimal(100)}


@pytest.mark.parametrize(
    "key",
    [
        "CAST(floor(income / 1000) AS INTEGER)",
        "CAST(floor(income / 5000) AS INTEGER) + 1",
        "income < 20000",
        "20000 > income",
        "CASE WHEN income < 1000 THEN 'a' WHEN income >= 5000 THEN 'b' ELSE 'c' END",
    ],
)
def test_a_binned_column_is_grouped_in_whole_steps(key):
    sql = f"SELECT {key}, count(*) FROM persons GROUP BY 1"
    assert compiled(sql, granted=policy(bins=BINNED))


@pytest.mark.parametrize(
    "key",
    [
        "CAST(floor(income) AS INTEGER)",
        "CAST(floor(income / 10) AS INTEGER)",
        "CAST(floor(income / 1500) AS INTEGER)",
        "CAST(floor((income + 7) / 1000) AS INTEGER)",
        "CAST(round(income / 1000) AS INTEGER)",
        "income <= 20000",
        "income > 20000",
        "income < 20001",
        "income = 20000",
        "income IS NULL",
        "CASE WHEN income < 20000 AND income >= 19999 THEN 1 ELSE 0 END",
    ],
)
def test_a_binned_column_is_never_grouped_finer(key):
    sql = f"SELECT {key}, count(*) FROM persons GROUP BY 1"
    assert refused(sql, granted=policy(bins=BINNED)).code == "key_too_fine"


# ---- intervals

AMOUNT = Column(0, "amount", SqlType(TypeKind.DOUBLE))


def spread(low: int | None, high: int | None) -> Interval:
    return Interval(*(None if end is None else Fraction(end) for end in (low, high)))


def number(value: int) -> Literal:
    return Literal(SqlType(TypeKind.DOUBLE), float(value))


@pytest.mark.parametrize(
    ("op", "other", "expected"),
    [
        (Op.ADD, 10, spread(5, 30)),
        (Op.SUB, 10, spread(-15, 10)),
        (Op.MUL, -2, spread(-40, 10)),
        (Op.LEAST, 0, spread(-5, 0)),
        (Op.GREATEST, 0, spread(0, 20)),
        (Op.DIV, 0, EVERYTHING),
        (Op.DIV, 5, spread(-1, 4)),
        (Op.COALESCE, 40, spread(-5, 40)),
    ],
)
def test_interval_arithmetic(op, other, expected):
    found = interval(Call(op, (AMOUNT, number(other)), AMOUNT.type), lambda _: spread(-5, 20))
    assert found == expected


def test_an_operator_can_bound_what_the_holder_did_not():
    clamped = "SELECT sum(least(greatest(person_id, 0), 100)) FROM persons"
    (moment,) = compiled(clamped).plan.measurement.moments
    assert (moment.row_lower, moment.row_upper) == (0, 100)
    half = refused("SELECT sum(least(person_id, 100)) FROM persons")
    assert half.code == "bounds_missing"


# ---- plan


def test_losses_are_capped_and_never_converted():
    assert refused(PERSONS, primary=2 * NANO).code == "loss_per_query_exceeded"
    pure = policy(Accountant.PURE_EPS)
    found = refused(PERSONS, accountant=Accountant.APPROX_ZCDP, granted=pure)
    assert found.code == "loss_missing"
    assert refused("SELECT avg(amount) FROM claims", primary=1).code == "loss_too_small"


def test_equal_questions_have_equal_digests_whatever_their_spelling():
    one = compiled("SELECT region AS r, count(*) AS n FROM persons GROUP BY region ORDER BY n")
    two = compiled("select p.REGION, COUNT(*)  x from PERSONS p group by 1 order by count(*)")
    other = compiled("SELECT region, count(*) FROM persons WHERE income > 1 GROUP BY region")
    assert one.digest == two.digest != other.digest
    assert one.labels == ("r", "n")


def test_no_text_of_the_operator_crosses_but_typed_constants():
    sql = "SELECT region AS my_label, count(*) AS secret_alias FROM persons p WHERE name = 'Zoë' GROUP BY 1"
    plan = compiled(sql).plan
    text = repr(plan)
    assert "my_label" not in text
    assert "secret_alias" not in text
    assert text.count("Zoë") == 1


def test_constants_keep_their_exact_value():
    plan = compiled("SELECT sum(amount * 0.07) FROM claims").plan
    literals = [n for n in walk(plan.measurement.moments[0].value) if isinstance(n, Literal)]
    assert [n.value for n in literals] == [Decimal("0.07")]
