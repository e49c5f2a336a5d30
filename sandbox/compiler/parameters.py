"""Parameters: `?`, `$1`, `$name` and `:name` in the text, their values beside it.

A value takes the place of its parameter as tokens, between reading the text and parsing it. So it is a constant wherever a
constant may stand, a LIMIT or a unit of time too; the question is the same question as with the constant written out; and no
value is ever text that could be read as SQL: a quotation mark in a value is a letter of that value.
"""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from enum import StrEnum

import sqlglot
from sqlglot import TokenType, exp
from sqlglot.tokenizer_core import Token

from policies.refusals import Position, Refused, Stage

PARAMETERS_MAX = 1_000
VALUES_BYTES_MAX = 64 * 1024


class ConstantKind(StrEnum):
    """As what a value is read. `NUMBER` is exact: whole, or with a point and then DECIMAL, never a binary fraction."""

    TEXT = "text"
    NUMBER = "number"
    BOOLEAN = "boolean"
    NULL = "null"
    DOUBLE = "DOUBLE"
    BIGINT = "BIGINT"
    HUGEINT = "HUGEINT"
    DATE = "DATE"
    TIMESTAMP = "TIMESTAMP"


@dataclass(frozen=True, slots=True)
class Constant:
    """One value: `text` is how it is written out, without quotation marks."""

    kind: ConstantKind
    text: str


@dataclass(frozen=True, slots=True)
class Parameters:
    """What was sent beside the text: values in order, or values by name, never both."""

    listed: tuple[Constant, ...]
    named: tuple[tuple[str, Constant], ...]


NO_PARAMETERS = Parameters((), ())


class _Style(StrEnum):
    QUESTION = "?"
    NUMBERED = "$1"
    NAMED = "$name"


@dataclass(frozen=True, slots=True)
class _Place:
    """Where a parameter stands: tokens[first:last], and which value it takes."""

    first: int
    last: int
    style: _Style
    key: str
    words: str
    start: int


_WORD = re.compile(r"[A-Za-z_][A-Za-z0-9_]{0,62}")
_NUMBER = re.compile(r"(?P<sign>-?)(?P<digits>[0-9]+(\.[0-9]+)?)")
_DOUBLE = re.compile(r"-?[0-9]+(\.[0-9]+)?([eE][+-]?[0-9]{1,3})?")
_WHOLE = re.compile(r"-?[0-9]+")
# After one of these a colon belongs to what stands before it: `x[1:2]`, `n: count(*)`.
_OPERANDS = frozenset(
    {
        TokenType.VAR,
        TokenType.IDENTIFIER,
        TokenType.STRING,
        TokenType.NUMBER,
        TokenType.R_PAREN,
        TokenType.R_BRACKET,
        TokenType.R_BRACE,
    }
)
_CASTS = frozenset(
    {ConstantKind.BIGINT, ConstantKind.HUGEINT, ConstantKind.DATE, ConstantKind.TIMESTAMP}
)


def is_name(text: str) -> bool:
    """Tell whether a parameter may be called so."""
    return _WORD.fullmatch(text) is not None


def fault(constant: Constant) -> str | None:
    """Return what is wrong with a value, None if it can be written out as its kind says."""
    if any(letter < " " and letter not in "\t\n\r" for letter in constant.text) or any(
        letter in constant.text for letter in "\x7f\ufeff"
    ):
        return "holds control characters; take them out"
    forms = {
        ConstantKind.NUMBER: _NUMBER,
        ConstantKind.DOUBLE: _DOUBLE,
        ConstantKind.BIGINT: _WHOLE,
        ConstantKind.HUGEINT: _WHOLE,
    }
    form = forms.get(constant.kind)
    if form is not None and form.fullmatch(constant.text) is None:
        digits = "whole digits" if form is _WHOLE else "digits, with a point for decimals"
        return f"is no {constant.kind.value}; write {digits}"
    return None


def fill(tokens: list[Token], text: str, parameters: Parameters) -> list[Token]:
    """Return the tokens with every parameter replaced by its value.

    Refuses: a parameter without a value, a value without a parameter, two styles in one query, values in the wrong form.
    """
    _check_size(parameters)
    places = tuple(_places(tokens, text))
    _check_style(places, text, parameters)
    values = dict(parameters.named) | {
        str(number): value for number, value in enumerate(parameters.listed, start=1)
    }
    for place in places:
        if place.key not in values:
            at = _position(text, place.start)
            raise Refused("parameter_missing", Stage.PARSE, at=at, name=place.words)
    _check_used(places, parameters)
    filled, done = [], 0
    for place in places:
        filled += tokens[done : place.first]
        filled += _written(values[place.key], tokens[place.first])
        done = place.last
    return filled + tokens[done:]


def refuse_names(tree: exp.Expr, written: list[Token], filled: list[Token], text: str) -> None:
    """Refuse a value that the parser took for a name, as DuckDB takes `FROM 'persons'`: a value is never a name."""
    kept = {id(token) for token in written}
    starts = {token.start for token in filled if id(token) not in kept}
    for node in tree.find_all(exp.Identifier):
        start = node.meta.get("start")
        if start in starts:
            raise Refused("parameter_misplaced", Stage.PARSE, at=_position(text, start))


def _check_size(parameters: Parameters) -> None:
    values = [*parameters.listed, *(value for _, value in parameters.named)]
    if len(values) > PARAMETERS_MAX:
        raise Refused("parameters_too_many", Stage.PARSE, what="values", limit=PARAMETERS_MAX)
    if sum(len(value.text.encode("utf-8")) for value in values) > VALUES_BYTES_MAX:
        raise Refused("parameters_too_many", Stage.PARSE, what="bytes", limit=VALUES_BYTES_MAX)


def _places(tokens: Sequence[Token], text: str) -> Iterator[_Place]:
    asked, index = 0, 0
    while index < len(tokens):
        start, word = tokens[index].start, _word_after(tokens, index)
        style = _style(tokens, index, word)
        if style is None:
            index += 1
            continue
        bare = style is _Style.QUESTION or word is None
        asked += bare
        last = index + (1 if bare else 2)
        words = text[start : tokens[last - 1].end + 1]
        key = str(asked) if word is None or bare else word.lower()
        yield _Place(index, last, style, key, words, start)
        index = last


def _word_after(tokens: Sequence[Token], index: int) -> str | None:
    """Return the name or number that stands right after a token, with nothing between."""
    if index + 1 >= len(tokens) or tokens[index].end + 1 != tokens[index + 1].start:
        return None
    after = tokens[index + 1]
    if after.token_type is TokenType.NUMBER:
        return str(int(after.text)) if after.text.isdecimal() and len(after.text) <= 9 else None
    # a quoted word is a name of a column, a keyword right after `$` is a name like any other
    quoted = after.token_type in (TokenType.IDENTIFIER, TokenType.STRING)
    return after.text if not quoted and is_name(after.text) else None


def _style(tokens: Sequence[Token], index: int, word: str | None) -> _Style | None:
    kind = tokens[index].token_type
    by_word = None if word is None else _Style.NUMBERED if word.isdecimal() else _Style.NAMED
    if kind is TokenType.PLACEHOLDER:
        return by_word if by_word is _Style.NUMBERED else _Style.QUESTION
    if kind is TokenType.PARAMETER:
        return by_word
    follows = index > 0 and tokens[index - 1].token_type in _OPERANDS
    return by_word if kind is TokenType.COLON and not follows else None


def _position(text: str, start: int) -> Position:
    before = text[:start]
    return Position(before.count("\n") + 1, len(before) - (before.rfind("\n") + 1) + 1)


def _check_style(places: tuple[_Place, ...], text: str, parameters: Parameters) -> None:
    if not places:
        return
    for place in places:
        if place.style is not places[0].style:
            raise Refused(
                "parameters_mixed",
                Stage.PARSE,
                at=_position(text, place.start),
                one=places[0].words,
                other=place.words,
            )
    named = places[0].style is _Style.NAMED
    if (parameters.listed if named else parameters.named) != ():
        raise Refused(
            "parameters_form",
            Stage.PARSE,
            at=_position(text, places[0].start),
            name=places[0].words,
            need="an object of values by name" if named else "a list of values in order",
        )


def _check_used(places: tuple[_Place, ...], parameters: Parameters) -> None:
    used = {place.key for place in places}
    for name, _ in parameters.named:
        if name not in used:
            raise Refused("parameter_unused", Stage.PARSE, name=f"${name}")
    for number in range(1, len(parameters.listed) + 1):
        if str(number) not in used:
            raise Refused("parameter_unused", Stage.PARSE, name=f"value {number}")


def _written(constant: Constant, at: Token) -> list[Token]:
    """Return the tokens of a constant, all of them at the place of its parameter."""
    kind, text = constant.kind, constant.text
    if kind is ConstantKind.TEXT:
        return [_token(TokenType.STRING, text, at)]
    if kind in (ConstantKind.NUMBER, ConstantKind.DOUBLE):
        digits = text.removeprefix("-")
        exponent = "" if kind is ConstantKind.NUMBER or "e" in digits.lower() else "e0"
        sign = [_token(TokenType.DASH, "-", at)] if text.startswith("-") else []
        return [*sign, _token(TokenType.NUMBER, digits + exponent, at)]
    if kind in _CASTS:
        # the words are ours; the value goes in where the empty string stands
        shape = sqlglot.tokenize(f"CAST('' AS {kind.value})", read="duckdb")
        return [
            _token(part.token_type, text if part.token_type is TokenType.STRING else part.text, at)
            for part in shape
        ]
    word = "NULL" if kind is ConstantKind.NULL else text
    [only] = sqlglot.tokenize(word, read="duckdb")
    return [_token(only.token_type, word, at)]


def _token(kind: TokenType, text: str, at: Token) -> Token:
    return Token(kind, text, at.line, at.col, at.start, at.end)
