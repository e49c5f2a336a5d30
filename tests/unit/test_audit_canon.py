"""One value has one spelling in the log, and only leaves of known events get in."""

import json

import pytest
import rfc8785
from hypothesis import given
from hypothesis import strategies as st

from audit.log import canon, events

KEYS = st.text("abcdefghijklmnopqrstuvwxyz0123456789_", min_size=1, max_size=8)
SCALARS = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-canon.INTEGER_MAX, canon.INTEGER_MAX),
    st.text(max_size=12).map(lambda text: text.encode("utf-8", "ignore").decode()),
)
VALUES = st.dictionaries(KEYS, st.one_of(SCALARS, st.lists(SCALARS, max_size=3)), max_size=5)


@given(VALUES)
def test_reading_undoes_writing(value: dict[str, object]) -> None:
    try:
        encoded = canon.encode(value)
    except canon.NotCanonical:
        return  # text that is not NFC
    assert canon.decode(encoded) == value
    assert canon.encode(canon.decode(encoded)) == encoded


@given(VALUES)
def test_our_spelling_is_that_of_the_library(value: dict[str, object]) -> None:
    """Leaves are written by Python's own encoder for speed; RFC 8785's library is what they are held to."""
    try:
        encoded = canon.encode(value)
    except canon.NotCanonical:
        return
    assert encoded == rfc8785.dumps(value)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    "point", [*range(0x100), 0x2028, 0xD7FF, 0xE000, 0xFFFF, 0x10000, 0x10FFFF]
)
def test_every_character_is_spelt_as_the_library_spells_it(point: int) -> None:
    value: dict[str, object] = {"a": chr(point)}
    assert canon.encode(value) == rfc8785.dumps(value)  # type: ignore[arg-type]


@given(VALUES)
def test_every_other_spelling_is_refused(value: dict[str, object]) -> None:
    try:
        encoded = canon.encode(value)
    except canon.NotCanonical:
        return
    for spelling in (
        json.dumps(value, indent=1),
        json.dumps(value, ensure_ascii=True, separators=(", ", ":")),
    ):
        if spelling.encode() != encoded:
            with pytest.raises(canon.NotCanonical):
                canon.decode(spelling.encode())


@pytest.mark.parametrize(
    ("value", "complaint"),
    [
        ({"a": 1.5}, "float"),
        ({"a": 2**53}, "beyond"),
        ({"A": 1}, "lower-case"),
        ({"a-b": 1}, "lower-case"),
        ({"": 1}, "lower-case"),
        ({"a": "e\N{COMBINING ACUTE ACCENT}"}, "NFC"),
        ({"a": "x" * canon.LEAF_BYTES_MAX}, "at most"),
        ({"a": b"x"}, "bytes"),
        ({"a": "\ud800"}, "surrogate"),
        ({"a": {"a": {"a": {"a": {"a": {"a": {"a": {"a": 1}}}}}}}}, "nested"),
    ],
)
def test_what_the_log_cannot_hold_is_refused(value: dict[str, object], complaint: str) -> None:
    with pytest.raises(canon.NotCanonical, match=complaint):
        canon.encode(value)


@pytest.mark.parametrize(
    "encoded",
    [
        b'{"a":1,"a":1}',
        b'{"a":1.0}',
        b'{"a":NaN}',
        b'{"a":1e2}',
        b"[1]",
        b"",
        b"\xff",
        b'{"b":1,"a":2}',
        b"[" * 9000,
    ],
)
def test_bytes_that_nobody_here_wrote_are_refused(encoded: bytes) -> None:
    with pytest.raises(canon.NotCanonical):
        canon.decode(encoded)


def event(kind: str = "query.refused", **data: object) -> events.Event:
    given_data = {"operation": "q-1", "stage": "check", "code": "column_not_granted"} | data
    return events.Event(
        kind, "q-1.refused", "gw-1", "2026-03-01T08:00:00.000000Z", "op-1", given_data
    )


def test_an_event_survives_its_leaf() -> None:
    assert events.decode(events.encode(event())) == event()


@pytest.mark.parametrize(
    "bad",
    [
        event(kind="query.peeked"),
        event(code="the sum of column `cost` where id = 17"),
        event(code="count_is_17!"),
        event(rows="17"),
        event(stage=3),
        events.Event(
            "query.refused", "a b", "gw-1", "2026-03-01T08:00:00.000000Z", "op-1", event().data
        ),
        events.Event("query.refused", "q", "gw-1", "2026-03-01T08:00:00Z", "op-1", event().data),
        events.Event(
            "query.refused", "q", "gw-1", "2026-13-01T08:00:00.000000Z", "op-1", event().data
        ),
    ],
)
def test_free_text_and_unknown_fields_cannot_become_a_leaf(bad: events.Event) -> None:
    with pytest.raises(events.UnknownEvent):
        events.encode(bad)


def test_a_leaf_of_another_version_is_refused() -> None:
    leaf = events.encode(event())
    for old, new in ((b".v1", b".v2"), (b'"1.0"', b'"1.1"'), (b"keyong.", b"kayong.")):
        with pytest.raises(events.UnknownEvent):
            events.decode(leaf.replace(old, new))


@pytest.mark.parametrize(
    ("amount", "good"),
    [
        ("0", True),
        ("9223372036854775807", True),
        ("9223372036854775808", False),
        ("007", False),
        ("-1", False),
        ("1.0", False),
        (5, False),
    ],
)
def test_amounts_are_whole_numbers_in_one_spelling(amount: object, good: bool) -> None:
    data = {"account": "a", "unit": "eps_nano", "cap": amount, "authority": "d@1"}
    made = events.Event(
        "account.opened", "a.opened", "gw-1", "2026-03-01T08:00:00.000000Z", "domain", data
    )
    if good:
        assert events.decode(events.encode(made)) == made
    else:
        with pytest.raises(events.UnknownEvent):
            events.encode(made)
