"""Values at the ends of every type, as texts that the engine reads, and columns full of them."""

import random
from collections.abc import Mapping

from policies.terms import SqlType, TypeKind
from sandbox.worker.sql_types import name_of

EXTREMES: Mapping[str, tuple[str, ...]] = {
    "BOOLEAN": ("true", "false"),
    "INTEGER": (str(-(2**31)), str(2**31 - 1), "0", "1", "7"),
    "BIGINT": (str(-(2**63)), str(2**63 - 1), "0", "5"),
    "HUGEINT": (str(-(2**127)), str(2**127 - 1), "0", str(10**30)),
    "DOUBLE": (
        "nan",
        "-nan",
        "inf",
        "-inf",
        "-0.0",
        "0",
        "1e308",
        "-1e308",
        "1e16",
        "0.1",
        "5e-324",
    ),
    "VARCHAR": ("", "a", "b", "长"),
    "DATE": ("infinity", "-infinity", "0001-01-01", "2024-02-29", "5881580-07-10"),
    "TIMESTAMP": ("infinity", "-infinity", "2024-02-29 01:02:03", "294247-01-10 04:00:54.775806"),
    "DECIMAL(4,2)": ("99.99", "-99.99", "0"),
    "DECIMAL(26,3)": ("9" * 23 + ".999", "-" + "9" * 23 + ".999"),
    "DECIMAL(27,3)": ("9" * 24 + ".999", "-" + "9" * 24 + ".999", "1.5"),
    "DECIMAL(38,0)": ("9" * 38, "-" + "9" * 38, "3"),
    "DECIMAL(38,38)": ("0." + "9" * 38, "-0." + "9" * 38, "0.1"),
    "DECIMAL(38,20)": ("9" * 18 + "." + "9" * 20, "1"),
}


def _type(name: str) -> SqlType:
    kind, _, digits = name.partition("(")
    if not digits:
        return SqlType(TypeKind(kind))
    precision, scale = digits.rstrip(")").split(",")
    return SqlType(TypeKind(kind), int(precision), int(scale))


TYPES = {name: _type(name) for name in EXTREMES}


def column(type_: SqlType, rows: int, dice: random.Random) -> list[str | None]:
    """Return a column of extremes, a quarter of it NULL; sometimes of one extreme only, which adds up furthest."""
    extremes = EXTREMES[name_of(type_)]
    if dice.random() < 0.3:
        return [dice.choice(extremes)] * rows
    return [dice.choice((None, *extremes, *extremes, *extremes)) for _ in range(rows)]


def table(columns: Mapping[str, tuple[SqlType, list[str | None]]]) -> tuple[str, dict[str, object]]:
    """Return columns as a table in brackets and its parameters."""
    texts = ", ".join(
        f"CAST(unnest(CAST($l_{name} AS VARCHAR[])) AS {name_of(type_)}) AS {name}"
        for name, (type_, _) in columns.items()
    )
    return f"(SELECT {texts})", {f"l_{name}": values for name, (_, values) in columns.items()}
