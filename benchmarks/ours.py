"""Keyong and the textbook on the nine workloads: exact totals once, then fresh noise and the whole way after it, often."""

import random
import time
from datetime import UTC, datetime

import duckdb

from benchmarks.errors import Line, Table, line, relative, table_of, unanswered
from benchmarks.tpch import Tpch, policy
from benchmarks.workloads import WORKLOADS, Workload
from policies.refusals import Refused
from policies.terms import NANO, Accountant, PrivacyLoss
from sandbox.boundary import Plan, Release
from sandbox.client import Question, plan
from sandbox.compiler.check import Asker
from sandbox.worker.accept import accept
from sandbox.worker.add_noise import NoisyAggregates, add_noise
from sandbox.worker.engine import EngineLimits, open_empty, open_snapshot
from sandbox.worker.execute import execute
from sandbox.worker.post_process import post_process
from sandbox.worker.query import read_columns, read_meta
from tests.lab.order import without_noise

ENGINE = EngineLimits(memory_bytes=8 << 30, threads=2)
DELTA = 1e-9
# Of the delta, where groups are undeclared: half for choosing them, half for what rho is worth.
_DELTA_OF_CHOICE = 5 * 10**8  # in 10**-18


def rho_at(epsilon: float, delta: float) -> float:
    """Return the largest rho that OpenDP's conversion holds to be (epsilon, delta), to nine digits."""
    import opendp.prelude as dp  # here alone: who only compiles needs no noise

    space = dp.atom_domain(T="i64"), dp.absolute_distance(T="i64")
    dp.enable_features("contrib")
    low, high = 0.0, epsilon
    for _ in range(50):
        rho = (low + high) / 2
        noise = dp.m.make_gaussian(*space, scale=(1 / (2 * rho)) ** 0.5)
        curve = dp.c.make_zCDP_to_approxDP(noise).map(1)
        low, high = (rho, high) if curve.epsilon(delta=delta) <= epsilon else (low, rho)
    return int(low * NANO) / NANO


def truths(data: Tpch) -> dict[str, Table]:
    """Return plain DuckDB's answers on the files as they were generated."""
    with data.plain() as connection:
        return {w.name: table_of(connection.execute(w.sql).fetchall(), w.keys) for w in WORKLOADS}


def loss(accountant: Accountant, workload: Workload) -> PrivacyLoss:
    """Return epsilon 1, or the rho that is epsilon 1 at the delta."""
    if accountant is Accountant.PURE_EPS:
        return PrivacyLoss(accountant, NANO, 0)
    if workload.private_keys:
        rho = rho_at(1.0, DELTA - _DELTA_OF_CHOICE / 1e18)
        return PrivacyLoss(accountant, int(rho * NANO), _DELTA_OF_CHOICE)
    return PrivacyLoss(accountant, int(rho_at(1.0, DELTA) * NANO), 0)


def account_name(spent: PrivacyLoss) -> str:
    """Name an account and what is spent from it."""
    if spent.accountant is Accountant.PURE_EPS:
        return "ε = 1"
    choice = f", δ = {spent.delta / 1e18:g}" if spent.delta else ""
    return f"ρ = {spent.primary / NANO:.4f}{choice}"


def planned(data: Tpch, workload: Workload, spent: PrivacyLoss) -> Plan:
    """Compile a workload as the gateway would."""
    rules = policy(workload, spent.accountant)
    asker = Asker("reader", "research", datetime.now(UTC), suspended=False)
    return plan(
        Question(workload.sql, rules, data.snapshots[spent.accountant].catalogue, asker, spent)
    ).plan


def keyong(
    data: Tpch, workload: Workload, spent: PrivacyLoss, truth: Table, limits: tuple[int, float]
) -> Line:
    """Measure one workload under one account, as often as `limits` say: at most so many runs and seconds."""
    names = workload.name, "keyong", account_name(spent)
    try:
        made = planned(data, workload, spent)
    except Refused as refused:
        return unanswered(names, f"refused: {refused.code}: {refused.message('en')}")
    with (
        open_snapshot(str(data.snapshots[spent.accountant].path), ENGINE) as rows,
        open_empty(ENGINE) as empty,
    ):
        failure = accept(made, read_meta(rows), read_columns(rows))
        if failure is not None:
            return unanswered(names, f"not accepted: {failure.value}")
        exact = execute(made.measurement, rows)
        clipped = NoisyAggregates(exact.keys, without_noise(made, exact), exact.sizes)
        bias, _ = relative(truth, _table(made, clipped, empty, workload))
        answers: list[Table] = []
        began = time.perf_counter()
        while len(answers) < limits[0] and time.perf_counter() - began < limits[1]:
            noisy = add_noise(made.measurement, exact)
            answers.append(_table(made, noisy, empty, workload))
    middle = sorted(bias)[len(bias) // 2] if bias else None
    return line(names, truth, answers, middle, "")


def _table(
    made: Plan, noisy: NoisyAggregates, empty: duckdb.DuckDBPyConnection, workload: Workload
) -> Table:
    release: Release = post_process(made, noisy, empty)
    return table_of(([cell.value for cell in row] for row in release.rows), workload.keys)


def laplace(workload: Workload, truth: Table, runs: int) -> Line:
    """Measure the textbook: each aggregate gets an equal part of epsilon 1 and Laplace noise for `rows` worst rows.

    It gets its exact totals unclipped, as if nobody ever had more rows than declared: better than it could be.
    """
    names = workload.name, "plain Laplace", "ε = 1"
    if workload.private_keys:
        return unanswered(names, "noise cannot hide which groups there are")
    if workload.order:
        return unanswered(names, "the sensitivity of a median is the whole range of its values")
    parts = len(workload.values)
    scales = [parts * (1 if workload.distinct else workload.rows) * v for v in workload.values]
    dice = random.SystemRandom()
    answers = [
        {
            key: tuple(
                value + scale * (dice.expovariate(1.0) - dice.expovariate(1.0))
                for value, scale in zip(values, scales, strict=True)
            )
            for key, values in truth.items()
        }
        for _ in range(runs)
    ]
    return line(names, truth, answers, None, "")
