"""The compiler refuses; it never crashes, hangs or lets a name grow without end. Each line once did one of them."""

import time

import pytest

from policies.refusals import Refused
from policies.terms import ColumnUse
from tests.unit.compiler_world import compiled, policy

DOUBLING = ", ".join(f"a{i} + a{i} AS a{i + 1}" for i in range(40))


@pytest.mark.parametrize(
    ("sql", "code"),
    [
        (f"SELECT count(*) FROM persons WHERE 1 = {'9' * 5000}", "expression_may_overflow"),
        (f"SELECT count(*) FROM persons LIMIT {'9' * 5000}", "sql_argument_refused"),
        (f"SELECT count(*) FROM persons ORDER BY {'9' * 5000}", "sql_argument_refused"),
        ("SELECT count(*) + n AS n FROM persons", "unknown_column"),
        ("SELECT a + 1 AS b, b + 1 AS a, count(*) FROM persons", "unknown_column"),
        (f"SELECT sum(income) AS a0, {DOUBLING} FROM persons", "sql_too_complex"),
        ("SELECT count_if(500) FROM persons", "sql_type_mismatch"),
        ("SELECT count(*) FILTER (WHERE 'x') FROM persons", "sql_type_mismatch"),
        ("SELECT count(*) FROM persons HAVING 'x'", "sql_type_mismatch"),
        ("SELECT count(*) FROM persons WHERE 'yes'", "sql_type_mismatch"),
        ("SELECT FROM persons", "sql_syntax"),
        ("FROM persons SELECT", "sql_syntax"),
        ("SELECT { : , 'i' : id_card } FROM persons", "sql_syntax"),  # the parser itself crashes
    ],
)
def test_what_once_crashed_is_refused(sql: str, code: str) -> None:
    started = time.monotonic()
    with pytest.raises(Refused) as caught:
        compiled(sql)
    assert caught.value.code == code
    assert time.monotonic() - started < 2


@pytest.mark.parametrize("call", ["least(, income)", "coalesce(income, )", "greatest(income)"])
def test_a_missing_argument_is_no_crash(call: str) -> None:
    assert compiled(f"SELECT sum({call}) FROM persons").labels


def test_a_long_negative_constant_keeps_its_digits() -> None:
    constant = "12345678901234567890123456789.5"
    made = compiled(f"SELECT count(*) FROM claims WHERE amount > -{constant}::DECIMAL(38,2)")
    assert f"-{constant}0" in repr(made.plan)


def test_a_join_key_is_no_filter_in_disguise() -> None:
    """`p.person_id = w.rain_mm + 17` would pick out one person under the name of a join."""
    sql = (
        "SELECT count(*) FROM persons p JOIN weather w ON p.region = w.region "
        "AND w.rain_mm - w.rain_mm + 17 = p.person_id"
    )
    with pytest.raises(Refused) as caught:
        compiled(sql, granted=policy(withdrawn=("persons.person_id", ColumnUse.FILTER)))
    assert caught.value.code == "column_use_not_granted"
    assert caught.value.params["use"] == "filter"


@pytest.mark.parametrize("key", ["1", "'x'", "1 BETWEEN 0 AND 2", "coalesce(NULL, 3) > 2"])
def test_a_constant_key_makes_no_groups(key: str) -> None:
    """Its three truth values would else make three groups that all look the same."""
    assert (
        compiled(f"SELECT {key} AS k, count(*) FROM persons GROUP BY k").plan.measurement.keys == ()
    )


@pytest.mark.parametrize(
    "constant", ["2.5::INTEGER", "DATE '2024-01-01'::VARCHAR", "true::VARCHAR"]
)
def test_a_constant_may_be_cast_like_any_value(constant: str) -> None:
    assert compiled(f"SELECT count(*) FROM persons WHERE {constant} IS NOT NULL").labels


def test_a_text_that_is_no_number_is_a_slip() -> None:
    with pytest.raises(Refused) as caught:
        compiled("SELECT count(*) FROM persons WHERE 'x'::INTEGER = 1")
    assert caught.value.code == "sql_argument_refused"


@pytest.mark.parametrize("product", ["{} * 0", "1 // {}", "7 % {}"])
def test_a_small_result_does_not_narrow_a_large_operand(product: str) -> None:
    """It is computed in the type of the result: as a BIGINT, the largest HUGEINT times 0 would be NULL."""
    huge = "least(person_id::HUGEINT, 5)"
    made = compiled(f"SELECT count({product.format(huge)}) FROM persons").plan
    assert "HUGEINT" in repr(made.measurement.moments[0].value.args[0].args[0].args[0].type)  # type: ignore[union-attr]


def test_a_key_that_can_only_be_null_is_refused_by_name() -> None:
    """No worker accepts a key without a single declared value, and the twin's word for it would help nobody."""
    with pytest.raises(Refused) as caught:
        compiled("SELECT CASE WHEN income > 5 THEN NULL END AS k, count(*) FROM persons GROUP BY k")
    assert caught.value.code == "key_domain_missing"


def _around(step: str, first: str, last: str, times: int = 40) -> str:
    entries = [f"a0 AS ({first})"]
    entries += [f"a{i + 1} AS ({step.format(p=f'a{i}')})" for i in range(times)]
    return f"WITH {', '.join(entries)} {last} FROM a{times}"


INCOMES = "SELECT person_id, income AS x FROM persons"
COUNTED = "SELECT region, count(*) AS x FROM persons GROUP BY region"


@pytest.mark.parametrize(
    ("step", "first", "last"),
    [
        ("SELECT person_id, x + x AS x FROM {p}", INCOMES, "SELECT sum(x)"),
        ("SELECT person_id, x FROM {p} WHERE x + x < 7", INCOMES, "SELECT sum(x)"),
        ("SELECT DISTINCT person_id, x + x AS x FROM {p}", INCOMES, "SELECT sum(x)"),
        (
            "SELECT person_id, CASE WHEN x > 1 THEN x ELSE -x END AS x FROM {p}",
            INCOMES,
            "SELECT sum(x)",
        ),
        (
            "SELECT person_id, sum(x + x) OVER (PARTITION BY person_id) AS x FROM {p}",
            INCOMES,
            "SELECT sum(x)",
        ),
        (
            "SELECT person_id, sum(x) + max(x) AS x FROM {p} GROUP BY person_id",
            INCOMES,
            "SELECT sum(x)",
        ),
        ("SELECT x + x AS x FROM {p}", COUNTED, "SELECT max(x)"),
        ("SELECT DISTINCT x + x AS x FROM {p}", COUNTED, "SELECT max(x)"),
    ],
)
def test_columns_that_double_from_query_to_query_are_no_hang(
    step: str, first: str, last: str
) -> None:
    """Each query around writes its column twice: forty of them are 2^40 parts, in the gateway's own process."""
    started = time.monotonic()
    if "WHERE" in step:
        assert compiled(_around(step, first, last)).labels
    else:
        with pytest.raises(Refused) as caught:
            compiled(_around(step, first, last))
        assert caught.value.code == "sql_too_complex"
    assert time.monotonic() - started < 10


def test_a_few_queries_around_each_other_are_no_bomb() -> None:
    assert compiled(
        _around("SELECT person_id, x + x AS x FROM {p}", INCOMES, "SELECT sum(x)", 5)
    ).labels
