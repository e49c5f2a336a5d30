"""Seeded bugs in what a question means: each is a small lie about what was asked."""

from contextlib import AbstractContextManager
from dataclasses import replace
from typing import Any

from sandbox.boundary import GroupKey, Measurement, Plan
from sandbox.worker import execute, steps
from tests.lab import bench
from tests.mutants.mutant import Mutant, instead


def where_dropped() -> AbstractContextManager[None]:
    def drop(original: Any) -> Any:
        return lambda relation, *rest: original(getattr(relation, "input", relation), *rest)

    return instead(execute, "render_relation", drop)


def null_at_the_upper_bound() -> AbstractContextManager[None]:
    """DuckDB's least and greatest skip NULL: a clamp without a look at NULL first makes it the bound."""

    def unsettled(original: Any) -> Any:
        def row_steps(value: str, moment: Any, rendering: Any) -> str:
            text = str(original(value, moment, rendering))
            return text.replace(f"CASE WHEN {value} IS NOT NULL", "CASE WHEN true")

        return row_steps

    return instead(execute, "row_steps", unsettled)


def rounded_down() -> AbstractContextManager[None]:
    def floored(original: Any) -> Any:
        return lambda *arguments: str(original(*arguments)).replace("round(", "floor(")

    return instead(steps, "_from_double", floored)


def having_ignored() -> AbstractContextManager[None]:
    def without(original: Any) -> Any:
        def finish(plan: Plan, *rest: Any) -> Any:
            return original(replace(plan, post=replace(plan.post, having=None)), *rest)

        return finish

    return instead(bench, "post_process", without)


def undeclared_keys_in_the_first_group() -> AbstractContextManager[None]:
    def merged(original: Any) -> Any:
        def placed(domains: Any) -> tuple[str, str]:
            joins, group = original(domains)
            return joins.replace(" JOIN ", " LEFT JOIN "), group.replace(
                "CAST((", "CAST(coalesce((", 1
            )[: -len(" AS INTEGER)")] + ", 0) AS INTEGER)" if domains else group

        return placed

    return instead(execute, "_placed", merged)


def keys_without_null() -> AbstractContextManager[None]:
    def without(original: Any) -> Any:
        def run(measurement: Measurement, connection: Any) -> Any:
            keys = tuple(
                replace(key, with_null=False) if isinstance(key, GroupKey) else key
                for key in measurement.keys
            )
            return original(replace(measurement, keys=keys), connection)

        return run

    return instead(bench, "execute", without)


PLAIN: tuple[Mutant, ...] = (
    where_dropped,
    null_at_the_upper_bound,
    rounded_down,
    having_ignored,
    undeclared_keys_in_the_first_group,
    keys_without_null,
)
