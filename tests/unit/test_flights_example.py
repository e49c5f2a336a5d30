"""The flights example asks what its contracts allow and can pay for; no data is needed to know that."""

from datetime import UTC, datetime
from pathlib import Path

import pytest

from examples.flights.questions import ALL, COARSE, FINE, FREE, NEVER, REPEATED, Question
from policies.access.model import AccessPolicy
from policies.catalogue import Catalogue
from policies.documents import lint, load_access_policy, load_dataset, misfits
from policies.refusals import Refused
from policies.terms import NANO, PrivacyLoss
from sandbox import client
from sandbox.compiler.check import Asker
from sandbox.compiler.parameters import Constant, ConstantKind, Parameters

FOLDER = Path(__file__).parents[2] / "examples" / "flights"
FILES = {COARSE: "policy.yaml", FINE: "policy-fine.yaml"}
DATASET = load_dataset((FOLDER / "dataset.yaml").read_bytes(), "dataset.yaml")
CATALOGUE = Catalogue(1, DATASET, "0" * 64, {"airlines.carrier": ("AA", "UA")}, ("2013",))


def contract(purpose: str) -> AccessPolicy:
    return load_access_policy((FOLDER / FILES[purpose]).read_bytes(), FILES[purpose])


def values_of(question: Question) -> Parameters:
    """Return the question's values as the gateway reads them."""
    days = question.parameters.items()
    return Parameters((), tuple((n, Constant(ConstantKind.DATE, d.isoformat())) for n, d in days))


def planned(question: Question, purpose: str) -> client.Planned:
    policy = contract(purpose)
    asker = Asker(policy.operator.id, question.purpose, datetime(2026, 7, 1, tzinfo=UTC), False)
    loss = PrivacyLoss(policy.budget.accountant, int(float(question.rho) * NANO), 0)
    asked = client.Question(question.sql, policy, CATALOGUE, asker, loss, values_of(question))
    return client.plan(asked)


@pytest.mark.parametrize("question", ALL, ids=lambda question: question.name)
def test_every_question_is_allowed_under_its_contract(question: Question) -> None:
    # `planes` is the same in every year, so a question of it is charged to an account that never resets, too.
    expected = ("2013", "always") if question is NEVER else ("2013",)
    assert planned(question, question.purpose).epochs == expected


@pytest.mark.parametrize(("free", "paid"), FREE, ids=lambda question: question.name)
def test_what_is_asked_again_measures_what_was_paid_for(free: Question, paid: Question) -> None:
    """The moments are the same with the same noise, so nothing is drawn a second time."""
    again, first, other = (
        set(planned(q, q.purpose).plan.measurement.moments) for q in (free, paid, REPEATED)
    )
    assert again == first != other


@pytest.mark.parametrize("question", ALL, ids=lambda question: question.name)
def test_and_under_the_other_it_is_not(question: Question) -> None:
    other = FINE if question.purpose == COARSE else COARSE
    with pytest.raises(Refused, match="purpose_not_granted"):
        planned(question, other)


def test_all_questions_together_are_within_the_lifetime() -> None:
    spent = sum(int(float(question.rho) * NANO) for question in ALL)
    assert spent <= DATASET.family.lifetime
    for purpose in FILES:
        mine = sum(int(float(q.rho) * NANO) for q in ALL if q.purpose == purpose)
        budget = contract(purpose).budget
        assert spent <= budget.lifetime_per_epoch
        assert mine <= min(allowance.primary for allowance in budget.allowances)


@pytest.mark.parametrize("file", FILES.values())
def test_both_contracts_are_sound_and_fit(file: str) -> None:
    text = (FOLDER / file).read_bytes()
    assert lint(text, file) == ()
    assert misfits(text, file, DATASET) == ()
    assert {bool(test.expect) for test in load_access_policy(text, file).tests} == {True, False}


def test_the_coarse_contract_costs_one_group_and_the_fine_one_many() -> None:
    """Noise follows the bounds: what is claimed in the README is what the plan says."""
    carriers = planned(ALL[0], COARSE).plan.measurement
    assert [moment.sensitivity_l1 for moment in carriers.moments] == [350, 350 * 70, 350]
    cancelled = planned(ALL[1], FINE).plan.measurement
    assert [moment.sensitivity_l2_squared for moment in cancelled.moments] == [10 * 3**2]
