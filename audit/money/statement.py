"""A statement: what each buyer owes over a range of the log, and who earns it, traceable to the entry.

The period is a range of log indices, not of a clock, so that no event can be late. Each usage record is rated again in
micro-yuan; a line (buyer, agreement, tax class) adds them exactly, is rounded half-up to fen once, and the rounded
line is split, so shares = line = invoice to the fen. What the rounding moved, less than one fen, is shown as
`rounding_uy`.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TypeVar, cast

from audit.log.events import Event
from audit.money.channel import Channel, route
from audit.money.metering import Usage, usage_from
from audit.money.rating import Quote, half_up, price, quote_from
from audit.money.split import split
from policies.pricing import PricePlan, SplitAgreement, TaxClass

UY_PER_FEN = 10_000

_Document = TypeVar("_Document")


@dataclass(frozen=True, slots=True)
class UsageEntry:
    """A `usage.recorded` entry of the log."""

    index: int
    buyer: str
    plan: str
    agreement: str
    usage: Usage
    quote: Quote


@dataclass(frozen=True, slots=True)
class Payout:
    """One share of a line, with the channel it takes."""

    stage: str
    party: str
    amount_fen: int
    channel: Channel
    basis: str
    draft: bool


@dataclass(frozen=True, slots=True)
class Line:
    """What one buyer owes under one agreement and tax class; `indices` are the usage records behind it."""

    buyer: str
    agreement: str
    tax: TaxClass
    gross_uy: int
    waived_uy: int
    due_uy: int
    amount_fen: int
    rounding_uy: int
    indices: tuple[int, ...]
    shares: tuple[Payout, ...]


@dataclass(frozen=True, slots=True)
class Statement:
    """Lines over the entries [index_from, index_to). `corrects` names the statement this takes back, or is empty."""

    id: str
    corrects: str
    index_from: int
    index_to: int
    lines: tuple[Line, ...]

    @property
    def total_fen(self) -> int:
        return sum(line.amount_fen for line in self.lines)

    def fields(self) -> dict[str, object]:
        """Write the statement as a document whose canonical bytes are hashed and logged."""
        return {
            "statement": self.id,
            "corrects": self.corrects,
            "index_from": self.index_from,
            "index_to": self.index_to,
            "total_fen": str(self.total_fen),
            "lines": [_line_fields(line) for line in self.lines],
        }


class StatementRefused(ValueError):
    """A usage record cannot be put on a statement, or was priced otherwise than its plan says."""


@dataclass(frozen=True, slots=True)
class Terms:
    """The documents usage records refer to, by digest."""

    plans: Mapping[str, PricePlan]
    agreements: Mapping[str, SplitAgreement]


def usage_entry(index: int, event: Event) -> UsageEntry:
    """Read a `usage.recorded` event."""
    data = cast("Mapping[str, str]", event.data)
    usage, quote = (cast("dict[str, str]", event.data[name]) for name in ("usage", "quote"))
    return UsageEntry(
        index, event.subject, data["plan"], data["agreement"], usage_from(usage), quote_from(quote)
    )


def draw_up(
    statement_id: str, index_range: tuple[int, int], entries: Sequence[UsageEntry], terms: Terms
) -> Statement:
    """Rate, add, round and split every usage record in the range."""
    index_from, index_to = index_range
    groups: dict[tuple[str, str, TaxClass], list[UsageEntry]] = {}
    for entry in sorted(entries, key=lambda entry: entry.index):
        if index_from <= entry.index < index_to:
            plan = _known(terms.plans, entry.plan, "plan")
            _refuse_other_price(entry, plan)
            groups.setdefault((entry.buyer, entry.agreement, plan.tax), []).append(entry)
    lines = tuple(_line(key, groups[key], terms) for key in sorted(groups))
    return Statement(statement_id, "", index_from, index_to, lines)


def take_back(statement_id: str, original: Statement) -> Statement:
    """Return the exact opposite of a statement, to the fen and to every share."""
    lines = tuple(
        replace(
            line,
            gross_uy=-line.gross_uy,
            waived_uy=-line.waived_uy,
            due_uy=-line.due_uy,
            amount_fen=-line.amount_fen,
            rounding_uy=-line.rounding_uy,
            shares=tuple(replace(share, amount_fen=-share.amount_fen) for share in line.shares),
        )
        for line in original.lines
    )
    return Statement(statement_id, original.id, original.index_from, original.index_to, lines)


def _line(key: tuple[str, str, TaxClass], entries: list[UsageEntry], terms: Terms) -> Line:
    buyer, agreement_digest, tax = key
    agreement = _known(terms.agreements, agreement_digest, "agreement")
    due = sum(entry.quote.due_uy for entry in entries)
    amount = half_up(due, UY_PER_FEN)
    return Line(
        buyer=buyer,
        agreement=agreement_digest,
        tax=tax,
        gross_uy=sum(entry.quote.gross_uy for entry in entries),
        waived_uy=sum(entry.quote.waived_uy for entry in entries),
        due_uy=due,
        amount_fen=amount,
        rounding_uy=amount * UY_PER_FEN - due,
        indices=tuple(entry.index for entry in entries),
        shares=_payouts(amount, agreement),
    )


def _payouts(amount_fen: int, agreement: SplitAgreement) -> tuple[Payout, ...]:
    parties = {party.id: party for party in agreement.parties}
    payouts = []
    for share in split(amount_fen, agreement):
        party = parties[share.party]
        way = route(party.jurisdiction, party.type)
        payouts.append(
            Payout(share.stage, share.party, share.amount_fen, way.channel, way.basis, way.draft)
        )
    return tuple(payouts)


def _refuse_other_price(entry: UsageEntry, plan: PricePlan) -> None:
    rated = price(plan, entry.usage)
    if rated != entry.quote:
        raise StatementRefused(
            f"usage record {entry.index} says {entry.quote.due_uy} micro-yuan, plan `{plan.id}` says {rated.due_uy}"
        )


def _known(documents: Mapping[str, _Document], digest: str, kind: str) -> _Document:
    if digest not in documents:
        raise StatementRefused(f"{kind} `{digest}` is not at hand; add the document")
    return documents[digest]


def _line_fields(line: Line) -> dict[str, object]:
    return {
        "buyer": line.buyer,
        "agreement": line.agreement,
        "tax": line.tax.value,
        "gross_uy": str(line.gross_uy),
        "waived_uy": str(line.waived_uy),
        "due_uy": str(line.due_uy),
        "amount_fen": str(line.amount_fen),
        "rounding_uy": str(line.rounding_uy),
        "indices": list(line.indices),
        "shares": [
            {
                "stage": share.stage,
                "party": share.party,
                "amount_fen": str(share.amount_fen),
                "channel": share.channel.value,
                "basis": share.basis,
                "draft": share.draft,
            }
            for share in line.shares
        ],
    }
