"""Answer from what was released before: no loss, a price of its own, the asker's own names.

The question was authorised anew by `prepare`. The very plan that was answered gets its very bytes; any other plan whose
vectors are all stored is finished from them.
"""

from dataclasses import replace

from audit.request import Conflict, Insufficient, NotStored, Replayed, Reused
from gateway.accounts import open_accounts
from gateway.answer import Answer
from gateway.ask import Ask
from gateway.asked import Asked
from gateway.cells import chosen_for, reuse_of
from gateway.node import Node
from gateway.outcome import ledger_request, not_reserved, recalled
from gateway.prepare import Prepared, stored_answer
from policies.refusals import Refused, Stage
from sandbox import wire
from sandbox.client import Failed


def seen_again(node: Node, ask: Ask, fresh: Prepared) -> Prepared | None:
    """Return the question as it would be answered from the store, or None if it has to be measured."""
    if node.ledger.cell(fresh.planned.digest) is not None:
        return stored_answer(node, ask, fresh)
    chosen = chosen_for(node, fresh)
    if chosen is None or reuse_of(node, chosen) is None:
        return None
    # The face tells the noise that the stored totals have: never more than the asked loss would buy.
    planned = replace(fresh.planned, plan=chosen.plan)
    return stored_answer(node, ask, replace(fresh, planned=planned))


def from_store(node: Node, ask: Ask, ids: tuple[str, str], fresh: Prepared) -> Answer | None:
    """Give an answer that costs nobody anything, or None if there is none.

    A crash in between is the database's: the answer was given out and metered, or nothing happened.
    """
    if node.ledger.cell(fresh.planned.digest) is not None:
        return _repeated(node, ask, ids, fresh)
    return _derived(node, ask, ids, fresh)


def _repeated(node: Node, ask: Ask, ids: tuple[str, str], fresh: Prepared) -> Answer | None:
    prepared = stored_answer(node, ask, fresh)
    _lay_ready(node, ask, ids, prepared)
    request = ledger_request(node, ask, ids, prepared)
    reused = node.ledger.reuse(request, prepared.planned.digest)
    if isinstance(reused, NotStored):
        return None
    return _told(node, ask, ids, prepared, reused)


def _derived(node: Node, ask: Ask, ids: tuple[str, str], fresh: Prepared) -> Answer | None:
    chosen = chosen_for(node, fresh)
    reuse = None if chosen is None else reuse_of(node, chosen)
    if chosen is None or reuse is None:
        return None
    prepared = stored_answer(
        node, ask, replace(fresh, planned=replace(fresh.planned, plan=chosen.plan))
    )
    release = node.finishes.finish(reuse, node.settings.query_limits(prepared.size_class))
    if isinstance(release, Failed):
        # Measured anew it would fail at the same place, and then it would have cost something.
        raise Refused("query_does_not_prepare", Stage.RUN, diagnosis=release.reason)
    _lay_ready(node, ask, ids, prepared)
    request = ledger_request(node, ask, ids, prepared)
    derived = node.ledger.derive(request, (wire.encode(release), chosen.operations))
    return _told(node, ask, ids, prepared, derived)


def _lay_ready(node: Node, ask: Ask, ids: tuple[str, str], prepared: Prepared) -> None:
    open_accounts(node.ledger, tuple(load.account for load in prepared.loads))
    node.asked.put(Asked(ids[0], ask.operator, ask.digest, prepared.face))


def _told(
    node: Node,
    ask: Ask,
    ids: tuple[str, str],
    prepared: Prepared,
    done: Reused | Insufficient | Replayed | Conflict,
) -> Answer:
    if not isinstance(done, Reused):
        return not_reserved(node, ask, done, prepared)
    given = recalled(node, ask, node.ledger.outcome(ask.operator, ids[1]))
    if given is None:
        raise AssertionError("what was given again has an outcome")
    return given
