"""Random aggregates over a nested relation, and when an answer without noise is the one of plain DuckDB.

Where docs/DIFFERENCES.md lets an answer differ (truth, correlations), DuckDB is asked for what decides: how many
people do, or the sums that are divided by.
"""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from decimal import Decimal
from random import Random

from policies.terms import Scalar
from sandbox.boundary import Moment, Plan, StepBase
from tests.fuzz.tables import Col, Table

HALF = 100  # of the interval that values are held to
_RELATIVE = 1e-7
_STEP = 2.0**-20
_SQUARE = 5_000 * HALF * HALF * 2.0**-32 + 1e-6  # A6, of so many rows
_BETWEEN = ",  "  # calls of which DuckDB makes one list
_TELLING = 10.0  # the least sum of squares by which a quotient of two is compared
_SPREADS = ("var_samp", "var_pop", "stddev_samp", "stddev_pop", "variance")
_PAIRS = ("covar_pop", "covar_samp", "corr", "regr_slope", "regr_count")
ORDERS = {"median": "{}", "quantile_cont": "{}, 0.9", "quantile_disc": "{}, 0.25", "min": "{}", "max": "{}"}  # fmt: skip
_MAKERS = (
    "count", "count", "units", "sum", "sum", "avg", "count_if", "distinct", "spread", "pair", "order", "truth",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Measure:
    """An aggregate: the name it is compared by, its text, and what DuckDB is asked in its place."""

    name: str
    text: str
    plain: str


def measure(table: Table, alias: str, rng: Random, condition: Callable[[], str]) -> Measure:
    """Return a random aggregate, one of three with FILTER. `condition` makes a condition on a row."""
    made = _unfiltered(table, alias, rng, condition)
    if made.name.startswith("bool") or rng.random() < 0.67:
        return made
    kept = f" FILTER (WHERE {condition()})"
    if made.plain.startswith("["):  # several calls: each keeps the same rows
        inside = made.plain.strip("[]").split(_BETWEEN)
        return Measure(made.name, made.text + kept, f"[{_BETWEEN.join(p + kept for p in inside)}]")
    return Measure(made.name, made.text + kept, made.plain + kept)


def _unfiltered(table: Table, alias: str, rng: Random, condition: Callable[[], str]) -> Measure:
    numbers = [c for c in table.columns if c.kind in ("int", "dec", "dbl") and not c.key]
    unit = table.unit()
    assert unit is not None
    name = rng.choice(_MAKERS)
    if name == "units":
        return _same("units", f"count(DISTINCT {alias}.{unit.name})")
    if name == "count_if":
        return _same("count", f"count_if({condition()})")
    if name == "distinct":
        return _same("distinct", f"count(DISTINCT {alias}.{rng.choice(table.columns).name})")
    if name == "truth":
        return _truth(f"{alias}.{unit.name}", condition(), rng)
    if name == "count" or not numbers:
        if rng.random() < 0.5:
            return _same("count", "count(*)")
        return _same("count", f"count({alias}.{rng.choice(table.columns).name})")
    value = _held(rng.choice(numbers), alias)
    if name in ("sum", "avg"):
        col = rng.choice(numbers)
        return _same(name, f"{name}({f'{alias}.{col.name}' if col.bounded else _held(col, alias)})")
    if name == "spread":
        call = rng.choice(_SPREADS)
        return _same(call.replace("variance", "var_samp"), f"{call}({value})")
    if name == "order":
        call = rng.choice(tuple(ORDERS))
        return _same(call, f"{call}({ORDERS[call].format(value)})")
    return _pair(value, _held(rng.choice(numbers), alias), rng.choice(_PAIRS))


def _same(name: str, text: str) -> Measure:
    return Measure(name, text, text)


def _truth(unit: str, condition: str, rng: Random) -> Measure:
    """Ask whether anybody, or everybody, has such a row; plain DuckDB says how many people decide."""
    call = rng.choice(("bool_or", "bool_and"))
    decides = f"({condition}) IS {str(call == 'bool_or').upper()}"
    return Measure(call, f"{call}({condition})", f"count(DISTINCT {unit}) FILTER (WHERE {decides})")


def _pair(y: str, x: str, call: str) -> Measure:
    text = f"{call}({y}, {x})"
    if call in ("corr", "regr_slope"):
        parts = (text, f"regr_sxx({y}, {x})", f"regr_syy({y}, {x})")
        return Measure(call, text, f"[{_BETWEEN.join(parts)}]")
    return _same("count" if call == "regr_count" else call, text)


def _held(col: Col, alias: str) -> str:
    """Return a value with an interval of its own; NULL stays NULL, which least and greatest would not let it."""
    value = f"{alias}.{col.name}"
    low, high = (f"CAST({bound} AS DOUBLE)" for bound in (-HALF, HALF))
    held = f"least(greatest(CAST({value} AS DOUBLE), {low}), {high})"
    return f"CASE WHEN {value} IS NOT NULL THEN {held} END"


# ---- when two answers agree


def agree(name: str, ours: Scalar, theirs: object, claim: tuple[Plan, int]) -> bool:
    """Tell whether a cell is DuckDB's; `claim` is the plan and the place of the aggregate in it."""
    if name in ORDERS:
        return _within_a_bin(ours, theirs, _moment(claim))
    if name in ("bool_or", "bool_and"):
        return _decided(ours is (name == "bool_or"), theirs, _moment(claim))
    if name in ("corr", "regr_slope"):
        return _quotient(ours, theirs, name)
    if theirs is None:
        return ours is None if name not in ("sum", "count", "units", "distinct") else ours == 0
    if ours is None:
        return False
    if not isinstance(ours, float) and not isinstance(theirs, float):
        return Decimal(str(ours)) == Decimal(str(theirs))
    return _near(name, float(str(ours)), float(str(theirs)))


def _near(name: str, ours: float, theirs: float) -> bool:
    if math.isnan(theirs) or math.isinf(theirs):
        return True
    if name.startswith("stddev"):
        return abs(ours**2 - theirs**2) <= _RELATIVE * theirs**2 + _SQUARE
    room = _SQUARE if name.startswith(("var", "covar")) else 5_000 * _STEP
    return abs(ours - theirs) <= _RELATIVE * max(abs(ours), abs(theirs)) + room


def _moment(claim: tuple[Plan, int]) -> Moment:
    plan, place = claim
    return plan.measurement.moments[plan.aggregates[place].moments[0]]


def _within_a_bin(ours: Scalar, theirs: object, moment: Moment) -> bool:
    """Tell whether an order statistic lies within one bin of DuckDB's (A7)."""
    assert moment.rank is not None
    if theirs is None or ours is None:
        return theirs is None and ours is None
    base = 2.0 if moment.step_base is StepBase.TWO else 10.0
    width = moment.rank.bin_steps * base**-moment.step_exponent
    return abs(float(str(ours)) - float(str(theirs))) <= width * 1.01


def _decided(said: bool, people: object, moment: Moment) -> bool:
    """Tell whether so many people decide what was said: nobody never, and surely more than the noise hides always (A11)."""
    count, scale = int(str(people or 0)), float.fromhex(moment.scale)
    return count > scale if said else count <= 5 * scale + 1


def _quotient(ours: Scalar, theirs: object, name: str) -> bool:
    """Tell whether a correlation or slope is right where what it divides by is not close to 0 (A10)."""
    value, *sums = theirs if isinstance(theirs, Sequence) else (None,)
    if not sums or any(s is None or float(str(s)) < _TELLING for s in sums):
        return ours is None or name != "corr" or abs(float(str(ours))) <= 1.0
    return ours is not None and abs(float(str(ours)) - float(str(value))) <= 1e-2
