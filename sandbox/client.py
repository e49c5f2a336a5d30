"""The gateway's one door to the sandbox: plan a question, rehearse the plan, run it, bring data in.

`plan` sees schema and policy. `rehearse` runs the plan in a twin that holds no data. `run` runs it beside the data, once.
`finish` makes another answer from noisy totals that were kept, where there is no data.
"""

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from policies.access.model import AccessPolicy
from policies.catalogue import Catalogue
from policies.refusals import Refused, Stage, Suggestion
from policies.terms import PrivacyLoss
from sandbox import wire
from sandbox.algebra import rows_at_most
from sandbox.boundary import (
    Answered,
    Diagnosis,
    DiagnosisCode,
    Failure,
    Plan,
    Release,
    Reuse,
)
from sandbox.compiler.bound import BoundedQuery, bound
from sandbox.compiler.check import Asker, check
from sandbox.compiler.parameters import NO_PARAMETERS, Parameters
from sandbox.compiler.parse import parse
from sandbox.compiler.plan import plan as make_plan
from sandbox.compiler.resolve import ResolvedQuery, resolve
from sandbox.compiler.rewrites.ground import Ground
from sandbox.compiler.suggest import suggest
from sandbox.runtimes.base import (
    Completed,
    Folders,
    Limits,
    NoMounts,
    Reason,
    Role,
    Runtime,
    Snapshot,
)

REHEARSALS_MAX = 3  # for one suggestion


@dataclass(frozen=True, slots=True)
class Question:
    """What an operator asks, under which policy, of which snapshot, and what it may cost the units."""

    sql: str
    policy: AccessPolicy
    catalogue: Catalogue
    asker: Asker
    loss: PrivacyLoss
    parameters: Parameters = NO_PARAMETERS


@dataclass(frozen=True, slots=True)
class Planned:
    """A plan and the facts around it that stay outside: names the operator gave, what is touched, what is charged.

    `digest` is the canonical question: equal for equal plans, whatever their spelling and column names.
    """

    plan: Plan
    labels: tuple[str, ...]
    epochs: tuple[str, ...]
    tables: tuple[str, ...]
    columns: tuple[str, ...]
    digest: str


@dataclass(frozen=True, slots=True)
class Failed:
    """A run without a release. `touched` says that rows may have been read, so the loss stays spent."""

    reason: str
    touched: bool


@dataclass(frozen=True, slots=True)
class Draft:
    """A question that may be asked, before it is said what it may cost. `at` makes its plan for any loss."""

    resolved: ResolvedQuery
    bounded: BoundedQuery

    def at(self, loss: PrivacyLoss) -> Planned:
        """Return the plan at this loss.

        Refuses: a loss above what one query may spend, under another accountant, or too small to be split.
        """
        made = make_plan(self.bounded, loss)
        return Planned(
            plan=made,
            labels=tuple(output.label for output in self.resolved.outputs),
            epochs=self.bounded.epochs,
            tables=tuple(dict.fromkeys(t.table.name for t in self.resolved.tables)),
            columns=tuple(dict.fromkeys(f"{u.table}.{u.column}" for u in self.resolved.uses)),
            digest=wire.digest(made),
        )


def draft(question: Question) -> Draft:
    """Take a question through the stages before its loss; `question.loss` is not looked at.

    Refuses: with the first thing that stands against it; no budget has been touched and no data read.
    """
    resolved = resolve(parse(question.sql, question.parameters), question.catalogue)
    permitted = check(resolved, question.policy, question.catalogue, question.asker)
    return Draft(resolved, bound(permitted))


def plan(question: Question) -> Planned:
    """Take a question through the five stages.

    Refuses: with the first thing that stands against it; no budget has been touched and no data read.
    """
    return draft(question).at(question.loss)


def suggestion(
    question: Question, refused: Refused, rehearsed: Callable[[Planned], object]
) -> Suggestion | None:
    """Return a question near a refused one that passes the same stages, under the same policy, for the same asker.

    `rehearsed` counts the groups of a plan and refuses too many; it is asked REHEARSALS_MAX times at most.
    """
    if len(question.parameters.listed) > 1 and "?" in question.sql:
        return None  # values in the order of the text would not follow a part that moves
    left = REHEARSALS_MAX

    def judge(sql: str) -> Refused | None:
        nonlocal left
        try:
            planned = draft(replace(question, sql=sql)).at(question.loss)
            if planned.plan.measurement.keys:
                left -= 1
                if left < 0:
                    raise Refused("too_many_groups", Stage.CHECK, groups="…", limit="…")
                rehearsed(planned)
        except Refused as other:
            return other
        return None

    today = question.asker.now.date()
    ground = Ground(refused, question.policy, question.catalogue, today)
    return suggest(question.sql, ground, judge)


def rehearse(made: Plan, policy: AccessPolicy, runtime: Runtime, limits: Limits) -> Diagnosis:
    """Run the plan on an empty and on a generated copy of the schema, where there is no data to be learnt from.

    Refuses: a plan that does not bind, changes a type, raises, or declares more groups or rows than the policy allows.
    """
    outcome = runtime.run(Role.TWIN, wire.encode(made), NoMounts(), limits)
    if not isinstance(outcome, Completed):
        raise Refused("query_does_not_prepare", Stage.RUN, diagnosis=outcome.reason.value)
    try:
        diagnosis = wire.decode_diagnosis(outcome.answer)
    except wire.WireError:
        raise Refused("query_does_not_prepare", Stage.RUN, diagnosis="no_answer") from None
    judge(diagnosis, made, policy)
    return diagnosis


def judge(diagnosis: Diagnosis, made: Plan, policy: AccessPolicy) -> None:
    """Refuse what the twin found wrong, and an answer larger than the policy allows."""
    groups = policy.query.max_groups
    if diagnosis.code is DiagnosisCode.TOO_MANY_KEYS or diagnosis.keys > groups:
        raise Refused("too_many_groups", Stage.CHECK, groups=diagnosis.keys, limit=groups)
    if diagnosis.code is not DiagnosisCode.READY:
        raise Refused("query_does_not_prepare", Stage.RUN, diagnosis=diagnosis.code.value)
    layers = made.post.relation
    rows = diagnosis.keys if layers is None else rows_at_most(layers, diagnosis.keys)
    rows = rows if made.post.limit is None else min(rows, made.post.limit)
    if policy.output.max_rows is not None and rows > policy.output.max_rows:
        raise Refused("too_many_rows", Stage.CHECK, rows=rows, limit=policy.output.max_rows)


def run(made: Plan, snapshot: Path, runtime: Runtime, limits: Limits) -> Answered | Failed:
    """Run the plan beside the data in a fresh, isolated, single-use worker."""
    outcome = runtime.run(Role.QUERY, wire.encode(made), Snapshot(snapshot), limits)
    if not isinstance(outcome, Completed):
        touched = outcome.reason is not Reason.NOT_STARTED
        return Failed(outcome.reason.value, touched)
    try:
        answer = wire.decode_answered(outcome.answer)
    except wire.WireError:
        # bytes that are no release are never looked at again: they could hold anything
        return Failed("no_answer", touched=True)
    return Failed(answer.value, touched=True) if isinstance(answer, Failure) else answer


def finish(reuse: Reuse, runtime: Runtime, limits: Limits) -> Release | Failed:
    """Finish a plan from kept totals in a worker without any file. Nothing was touched, whatever becomes of it."""
    outcome = runtime.run(Role.FINISH, wire.encode(reuse), NoMounts(), limits)
    if not isinstance(outcome, Completed):
        return Failed(outcome.reason.value, touched=False)
    try:
        answer = wire.decode_answer(outcome.answer)
    except wire.WireError:
        return Failed("no_answer", touched=False)
    return Failed(answer.value, touched=False) if isinstance(answer, Failure) else answer


def ingest(
    request: Mapping[str, object], folders: Folders, runtime: Runtime, limits: Limits
) -> Mapping[str, object]:
    """Bring files in through an isolated ingest worker.

    The reply says whether it worked, or the code and parameters of a refusal; it names no value and no count. What was
    dropped and why stands in a report in the holder's own output folder.
    """
    outcome = runtime.run(Role.INGEST, json.dumps(request).encode(), folders, limits)
    if not isinstance(outcome, Completed):
        return {"ok": False, "code": "ingest_failed", "params": {"reason": outcome.reason.value}}
    reply = json.loads(outcome.answer)
    if not isinstance(reply, dict):
        raise TypeError("an ingest worker answers with one object")
    return reply
