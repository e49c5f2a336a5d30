"""The closed set of events. What is not in `EVENTS` cannot become a leaf, and a leaf that is not in it fails
verification.

A leaf holds no SQL, literal, row count, size or plain hash of anything computed from data: a query appears as a keyed
HMAC of its shape, a snapshot and a release as hiding commitments. Amounts are whole numbers as decimal strings:
privacy loss in nano (delta in 10**-18), money in micro-yuan.

    account.opened → account.cap_changed*
    query.accepted → query.released + usage.recorded | query.failed | query.voided      exactly one ending
    query.reused + usage.recorded          a stored noisy answer, no new loss
    query.derived + usage.recorded         another answer from stored noisy totals, no new loss
    query.refused                          nothing was reserved

Source      CloudEvents 1.0 attribute names, so that any collector can read a leaf.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import cast

from audit.log import canon, fields
from audit.log.fields import Check, each, record

_SPEC_VERSION = "1.0"

_unit = fields.choice("eps_nano", "rho_nano", "delta_e18", "micro_yuan", "failures")
_charge = record(account=fields.identifier, unit=_unit, amount=fields.amount)
_purpose_class = fields.choice("governance", "public_good", "industry")
_usage = record(
    queries=fields.amount,
    cells_declared=fields.amount,
    tables=fields.amount,
    columns=fields.amount,
    epsilon_nano=fields.amount,
    rho_nano=fields.amount,
    size_class=fields.choice("S", "M", "L"),
    purpose_class=_purpose_class,
)
_quote = record(gross_uy=fields.amount, waived_uy=fields.amount, due_uy=fields.amount)
_terms: Mapping[str, Check] = {
    "purpose": fields.code,
    "family": fields.identifier,
    "policies": each(fields.digest, 1),
    "plan": fields.digest,
    "agreement": fields.digest,
    "snapshots": each(fields.hiding, 1),
    "shape": fields.tag,
    "usage": _usage,
    "quote": _quote,
}
_document = {"document": fields.identifier, "version": fields.index, "digest": fields.digest}
_ending: Mapping[str, Check] = {"operation": fields.identifier, "accepted": fields.index}

EVENTS: Mapping[str, Check] = MappingProxyType(
    {
        "account.opened": record(
            account=fields.identifier, unit=_unit, cap=fields.amount, authority=fields.identifier
        ),
        "account.cap_changed": record(
            account=fields.identifier,
            unit=_unit,
            cap=fields.amount,
            cap_before=fields.amount,
            authority=fields.identifier,
        ),
        "dataset.registered": record(
            dataset=fields.identifier,
            version=fields.index,
            digest=fields.digest,
            family=fields.identifier,
            holder=fields.identifier,
            commitment=fields.hiding,
        ),
        "policy.published": record(**_document),
        "policy.revoked": record(**_document),
        "plan.activated": record(**_document),
        "agreement.activated": record(**_document),
        "query.accepted": record(
            operation=fields.identifier, charges=each(_charge, 1), deadline=fields.time, **_terms
        ),
        "query.released": record(commitment=fields.commitment, **_ending),
        "query.failed": record(reason=fields.code, touched=fields.boolean, **_ending),
        "query.voided": record(reason=fields.code, **_ending),
        "query.refused": record(operation=fields.identifier, stage=fields.code, code=fields.code),
        "query.reused": record(
            operation=fields.identifier,
            released=fields.index,
            commitment=fields.commitment,
            charges=each(_charge, 0),
            **_terms,
        ),
        "query.derived": record(
            operation=fields.identifier,
            released=each(fields.index, 1),
            commitment=fields.commitment,
            charges=each(_charge, 0),
            **_terms,
        ),
        "usage.recorded": record(
            operation=fields.identifier,
            of=fields.index,
            plan=fields.digest,
            agreement=fields.digest,
            usage=_usage,
            quote=_quote,
        ),
        "failures.reviewed": record(
            client=fields.identifier, family=fields.identifier, authority=fields.identifier
        ),
        "statement.issued": record(
            statement=fields.identifier,
            corrects=fields.identifier_or_none,
            digest=fields.digest,
            index_from=fields.index,
            index_to=fields.index,
            total_fen=fields.signed_amount,
        ),
        "recovery.completed": record(voided=fields.index, failed=fields.index),
        "domain.acted": record(
            actor=fields.identifier, action=fields.code, subject=fields.identifier
        ),
    }
)


class UnknownEvent(ValueError):
    """The leaf is of no type this log may hold, or its fields are not those of its type."""


@dataclass(frozen=True, slots=True)
class Event:
    """One thing that happened. `kind` is a key of `EVENTS`; `subject` is the client or body it concerns."""

    kind: str
    id: str
    source: str
    time: str
    subject: str
    data: Mapping[str, object]


def encode(event: Event) -> bytes:
    """Return the leaf of an event, refusing what the log may not hold."""
    _check(event)
    return canon.encode(
        {
            "specversion": _SPEC_VERSION,
            "id": event.id,
            "source": event.source,
            "type": f"keyong.{event.kind}.v1",
            "time": event.time,
            "subject": event.subject,
            "data": dict(event.data),
        }
    )


def decode(leaf: bytes) -> Event:
    """Read a leaf, refusing everything `encode` would not have written."""
    value = canon.decode(leaf)
    if value.keys() != {"specversion", "id", "source", "type", "time", "subject", "data"}:
        raise UnknownEvent("leaf does not have exactly the attributes of an event")
    kind = str(value["type"]).removeprefix("keyong.").removesuffix(".v1")
    if value["specversion"] != _SPEC_VERSION or value["type"] != f"keyong.{kind}.v1":
        raise UnknownEvent("leaf has an unknown version")
    if not isinstance(value["data"], dict):
        raise UnknownEvent("leaf has no data")
    words = {name: value[name] for name in ("id", "source", "time", "subject")}
    if not all(isinstance(word, str) for word in words.values()):
        raise UnknownEvent("leaf has an attribute that is not text")
    event = Event(kind=kind, data=value["data"], **cast("dict[str, str]", words))
    _check(event)
    return event


def _check(event: Event) -> None:
    check = EVENTS.get(event.kind)
    if check is None:
        raise UnknownEvent(f"`{event.kind}` is not an event of this log")
    try:
        fields.identifier(event.id, "id")
        fields.identifier(event.source, "source")
        fields.identifier(event.subject, "subject")
        fields.time(event.time, "time")
        check(event.data, "data")
    except fields.BadField as error:
        raise UnknownEvent(f"{event.kind}: {error}") from None
