"""Draft a policy and a dataset declaration from a schema, for a holder to review and sign.

Pure, and blind: names, types and keys go in, never a value. What a draft cannot know, such as who
may ask, what a budget is, or how many rows one person has, is written down as a cautious guess
marked REVIEW. Bounds and domains come from a file of public facts; nothing here could measure them.
"""

from dataclasses import dataclass

from policies.check_dataset import check_dataset
from policies.drafting.declarations import draft_declarations
from policies.drafting.grants import draft_grants
from policies.drafting.schema import PublicFacts, SchemaTable, Sorted, sort_tables
from policies.reading.dataset import FIELDS, read_dataset
from policies.reading.nodes import from_plain
from policies.reading.reader import Reader
from policies.reading.render import Pointer, render
from policies.reading.report import Report
from policies.terms import AggregateName

_NO_DIGEST = "sha256:" + "0" * 64


@dataclass(frozen=True, slots=True)
class Inferred:
    """Two drafts as text, and the tables that were left out, each with its reason."""

    policy: str
    dataset: str
    left_out: tuple[tuple[str, str], ...]


def infer(
    schema: tuple[SchemaTable, ...], unit: str, public: tuple[str, ...], facts: PublicFacts
) -> Inferred:
    """Draft both documents. `unit` is `table.column`: the key of whom to protect.

    Refuses  a unit that is not a column of the schema, and a public table that holds the unit.
    """
    found = sort_tables(schema, unit, public)
    # A row with two ways to a unit needs a signature that a draft cannot give.
    while ambiguous := _ambiguous(found):
        found = found.without(ambiguous)
    head = _head(found, unit)
    policy_remarks: dict[Pointer, str] = {(): head, **_POLICY_REMARKS}
    dataset_remarks: dict[Pointer, str] = {(): head, **_DATASET_REMARKS}
    policy = {**_POLICY, "tables": draft_grants(found, facts, policy_remarks)}
    dataset = {**_DATASET, "tables": draft_declarations(found, dataset_remarks)}
    return Inferred(
        policy=render(policy, policy_remarks),
        dataset=render(dataset, dataset_remarks),
        left_out=tuple(sorted(found.left_out.items())),
    )


def _ambiguous(found: Sorted) -> dict[str, str]:
    document = {**_DATASET, "tables": draft_declarations(found, {})}
    report = Report("draft", FIELDS)
    dataset = read_dataset(Reader(report, from_plain(document), (), ""), _NO_DIGEST)
    return {
        problem.pointer[1]: f"leads to the unit by {dict(problem.params)['paths']}; "
        "sign which of them is protected"
        for problem in check_dataset(dataset)
        if problem.code == "document_unit_ambiguous"
    }


def _head(found: Sorted, unit: str) -> str:
    lines = [
        f"Drafted from names, types and keys; no value was read. `{unit}` is protected.",
        "Every line marked REVIEW is a guess to be replaced before anybody signs.",
    ]
    lines += [f"Left out: `{name}` {why}." for name, why in sorted(found.left_out.items())]
    return "\n".join(lines)


_HOLDER: dict[str, object] = {"id": "holder-demo", "type": "public_institution"}

_POLICY: dict[str, object] = {
    "apiVersion": "keyong/v1",
    "kind": "AccessPolicy",
    "metadata": {"id": "draft-policy", "jurisdiction": "CN", "version": 1},
    "parties": {"holder": _HOLDER, "operator": {"id": "op-demo", "licence": "LIC-DEMO"}},
    "effective": {"from": "2020-01-01T00:00:00+00:00", "to": "2099-12-31T23:59:59+00:00"},
    "classification": {
        "level": "一般",
        "personal_info": True,
        "sensitive_personal_info": True,
        "state_secret": False,
    },
    "purposes": [{"code": "research", "class": "public_good", "fee": "free"}],
    "tables": {},
    "query": {
        "aggregates": [name.value for name in AggregateName],
        "max_groups": 2000,
        "max_literals": 200,
        "failures_max": 3,
    },
    "output": {"mode": "dp"},
    "budget": {
        "unit": "unit",
        "accountant": "pure_eps",
        "per_query_max": 1,
        "lifetime_per_epoch": 1000,
        "allowances": [{"purpose": "research", "window": "year", "epsilon": 1000}],
    },
}

_POLICY_REMARKS: dict[Pointer, str] = {
    ("parties",): "REVIEW: who holds the data, and who may ask",
    ("effective",): "REVIEW: from when, until when",
    ("classification",): "REVIEW: the cautious reading",
    ("purposes",): "REVIEW: what for, and whether it is free",
    ("budget",): "REVIEW: a lifetime of 1000 is far too high for real people",
}

_DATASET: dict[str, object] = {
    "apiVersion": "keyong/v1",
    "kind": "Dataset",
    "metadata": {"id": "draft_dataset", "version": 1, "holder": _HOLDER},
    "family": {
        "id": "draft_family",
        "unit": "unit",
        "units_declared_max": 1_000_000,
        "accountant": "pure_eps",
        "loss_per_query_max": "1",
        "lifetime": "1000",
    },
    "size_class": "M",
}

_DATASET_REMARKS: dict[Pointer, str] = {
    ("metadata",): "REVIEW: who holds the data",
    ("family", "units_declared_max"): "REVIEW: a public upper estimate, never a count",
    ("family", "loss_per_query_max"): "REVIEW: what one answer may cost a unit, in epsilon",
    ("family", "lifetime"): "REVIEW: what all answers together may cost a unit; far too high",
    ("size_class",): "REVIEW: S, M or L; it fixes when an answer leaves",
}
