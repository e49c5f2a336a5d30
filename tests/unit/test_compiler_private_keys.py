"""Who may group by what nobody declared, and what it costs: rho as for one more moment, and a delta."""

from dataclasses import replace

import pytest

from policies.access.model import AccessPolicy
from policies.refusals import Refused
from policies.terms import NANO, Accountant, PrivacyLoss
from sandbox.boundary import GroupKey, PrivateKey, Selection
from sandbox.client import Planned
from sandbox.privacy.partition_selection import delta_of, threshold
from tests.unit.compiler_world import compiled, policy

ZCDP = Accountant.APPROX_ZCDP
BY_NAME = "SELECT name, count(*), sum(income) FROM persons GROUP BY name"
BY_DAY = "SELECT day, count(*) FROM claims GROUP BY day"


def asked(sql: str, delta: int = 0, granted: AccessPolicy | None = None) -> Planned:
    return compiled(sql, ZCDP, NANO // 10, granted, delta)


def chosen(planned: Planned) -> Selection:
    found = planned.plan.measurement.selection
    assert found is not None
    return found


def refused(sql: str, delta: int = 0, granted: AccessPolicy | None = None) -> Refused:
    with pytest.raises(Refused) as caught:
        asked(sql, delta, granted)
    return caught.value


def test_a_key_without_a_domain_is_private_and_costs_a_share_of_rho_and_the_delta() -> None:
    plan = asked(BY_NAME, 10**8).plan
    assert [type(key) for key in plan.measurement.keys] == [PrivateKey]
    found = plan.measurement.selection
    assert found is not None
    assert plan.loss == PrivacyLoss(ZCDP, NANO // 10, 10**8)
    assert found.loss == PrivacyLoss(ZCDP, NANO // 30, 10**8)
    moments = plan.measurement.moments
    assert sum(m.loss.primary for m in moments) + found.loss.primary <= NANO // 10
    assert all(m.loss.delta == 0 for m in moments)
    assert (found.units_least, found.keys_max) == (1, 5_000)
    assert found.threshold == threshold(found.scale, 1, 1, 10**8)


def test_several_groups_of_one_unit_share_the_delta() -> None:
    wide = chosen(asked("SELECT claim_id, count(*) FROM claims GROUP BY claim_id", 10**8))
    assert delta_of(wide.scale, 5, wide.threshold - 1) <= 10**8
    assert delta_of(wide.scale, 5, wide.threshold - 2) > 10**8


def test_one_private_key_makes_the_combination_private() -> None:
    plan = asked("SELECT region, name, count(*) FROM persons GROUP BY region, name").plan
    assert {type(key) for key in plan.measurement.keys} == {GroupKey, PrivateKey}
    assert plan.measurement.selection is not None


def test_declared_groups_cost_no_delta_whatever_is_asked() -> None:
    plain = asked(BY_DAY)
    generous = asked(BY_DAY, 10**8)
    assert plain.plan.measurement.selection is None
    assert plain.plan.loss == PrivacyLoss(ZCDP, NANO // 10, 0)
    assert generous.digest == plain.digest


def with_delta(per_query: int, rows: int | None = None) -> AccessPolicy:
    granted = policy(ZCDP)
    return replace(
        granted,
        budget=replace(granted.budget, delta_per_query=per_query),
        output=replace(granted.output, max_rows=rows),
    )


def test_the_delta_is_the_asked_one_or_the_declared_one_and_never_a_silent_one() -> None:
    assert chosen(asked(BY_NAME)).loss.delta == 10**9  # the policy declares it
    assert chosen(asked(BY_NAME, 7)).loss.delta == 7
    assert refused(BY_NAME, granted=with_delta(0)).code == "delta_missing"
    assert "`delta`" in refused(BY_NAME, granted=with_delta(0)).message("en")
    assert chosen(asked(BY_NAME, 10**12, with_delta(0))).loss.delta == 10**12


def test_a_delta_above_what_one_query_may_spend_is_refused() -> None:
    found = refused(BY_NAME, 10**9 + 1)
    assert found.code == "loss_per_query_exceeded"
    assert "delta 0.000000001 " in found.message("en")
    assert refused(BY_NAME, 10**12 + 1, with_delta(0)).code == "loss_per_query_exceeded"


def test_pure_epsilon_and_a_policy_that_does_not_say_so_refuse_and_name_the_cure() -> None:
    with pytest.raises(Refused) as caught:
        compiled(BY_NAME)
    assert caught.value.code == "key_domain_missing"
    assert "rho" in caught.value.message("en")
    granted = policy(ZCDP)
    closed = replace(granted, query=replace(granted.query, private_keys=False))
    found = refused(BY_NAME, granted=closed)
    assert found.code == "private_keys_not_granted"
    assert "query.private_keys" in found.message("en")


def test_a_loss_too_small_for_any_threshold_is_refused() -> None:
    with pytest.raises(Refused) as caught:
        compiled(BY_NAME, ZCDP, 2)
    assert caught.value.code == "loss_too_small"


def test_an_answer_shows_no_more_groups_than_it_may_have_rows() -> None:
    assert chosen(asked(BY_NAME, granted=with_delta(1, rows=77))).keys_max == 77


def test_private_groups_have_no_subtotals() -> None:
    found = refused("SELECT region, name, count(*) FROM persons GROUP BY ROLLUP (region, name)")
    assert found.code == "sql_feature_refused"
    assert "one query for each grouping" in found.message("en")


def test_less_noise_or_more_delta_lowers_the_threshold() -> None:
    here = chosen(asked(BY_NAME, 10**6)).threshold
    assert chosen(asked(BY_NAME, 10**9)).threshold < here
    dearer = chosen(compiled(BY_NAME, ZCDP, NANO, None, 10**6))
    assert dearer.threshold < here
