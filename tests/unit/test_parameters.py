"""A value beside the text is the constant it stands for, exactly, wherever a constant may stand, and never SQL."""

import json
from datetime import date, datetime
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.exact_json import loads
from gateway.parameters import read_parameters, written_parameters
from keyong import parameters as guest
from policies.refusals import Position, Refused
from policies.terms import NANO, Accountant, PrivacyLoss
from sandbox import wire
from sandbox.client import Planned, Question, plan
from sandbox.compiler.check import Asker
from sandbox.compiler.parameters import PARAMETERS_MAX, VALUES_BYTES_MAX
from tests.unit.compiler_world import NOW, catalogue, compiled, policy

LOSS = PrivacyLoss(Accountant.PURE_EPS, NANO, 0)
COUNT = "SELECT count(*) FROM claims WHERE "


def asked(sql: str, sent: Any) -> Planned:
    asker = Asker("operator", "research", NOW, suspended=False)
    question = Question(sql, policy(), catalogue(), asker, LOSS, read_parameters(sent))
    return plan(question)


def refused(sql: str, sent: Any) -> Refused:
    with pytest.raises(Refused) as caught:
        asked(sql, sent)
    return caught.value


SAME = [
    (COUNT + "amount > ?", [Decimal("12.50")], COUNT + "amount > 12.50"),
    (COUNT + "amount > $1", [Decimal("0.1")], COUNT + "amount > 0.1"),
    (COUNT + "amount > $least", {"least": 5}, COUNT + "amount > 5"),
    (COUNT + "amount > $Least", {"LEAST": 5}, COUNT + "amount > 5"),
    (COUNT + "amount > :least", {"least": 5}, COUNT + "amount > 5"),
    (COUNT + "amount > ?1 AND amount < ?2", [1, 9], COUNT + "amount > 1 AND amount < 9"),
    (COUNT + "amount > $2 AND amount < $1", [9, 1], COUNT + "amount > 1 AND amount < 9"),
    (COUNT + "amount > $1 OR amount < -$1", [9], COUNT + "amount > 9 OR amount < -9"),
    (COUNT + "amount - ? > 0", [-3], COUNT + "amount - -3 > 0"),
    (COUNT + "day >= $d", {"d": "2024-02-01"}, COUNT + "day >= '2024-02-01'"),
    (
        COUNT + "day >= $d",
        {"d": {"type": "DATE", "value": "2024-02-01"}},
        COUNT + "day >= DATE '2024-02-01'",
    ),
    (COUNT + "day >= DATE $d", {"d": "2024-02-01"}, COUNT + "day >= DATE '2024-02-01'"),
    (
        COUNT + "CAST(day AS TIMESTAMP) < ?",
        [{"type": "TIMESTAMP", "value": "2024-02-01 12:00:00"}],
        COUNT + "CAST(day AS TIMESTAMP) < TIMESTAMP '2024-02-01 12:00:00'",
    ),
    (COUNT + "icd IN (?, ?)", ["E11", "I10"], COUNT + "icd IN ('E11', 'I10')"),
    (COUNT + "icd LIKE $p", {"p": "E%"}, COUNT + "icd LIKE 'E%'"),
    (COUNT + "amount > ?", [{"type": "DOUBLE", "value": "1e3"}], COUNT + "amount > 1e3"),
    (COUNT + "amount > ?", [{"type": "DOUBLE", "value": 2}], COUNT + "amount > 2e0"),
    (COUNT + "amount > ?", [{"type": "DECIMAL", "value": "2"}], COUNT + "amount > 2.0"),
    (
        COUNT + "amount > ?",
        [{"type": "HUGEINT", "value": "7"}],
        COUNT + "amount > CAST('7' AS HUGEINT)",
    ),
    (COUNT + "(amount > 1) IS ?", [True], COUNT + "(amount > 1) IS TRUE"),
    (COUNT + "amount IS NOT DISTINCT FROM ?", [None], COUNT + "amount IS NOT DISTINCT FROM NULL"),
    (COUNT + "day >= day + INTERVAL ? DAY", [7], COUNT + "day >= day + INTERVAL 7 DAY"),
    (COUNT + "day > date_trunc($unit, day)", {"unit": "month"}, COUNT + "day > date_trunc('month', day)"),
    (
        "SELECT icd, count(*) * $k FROM claims GROUP BY icd HAVING count(*) > $m LIMIT $n OFFSET $o",
        {"k": 2, "m": 10, "n": 3, "o": 1},
        "SELECT icd, count(*) * 2 FROM claims GROUP BY icd HAVING count(*) > 10 LIMIT 3 OFFSET 1",
    ),
    # `?` counts in the order of the text, not of the clauses' meaning
    (
        "SELECT icd, count(*) * ? FROM claims WHERE amount > ? GROUP BY icd HAVING count(*) > ? LIMIT ? OFFSET ?",
        [2, 3, 4, 5, 6],
        "SELECT icd, count(*) * 2 FROM claims WHERE amount > 3 GROUP BY icd HAVING count(*) > 4 LIMIT 5 OFFSET 6",
    ),
    (COUNT + "amount BETWEEN ? AND ?", [1, 2], COUNT + "amount BETWEEN 1 AND 2"),
    # a keyword is a name like any other after `$`
    (COUNT + "day > $date AND amount > $end", {"date": "2024-01-01", "end": 1}, COUNT + "day > '2024-01-01' AND amount > 1"),
]  # fmt: skip


@pytest.mark.parametrize(("sql", "sent", "written"), SAME)
def test_a_value_is_the_constant_written_out(sql: str, sent: Any, written: str) -> None:
    assert asked(sql, sent).digest == compiled(written).digest


def test_another_value_is_another_question() -> None:
    digests = {asked(COUNT + "amount > ?", [value]).digest for value in (1, 2, "3", Decimal("1.5"))}
    assert len(digests) == 4


EVIL = ["x' OR '1'='1", "'; DROP TABLE persons; --", 'a"b', "$1", "?", "/*", "'", "\\'", "𝕏\n\t"]


@pytest.mark.parametrize("text", EVIL)
def test_a_text_is_never_read_as_sql(text: str) -> None:
    planned = asked(COUNT + "icd = $1", [text])
    quoted = compiled(COUNT + "icd = '" + text.replace("'", "''") + "'")
    assert planned.digest == quoted.digest
    assert (
        json.dumps(text).strip('"') in wire.encode(planned.plan).decode("utf-8")
        or not text.isascii()
    )


_LETTERS = st.characters(exclude_categories=("Cc", "Cs"), exclude_characters="\ufeff")
_NUMBERS = st.decimals(
    min_value=-(10**9), max_value=10**9, allow_nan=False, allow_infinity=False, places=2
)


@given(st.text(_LETTERS, max_size=40))
def test_any_text_is_the_constant_it_would_be_in_quotes(text: str) -> None:
    quoted = "'" + text.replace("'", "''") + "'"
    assert (
        asked(COUNT + "icd = $x", {"x": text}).digest == compiled(COUNT + f"icd = {quoted}").digest
    )


@given(_NUMBERS)
def test_any_number_is_read_with_all_its_digits(number: Decimal) -> None:
    written = compiled(COUNT + f"amount > {number:f}")
    through = loads(json.dumps({"x": 0}).replace("0", f"{number:f}").encode())
    assert asked(COUNT + "amount > $x", through).digest == written.digest
    assert asked(COUNT + "amount > $x", guest.write({"x": number})).digest == written.digest


@given(st.permutations([1, 2, 3, 4, 5]))
def test_question_marks_take_values_in_the_order_of_the_text(order: list[int]) -> None:
    shape = (
        "SELECT icd, count(*) + {} FROM claims WHERE CASE WHEN amount > {} THEN day > '2024-01-01' END "
        "GROUP BY icd HAVING count(*) BETWEEN {} AND {} LIMIT {}"
    )
    by_place = asked(shape.format(*"?????"), order)
    by_number = asked(shape.format("$1", "$2", "$3", "$4", "$5"), order)
    assert by_place.digest == by_number.digest == compiled(shape.format(*order)).digest


REFUSED = [
    (COUNT + "amount > ?", None, "parameter_missing", "?"),
    (COUNT + "amount > ? AND amount < ?", [1], "parameter_missing", "?"),
    (COUNT + "amount > $3", [1, 2], "parameter_missing", "$3"),
    (COUNT + "amount > $who", {"whom": 1}, "parameter_missing", "$who"),
    (COUNT + "amount > $1", [1, 2], "parameter_unused", "value 2"),
    (COUNT + "amount > 1", [1], "parameter_unused", "value 1"),
    (COUNT + "amount > $a", {"a": 1, "b": 2}, "parameter_unused", "$b"),
    (COUNT + "amount > ? AND amount < $1", [1], "parameters_mixed", "$1"),
    (COUNT + "amount > $1 AND amount < $a", [1], "parameters_mixed", "$a"),
    (COUNT + "amount > $a", [1], "parameters_form", "$a"),
    (COUNT + "amount > ?", {"a": 1}, "parameters_form", "?"),
    (COUNT + "amount > $a", {"a": 1, "A": 2}, "parameter_invalid", "A"),
    (COUNT + "amount > $a", {"a b": 1}, "parameter_invalid", "a b"),
    (COUNT + "amount > ?", [[1]], "parameter_invalid", "value 1"),
    (COUNT + "amount > ?", 5, "parameter_invalid", "parameters"),
    (COUNT + "amount > ?", [{"type": "DAY", "value": 1}], "parameter_invalid", "value 1"),
    (COUNT + "amount > ?", [{"type": "DATE"}], "parameter_invalid", "value 1"),
    (COUNT + "amount > ?", [{"type": "INTEGER", "value": "3 OR 1=1"}], "parameter_invalid", "value 1"),
    (COUNT + "amount > ?", [{"type": "INTEGER", "value": 2**31}], "parameter_invalid", "value 1"),
    (COUNT + "amount > ?", [{"type": "DOUBLE", "value": "inf"}], "parameter_invalid", "value 1"),
    (COUNT + "amount > ?", [{"type": "BOOLEAN", "value": "TRUE"}], "parameter_invalid", "value 1"),
    (COUNT + "amount > ?", [Decimal("1e300")], "parameter_invalid", "value 1"),
    (COUNT + "icd = ?", ["\x00"], "parameter_invalid", "value 1"),
    (COUNT + "icd = ?", ["\udcff"], "parameter_invalid", "value 1"),
    (COUNT + "icd = ?", ["x"] * (PARAMETERS_MAX + 1), "parameters_too_many", None),
    (COUNT + "icd = ?", ["x" * (VALUES_BYTES_MAX + 1)], "parameters_too_many", None),
    (COUNT + "day > ?", ["2024-02-30"], "sql_argument_refused", None),
    (COUNT + "day > ?", [{"type": "DATE", "value": "x"}], "sql_argument_refused", None),
    (COUNT + "icd LIKE ?", ["%_" * 9], "sql_argument_refused", None),
    ("SELECT icd, count(*) FROM claims GROUP BY icd LIMIT ?", ["3"], "sql_argument_refused", None),
    ("SELECT icd, count(*) FROM claims GROUP BY icd LIMIT ?", [-3], "sql_argument_refused", None),
    ("SELECT count(*) FROM ?", ["claims"], "parameter_misplaced", None),
    ("SELECT count(*) FROM $t", {"t": "claims"}, "parameter_misplaced", None),
    ("SELECT count(*) AS $t FROM claims", {"t": "n"}, "parameter_misplaced", None),
    ("SELECT count(*) FROM claims ?", ["c"], "parameter_misplaced", None),
    ("SELECT sum($c) FROM claims", {"c": "amount"}, "sql_type_mismatch", None),
]  # fmt: skip


@pytest.mark.parametrize(("sql", "sent", "code", "name"), REFUSED)
def test_what_cannot_be_meant_is_refused_by_name(
    sql: str, sent: Any, code: str, name: str | None
) -> None:
    found = refused(sql, sent)
    assert found.code == code
    assert name is None or found.params.get("name", found.params.get("other")) == name
    assert found.message("zh") != found.message("en")


def test_a_refusal_points_at_the_parameter() -> None:
    assert refused(COUNT + "amount > 1\n  AND icd = $x", {}).at == Position(2, 13)
    assert refused(COUNT + "icd = $1 AND day = $2", ["x", "y"]).at is not None


def test_values_count_as_constants_for_the_policy() -> None:
    places = ", ".join("?" for _ in range(60))
    with pytest.raises(Refused) as by_value:
        asked(COUNT + f"icd IN ({places})", [f"{n}" for n in range(60)])
    with pytest.raises(Refused) as written:
        compiled(COUNT + f"icd IN ({', '.join(repr(str(n)) for n in range(60))})")
    assert by_value.value.code == written.value.code == "too_many_literals"
    assert by_value.value.params == written.value.params


def test_numbers_in_a_body_are_exact_and_said_once() -> None:
    body = loads(b'{"a": 0.1, "b": 1e2, "c": 12345678901234567890.50, "d": -0.0}')
    read = dict(read_parameters(body).named)
    assert [read[n].text for n in "abcd"] == ["0.1", "100", "12345678901234567890.50", "-0.0"]
    for text in (b'{"a": 1, "a": 1}', b'{"a": NaN}', b'{"a": Infinity}', b'{"a": -Infinity}'):
        with pytest.raises(Refused) as caught:
            read_parameters(loads(text))
        assert caught.value.code == "parameter_invalid"


def test_the_digest_of_a_request_tells_forms_apart() -> None:
    sent: list[Any] = [
        None, ["1"], [1], {"a": 1}, {"a": "1"}, [True], ["TRUE"], [None], ["NULL"], [1, 2], [12],
    ]  # fmt: skip
    written = [json.dumps(written_parameters(read_parameters(each))) for each in sent]
    assert len(set(written)) == len(sent)


def test_a_guest_writes_what_the_node_reads() -> None:
    values: dict[str, guest.Value] = {
        "a": Decimal("12.50"),
        "b": 0.1,
        "c": date(2024, 1, 1),
        "d": datetime(2024, 1, 1, 12),
        "e": None,
        "f": True,
        "g": 7,
        "h": "x",
    }
    through = loads(json.dumps(guest.write(values)).encode())
    read = {n: (c.kind.value, c.text) for n, c in read_parameters(through).named}
    assert read == {
        "a": ("number", "12.50"),
        "b": ("number", "0.1"),
        "c": ("DATE", "2024-01-01"),
        "d": ("TIMESTAMP", "2024-01-01 12:00:00"),
        "e": ("null", "NULL"),
        "f": ("boolean", "TRUE"),
        "g": ("number", "7"),
        "h": ("text", "x"),
    }
    for wrong in ([float("nan")], [Decimal("inf")], [b"x"], "text"):
        with pytest.raises(TypeError):
            guest.write(wrong)


def test_flags_and_files_say_the_same() -> None:
    flags = guest.from_flags(["a=12.50", "b=E11", 'c="12"', "d:date=2024-01-01", "e=null", "f="])
    text = '{"a": 12.50, "b": "E11", "c": "12", "d": {"type": "DATE", "value": "2024-01-01"}, "e": null, "f": ""}'
    assert flags == guest.from_text(text)
    assert guest.from_flags(["5", "x=y z"[:1]]) == [5, "x"]
    for wrong in (["a=1", "2"], ["a=1", "a=2"]):
        with pytest.raises(ValueError, match="given"):
            guest.from_flags(wrong)
    for file in ("5", '{"a": 1, "a": 2}', "nothing"):
        with pytest.raises(ValueError):
            guest.from_text(file)
