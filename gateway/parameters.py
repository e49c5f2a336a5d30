"""Parameters as they come through the door: JSON values, some with a type beside them, to constants.

A JSON number is read exactly: 12.50 is a DECIMAL of two digits. What JSON has no form for is written
`{"type": "DATE", "value": "2024-01-01"}`.
"""

from collections.abc import Mapping
from decimal import Decimal
from typing import Any

from policies.refusals import Refused, Stage
from policies.terms import TypeKind
from sandbox.compiler.parameters import (
    NO_PARAMETERS,
    Constant,
    ConstantKind,
    Parameters,
    fault,
    is_name,
)

_DIGITS_MAX = 60  # more than any type holds; an exponent of a million must not be written out
_NULL = Constant(ConstantKind.NULL, "NULL")
_TYPES: Mapping[str, ConstantKind] = {
    TypeKind.VARCHAR: ConstantKind.TEXT,
    TypeKind.BOOLEAN: ConstantKind.BOOLEAN,
    TypeKind.INTEGER: ConstantKind.NUMBER,
    TypeKind.DECIMAL: ConstantKind.NUMBER,
    TypeKind.BIGINT: ConstantKind.BIGINT,
    TypeKind.HUGEINT: ConstantKind.HUGEINT,
    TypeKind.DOUBLE: ConstantKind.DOUBLE,
    TypeKind.DATE: ConstantKind.DATE,
    TypeKind.TIMESTAMP: ConstantKind.TIMESTAMP,
}
_INTEGERS = range(-(2**31), 2**31)


def read_parameters(sent: Any) -> Parameters:
    """Return what was sent beside a query's text.

    Refuses  anything but a list or an object of values, a name no parameter can have or that two values have, and a value
             that is not what its type says.
    """
    if sent is None:
        return NO_PARAMETERS
    if isinstance(sent, list):
        read = tuple(_constant(f"value {n}", value) for n, value in enumerate(sent, start=1))
        return Parameters(read, ())
    if not isinstance(sent, dict):
        raise _invalid("parameters", "is neither a list nor an object; send one of them")
    named: dict[str, Constant] = {}
    for name, value in sent.items():
        if not is_name(name):
            raise _invalid(name[:40], "has a name that is no word; use letters, digits and `_`")
        if name.lower() in named:
            raise _invalid(name, "is given twice; case makes no difference")
        named[name.lower()] = _constant(name, value)
    return Parameters((), tuple(sorted(named.items())))


def written_parameters(parameters: Parameters) -> list[list[str]]:
    """Write parameters for the digest of a request."""
    return [
        *(["", value.kind.value, value.text] for value in parameters.listed),
        *([name, value.kind.value, value.text] for name, value in parameters.named),
    ]


def _constant(name: str, value: Any) -> Constant:
    read = _typed(name, value) if isinstance(value, dict) else _plain(name, value)
    wrong = _not_text(read) or fault(read)
    if wrong is not None:
        raise _invalid(name, wrong)
    return read


def _plain(name: str, value: Any) -> Constant:
    if value is None:
        return _NULL
    if isinstance(value, bool):
        return Constant(ConstantKind.BOOLEAN, "TRUE" if value else "FALSE")
    if isinstance(value, (int, Decimal)):
        return Constant(ConstantKind.NUMBER, _digits(name, value))
    if isinstance(value, str):
        return Constant(ConstantKind.TEXT, value)
    raise _invalid(name, "is not a text, a number, true, false or null, and given once")


def _typed(name: str, value: Mapping[str, Any]) -> Constant:
    kind = value.get("type")
    if set(value) != {"type", "value"} or not isinstance(kind, str) or kind not in _TYPES:
        raise _invalid(name, 'is not of the form {"type": "DATE", "value": "2024-01-01"}')
    plain = _plain(name, value["value"])
    wanted = _TYPES[kind]
    if plain.kind is ConstantKind.NULL or plain.kind is wanted is ConstantKind.BOOLEAN:
        return plain
    if plain.kind is ConstantKind.BOOLEAN or wanted is ConstantKind.BOOLEAN:
        raise _invalid(name, "is of another type than it says; correct one of them")
    text = plain.text
    if kind == TypeKind.INTEGER and not (text.lstrip("-").isdecimal() and int(text) in _INTEGERS):
        raise _invalid(name, "is no INTEGER; write whole digits, or say BIGINT")
    if kind == TypeKind.DECIMAL and "." not in text:
        text += ".0"
    return Constant(wanted, text)


def _digits(name: str, value: int | Decimal) -> str:
    if isinstance(value, Decimal) and abs(value.adjusted()) > _DIGITS_MAX:
        raise _invalid(name, 'has too many digits; send {"type": "DOUBLE", "value": "1e300"}')
    return format(value, "f") if isinstance(value, Decimal) else str(value)


def _not_text(constant: Constant) -> str | None:
    try:
        constant.text.encode("utf-8")
    except UnicodeEncodeError:
        return "is not UTF-8 text; send whole letters"
    return None


def _invalid(name: str, problem: str) -> Refused:
    return Refused("parameter_invalid", Stage.DOOR, name=name, problem=problem)
