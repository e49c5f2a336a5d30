"""The questions inside the example policies get the verdicts their holders wrote down."""

from datetime import UTC, date, datetime
from pathlib import Path

import pytest

from policies.access.model import AccessPolicy, PolicyTest
from policies.catalogue import Catalogue
from policies.documents import (
    document_digest,
    lint,
    load_access_policy,
    load_dataset,
    misfits,
)
from policies.epochs import declared_epochs
from policies.refusals import Refused
from policies.terms import PrivacyLoss, Scalar
from sandbox.client import Question, plan
from sandbox.compiler.check import Asker
from tests.unit.policies_world import ROOT

PUBLIC: dict[str, tuple[Scalar, ...]] = {
    "weather.region": ("长沙", "湘西"),
    "weather.day": (date(2024, 1, 1), date(2024, 1, 2)),
}


EXAMPLES = ROOT / "examples"
DOCUMENTS = sorted(EXAMPLES.rglob("*.yaml"))
POLICIES = [path for path in DOCUMENTS if path.name.startswith("policy")]


def cases() -> list[tuple[AccessPolicy, Catalogue, PolicyTest]]:
    found = []
    for path in POLICIES:
        policy = load_access_policy(path.read_bytes(), path.name)
        dataset = load_dataset((path.parent / "dataset.yaml").read_bytes(), "dataset.yaml")
        catalogue = Catalogue(1, dataset, "ab" * 32, PUBLIC, declared_epochs(dataset))
        found += [(policy, catalogue, test) for test in policy.tests]
    return found


@pytest.mark.parametrize("path", DOCUMENTS, ids=lambda path: f"{path.parent.name}-{path.name}")
def test_every_example_is_sound(path: Path) -> None:
    assert [finding.message("en") for finding in lint(path.read_bytes(), path.name)] == []


@pytest.mark.parametrize("path", POLICIES, ids=lambda path: f"{path.parent.name}-{path.name}")
def test_every_policy_fits_the_dataset_beside_it(path: Path) -> None:
    dataset = load_dataset((path.parent / "dataset.yaml").read_bytes(), "dataset.yaml")
    assert misfits(path.read_bytes(), path.name, dataset) == ()
    policy = load_access_policy(path.read_bytes(), path.name)
    for reference, name in ((policy.price, "price-plan"), (policy.revenue, "split-agreement")):
        if reference is not None:
            other = path.parent / f"{name}.yaml"
            assert reference.digest == document_digest(other.read_bytes(), other.name)


@pytest.mark.parametrize(("policy", "catalogue", "test"), cases())
def test_the_verdict_is_the_one_written_down(
    policy: AccessPolicy, catalogue: Catalogue, test: PolicyTest
) -> None:
    now = datetime(2026, 11, 21, tzinfo=UTC)
    asker = Asker(policy.operator.id, test.purpose, now, suspended=False)
    loss = PrivacyLoss(policy.budget.accountant, test.primary, 0)
    try:
        plan(Question(test.sql, policy, catalogue, asker, loss))
        verdict: tuple[str, ...] = ()
    except Refused as refused:
        verdict = (refused.code,)
    assert verdict == test.expect


def test_both_verdicts_are_shown() -> None:
    verdicts = {bool(test.expect) for _, _, test in cases()}
    assert verdicts == {True, False}
