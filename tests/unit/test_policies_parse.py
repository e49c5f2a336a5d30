"""Text becomes nodes exactly, with places, or is refused before it can cost anything."""

import hashlib
import json
import time
import unicodedata
from decimal import Decimal

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from policies.digest import digest
from policies.reading import parse
from policies.reading.nodes import Mapping, Scalar, Sequence, from_plain, plain_decimal, to_plain
from policies.reading.parse import load_yaml
from policies.reading.render import render
from policies.refusals import Position, Refused


def plain(text: str) -> object:
    return to_plain(load_yaml(text, "x.yaml"))


def refusal(text: str | bytes) -> Refused:
    with pytest.raises(Refused) as caught:
        load_yaml(text, "x.yaml")
    return caught.value


def test_numbers_are_exact_and_words_stay_words() -> None:
    text = "a: 0.1\nb: 1e-9\nc: on\nd: 2024-01-01\ne: '1'\nf: 90071992547409930\ng: 0x10\nh: .nan\n"
    assert plain(text) == {
        "a": "0.1",
        "b": "0.000000001",
        "c": "on",
        "d": "2024-01-01",
        "e": "1",
        "f": "90071992547409930",
        "g": "0x10",
        "h": ".nan",
    }


def test_a_decimal_never_passes_through_a_float() -> None:
    node = load_yaml("a: 0.1000000000000000055511151231257827\n", "x.yaml")
    assert isinstance(node, Mapping)
    scalar = node.entries["a"]
    assert isinstance(scalar, Scalar)
    assert scalar.value() == Decimal("0.1000000000000000055511151231257827")


def test_every_node_knows_its_place() -> None:
    node = load_yaml("# remark\na:\n  - x\n  - {b: 1}\n", "x.yaml")
    assert isinstance(node, Mapping)
    items = node.entries["a"]
    assert isinstance(items, Sequence)
    assert [item.at for item in items.items] == [Position(3, 5), Position(4, 5)]
    assert node.keys_at["a"] == Position(2, 1)


@pytest.mark.parametrize(
    ("text", "code", "at"),
    [
        ("a: 1\na: 2\n", "document_field_repeated", "2:1"),
        ("a: {b: 1, b: 2}\n", "document_field_repeated", "1:11"),
        ("a: &x [1]\nb: *x\n", "document_feature_refused", "1:4"),
        ("a: *x\n", "document_feature_refused", "1:4"),
        ("a: !!int '3'\n", "document_feature_refused", "1:4"),
        ("a: !include secrets\n", "document_feature_refused", "1:4"),
        ("%YAML 1.1\n---\na: on\n", "document_feature_refused", "2:1"),
        ("a: 1\n---\nb: 2\n", "document_feature_refused", "2:1"),
        ("? [a]\n: 1\n", "document_feature_refused", "1:3"),
        ("a: [1\n", "document_syntax", "2:1"),
        ("", "document_syntax", "None"),
        ("a: \x07\n", "document_syntax", "None"),
        ('a: "\\ud800"\n', "document_not_text", "1:4"),
        ("[" * 20, "document_too_large", "1:17"),
        ("a: " + "x" * 70_000, "document_too_large", "1:65537"),
        ("\n".join(f"k{n}: 1" for n in range(11_000)), "document_too_large", None),
    ],
)
def test_what_is_more_than_plain_yaml_is_refused(text: str, code: str, at: str | None) -> None:
    refused = refusal(text)
    assert refused.code == code
    if at is not None:
        assert str(refused.at) == at


def test_bytes_that_are_not_utf8_are_refused() -> None:
    assert refusal("名称: 湖南".encode("gb18030")).code == "document_not_text"
    assert refusal(b"a: 1\x00").code == "document_syntax"
    assert refusal("a: 1".encode("utf-16")).code == "document_not_text"


def test_a_byte_order_mark_is_harmless() -> None:
    assert to_plain(load_yaml("﻿a: 1".encode(), "x.yaml")) == {"a": 1}


def test_size_is_checked_first() -> None:
    assert refusal("#" * (parse.BYTES_MAX + 1)).code == "document_too_large"
    assert refusal("汉" * (parse.BYTES_MAX // 2)).code == "document_too_large"


@pytest.mark.parametrize("text", ["[a,", "{a: ", "- ", "? ", '"\\u0041', "&a ", "!", "a: ", "'"])
def test_hostile_text_is_refused_quickly(text: str) -> None:
    """The limits are reached long before the slow parts of the scanner cost a minute."""
    began = time.monotonic()
    lines = "\n".join([text * (60_000 // len(text))] * 15)
    with pytest.raises(Refused):
        load_yaml(lines, "x.yaml")
    assert time.monotonic() - began < 20


json_values = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**53) + 1, 2**53 - 1) | st.text(max_size=8),
    lambda inner: (
        st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=6), inner, max_size=4)
    ),
    max_leaves=12,
)


def normal(value: object) -> object:
    """What survives a document: names and text in NFC, and no two names that become one."""
    match value:
        case str():
            return unicodedata.normalize("NFC", value)
        case list():
            return [normal(item) for item in value]
        case dict():
            return {normal(name): normal(child) for name, child in value.items()}
    return value


@given(json_values)
def test_json_is_read_as_json_reads_it(value: object) -> None:
    text = json.dumps({"v": value})
    wanted = normal({"v": value})
    try:
        assert to_plain(load_yaml(text, "x.json")) == wanted
    except Refused as refused:
        # YAML has no half characters and no unprintable ones; names equal in NFC are one name.
        assert refused.code in {"document_syntax", "document_not_text", "document_field_repeated"}


@given(st.dictionaries(st.sampled_from("abcdef"), json_values, min_size=1))
@example({"a": {"\x85": "\x85 \u2028 \u2029 \xa0"}})
def test_what_is_rendered_reads_back(value: dict[str, object]) -> None:
    text = render(value, {(): "remark", ("a",): "remark"})
    try:
        assert to_plain(load_yaml(text, "x.yaml")) == normal(value)
    except Refused as refused:
        assert refused.code in {"document_syntax", "document_not_text", "document_field_repeated"}


@pytest.mark.parametrize("word", ["no", "Yes", "null", "~", "true", "1.0", "1e5", "a b", "", "#x"])
def test_no_word_changes_its_type_on_the_way(word: str) -> None:
    text = render({"a": word, "b": [word]}, {})
    assert to_plain(load_yaml(text, "x.yaml")) == {"a": word, "b": [word]}
    if word:
        assert f'"{word}"' in text


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("a: 0.50\nb: x\n", "# remark\nb: 'x'\na: 5e-1\n"),
        ("a: 1.0\n", "a: '1'\n"),
        ('{"a": [1, 2]}', "a:\n- 1\n- 2\n"),
        ("a: é", "a: é"),
    ],
)
def test_spelling_does_not_change_the_digest(one: str, other: str) -> None:
    assert digest(load_yaml(one, "x")) == digest(load_yaml(other, "y"))


@pytest.mark.parametrize("other", ["a: 2\n", "a: [1]\n", "a: 1\nb: 1\n", "a: '1 '\n", "a: true\n"])
def test_content_changes_the_digest(other: str) -> None:
    assert digest(load_yaml("a: 1\n", "x")) != digest(load_yaml(other, "x"))


def test_the_digest_is_that_of_rfc_8785() -> None:
    node = load_yaml('{"b": 2, "a": "é", "c": [true, null, 0.10]}', "x")
    canonical = '{"a":"é","b":2,"c":[true,null,"0.1"]}'
    assert digest(node) == "sha256:" + hashlib.sha256(canonical.encode()).hexdigest()


@given(json_values)
def test_plain_values_survive_as_nodes(value: object) -> None:
    if isinstance(value, float):
        return
    assert to_plain(from_plain(value)) == value


@given(st.decimals(allow_nan=False, allow_infinity=False, min_value=-(10**9), max_value=10**9))
def test_a_decimal_has_one_text(value: Decimal) -> None:
    text = plain_decimal(value)
    assert Decimal(text) == value
    assert plain_decimal(Decimal(text)) == text
    assert "E" not in text
