"""Close a period: draw up what the log says was used, and put the statement's digest into the log.

    preview(journal, terms, statement_id, index_range) -> Statement        reads only
    issue(ledger, journal, statement) -> Issued(index, content)            keep `content`; the log holds its digest
    billed_up_to(journal) -> int                                           where the next period begins

A period is a range of entries, so it has no late events, and the next one begins where the last ended. A statement
that was wrong is taken back whole (`audit.money.statement.take_back`) and issued again under another id; nothing is
ever rated anew in silence.
"""

from dataclasses import dataclass
from typing import cast

from audit.journal import Journal
from audit.ledger import Ledger
from audit.log import canon
from audit.log.events import Event
from audit.money.statement import Statement, Terms, draw_up, usage_entry


class CloseRefused(ValueError):
    """The statement would bill an entry twice, or one that is not there."""


@dataclass(frozen=True, slots=True)
class Issued:
    """The statement's leaf and its canonical bytes, which lie beside the log."""

    index: int
    content: bytes


def preview(
    journal: Journal, terms: Terms, statement_id: str, index_range: tuple[int, int]
) -> Statement:
    """Draw up a statement without issuing it; with other plans in `terms` it would not add up and is refused."""
    used = journal.events_of("usage.recorded", *index_range)
    return draw_up(statement_id, index_range, [usage_entry(i, event) for i, event in used], terms)


def issue(ledger: Ledger, journal: Journal, statement: Statement) -> Issued:
    """Log a statement. Issuing the same one again returns the leaf it has."""
    content = canon.encode_document(statement.fields())
    digest = canon.digest(content)
    standing = _standing(journal)
    known = standing.get(statement.id)
    if known is None:
        _refuse_overlap(statement, standing, journal.size())
    data = {
        "statement": statement.id,
        "corrects": statement.corrects,
        "digest": digest,
        "index_from": statement.index_from,
        "index_to": statement.index_to,
        "total_fen": str(statement.total_fen),
    }
    index = ledger.record("statement.issued", f"statement.{statement.id}", "finance", data)
    return Issued(index, content)


def billed_up_to(journal: Journal) -> int:
    """Return the first entry that no standing statement covers."""
    ends = [cast("int", event.data["index_to"]) for event in _standing(journal).values()]
    return max(ends, default=0)


def _standing(journal: Journal) -> dict[str, Event]:
    """Return the statements that were issued and not taken back, by id."""
    issued = [event for _, event in journal.events_of("statement.issued", 0, journal.size())]
    taken_back = {str(event.data["corrects"]) for event in issued}
    return {
        str(event.data["statement"]): event
        for event in issued
        if not event.data["corrects"] and event.data["statement"] not in taken_back
    }


def _refuse_overlap(statement: Statement, standing: dict[str, Event], size: int) -> None:
    if statement.corrects:
        if statement.corrects not in standing:
            raise CloseRefused(f"`{statement.corrects}` is not a standing statement")
        return
    if not statement.index_from < statement.index_to <= size:
        raise CloseRefused(f"period is not a range of the {size} entries there are")
    for name, event in standing.items():
        index_from, index_to = (cast("int", event.data[key]) for key in ("index_from", "index_to"))
        if statement.index_from < index_to and index_from < statement.index_to:
            raise CloseRefused(f"`{name}` covers entries of this period; take it back first")
