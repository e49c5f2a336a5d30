"""Draw every statement up again from the log and compare it to the byte.

Reason      A statement that was rated, split or rounded by other rules than ours differs in some byte; one that bills
            an entry twice, or an entry that is not there, is found by counting.
"""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import cast

from audit.fold import Finding
from audit.log import canon
from audit.log.events import Event
from audit.money.channel import UnknownJurisdiction
from audit.money.rating import price
from audit.money.statement import (
    Statement,
    StatementRefused,
    Terms,
    UsageEntry,
    draw_up,
    take_back,
    usage_entry,
)
from policies.pricing import DocumentRefused, PricePlan, SplitAgreement, agreement_from, plan_from

MONEY_KINDS = frozenset({"usage.recorded", "statement.issued"})


@dataclass(frozen=True, slots=True)
class Papers:
    """What lies beside the log: documents by digest, statements by id, as their bytes."""

    documents: Mapping[str, bytes]
    statements: Mapping[str, bytes]


def read_terms(papers: Papers) -> tuple[Terms, tuple[Finding, ...]]:
    """Read plans and agreements, refusing any that is not what its digest names; other kinds are left alone."""
    plans: dict[str, PricePlan] = {}
    agreements: dict[str, SplitAgreement] = {}
    findings: list[Finding] = []
    for digest, encoded in sorted(papers.documents.items()):
        try:
            document = canon.decode_document(encoded)
            if canon.digest(encoded) != digest:
                raise DocumentRefused("content is not what the digest names")
            if document.get("kind") == "PricePlan":
                plans[digest] = plan_from(document)
            elif document.get("kind") == "SplitAgreement":
                agreements[digest] = agreement_from(document)
        except (canon.NotCanonical, DocumentRefused) as error:
            findings.append(_error("document_refused", 0, f"`{digest}`: {error}"))
    return Terms(plans, agreements), tuple(findings)


def reconcile(events: Sequence[tuple[int, Event]], papers: Papers) -> tuple[Finding, ...]:
    """Return what does not fit between usage records, documents and statements; `events` are of `MONEY_KINDS`."""
    terms, refused = read_terms(papers)
    usages, unreadable = _usages(events)
    issued = tuple(pair for pair in events if pair[1].kind == "statement.issued")
    return (
        *refused,
        *unreadable,
        *_rate_again(usages, terms),
        *_draw_up_again(issued, usages, terms, papers.statements),
        *_unlogged(issued, papers.statements),
    )


def _usages(
    events: Sequence[tuple[int, Event]],
) -> tuple[tuple[UsageEntry, ...], tuple[Finding, ...]]:
    usages: list[UsageEntry] = []
    findings: list[Finding] = []
    for index, event in events:
        if event.kind == "usage.recorded":
            try:
                usages.append(usage_entry(index, event))
            except ValueError as error:
                findings.append(_error("usage_refused", index, str(error)))
    return tuple(usages), tuple(findings)


def _rate_again(usages: Sequence[UsageEntry], terms: Terms) -> Iterator[Finding]:
    absent: set[str] = set()
    for entry in usages:
        plan = terms.plans.get(entry.plan)
        if plan is None and entry.plan not in absent:
            absent.add(entry.plan)
            yield Finding(
                "notice",
                "plan_absent",
                entry.index,
                f"plan `{entry.plan}` is not in the export; prices unchecked",
            )
        elif plan is not None and price(plan, entry.usage) != entry.quote:
            yield _error("price_differs", entry.index, f"plan `{plan.id}` gives another price")


def _draw_up_again(
    issued: Sequence[tuple[int, Event]],
    usages: Sequence[UsageEntry],
    terms: Terms,
    statements: Mapping[str, bytes],
) -> Iterator[Finding]:
    drawn: dict[str, Statement] = {}
    billed: Counter[int] = Counter()
    for index, event in issued:
        name = str(event.data["statement"])
        if name not in statements:
            yield Finding(
                "notice", "statement_absent", index, f"statement `{name}` is not in the export"
            )
            continue
        try:
            canon.decode_document(statements[name])
            statement = _again((index, event), drawn, (usages, terms))
        except (canon.NotCanonical, StatementRefused, UnknownJurisdiction) as error:
            yield _error("statement_refused", index, f"`{name}`: {error}")
            continue
        drawn[name] = statement
        if canon.encode_document(statement.fields()) != statements[name]:
            yield _error("statement_differs", index, f"`{name}` is not what the log adds up to")
        issued_as = (event.data["digest"], event.data["total_fen"])
        if issued_as != (canon.digest(statements[name]), str(statement.total_fen)):
            yield _error("statement_differs", index, f"`{name}` is not the one that was issued")
        billed.update(_counted(statement))
        for entry in sorted(i for i, count in billed.items() if count not in (0, 1)):
            yield _error(
                "billed_twice", entry, f"usage record is on `{name}` beyond its one statement"
            )


def _again(
    issued: tuple[int, Event],
    drawn: Mapping[str, Statement],
    source: tuple[Sequence[UsageEntry], Terms],
) -> Statement:
    usages, terms = source
    index, event = issued
    name, corrects = str(event.data["statement"]), str(event.data["corrects"])
    if corrects:
        if corrects not in drawn:
            raise StatementRefused(f"it takes back `{corrects}`, which was not issued before it")
        return take_back(name, drawn[corrects])
    if cast("int", event.data["index_to"]) > index:
        raise StatementRefused("it covers entries that were not there when it was issued")
    index_range = (cast("int", event.data["index_from"]), cast("int", event.data["index_to"]))
    return draw_up(name, index_range, usages, terms)


def _counted(statement: Statement) -> Counter[int]:
    sign = -1 if statement.corrects else 1
    return Counter({index: sign for line in statement.lines for index in line.indices})


def _unlogged(
    issued: Sequence[tuple[int, Event]], statements: Mapping[str, bytes]
) -> Iterator[Finding]:
    logged = {str(event.data["statement"]) for _, event in issued}
    for name in sorted(statements.keys() - logged):
        yield _error("statement_unlogged", 0, f"statement `{name}` was never issued in the log")


def _error(code: str, index: int, detail: str) -> Finding:
    return Finding("error", code, index, detail)
