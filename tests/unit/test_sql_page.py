"""docs/SQL.md is the specification of the SQL surface: nothing allowed is missing on it, and nothing on it is untrue."""

import re
from collections.abc import Iterator, Mapping
from datetime import UTC, date, datetime
from pathlib import Path
from types import MappingProxyType

import pytest
import sqlglot
from sqlglot import exp

from policies.access.model import AccessPolicy
from policies.catalogue import Catalogue
from policies.documents import load_access_policy, load_dataset
from policies.refusals import Refused
from policies.terms import NANO, Accountant, PrivacyLoss, Scalar
from sandbox.boundary import KEYS_MAX
from sandbox.client import Planned, Question, plan
from sandbox.compiler.check import Asker
from sandbox.compiler.nodes import AGGREGATE_CLASSES, ALLOWED, ANONYMOUS
from sandbox.compiler.parse import BRACKETS_MAX, BYTES_MAX, DEPTH_MAX, TOKENS_MAX, parse
from sandbox.compiler.patterns import PATTERN_RUNS_MAX
from sandbox.compiler.resolve import resolve
from sandbox.compiler.time_words import UNITS
from sandbox.compiler.type_names import TYPE_NAMES

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "SQL.md").read_text(encoding="utf-8")
HEALTH = ROOT / "examples" / "health"
ASKER = Asker("op-xinyi", "public_health", datetime(2026, 7, 1, tzinfo=UTC), suspended=False)
# Nodes that the parser makes of any spelling of a name or a type; no text of their own to look for.
STRUCTURE = frozenset({exp.Identifier, exp.TableAlias, exp.From, exp.Ordered, exp.DataTypeParam})


def catalogue() -> Catalogue:
    """Return the public face of the health domain with a little weather."""
    dataset = load_dataset((HEALTH / "dataset.yaml").read_bytes(), "dataset.yaml")
    domains: Mapping[str, tuple[Scalar, ...]] = MappingProxyType(
        {
            "weather.region": ("长沙", "株洲"),
            "weather.day": (date(2024, 1, 1), date(2024, 1, 2)),
            "weather.rain_mm": (0.0, 12.5),
        }
    )
    return Catalogue(1, dataset, "0" * 64, domains, ("2024",))


CATALOGUE = catalogue()


def policy() -> AccessPolicy:
    return load_access_policy((HEALTH / "policy.yaml").read_bytes(), "policy.yaml")


POLICY = policy()


def asked(sql: str) -> Planned:
    loss = PrivacyLoss(Accountant.PURE_EPS, NANO, 0)
    return plan(Question(sql, POLICY, CATALOGUE, ASKER, loss))


def section(title: str) -> str:
    """Return the text of one section of the page."""
    found = re.search(rf"^## {re.escape(title)}\n(.*?)(?=^## |\Z)", PAGE, re.MULTILINE | re.DOTALL)
    assert found, title
    return found[1]


def rows(title: str) -> Iterator[list[str]]:
    """Yield the cells of each line of the section's table, without its head."""
    lines = [line for line in section(title).splitlines() if line.startswith("|")]
    head = next(i for i, line in enumerate(lines) if set(line) <= set("|- "))
    for line in lines[head + 1 :]:
        yield [cell.strip() for cell in re.split(r"(?<!\\)\|", line)[1:-1]]


def codes(cell: str) -> list[str]:
    return [text.replace("\\|", "|") for text in re.findall(r"`([^`]+)`", cell)]


EXAMPLES = [
    statement.strip()
    for block in re.findall(r"```sql\n(.*?)```", PAGE, re.DOTALL)
    for statement in block.split(";")
]
REFUSED = [
    (codes(a)[0], codes(b)[0], codes(c)[0])
    for a, b, c in rows("Refused, and what to write instead")
]
AGGREGATES = [
    (text, codes(gives)[0]) for write, gives, _ in rows("Aggregates") for text in codes(write)
]
SCALARS = [
    (text, codes(gives)[0]) for write, gives, _ in rows("Expressions") for text in codes(write)
]
JOINED = "FROM persons JOIN claims USING (person_id)"
STATEMENTS = [
    *EXAMPLES,
    *(instead for _, _, instead in REFUSED),
    *(f"SELECT {text} {JOINED}" for text, _ in AGGREGATES),
    *(f"SELECT count(*) {JOINED} WHERE {text} IS NULL" for text, _ in SCALARS),
]


def nodes_of(statements: list[str]) -> set[type[exp.Expr]]:
    trees = [sqlglot.parse_one(text, read="duckdb") for text in statements]
    return {type(node) for tree in trees for node in tree.walk()}


def unnamed(page: str) -> list[str]:
    """Return each allowed function that the page does not name, by the name an operator writes."""
    words = set(re.findall(r"[a-z_0-9]+", page.lower()))
    return [
        kind.__name__
        for kind in ALLOWED
        if issubclass(kind, exp.Func) and kind is not exp.Anonymous and not words & spellings(kind)
    ]


def spellings(kind: type[exp.Func]) -> set[str]:
    """Return the names of a function; DuckDB says date_trunc for days and instants alike."""
    both = {"date_trunc"} if kind is exp.TimestampTrunc else set()
    return both | {name.lower() for name in kind.sql_names()}


def test_the_page_has_examples() -> None:
    assert len(EXAMPLES) >= 12
    assert len(REFUSED) >= 25
    assert len(SCALARS) >= 70


@pytest.mark.parametrize("sql", EXAMPLES)
def test_every_example_compiles(sql: str) -> None:
    assert asked(sql).plan.measurement.moments


@pytest.mark.parametrize(("sql", "code", "instead"), REFUSED)
def test_every_refusal_is_as_the_page_says(sql: str, code: str, instead: str) -> None:
    with pytest.raises(Refused) as refused:
        asked(sql)
    assert refused.value.code == code
    assert asked(instead).plan.measurement.moments


@pytest.mark.parametrize(("text", "gives"), AGGREGATES)
def test_every_aggregate_gives_the_type_on_the_page(text: str, gives: str) -> None:
    planned = asked(f"SELECT {text} {JOINED}")
    assert str(planned.plan.post.outputs[0].expr.type) == gives


@pytest.mark.parametrize(("text", "gives"), SCALARS)
def test_every_expression_gives_the_type_on_the_page(text: str, gives: str) -> None:
    query = resolve(parse(f"SELECT {text} AS x, count(*) {JOINED} GROUP BY x"), CATALOGUE)
    assert str(query.outputs[0].expr.type) == gives


def test_everything_allowed_is_written_somewhere_on_the_page() -> None:
    shown = nodes_of(STATEMENTS)
    assert [kind.__name__ for kind in ALLOWED if kind not in shown | STRUCTURE] == []


def test_what_is_missing_on_the_page_is_seen() -> None:
    """The test above has power: without the one line that shows it, each of these is missed."""
    for text, kind in (("sqrt", exp.Sqrt), ("OFFSET", exp.Offset), ("count_if", exp.CountIf)):
        fewer = [s for s in STATEMENTS if text not in s and "countif" not in s]
        assert kind not in nodes_of(fewer)


def test_every_function_is_named() -> None:
    assert unnamed(PAGE) == []
    assert sorted(name for name in ANONYMOUS if f"{name}(" not in PAGE) == []


def test_a_function_without_a_name_is_seen() -> None:
    assert unnamed(PAGE.replace("dayofyear", "").replace("sqrt", "")) == ["Sqrt", "DayOfYear"]


def test_types_and_units_are_listed() -> None:
    types = section("Types")
    assert [name for name in TYPE_NAMES.split(", ") if f"`{name}" not in types] == []
    expressions = section("Expressions")
    singular = {unit.value for unit in UNITS.values()} | {"dow", "doy"}
    assert sorted(unit for unit in singular if f"`{unit}`" not in expressions) == []


def test_aggregates_are_listed() -> None:
    names = {
        "Count": "count(",
        "CountIf": "count_if(",
        "Sum": "sum(",
        "Avg": "avg(",
        "VariancePop": "var_pop(",
        "Variance": "var_samp(",
        "StddevPop": "stddev_pop(",
        "StddevSamp": "stddev_samp(",
        "Stddev": "stddev(",
        "ApproxDistinct": "approx_count_distinct(",
        "Median": "median(",
        "Quantile": "quantile(",
        "ApproxQuantile": "approx_quantile(",
        "PercentileCont": "quantile_cont(",
        "PercentileDisc": "quantile_disc(",
        "WithinGroup": "WITHIN GROUP",
        "Min": "min(",
        "Max": "max(",
        "Mode": "mode(",
        "LogicalAnd": "bool_and(",
        "LogicalOr": "bool_or(",
        **{
            "".join(part.capitalize() for part in name.split("_")): f"{name}("
            for name in (
                "covar_pop",
                "covar_samp",
                "corr",
                "regr_slope",
                "regr_intercept",
                "regr_r2",
                "regr_count",
                "regr_avgx",
                "regr_avgy",
                "regr_sxx",
                "regr_syy",
                "regr_sxy",
            )
        },
        "Filter": "FILTER",
    }
    assert {kind.__name__ for kind in AGGREGATE_CLASSES} == set(names)
    text = section("Aggregates")
    assert [name for name, spelling in names.items() if spelling not in text] == []


def test_limits_are_the_ones_in_force() -> None:
    statement = section("One statement")
    limits = (
        f"{BYTES_MAX // 1024} KiB",
        f"{TOKENS_MAX} tokens",
        f"{BRACKETS_MAX} open brackets",
        f"{DEPTH_MAX} levels",
        f"{KEYS_MAX:,}".replace(",", " ") + " in one answer",
    )
    assert [limit for limit in limits if limit not in statement] == []
    assert f"at most {PATTERN_RUNS_MAX} `%`" in section("Expressions")
