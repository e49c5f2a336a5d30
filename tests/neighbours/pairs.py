"""Two databases that differ in one person, both ingested from their raw rows, and how far a plan tells them apart."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from random import Random
from typing import Any
from unittest.mock import patch

from policies.terms import Accountant
from sandbox import wire
from sandbox.boundary import Failure, Moment, Plan
from sandbox.privacy import measurements, ranks
from sandbox.worker import query
from sandbox.worker.execute import ExactAggregates, execute
from tests.fuzz.rows import Rows, units_of, write
from tests.fuzz.world import Sheet, World
from tests.lab.bench import SOURCE, Bench, bench, scratch


@contextmanager
def opened(world: World, rows: Rows) -> Iterator[Bench]:
    """Write the raw rows, ingest them and open the snapshot."""
    with scratch() as folder:
        write(world, rows, folder / SOURCE)
        with bench(world.dataset(), world.policy(), folder) as found:
            yield found


def removable(world: World, rows: Rows, full: Bench, rng: Random) -> dict[str, str]:
    """Return the units worth removing, by what makes them so."""
    units = units_of(world, rows)
    if not units:
        return {}
    coded = [
        bytes(key).decode().partition(":")[2]
        for (key,) in full.connection.execute(
            "SELECT unit_key FROM _ky_units ORDER BY code"
        ).fetchall()
    ]
    tables = {unit: _tables(world, rows, unit) for unit in units}
    sizes = {unit: sum(tables[unit].values()) for unit in units}
    found = {"heavy": max(units, key=lambda unit: sizes[unit]), "any": rng.choice(units)}
    if coded:
        found |= {"first code": coded[0], "last code": coded[-1]}
    lonely = [unit for unit in units if len(tables[unit]) == 1]
    if lonely and len(world.private) > 1:
        found["one table only"] = rng.choice(lonely)
    alone = _alone(world, rows)
    if alone:
        found["only one of a value"] = rng.choice(alone)
    return {why: unit for why, unit in found.items() if unit in units}


def _tables(world: World, rows: Rows, unit: str) -> dict[str, int]:
    counts = {
        sheet.name: sum(row[_unit_place(sheet)] == unit for row in rows[sheet.name])
        for sheet in world.private
        if sheet.parent is None
    }
    return {name: count for name, count in counts.items() if count}


def _alone(world: World, rows: Rows) -> list[str]:
    """Return the units that alone hold some value of a column with a declared list."""
    found = []
    for sheet in world.private:
        if sheet.parent is not None:
            continue
        place = _unit_place(sheet)
        for index, field in enumerate(sheet.fields):
            if not field.listed:
                continue
            holders: dict[str | None, set[str | None]] = {}
            for row in rows[sheet.name]:
                holders.setdefault(row[index], set()).add(row[place])
            found += [unit for h in holders.values() if len(h) == 1 for unit in h if unit]
    return sorted(set(found))


def _unit_place(sheet: Sheet) -> int:
    return [field.name for field in sheet.fields].index(str(sheet.unit))


# ---- how far two databases are told apart


@dataclass(frozen=True, slots=True)
class Seen:
    """What one run of the query worker measured, and the bytes that left it."""

    exact: ExactAggregates | None
    answer: bytes


def seen(here: Bench, plan: Plan, dealt: ExactAggregates | None) -> Seen:
    """Run the worker's whole answer in this process, with its dice loaded.

    The noisy totals come out as `dealt` and a fixed pattern, whatever the rows are; without `dealt` as this database's own
    totals and the pattern.
    """
    measured: list[ExactAggregates] = []
    drawn: list[int] = []
    vectors = [i for i, moment in enumerate(plan.measurement.moments) if moment.rank is None]
    choices: list[int] = []
    measure = vars(query)["execute"]  # as it is now: a mutant may have put another in its place

    def record(*arguments: Any) -> ExactAggregates:
        measured.append(measure(*arguments))
        return measured[0]

    def draw(_: Accountant, __: str, totals: tuple[int, ...]) -> tuple[int, ...]:
        chosen = totals if dealt is None else dealt.moments[vectors[len(drawn)]]
        drawn.append(len(totals))
        if len(chosen) != len(totals):
            chosen = totals  # other groups than the other database: found by their keys
        return tuple(total + (7 * place) % 5 - 2 for place, total in enumerate(chosen))

    def choose(_: Accountant, __: str, scores: tuple[int, ...]) -> int:
        choices.append(len(scores))
        return (7919 * len(choices)) % len(scores)

    own = replace(plan, snapshot=here.catalogue.snapshot_id)
    with (
        patch.object(query, "execute", record),
        patch.object(measurements, "draw", draw),
        patch.object(measurements, "choose", choose),
    ):
        answer = query.run(own, here.connection, here.empty)
    return Seen(measured[0] if measured else None, wire.encode(answer))


def moves_too_far(plan: Plan, full: Seen, less: Bench) -> list[str]:
    """Return the moments that move further than claimed; the other half of `violations`, and twice as fast."""
    if full.exact is None:
        return []
    there = execute(plan.measurement, less.connection)
    return (
        moved(plan, full.exact, there) if full.exact.keys == there.keys else ["the groups differ"]
    )


def violations(plan: Plan, full: Seen, less: Bench) -> list[str]:
    """Return every way in which a plan tells apart the database it saw in full and the other, beyond what it claims."""
    there = seen(less, plan, full.exact)
    if full.exact is None or there.exact is None:
        return [] if full.answer == there.answer else ["one of the two was refused"]
    if full.exact.keys != there.exact.keys:
        return ["the groups differ"]
    problems = moved(plan, full.exact, there.exact)
    if full.answer != there.answer:
        problems.append("the same noisy totals make different answers")
    return problems


def moved(plan: Plan, full: ExactAggregates, less: ExactAggregates) -> list[str]:
    """Return the moments that move further than claimed."""
    problems = []
    for index, moment in enumerate(plan.measurement.moments):
        moves = moves_of(moment, full.moments[index], less.moments[index])
        l1, l2_squared = sum(map(abs, moves)), sum(move * move for move in moves)
        if l1 > moment.sensitivity_l1:
            problems.append(f"m{index} moves {l1} in L1, claimed {moment.sensitivity_l1}")
        if l2_squared > moment.sensitivity_l2_squared:
            problems.append(f"m{index} moves {l2_squared} in squared L2")
    return problems


def moves_of(moment: Moment, full: Sequence[int], less: Sequence[int]) -> list[int]:
    """Return how far each total moves; of a rank, how far any score of each group's candidates moves."""
    if moment.rank is None:
        return [a - b for a, b in zip(full, less, strict=True)]
    bins = ranks.candidates_of(moment)
    moves = []
    for start in range(0, len(full), bins):
        ours, theirs = (
            ranks.scores(counts[start : start + bins], moment.rank, ranks.shift(moment))
            for counts in (full, less)
        )
        moves.append(max(abs(a - b) for a, b in zip(ours, theirs, strict=True)))
    return moves


def same_face(full: Bench, less: Bench) -> bool:
    """Tell whether the gateway sees the same of both snapshots: everything but the hiding commitment."""
    return replace(less.catalogue, snapshot_id=full.catalogue.snapshot_id) == full.catalogue


def is_failure(answer: bytes) -> bool:
    """Tell whether an answer is a failure."""
    return isinstance(wire.decode_answered(answer), Failure)
