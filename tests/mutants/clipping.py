"""Seeded bugs in bounding one unit: clips, kept groups, sensitivities, and what an exact zero gives away."""

from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import replace
from typing import Any
from unittest.mock import patch

from policies.terms import SqlType, TypeKind
from sandbox.algebra import Join, Literal, Relation
from sandbox.boundary import Measurement, Moment, MomentKind, Rank
from sandbox.privacy import contribution
from sandbox.privacy.contribution import Reach, Sensitivity
from sandbox.worker import distinct, execute, query, rank_bins, set_totals
from sandbox.worker.execute import ExactAggregates
from sandbox.worker.ingest import settle
from tests.mutants.mutant import Mutant, instead


def partial_clipped_one_step_late() -> AbstractContextManager[None]:
    """The clip of a unit's partial is one step too wide."""

    def wider(original: Any) -> Any:
        def partial(index: int, moment: Moment) -> str:
            return str(original(index, replace(moment, partial_upper=moment.partial_upper + 1)))

        return partial

    return instead(execute, "_partial", wider)


def partial_not_clipped_below() -> AbstractContextManager[None]:
    """Negative partials are not clipped."""

    def open_below(original: Any) -> Any:
        def partial(index: int, moment: Moment) -> str:
            return str(original(index, replace(moment, partial_lower=-(2**61))))

        return partial

    return instead(execute, "_partial", open_below)


def rows_clamped_instead_of_partials() -> AbstractContextManager[None]:
    """Each row is clamped, but the rows of one unit are added up without end."""

    def rows_only(original: Any) -> Any:
        def partial(index: int, moment: Moment) -> str:
            wide = replace(moment, partial_lower=-(2**61), partial_upper=2**61)
            return str(original(index, wide))

        return partial

    return instead(execute, "_partial", rows_only)


def one_group_too_many() -> AbstractContextManager[None]:
    """Each unit keeps one group more than declared."""

    def loose(original: Any) -> Any:
        def choose(measurement: Measurement, connection: Any) -> None:
            original(
                replace(measurement, groups_per_unit_max=measurement.groups_per_unit_max + 1),
                connection,
            )

        return choose

    return instead(execute, "_choose_groups", loose)


def groups_not_bounded() -> AbstractContextManager[None]:
    """A unit counts in every group it has rows in."""

    def none(_: Any) -> Any:
        return lambda measurement, connection: connection.execute(
            "CREATE OR REPLACE TEMP TABLE _ky_chosen AS SELECT 0 AS u, 0 AS g WHERE false"
        )

    return instead(execute, "_choose_groups", none)


def groups_chosen_by_dense_code() -> AbstractContextManager[None]:
    """The keyed choice uses the unit's number instead of its original key: removing one person re-draws everybody's."""

    def numbered(original: Any) -> Any:
        def choose(measurement: Measurement, connection: Any) -> None:
            connection.execute(
                "CREATE OR REPLACE TEMP TABLE _ky_units AS SELECT code, encode(code::VARCHAR) AS unit_key "
                "FROM snapshot.main._ky_units"
            )
            try:
                original(measurement, connection)
            finally:
                connection.execute("DROP TABLE temp.main._ky_units")

        return choose

    return instead(execute, "_choose_groups", numbered)


def surplus_chosen_by_place_in_file() -> AbstractContextManager[None]:
    """Ingest ranks a unit's surplus rows by where they stand, which moves when somebody before them leaves."""
    return instead(settle, "keyed_rank", lambda _: lambda columns: "hash(rowid), $inner, $outer")


def people_joined_with_everybody() -> AbstractContextManager[None]:
    """The join of two private tables forgets that their units must be equal."""

    def crossed(original: Any) -> Any:
        def render(relation: Relation, *rest: Any) -> str:
            return str(original(_without_conditions(relation), *rest))

        return render

    return instead(execute, "render_relation", crossed)


def _without_conditions(relation: Relation) -> Relation:
    if isinstance(relation, Join):
        left = _without_conditions(relation.left)
        return Join(relation.type, left, relation.right, Literal(SqlType(TypeKind.BOOLEAN), True))
    return relation


def presence_counts_rows() -> AbstractContextManager[None]:
    """count(DISTINCT unit) counts rows."""

    def rows(original: Any) -> Any:
        def partial(index: int, moment: Moment) -> str:
            if moment.kind is MomentKind.PRESENCE:
                moment = replace(moment, kind=MomentKind.SUM, partial_upper=2**40)
            return str(original(index, moment))

        return partial

    return instead(execute, "_partial", rows)


def distinct_values_not_chosen() -> AbstractContextManager[None]:
    """A unit's number of distinct values is clipped, but all of its values are counted."""

    def all_kept(_: Any) -> Any:
        return lambda index, moment, kept, connection: connection.execute(
            f"CREATE OR REPLACE TEMP TABLE _ky_kept{index} AS SELECT g, unnest(x{index}) AS x FROM {kept}"
        )

    return instead(distinct, "_keep_values", all_kept)


def distinct_values_one_too_many() -> AbstractContextManager[None]:
    """Each unit keeps one distinct value more than declared."""

    def loose(original: Any) -> Any:
        return lambda index, moment, *rest: original(
            index, replace(moment, partial_upper=moment.partial_upper + 1), *rest
        )

    return instead(distinct, "_keep_values", loose)


def sensitivity_of_one_group() -> AbstractContextManager[None]:
    """The claim forgets that a unit may be in several groups; compiler and worker agree on the mistake."""

    def forgetful(original: Any) -> Any:
        def sensitivity(lower: int, upper: int, groups_max: int) -> Sensitivity:
            found: Sensitivity = original(lower, upper, 1 if groups_max > 0 else groups_max)
            return found

        return sensitivity

    return _everywhere("sensitivity", forgetful(contribution.sensitivity))


def sensitivity_of_one_row() -> AbstractContextManager[None]:
    """The claim counts one row per unit where the clip allows several."""

    def forgetful(original: Any) -> Any:
        def sensitivity(lower: int, upper: int, groups_max: int) -> Sensitivity:
            found: Sensitivity = original(min(lower, 0) // 3, max(1, upper // 3), groups_max)
            return found

        return sensitivity

    return _everywhere("sensitivity", forgetful(contribution.sensitivity))


def totals_with_the_finest_reach() -> AbstractContextManager[None]:
    """The claim forgets that all groups a unit keeps may fall into one group of a coarser set."""

    def forgetful(original: Any) -> Any:
        def set_sensitivity(kind: MomentKind, lower: int, upper: int, reach: Reach) -> Sensitivity:
            found: Sensitivity = original(kind, lower, upper, replace(reach, together=1))
            return found

        return set_sensitivity

    return instead(contribution, "set_sensitivity", forgetful)


def people_added_up_over_their_groups() -> AbstractContextManager[None]:
    """A person in two groups of a coarser set counts twice in it."""

    def added(original: Any) -> Any:
        return lambda *arguments: original(*arguments).replace("max(p", "sum(p")

    return instead(set_totals, "_totals", added)


def rows_of_a_rank_not_bounded() -> AbstractContextManager[None]:
    """All rows of a unit count in the bins of a rank, however few may."""

    def none(_: Any) -> Any:
        return lambda index, moment, connection: connection.execute(
            "CREATE OR REPLACE TEMP TABLE _ky_starts AS"
            " SELECT 0 AS u, 0 AS g, 0::HUGEINT AS n, 0::HUGEINT AS start WHERE false"
        )

    return instead(rank_bins, "_choose_starts", none)


def rank_of_all_bins_alike() -> AbstractContextManager[None]:
    """The claim of a rank forgets that one row may be further from a steep fraction than from the middle."""

    def forgetful(original: Any) -> Any:
        def reach(rank: Rank, rows: int, groups: int) -> Sensitivity:
            found: Sensitivity = original(replace(rank, numerator=1, denominator=2), rows, groups)
            return found

        return reach

    return _everywhere("rank_sensitivity", forgetful(contribution.rank_sensitivity))


def empty_groups_hidden() -> AbstractContextManager[None]:
    """Only groups that somebody is in are returned."""

    def present(original: Any) -> Any:
        def run(*arguments: Any) -> ExactAggregates:
            found: ExactAggregates = original(*arguments)
            if any(len(vector) != len(found.keys) for vector in found.moments):
                return found  # several grouping sets
            kept = [
                place for place in range(len(found.keys)) if any(v[place] for v in found.moments)
            ]
            return ExactAggregates(
                tuple(found.keys[place] for place in kept),
                tuple(tuple(v[place] for place in kept) for v in found.moments),
            )

        return run

    return instead(query, "execute", present)


def exact_zero_stays_zero() -> AbstractContextManager[None]:
    """A group nobody is in gets no noise: its zero is exact, and says so."""

    def tactful(original: Any) -> Any:
        def add_noise(measurement: Measurement, exact: ExactAggregates) -> Any:
            noisy = original(measurement, exact)
            moments = tuple(
                tuple(n if e else 0 for n, e in zip(ns, es, strict=True))
                for ns, es in zip(noisy.moments, exact.moments, strict=True)
            )
            return replace(noisy, moments=moments)

        return add_noise

    return instead(query, "add_noise", tactful)


@contextmanager
def _everywhere(name: str, made: Any) -> Iterator[None]:
    from sandbox.compiler import bound

    with patch.object(contribution, name, made), patch.object(bound, name, made):
        yield


CLIPPING: tuple[Mutant, ...] = (
    partial_clipped_one_step_late,
    partial_not_clipped_below,
    rows_clamped_instead_of_partials,
    one_group_too_many,
    groups_not_bounded,
    groups_chosen_by_dense_code,
    surplus_chosen_by_place_in_file,
    people_joined_with_everybody,
    presence_counts_rows,
    distinct_values_not_chosen,
    distinct_values_one_too_many,
    totals_with_the_finest_reach,
    people_added_up_over_their_groups,
    empty_groups_hidden,
    rows_of_a_rank_not_bounded,
    rank_of_all_bins_alike,
    exact_zero_stays_zero,
)
CLAIMS: tuple[Mutant, ...] = (sensitivity_of_one_group, sensitivity_of_one_row)
