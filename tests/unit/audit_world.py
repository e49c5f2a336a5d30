"""A small domain for the tests of the log and the ledger: accounts, documents, a clock that is set by hand."""

import hashlib
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

from audit.charge import Charge, Unit
from audit.journal import Journal
from audit.ledger import Ledger
from audit.log import canon
from audit.log.signer import Signer, create_key, load_key
from audit.money.metering import Usage
from audit.money.rating import price
from audit.request import Posting, Request, Reserved, Terms
from audit.store.cells import Kept, Vector
from audit.store.sqlite import Store
from policies.pricing import agreement_from, plan_from
from policies.terms import PurposeClass

EPS = "family/hn_person/eps"
FEE = "buyer/op-1/fee"
START = datetime(2026, 3, 1, 8, 0, tzinfo=UTC)

PLAN_DOCUMENT: dict[str, object] = {
    "apiVersion": "keyong/v1",
    "kind": "PricePlan",
    "metadata": {"id": "PP-1", "version": 1},
    "currency": "CNY",
    "tax": "vat_6",
    "per_query_uy": 1_000_003,
    "per_cell_uy": 1_250,
    "per_column_uy": 333,
    "per_epsilon_uy": 2_000_001,
    "per_rho_uy": 9_000_000,
    "size_class_uy": {"S": 0, "M": 500_000, "L": 2_000_000},
    "minimum_fee_uy": 500_000,
    "rounding": "half_up",
}
AGREEMENT_DOCUMENT: dict[str, object] = {
    "apiVersion": "keyong/v1",
    "kind": "SplitAgreement",
    "metadata": {"id": "AG-1", "version": 1},
    "parties": [
        {"id": "health", "name": "省卫健委", "type": "admin_unit", "jurisdiction": "CN-430000"},
        {
            "id": "hospital",
            "name": "市一医院",
            "type": "public_institution",
            "jurisdiction": "CN-330100",
        },
        {"id": "works", "name": "数据加工公司", "type": "enterprise", "jurisdiction": "CN-430000"},
        {"id": "platform", "name": "平台", "type": "platform", "jurisdiction": "CN-430000"},
    ],
    "platform_first": {"party": "platform", "basis_points": 500},
    "stages": [
        {
            "name": "采集",
            "weight": 5,
            "shares": [{"party": "health", "weight": 2}, {"party": "hospital", "weight": 1}],
        },
        {"name": "加工", "weight": 3, "shares": [{"party": "works", "weight": 1}]},
        {"name": "流通", "weight": 1, "shares": [{"party": "platform", "weight": 7}]},
        {
            "name": "应用",
            "weight": 2,
            "shares": [{"party": "works", "weight": 3}, {"party": "health", "weight": 4}],
        },
    ],
}
PLAN = plan_from(PLAN_DOCUMENT)
AGREEMENT = agreement_from(AGREEMENT_DOCUMENT)
PLAN_BYTES = canon.encode_document(PLAN_DOCUMENT)
AGREEMENT_BYTES = canon.encode_document(AGREEMENT_DOCUMENT)
PLAN_DIGEST = canon.digest(PLAN_BYTES)
AGREEMENT_DIGEST = canon.digest(AGREEMENT_BYTES)
SNAPSHOT = "hmac-sha256:" + "5" * 64
SHAPE = "hmac-sha256:" + "a" * 64
POLICY = "sha256:" + "b" * 64


class HandClock:
    """A clock that stands still until it is moved."""

    def __init__(self) -> None:
        self.now = START

    def __call__(self) -> datetime:
        return self.now

    def pass_time(self, seconds: int) -> None:
        self.now += timedelta(seconds=seconds)


def digest_of(text: str) -> str:
    return "sha256:" + hashlib.sha256(text.encode()).hexdigest()


def usage(epsilon_nano: int, purpose: PurposeClass) -> Usage:
    return Usage(1, 48, 2, 3, epsilon_nano, 0, "M", purpose)


def terms(epsilon_nano: int, purpose: PurposeClass = PurposeClass.INDUSTRY) -> Terms:
    metered = usage(epsilon_nano, purpose)
    return Terms(
        purpose="insurance_pricing",
        family="hn_person",
        policies=(POLICY,),
        plan=PLAN_DIGEST,
        agreement=AGREEMENT_DIGEST,
        snapshots=(SNAPSHOT,),
        shape=SHAPE,
        usage=metered,
        quote=price(PLAN, metered),
    )


def ask(
    name: str,
    epsilon_nano: int,
    client: str = "op-1",
    deadline: datetime = START + timedelta(hours=1),
) -> Request:
    """A reservation against the family's budget and the buyer's credit."""
    agreed = terms(epsilon_nano)
    return Request(
        operation_id=f"q-{name}",
        client_id=client,
        idempotency_key=f"key-{name}",
        request_digest=digest_of(name),
        charges=(
            Charge(EPS, Unit.EPS_NANO, epsilon_nano),
            Charge(FEE, Unit.MICRO_YUAN, agreed.quote.due_uy),
        ),
        deadline=deadline,
        terms=agreed,
    )


def ask_again(name: str, client: str = "op-1") -> Request:
    """A question whose answer is stored: no loss, a fee of its own."""
    agreed = terms(0)
    first = ask(name, 1, client)
    return replace(
        first, charges=(Charge(FEE, Unit.MICRO_YUAN, agreed.quote.due_uy),), terms=agreed
    )


def totals_of(name: str) -> Kept:
    """The noisy totals an answer was made from, as the ledger keeps them."""
    return Kept(f"totals {name}".encode(), (Vector(f"vector-{name}", 0, "0x1.0p+1", 5, 0),))


@dataclass(frozen=True, slots=True)
class World:
    """A running domain."""

    folder: Path
    store: Store
    ledger: Ledger
    journal: Journal
    clock: HandClock

    def answer(self, name: str, epsilon_nano: int) -> int:
        """Run one query to its release; return the index of its leaf."""
        reserved = self.ledger.reserve(ask(name, epsilon_nano))
        assert isinstance(reserved, Reserved)
        self.ledger.start(f"q-{name}", reserved.fence)
        return self.ledger.post(
            Posting(
                f"q-{name}",
                reserved.fence,
                f"answer {name}".encode(),
                f"cell-{name}",
                totals_of(name),
            )
        ).index

    def export(self, name: str, statements: dict[str, bytes]) -> Path:
        folder = self.folder / name
        documents = {d.removeprefix("sha256:"): b for d, b in DOCUMENTS.items()}
        self.journal.export(folder, documents, statements)
        return folder


DOCUMENTS = {PLAN_DIGEST: PLAN_BYTES, AGREEMENT_DIGEST: AGREEMENT_BYTES}


def furnish(ledger: Ledger, eps_cap: int = 40 * 10**9, fee_cap: int = 10**12) -> None:
    """Log the documents and open the accounts."""
    ledger.record("plan.activated", "plan.1", "domain", _document("PP-1", PLAN_DIGEST))
    ledger.record(
        "agreement.activated", "agreement.1", "domain", _document("AG-1", AGREEMENT_DIGEST)
    )
    dataset: dict[str, object] = {
        "dataset": "hn_visits",
        "version": 1,
        "digest": digest_of("dataset"),
        "family": "hn_person",
        "holder": "health",
        "commitment": SNAPSHOT,
    }
    ledger.record("dataset.registered", "dataset.1", "health", dataset)
    ledger.open_account(EPS, Unit.EPS_NANO, eps_cap, "hn_visits@1")
    ledger.open_account(FEE, Unit.MICRO_YUAN, fee_cap, "contract-7")


def open_world(folder: Path, source: str = "gw-1") -> World:
    """Open, or open again, the domain in `folder`."""
    clock = HandClock()
    store = Store(folder / "ledger.db")
    key = folder / "log.key"
    signer = Signer(
        load_key(key) if key.exists() else create_key(key, "keyong.test/log1"), folder / "guard"
    )
    return World(folder, store, Ledger(store, source, clock), Journal(store, signer), clock)


def _document(name: str, digest: str) -> dict[str, object]:
    return {"document": name, "version": 1, "digest": digest}
