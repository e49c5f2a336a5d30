"""The documents a holder signs, from text to frozen types: one door for every kind.

Refuses  with the first fault from the top of the text; `lint` lists all of them instead.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TypeVar, cast

from policies.access.check import check_policy
from policies.access.fit import fit
from policies.access.model import AccessPolicy
from policies.check_dataset import check_dataset
from policies.dataset import Dataset
from policies.digest import digest
from policies.findings import Finding
from policies.pricing import PricePlan, SplitAgreement
from policies.reading import access, dataset, pricing
from policies.reading.nodes import Mapping as MappingNode
from policies.reading.nodes import Node, Scalar
from policies.reading.parse import load_yaml
from policies.reading.reader import Reader
from policies.reading.report import Abandoned, Fields, Problem, Report
from policies.refusals import Position, Refused

API_VERSION = "keyong/v1"
Document = AccessPolicy | Dataset | PricePlan | SplitAgreement
T = TypeVar("T", bound=Document)


@dataclass(frozen=True, slots=True)
class Kind:
    """How one kind of document is read and checked."""

    fields: Fields
    read: Callable[[Reader, str], Document]
    check: Callable[[Document], tuple[Problem, ...]]


KINDS: Mapping[str, Kind] = {
    "AccessPolicy": Kind(
        access.FIELDS,
        access.read_access_policy,
        lambda document: check_policy(cast("AccessPolicy", document)),
    ),
    "Dataset": Kind(
        dataset.FIELDS,
        dataset.read_dataset,
        lambda document: check_dataset(cast("Dataset", document)),
    ),
    "PricePlan": Kind(
        pricing.PLAN_FIELDS, lambda reader, _: pricing.read_price_plan(reader), lambda _: ()
    ),
    "SplitAgreement": Kind(
        pricing.AGREEMENT_FIELDS,
        lambda reader, _: pricing.read_split_agreement(reader),
        lambda _: (),
    ),
}


def load_access_policy(text: str | bytes, path: str) -> AccessPolicy:
    """Read an AccessPolicy; `path` only names it in refusals."""
    return _load(text, path, "AccessPolicy", AccessPolicy)


def load_dataset(text: str | bytes, path: str) -> Dataset:
    """Read a Dataset; `path` only names it in refusals."""
    return _load(text, path, "Dataset", Dataset)


def load_price_plan(text: str | bytes, path: str) -> PricePlan:
    """Read a PricePlan; `path` only names it in refusals."""
    return _load(text, path, "PricePlan", PricePlan)


def load_split_agreement(text: str | bytes, path: str) -> SplitAgreement:
    """Read a SplitAgreement; `path` only names it in refusals."""
    return _load(text, path, "SplitAgreement", SplitAgreement)


def document_digest(text: str | bytes, path: str) -> str:
    """Return the digest of a document of any kind, as price and revenue references name it."""
    return digest(load_yaml(text, path))


def lint(text: str | bytes, path: str) -> tuple[Finding, ...]:
    """Return every fault that can be found in one reading, from top to bottom."""
    try:
        node = load_yaml(text, path)
    except Refused as refused:
        params = tuple(refused.params.items())
        return (Finding(refused.code, refused.stage, refused.at, params, ()),)
    report, _ = _read(node, path, None)
    return report.in_order()


def misfits(text: str | bytes, path: str, dataset: Dataset) -> tuple[Finding, ...]:
    """Return every way in which a policy does not fit a dataset, at the place it is written."""
    node = load_yaml(text, path)
    report, policy = _read(node, path, "AccessPolicy")
    report.raise_first()
    report.add_problems(fit(cast("AccessPolicy", policy), dataset), node)
    return report.in_order()


def _load(text: str | bytes, path: str, kind: str, expected: type[T]) -> T:
    report, document = _read(load_yaml(text, path), path, kind)
    report.raise_first()
    assert isinstance(document, expected)  # noqa: S101  INVARIANT: no finding, so it was built
    return document


def _read(node: Node, path: str, wanted: str | None) -> tuple[Report, Document | None]:
    name = _kind_of(node)
    kind = KINDS.get(name)
    report = Report(path, kind.fields if kind else {})
    if kind is None or (wanted is not None and name != wanted):
        kinds = f"`{wanted}`" if wanted else ", ".join(f"`{known}`" for known in KINDS)
        problem = f"must be {kinds}, not `{name[:40]}`"
        report.add("document_field_invalid", _at(node, "kind"), field="kind", problem=problem)
        return report, None
    try:
        reader = Reader(report, node, (), "")
        if reader.label("apiVersion") != API_VERSION:
            reader.invalid("apiVersion", f"must be `{API_VERSION}`")
        document = kind.read(reader, digest(node))
    except Abandoned:
        return report, None
    report.add_problems(kind.check(document), node)
    return report, document


def _kind_of(node: Node) -> str:
    found = node.entries.get("kind") if isinstance(node, MappingNode) else None
    return found.text if isinstance(found, Scalar) else ""


def _at(node: Node, name: str) -> Position:
    found = node.entries.get(name) if isinstance(node, MappingNode) else None
    return found.at if found is not None else node.at
