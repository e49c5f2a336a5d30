"""A refusal shows a question near the refused one that would be accepted, and never one that would not."""

import ast
import json
from dataclasses import replace

import pytest

from policies.phrases import in_chinese
from policies.refusals import Refused, Stage, Suggestion
from policies.terms import NANO, Accountant, PrivacyLoss
from sandbox.client import REHEARSALS_MAX, Planned, Question, draft, plan, suggestion
from sandbox.compiler.parameters import Constant, ConstantKind, Parameters
from sandbox.compiler.rewrites.ground import Ground
from sandbox.compiler.suggest import TRIES_MAX, suggest
from tests.tidy import tree
from tests.unit.test_sql_page import ASKER, CATALOGUE, POLICY, ROOT, rows

LOSS = PrivacyLoss(Accountant.PURE_EPS, NANO, 0)


def question(sql: str) -> Question:
    return Question(sql, POLICY, CATALOGUE, ASKER, LOSS)


def unlimited(_: Planned) -> None:
    """Let any number of groups pass: how many there are is the twin's to say, see tests/journey."""


def suggested(asked: Question) -> tuple[Refused, Suggestion | None]:
    with pytest.raises(Refused) as caught:
        draft(asked)
    return caught.value, suggestion(asked, caught.value, unlimited)


# What stays refused for good, and the one thing that is to be learnt from it.
TAUGHT = [
    (
        "SELECT count(*) FROM persons, claims",
        "SELECT COUNT(*) FROM persons JOIN claims ON persons.person_id = claims.person_id",
    ),
    (
        "SELECT count(*) FROM persons p JOIN claims c ON p.person_id = c.person_id OR c.amount > 5",
        "SELECT COUNT(*) FROM persons AS p JOIN claims AS c ON p.person_id = c.person_id AND c.amount > 5",
    ),
    (
        "SELECT count(*) FROM persons p JOIN claims c ON c.amount > 5",
        "SELECT COUNT(*) FROM persons AS p JOIN claims AS c ON c.amount > 5 AND p.person_id = c.person_id",
    ),
    (
        "SELECT count(*) FROM persons p CROSS JOIN weather w",
        "SELECT COUNT(*) FROM persons AS p JOIN weather AS w ON p.region = w.region",
    ),
    ("SELECT * FROM persons", "SELECT region, COUNT(*) AS n FROM persons GROUP BY ALL"),
    (
        "SELECT sex, birth FROM persons WHERE income > 5",
        "SELECT sex, birth, COUNT(*) AS n FROM persons WHERE income > 5 GROUP BY ALL",
    ),
    ("SELECT region FROM persons GROUP BY 1", "SELECT region, COUNT(*) AS n FROM persons GROUP BY ALL"),
    (
        "SELECT region, income, count(*) FROM persons GROUP BY region",
        "SELECT region, AVG(income) AS income, COUNT(*) FROM persons GROUP BY ALL",
    ),
    (
        "SELECT count(*) FROM persons WHERE person_id = 17 AND sex = 'F'",
        "SELECT COUNT(*) FROM persons WHERE sex = 'F'",
    ),
    ("SELECT count(*) FROM claim", "SELECT COUNT(*) FROM claims"),
    ("SELECT avg(incom) FROM persons", "SELECT AVG(income) FROM persons"),
    (
        "SELECT sum(amount * amount) FROM claims",
        "SELECT SUM(CAST(amount AS DOUBLE) * amount) FROM claims",
    ),
    (
        "SELECT sum(ln(income)) FROM persons",
        "SELECT SUM(LEAST(GREATEST(LN(income), 0), 1000)) FILTER(WHERE NOT LN(income) IS NULL) FROM persons",
    ),
    (
        "SELECT count(*) FROM (SELECT rank() OVER (ORDER BY amount) AS r FROM claims) WHERE r <= 3",
        "SELECT COUNT(*) FROM (SELECT RANK() OVER (PARTITION BY person_id ORDER BY amount) AS r FROM claims) WHERE r <= 3",
    ),
    (
        "SELECT count(*) FROM (SELECT * FROM claims LIMIT 10)",
        "SELECT COUNT(*) FROM (SELECT * FROM claims) LIMIT 10",
    ),
    (
        "SELECT count(*) FROM persons p WHERE EXISTS (SELECT 1 FROM claims c WHERE c.amount > p.income)",
        "SELECT COUNT(*) FROM persons AS p WHERE EXISTS(SELECT 1 FROM claims AS c "
        "WHERE c.amount > p.income AND p.person_id = c.person_id)",
    ),
    (
        "SELECT quantile_cont(income, [0.25, 75]) FROM persons",
        "SELECT QUANTILE_CONT(income, 0.25), QUANTILE_CONT(income, 0.75) FROM persons",
    ),
    ("EXPLAIN SELECT count(*) FROM persons", "SELECT COUNT(*) FROM persons"),
    ("DELETE FROM persons WHERE (SELECT count(*) FROM claims) > 5", "SELECT COUNT(*) FROM claims"),
    ("SELECT avg(sex = 'F') FROM persons", "SELECT AVG(CAST(sex = 'F' AS INT)) FROM persons"),
    (
        "SELECT count(*) FROM claims WHERE day > '2024-02-30'",
        "SELECT COUNT(*) FROM claims WHERE day > '2024-02-29'",
    ),
]  # fmt: skip


@pytest.mark.parametrize(("sql", "near"), TAUGHT)
def test_the_nearest_question_is_shown(sql: str, near: str) -> None:
    _, found = suggested(question(sql))
    assert found is not None and found.sql == near
    assert plan(question(near)).plan.loss == LOSS


def refused_of_page() -> list[str]:
    return [cells[0].strip("`").replace("\\|", "|") for cells in rows("Refused, and what to write instead")]  # fmt: skip


def corpus() -> list[str]:
    files = [ROOT / "tests" / "corpus" / name for name in ("attacks.jsonl", "benign.jsonl")]
    lines = [line for file in files for line in file.read_text(encoding="utf-8").splitlines()]
    return [json.loads(line)["sql"] for line in lines]


def test_most_refusals_of_the_page_teach_something_and_all_of_it_is_true() -> None:
    taught, refused = 0, 0
    for sql in refused_of_page():
        _, found = suggested(question(sql))
        refused += 1
        if found is not None:
            taught += 1
            plan(question(found.sql))
            assert found.sql != sql and found.changes
    assert taught >= 0.6 * refused, (taught, refused)


def test_what_an_attack_is_told_instead_is_accepted() -> None:
    taught = 0
    for sql in corpus():
        asked = question(sql)
        try:
            draft(asked)
        except Refused as refused:
            found = suggestion(asked, refused, unlimited)
            if found is not None:
                taught += 1
                plan(question(found.sql))
    assert taught > 20


def test_nothing_is_suggested_that_the_stages_do_not_take() -> None:
    """With a judge that refuses everything there is nothing to say, and it is not asked without end."""
    asked = 0

    def judge(_: str) -> Refused:
        nonlocal asked
        asked += 1
        return Refused("not_aggregated", Stage.RESOLVE, what="*")

    refused, found = suggested(question("SELECT * FROM persons"))
    assert found is not None
    ground = Ground(refused, POLICY, CATALOGUE, ASKER.now.date())
    assert suggest("SELECT * FROM persons", ground, judge) is None
    assert 0 < asked <= TRIES_MAX


def test_groups_are_counted_before_anything_is_shown() -> None:
    """A plan with too many groups is no suggestion; the twin is asked a few times and no more."""
    asked: list[Planned] = []

    def few(planned: Planned) -> None:
        asked.append(planned)
        if len(planned.plan.measurement.keys) > 1:
            raise Refused("too_many_groups", Stage.CHECK, groups=36_500, limit=100)

    def none(planned: Planned) -> None:
        asked.append(planned)
        raise Refused("too_many_groups", Stage.CHECK, groups=36_500, limit=100)

    asking = question("SELECT sex, birth FROM persons WHERE income > 5")
    refused, _ = suggested(asking)
    found = suggestion(asking, refused, few)
    assert found is not None and len(plan(question(found.sql)).plan.measurement.keys) == 1
    asked.clear()
    found = suggestion(asking, refused, none)
    assert 1 < len(asked) <= REHEARSALS_MAX
    assert found is not None and not plan(question(found.sql)).plan.measurement.keys


def test_a_policy_without_the_grant_gets_another_suggestion() -> None:
    """The text follows the policy of the asker: what is not granted is not proposed."""
    asked = question("SELECT * FROM persons")
    _, with_keys = suggested(asked)
    assert with_keys is not None and "region" in with_keys.sql
    bare = tuple(
        replace(table, columns=tuple(c for c in table.columns if c.domain is None))
        for table in POLICY.tables
    )
    _, without = suggested(replace(asked, policy=replace(POLICY, tables=bare)))
    assert without is not None and without.sql == "SELECT COUNT(*) AS n FROM persons"


def test_nobody_but_the_licensed_asker_is_told_anything() -> None:
    for other in (replace(ASKER, operator="op-kejia"), replace(ASKER, suspended=True)):
        for sql in ("SELECT * FROM persons", "SELECT count(*) FROM persons, claims"):
            _, found = suggested(replace(question(sql), asker=other))
            assert found is None


def test_parameters_stay_parameters() -> None:
    values = Parameters((), (("least", Constant(ConstantKind.NUMBER, "1234.5")),))
    asked = replace(
        question("SELECT count(*) FROM persons p JOIN claims c ON c.amount > $least"),
        parameters=values,
    )
    _, found = suggested(asked)
    assert found is not None and "$least" in found.sql and "1234" not in found.sql
    # in the order of the text, values would not follow a part that moves
    listed = Parameters((values.named[0][1],) * 2, ())
    moved = "SELECT count(*) FROM persons p, claims c WHERE c.amount > ? AND c.amount < ?"
    assert suggested(replace(question(moved), parameters=listed))[1] is None


def test_every_change_has_its_chinese() -> None:
    said: set[str] = set()
    for file in sorted((tree.ROOT / "sandbox" / "compiler" / "rewrites").glob("*.py")):
        for node in ast.parse(file.read_text(encoding="utf-8")).body:
            if isinstance(node, ast.Assign) and isinstance(node.value, ast.Constant):
                said |= {node.value.value} if isinstance(node.value.value, str) else set()
    said.add("sends the SELECT alone")
    assert len(said) > 20
    assert sorted(text for text in said if in_chinese(text) == text) == []
    both = Suggestion("SELECT 1", ("takes LIKE", "adds a LIMIT"))
    assert both.says("zh-CN") == "改用 LIKE；加上 LIMIT"
    assert both.says("en") == "takes LIKE; adds a LIMIT"
