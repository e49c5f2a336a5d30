"""A catalogue has one form, tells nothing of private tables, and survives its journey unchanged."""

import json
from dataclasses import replace
from datetime import date, datetime
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from policies.catalogue import (
    Catalogue,
    dataset_from_json,
    dataset_to_json,
    decode,
    encode,
    from_json,
    to_json,
)
from policies.dataset import Source, SourceFormat, UnitPath
from policies.dataset_document import decimal_units
from policies.documents import load_dataset
from policies.refusals import Refused
from tests.unit.policies_world import flights, health

HEALTH = load_dataset(health("dataset.yaml"), "d.yaml")
WHOLE = Catalogue(
    format_version=1,
    dataset=HEALTH,
    snapshot_id="0f" * 32,
    public_domains={
        "weather.region": ("长沙", "text:with a colon", ""),
        "weather.day": (date(2024, 1, 1), date(2024, 12, 31)),
        "weather.rain_mm": (0.1, -0.0, 1e300),
    },
    epochs=("2024",),
)


def test_a_catalogue_survives_its_journey() -> None:
    written = to_json(WHOLE)
    assert from_json(written) == WHOLE
    assert to_json(from_json(written)) == written


@pytest.mark.parametrize("text", [health("dataset.yaml"), flights("dataset.yaml")])
def test_a_declaration_survives_its_journey(text: str) -> None:
    dataset = load_dataset(text, "d.yaml")
    assert dataset_from_json(dataset_to_json(dataset)) == dataset


def test_every_field_of_a_declaration_survives() -> None:
    """Chains, signed choices, DuckDB sources and the order of columns are easily lost."""
    claims = HEALTH.table("claims")
    assert claims is not None
    lines = replace(
        claims,
        name="claim_lines",
        unit=UnitPath("claim_id", "claims", protected_path=True),
        source=Source(SourceFormat.DUCKDB, "raw/all.duckdb", "lines"),
        columns=tuple(reversed(claims.columns)),
        foreign_keys=(),
    )
    dataset = replace(HEALTH, tables=(*HEALTH.tables, lines))
    assert dataset_from_json(dataset_to_json(dataset)) == dataset


def corrupted(change: object) -> bytes:
    plain = json.loads(to_json(WHOLE))
    assert callable(change)
    change(plain)
    return json.dumps(plain, separators=(",", ":"), ensure_ascii=False).encode()


@pytest.mark.parametrize(
    "change",
    [
        lambda c: c.update(format_version=2),
        lambda c: c.update(kind="Dataset"),
        lambda c: c.update(more=1),
        lambda c: c.pop("epochs"),
        lambda c: c.update(epochs=["2025"]),
        lambda c: c.update(snapshot_id="0f" * 31),
        lambda c: c.update(digest="sha256:x"),
        lambda c: c["dataset"].update(size_class="XL"),
        lambda c: c["dataset"]["tables"]["persons"].pop("unit"),
        lambda c: c["dataset"]["tables"]["weather"].pop("provenance"),
        lambda c: c["public_domains"].insert(0, {"column": "persons.sex", "values": ["text:F"]}),
        lambda c: c["public_domains"].append({"column": "weather.wind", "values": []}),
        lambda c: c["public_domains"][0].update(values=["text:2024-01-01"]),
        lambda c: c["public_domains"][0].update(values=["date:2024-01-01"] * 2),
        lambda c: c["public_domains"][0].update(values=["timestamp:2024-01-01T00:00:00"]),
        lambda c: c["public_domains"][0].update(values=["date:20240101"]),
        lambda c: c["public_domains"][0].update(values=[1]),
        lambda c: c["public_domains"].reverse(),
    ],
)
def test_anything_else_is_refused(change: object) -> None:
    with pytest.raises(Refused):
        from_json(corrupted(change))


@pytest.mark.parametrize("content", [b"", b"{}", b"[]", b"null", b"\xff", b"[" * 100_000, b"1" * 9])
def test_bytes_that_are_no_catalogue_are_refused(content: bytes) -> None:
    with pytest.raises(Refused):
        from_json(content)
    with pytest.raises(Refused):
        dataset_from_json(content)


def test_another_spelling_is_refused() -> None:
    """Two texts for one catalogue would give one snapshot two digests."""
    written = to_json(WHOLE)
    for other in (written + b"\n", b" " + written, written.replace(b'"M"', b'"\\u004d"')):
        assert other != written
        with pytest.raises(Refused):
            from_json(other)
    repeated = written.replace(b'{"format_version":1', b'{"format_version":1,"format_version":1', 1)
    with pytest.raises(Refused):
        from_json(repeated)


scalars = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(),
    st.floats(allow_nan=False),
    st.decimals(allow_nan=False, allow_infinity=False),
    st.dates(),
    st.datetimes(),
    st.text(),
)


@given(scalars)
def test_a_value_comes_back_with_its_type(value: object) -> None:
    back = decode(encode(value))  # type: ignore[arg-type]
    assert type(back) is type(value)
    assert back == value
    if isinstance(value, float):
        assert repr(back) == repr(value)  # -0.0 equals 0.0, and is another value


@given(scalars, scalars)
def test_different_values_have_different_texts(one: object, other: object) -> None:
    if encode(one) == encode(other):  # type: ignore[arg-type]
        assert type(one) is type(other) and one == other


@pytest.mark.parametrize("text", ["x:1", "", "int:a", "bool:yes", "date:2024-13-01", "decimal:x"])
def test_a_text_that_is_no_value_is_refused(text: str) -> None:
    with pytest.raises((ValueError, KeyError, ArithmeticError)):
        decode(text)


@given(st.integers(0, 10**21))
def test_units_are_written_exactly(units: int) -> None:
    assert Decimal(decimal_units(units, 10**9)).scaleb(9) == units


def test_a_timestamp_is_not_a_date() -> None:
    assert encode(datetime(2024, 1, 1)) != encode(date(2024, 1, 1))
