"""The plan the node loads from YAML and the plan an auditor reads from the export are one plan under one name."""

from audit.log import canon
from audit.money.reconcile import Papers, read_terms
from policies.documents import document_digest, load_price_plan, load_split_agreement
from policies.reading.nodes import to_plain
from policies.reading.parse import load_yaml
from tests.unit.audit_world import AGREEMENT_DOCUMENT, PLAN_DOCUMENT

PLAN_YAML = """
# Comments and order are not part of a document's name.
kind: PricePlan
apiVersion: keyong/v1
metadata: {version: 1, id: PP-1}
currency: CNY
tax: vat_6
per_query_uy: 1000003
per_cell_uy: 1250
per_column_uy: 333
per_epsilon_uy: 2000001
per_rho_uy: 9000000
size_class_uy: {S: 0, M: 500000, L: 2000000}
minimum_fee_uy: 500000
rounding: half_up
"""
AGREEMENT_YAML = """
apiVersion: keyong/v1
kind: SplitAgreement
metadata: {id: AG-1, version: 1}
parties:
  - {id: health, name: 省卫健委, type: admin_unit, jurisdiction: CN-430000}
  - {id: hospital, name: 市一医院, type: public_institution, jurisdiction: CN-330100}
  - {id: works, name: 数据加工公司, type: enterprise, jurisdiction: CN-430000}
  - {id: platform, name: 平台, type: platform, jurisdiction: CN-430000}
platform_first: {party: platform, basis_points: 500}
stages:
  - {name: 采集, weight: 5, shares: [{party: health, weight: 2}, {party: hospital, weight: 1}]}
  - {name: 加工, weight: 3, shares: [{party: works, weight: 1}]}
  - {name: 流通, weight: 1, shares: [{party: platform, weight: 7}]}
  - {name: 应用, weight: 2, shares: [{party: works, weight: 3}, {party: health, weight: 4}]}
"""


def canonical(text: str) -> bytes:
    plain = to_plain(load_yaml(text, "document.yaml"))
    assert isinstance(plain, dict)
    return canon.encode_document(plain)


def test_both_readers_see_one_document() -> None:
    papers = {document_digest(text, "x"): canonical(text) for text in (PLAN_YAML, AGREEMENT_YAML)}
    terms, findings = read_terms(Papers(papers, {}))
    assert findings == ()
    plan_digest, agreement_digest = papers
    assert terms.plans == {plan_digest: load_price_plan(PLAN_YAML, "x")}
    assert terms.agreements == {agreement_digest: load_split_agreement(AGREEMENT_YAML, "x")}


def test_the_canonical_bytes_are_those_of_the_plain_document() -> None:
    assert canonical(PLAN_YAML) == canon.encode_document(PLAN_DOCUMENT)
    assert canonical(AGREEMENT_YAML) == canon.encode_document(AGREEMENT_DOCUMENT)


def test_a_document_under_anothers_name_is_refused() -> None:
    papers = {document_digest(AGREEMENT_YAML, "x"): canonical(PLAN_YAML)}
    terms, findings = read_terms(Papers(papers, {}))
    assert (terms.plans, [finding.code for finding in findings]) == ({}, ["document_refused"])
