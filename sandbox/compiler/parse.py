"""Stage 1: text → `ParsedQuery`, exactly one SELECT made of allow-listed syntax.

Size, token count and depth are limited before the parser runs, because it recurses: 10 000 nested parentheses must be a
sentence, not a stack overflow.
"""

import logging
from dataclasses import dataclass

import sqlglot
from sqlglot import TokenType, exp
from sqlglot.dialects.dialect import Dialect
from sqlglot.errors import ParseError, TokenError
from sqlglot.tokenizer_core import Token

from policies.refusals import Position, Refused, Stage
from sandbox.compiler.nodes import ALLOWED, ANONYMOUS
from sandbox.compiler.parameters import NO_PARAMETERS, Parameters, fill, refuse_names
from sandbox.compiler.places import position, quoted
from sandbox.compiler.spellings import CURES, settle_spellings

BYTES_MAX = 64 * 1024
TOKENS_MAX = 4_000
DEPTH_MAX = 100  # of the syntax tree; later stages and the worker's renderer recurse over it
BRACKETS_MAX = 60  # each open bracket costs the parser some ten frames
# The parser would log what it cannot read, and with it the operator's literals.
logging.getLogger("sqlglot").disabled = True

_OPENING = frozenset({TokenType.L_PAREN, TokenType.L_BRACKET, TokenType.L_BRACE, TokenType.CASE})
_CLOSING = frozenset({TokenType.R_PAREN, TokenType.R_BRACKET, TokenType.R_BRACE, TokenType.END})
_PREFIXES = frozenset({TokenType.NOT, TokenType.DASH, TokenType.PLUS, TokenType.TILDE})


@dataclass(frozen=True, slots=True)
class ParsedQuery:
    """One SELECT of known syntax. `tree` is never changed by later stages."""

    text: str
    tree: exp.Select


def parse(text: str, parameters: Parameters = NO_PARAMETERS) -> ParsedQuery:
    """Read one SELECT, with the values of its parameters in their places.

    Refuses: anything over the limits, anything but one SELECT, and every node or clause that is not on the allow-list.
    """
    _check_text(text)
    written = _tokens(text)
    _check_tokens(written)
    tokens = fill(written, text, parameters)
    _check_tokens(tokens)
    try:
        statements = Dialect.get_or_raise("duckdb").parser().parse(tokens, text)
    except ParseError as error:
        raise _syntax_refusal(error) from None
    except Exception:
        # the parser is a stranger: on some texts it stumbles over its own missing parts, or runs out of stack
        raise Refused("sql_syntax", Stage.PARSE, near="…") from None
    if len(statements) != 1 or statements[0] is None:
        what = "several statements" if len(statements) > 1 else "nothing"
        raise Refused("sql_not_a_select", Stage.PARSE, what=what)
    tree = statements[0]
    if not isinstance(tree, exp.Select):
        raise Refused(
            "sql_not_a_select", Stage.PARSE, at=Position(1, 1), what=_statement_name(tree)
        )
    settle_spellings(tree)
    refuse_names(tree, written, tokens, text)
    _check_nodes(tree, text)
    return ParsedQuery(text, tree)


def _check_text(text: str) -> None:
    try:
        size = len(text.encode("utf-8"))
    except UnicodeEncodeError:
        raise Refused("sql_not_text", Stage.PARSE) from None
    if size > BYTES_MAX:
        raise Refused("sql_too_long", Stage.PARSE, size=size, limit=BYTES_MAX)
    for character in text:
        # other control characters and the byte-order mark read differently in parser and engine
        if (character < " " and character not in "\t\n\r") or character in "\x7f\ufeff":
            raise Refused("sql_not_text", Stage.PARSE)


def _tokens(text: str) -> list[Token]:
    try:
        return sqlglot.tokenize(text, read="duckdb")
    except (TokenError, ValueError):
        raise Refused("sql_syntax", Stage.PARSE, near="an unfinished string or comment") from None


def _check_tokens(tokens: list[Token]) -> None:
    if len(tokens) > TOKENS_MAX:
        raise Refused("sql_too_complex", Stage.PARSE, what="tokens", limit=TOKENS_MAX)
    depth = prefixes = 0
    for token in tokens:
        prefixes = prefixes + 1 if token.token_type in _PREFIXES else 0
        if token.token_type in _OPENING:
            depth += 1
        elif token.token_type in _CLOSING:
            depth -= 1
        if depth > BRACKETS_MAX or prefixes > BRACKETS_MAX:
            raise Refused("sql_too_complex", Stage.PARSE, what="depth", limit=BRACKETS_MAX)


def _syntax_refusal(error: ParseError) -> Refused:
    detail = error.errors[0] if error.errors else {}
    line, column = detail.get("line"), detail.get("col")
    near = str(detail.get("highlight") or "the end")[:40]
    at = Position(line, max(1, column - len(near) + 1)) if line and column else None
    return Refused("sql_syntax", Stage.PARSE, at=at, near=near)


def _statement_name(tree: exp.Expr) -> str:
    if isinstance(tree, exp.Command):
        return str(tree.this).upper()[:40]
    return type(tree).__name__.upper()


def _check_nodes(tree: exp.Select, text: str) -> None:
    pending: list[tuple[exp.Expr, int]] = [(tree, 1)]
    while pending:
        node, depth = pending.pop()
        if depth > DEPTH_MAX:
            raise Refused("sql_too_complex", Stage.PARSE, what="depth", limit=DEPTH_MAX)
        _check_node(node, text)
        for child in node.iter_expressions():
            # a chain of ANDs (or ORs) is one operator with many arguments, see scalars.py
            chained = isinstance(node, exp.Connector) and type(child) is type(node)
            pending.append((child, depth if chained else depth + 1))


def _check_node(node: exp.Expr, text: str) -> None:
    allowed = ALLOWED.get(type(node))
    if allowed is None:
        raise _refuse_node(node, text)
    if isinstance(node, exp.Anonymous) and str(node.this).lower() not in ANONYMOUS:
        raise _refuse_function(node, str(node.this).lower(), text)
    for name, value in node.args.items():
        if name in allowed or value is None or value is False or value == []:
            continue
        raise Refused(
            "sql_feature_refused",
            Stage.PARSE,
            at=position(node, text),
            what=f"{name.strip('_').replace('_', ' ')} in {quoted(node)}",
            cure="leave that part out",
        )


def _refuse_function(node: exp.Expr, name: str, text: str) -> Refused:
    return Refused(
        "sql_function_refused",
        Stage.PARSE,
        at=position(node, text),
        name=name,
        cure=CURES.get(name, "docs/SQL.md lists the functions"),
    )


def _refuse_node(node: exp.Expr, text: str) -> Refused:
    if isinstance(node, exp.IgnoreNulls | exp.RespectNulls):
        node = node.this  # the parser wraps `any_value` in one of them
    if isinstance(node, exp.Func) and type(node) not in _CURES:
        return _refuse_function(node, _function_name(node), text)
    return Refused(
        "sql_feature_refused",
        Stage.PARSE,
        at=position(node, text),
        what=_FEATURES.get(type(node), type(node).__name__.lower()),
        cure=_CURES.get(type(node), "docs/SQL.md lists what may be asked"),
    )


def _function_name(node: exp.Func) -> str:
    try:
        return node.sql_name().lower()
    except (AttributeError, IndexError):
        return type(node).__name__.lower()


_FEATURES: dict[type[exp.Expr], str] = {
    exp.Parameter: "a session variable",
    exp.Placeholder: "a parameter without a name",
    exp.Lateral: "LATERAL",
    exp.Dot: "a nested field",
    exp.Bracket: "a list or a slice",
    exp.Struct: "a struct",
    exp.Array: "a list",
}

_CURES: dict[type[exp.Expr], str] = {exp.Array: "write one call for each value of the list"}
