"""One database, one question: does the sandbox answer, and does plain DuckDB say the same?"""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from random import Random

import duckdb

from policies.refusals import Refused
from policies.terms import Accountant
from sandbox import wire
from sandbox.algebra import AggregateRef
from sandbox.boundary import Failure, Moment, Plan
from sandbox.worker import query as worker
from tests.fuzz.grammar import Query
from tests.fuzz.oracle import (
    Group,
    PlainCells,
    declared_groups,
    disagreements,
    finished_rows,
    open_plain,
    plain_cells,
    spelled,
)
from tests.fuzz.rows import ORDINARY, Mood, Rows, generate, write
from tests.fuzz.world import PURPOSE, World, loss_under
from tests.fuzz.worlds import people, random_world
from tests.lab.bench import SOURCE, Bench, bench, scratch, uncapped


@dataclass(frozen=True, slots=True)
class Trial:
    """A generated database, on the bench with caps that cut nothing, and in plain DuckDB."""

    mood: Mood
    bench: Bench
    plain: duckdb.DuckDBPyConnection


@dataclass(frozen=True, slots=True)
class Verdict:
    """What came of one question: refused, or compared in so many cells with these disagreements."""

    refused: str | None
    compared: int
    problems: tuple[str, ...]


@contextmanager
def trial(world: World, rows: Rows, mood: Mood) -> Iterator[Trial]:
    """Open a database both ways."""
    with scratch() as folder, open_plain(world, rows) as plain:
        write(world, rows, folder / SOURCE)
        with bench(uncapped(world.dataset()), world.policy(), folder) as opened:
            yield Trial(mood, opened, plain)


def seeded(seed: int, mood: Mood) -> tuple[World, Rows, Random]:
    """Return the world and rows of a seed: people and their claims, or tables of every type."""
    rng = Random(seed)
    world = people() if seed % 2 else random_world(rng)
    world = replace(world, accountant=Accountant.APPROX_ZCDP) if seed % 5 == 0 else world
    return world, generate(world, rng, mood), rng


def noise_off(where: Trial, query: Query) -> Verdict:
    """Answer without noise and bounds, and compare with plain DuckDB right-joined to the declared keys."""
    try:
        measured = where.bench.plan(
            measured_sql(query), PURPOSE, loss_under(where.bench.policy)
        ).plan
        whole = where.bench.plan(query.sql, PURPOSE, loss_under(where.bench.policy)).plan
    except Refused as refused:
        return Verdict(refused.code, 0, ())
    released = where.bench.exact(measured)
    cells = _plain_cells(where, query)
    problems, compared = disagreements(query, released, cells, _first_moments(measured, query))
    width = len(query.keys)
    groups = [tuple(cell.value for cell in row[:width]) for row in released.rows]
    problems += _wrong_groups(where, query, groups)
    found = [spelled([cell.value for cell in row]) for row in where.bench.exact(whole).rows]
    expected = finished_rows(query, released, where.plain)
    if found != expected:
        problems.append(f"the answer is {found[:3]}, not {expected[:3]}")
    return Verdict(None, compared, tuple(problems))


def measured_sql(query: Query) -> str:
    """Return the question with its keys and aggregates only: no HAVING, no ORDER BY, nothing computed from them."""
    parts = [key.sql.text for key in query.keys] + [each.text for each in query.aggregates]
    columns = ", ".join(f"{part} AS o{index}" for index, part in enumerate(parts))
    grouped = f" GROUP BY {', '.join(key.sql.text for key in query.keys)}" if query.keys else ""
    return f"SELECT {columns} FROM {query.source[0]}{grouped}"


def answered(where: Bench, query: Query) -> str | None:
    """Run an accepted question as the query worker does, dice and all, and return the code if it was refused.

    Raises what the worker would have had to hide behind a failure.
    """
    try:
        plan = where.plan(query.sql, PURPOSE, loss_under(where.policy)).plan
    except Refused as refused:
        return refused.code
    answer = worker.run(plan, where.connection, where.empty)
    if isinstance(answer, Failure):
        raise AssertionError(f"the worker says {answer} to {query.sql}")
    wire.encode(answer)
    return None


def _plain_cells(where: Trial, query: Query) -> PlainCells:
    if where.mood is ORDINARY:
        try:
            return plain_cells(query, where.plain, verbatim=True)
        except duckdb.Error:
            pass  # plain DuckDB raises where the sandbox gives NULL: a written difference
    return plain_cells(query, where.plain, verbatim=False)


def _first_moments(plan: Plan, query: Query) -> list[Moment]:
    found = []
    for output in plan.post.outputs[len(query.keys) :]:
        assert isinstance(output.expr, AggregateRef)
        found.append(plan.measurement.moments[plan.aggregates[output.expr.index].moments[0]])
    return found


def _wrong_groups(where: Trial, query: Query, groups: Sequence[Group]) -> list[str]:
    declared, open_keys = declared_groups(query, where.plain)

    def certain(found: Sequence[Group]) -> set[Group]:
        return {g for g in found if not any(g[index] is None for index in open_keys)}

    if len(set(groups)) != len(groups):
        return ["a group is returned twice"]
    differ = certain(groups) ^ certain(declared)
    return [f"not as declared: {sorted(map(str, differ))[:4]}"] if differ else []
