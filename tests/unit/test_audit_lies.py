"""A node that holds the key can sign anything; what breaks the rules of the ledger is found all the same."""

import random
import shutil
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any, cast

import pytest

from audit import verify
from audit.log import canon, events
from audit.log.events import Event
from tests.unit.audit_lived import all_leaves, check, codes, lived_domain, sign_anew
from tests.unit.audit_world import World


@pytest.fixture(scope="module")
def lived(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[World, Path]]:
    world, folder = lived_domain(tmp_path_factory.mktemp("domain"))
    yield world, folder
    world.store.close()


def first(events_in: list[Event], kind: str) -> int:
    return next(i for i, event in enumerate(events_in) if event.kind == kind)


def changed(event: Event, **data: Any) -> Event:
    return replace(event, data={**event.data, **data})


def charges_of(event: Event) -> list[dict[str, str]]:
    return cast("list[dict[str, str]]", event.data["charges"])


def double_ending(log: list[Event]) -> None:
    at = first(log, "query.released")
    log.append(replace(log[at], id=log[at].id + "2"))


def refund(log: list[Event]) -> None:
    at = first(log, "query.failed")
    log[at] = changed(log[at], touched=False)


def overspend(log: list[Event]) -> None:
    at = first(log, "account.opened")
    log[at] = changed(log[at], cap="1000")


def forget_usage(log: list[Event]) -> None:
    at = first(log, "usage.recorded")
    log[at] = replace(log[first(log, "query.refused")], id="filler")


def cheaper_usage(log: list[Event]) -> None:
    at = first(log, "usage.recorded")
    log[at] = changed(log[at], quote={"gross_uy": "1", "waived_uy": "0", "due_uy": "1"})


def cheaper_everywhere(log: list[Event]) -> None:
    quote = {"gross_uy": "1", "waived_uy": "0", "due_uy": "1"}
    at = first(log, "query.accepted")
    charges = [
        c if c["unit"] != "micro_yuan" else {**c, "amount": "1"} for c in charges_of(log[at])
    ]
    log[at] = changed(log[at], quote=quote, charges=charges)
    cheaper_usage(log)


def hold_less_than_quoted(log: list[Event]) -> None:
    at = first(log, "query.accepted")
    charges = [
        c if c["unit"] != "micro_yuan" else {**c, "amount": "1"} for c in charges_of(log[at])
    ]
    log[at] = changed(log[at], charges=charges)


def no_loss(log: list[Event]) -> None:
    at = first(log, "query.accepted")
    charges = [c for c in charges_of(log[at]) if c["unit"] == "micro_yuan"]
    log[at] = changed(log[at], charges=charges)


def silent_cap(log: list[Event]) -> None:
    data = {
        "account": "family/hn_person/eps",
        "unit": "eps_nano",
        "cap_before": "1",
        "cap": "9",
        "authority": "x",
    }
    log.append(Event("account.cap_changed", "cap.x", "gw-1", log[-1].time, "domain", data))


def reuse_of_nothing(log: list[Event]) -> None:
    at = first(log, "query.reused")
    log[at] = changed(log[at], released=0)


def reuse_of_another(log: list[Event]) -> None:
    at = first(log, "query.reused")
    log[at] = changed(log[at], commitment="commit-sha256:" + "0" * 64)


def made_of_nothing(log: list[Event]) -> None:
    at = first(log, "query.derived")
    log[at] = changed(log[at], released=[0])


def made_of_other_data(log: list[Event]) -> None:
    at = first(log, "query.derived")
    log[at] = changed(log[at], snapshots=["hmac-sha256:" + "0" * 64])


def paid_again(log: list[Event]) -> None:
    at = first(log, "usage.recorded")
    log.append(replace(log[at], id="again"))


def same_operation(log: list[Event]) -> None:
    log.append(replace(log[first(log, "query.accepted")], id="again"))


def same_id(log: list[Event]) -> None:
    log.append(log[first(log, "query.refused")])


def unknown_account(log: list[Event]) -> None:
    at = first(log, "account.opened")
    log[at] = changed(log[at], account="other")


def other_total(log: list[Event]) -> None:
    at = first(log, "statement.issued")
    log[at] = changed(log[at], total_fen="1")


def billed_twice(log: list[Event]) -> None:
    at = first(log, "statement.issued")
    log[at + 1] = replace(log[at], id="statement.again")


def unissued(log: list[Event]) -> None:
    at = first(log, "statement.issued")
    log[at] = replace(log[first(log, "query.refused")], id="filler")


def future_statement(log: list[Event]) -> None:
    at = first(log, "statement.issued")
    log[at] = changed(log[at], index_to=at + 1)


@pytest.mark.parametrize(
    ("lie", "code"),
    [
        (double_ending, "ending_unpaired"),
        (refund, "refund_unfounded"),
        (overspend, "overspent"),
        (forget_usage, "usage_missing"),
        (cheaper_usage, "usage_differs"),
        (cheaper_everywhere, "price_differs"),
        (hold_less_than_quoted, "fee_differs"),
        (no_loss, "loss_missing"),
        (silent_cap, "cap_unfounded"),
        (reuse_of_nothing, "reuse_unfounded"),
        (reuse_of_another, "reuse_unfounded"),
        (made_of_nothing, "reuse_unfounded"),
        (made_of_other_data, "reuse_unfounded"),
        (paid_again, "usage_unpaired"),
        (same_operation, "operation_repeated"),
        (same_id, "event_repeated"),
        (unknown_account, "account_unknown"),
        (other_total, "statement_differs"),
        (billed_twice, "billed_twice"),
        (unissued, "statement_unlogged"),
        (future_statement, "statement_refused"),
    ],
)
def test_a_lie_signed_by_the_node_itself_is_found(
    lived: tuple[World, Path], tmp_path: Path, lie: Callable[[list[Event]], None], code: str
) -> None:
    log = [events.decode(leaf) for leaf in all_leaves(lived[0])]
    sign_anew(lived[0], tmp_path / "honest", log)
    assert check(lived, tmp_path / "honest").findings == ()
    lie(log)
    sign_anew(lived[0], tmp_path / "lie", log)
    report = check(lived, tmp_path / "lie")
    assert not report.ok
    assert code in codes(report)


def test_a_share_moved_between_payees_is_found(lived: tuple[World, Path], tmp_path: Path) -> None:
    """The total still adds up; only splitting again shows it."""
    shutil.copytree(lived[1], tmp_path / "x")
    path = tmp_path / "x" / "statements" / "2026-01.json"
    document: Any = canon.decode_document(path.read_bytes())
    shares = document["lines"][0]["shares"]
    shares[0]["amount_fen"] = str(int(shares[0]["amount_fen"]) - 1)
    shares[1]["amount_fen"] = str(int(shares[1]["amount_fen"]) + 1)
    path.write_bytes(canon.encode_document(document))
    assert "statement_differs" in codes(check(lived, tmp_path / "x"))


def test_what_the_auditor_kept_is_held_against_the_node(
    lived: tuple[World, Path], tmp_path: Path
) -> None:
    world = lived[0]
    receipt_text = world.journal.receipt(9)
    checkpoint = world.journal.checkpoint()
    held = verify.Held((checkpoint,), (receipt_text,))
    assert check(lived, held=held).findings == ()
    log = [events.decode(leaf) for leaf in all_leaves(world)]
    sign_anew(world, tmp_path / "shorter", log[:9])
    assert {"log_shrank", "receipt_not_in_log"} <= codes(check(lived, tmp_path / "shorter", held))
    log[3] = changed(log[3], authority="other-document")
    sign_anew(world, tmp_path / "rewritten", log)
    assert codes(check(lived, tmp_path / "rewritten", held)) == {"history_differs"}
    # Without anything kept, a history rewritten by the node in its own rules cannot be told: hence `held`.
    assert check(lived, tmp_path / "rewritten").ok
    assert codes(check(lived, held=verify.Held(("junk",), ("junk",)))) == {"held_refused"}


def mutate(dice: random.Random, value: Any) -> Any:
    """Change one value into another that the schema may still allow."""
    if isinstance(value, bool):
        return not value
    if isinstance(value, int):
        return dice.choice([0, 1, value + 1, 10**6])
    if isinstance(value, str) and value.isdigit():
        return dice.choice(["0", "1", str(int(value) + 1), str(2**63 - 1)])
    if isinstance(value, str):
        return dice.choice([value[:-1] + "0", value + "0", "eps_nano", "L"])
    if isinstance(value, list):
        return (
            value[1:] if value and dice.random() < 0.3 else [mutate(dice, item) for item in value]
        )
    key = dice.choice(sorted(value))
    return {**value, key: mutate(dice, value[key])}


def test_no_lie_stops_the_verifier(lived: tuple[World, Path], tmp_path: Path) -> None:
    """A node that could crash its auditor would not need to fool him."""
    dice = random.Random(5)
    honest = [events.decode(leaf) for leaf in all_leaves(lived[0])]
    found = tried = 0
    for _ in range(150):
        log = list(honest)
        at = dice.randrange(len(log))
        log[at] = replace(log[at], data=mutate(dice, dict(log[at].data)))
        try:
            sign_anew(lived[0], tmp_path / "x", log)
        except (events.UnknownEvent, canon.NotCanonical):
            continue
        tried += 1
        found += check(lived, tmp_path / "x").findings != ()
    assert tried > 80
    # Names of purposes, shapes or authorities may be anything; most numbers and references may not.
    assert found > tried // 2
