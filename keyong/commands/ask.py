"""`keyong check` and `keyong query`."""

import argparse
import json
import sys
from pathlib import Path
from typing import Any

from keyong import parameters
from keyong.answer import Answer, Check
from keyong.commands import batch, wanted
from keyong.commands.credentials import add_flags, client_from
from keyong.commands.exits import Exit, Stop
from keyong.table import grid, number, table


def add(commands: Any) -> None:
    """Say how the commands are called."""
    check = commands.add_parser(
        "check", help="what a question would cost and how exact its answer would be; spends nothing"
    )
    query = commands.add_parser("query", help="ask a question and print its answer with error bars")
    for parser in (check, query):
        parser.add_argument("dataset", help="id of the dataset")
        parser.add_argument("sql", nargs="?", help="one SELECT, or @FILE, or - for standard input")
        parser.add_argument(
            "--batch",
            type=Path,
            metavar="FILE",
            help="instead of SQL: a JSON or YAML list of {id, sql, weight}, asked as one under one loss",
        )
        parser.add_argument("--purpose", required=True, help="a purpose that your policy grants")
        loss = parser.add_mutually_exclusive_group(required=True)
        loss.add_argument("--epsilon", metavar="LOSS", help="privacy loss to spend, as 0.5")
        loss.add_argument("--rho", metavar="LOSS", help="the same for datasets under zCDP")
        loss.add_argument(
            "--accuracy",
            action="append",
            metavar="WANTED",
            help="instead of a loss, '±100 at 95%%'; 'n=±100 at 95%%' for one column; may be repeated",
        )
        parser.add_argument(
            "--expect",
            action="append",
            default=[],
            metavar="COLUMN=VALUE",
            help="your own guess of a column's value, for an accuracy in percent; may be repeated",
        )
        parser.add_argument(
            "--delta", metavar="LOSS", help="besides --rho, for groups without a declared domain"
        )
        _add_parameters(parser)
        parser.add_argument("--json", action="store_true", help="print the node's JSON")
        add_flags(parser)
    query.add_argument("--key", help="Idempotency-Key; the same key finds the same answer again")
    query.add_argument("--receipt-to", type=Path, metavar="FILE", help="keep the receipt there")
    check.set_defaults(run=run_check)
    query.set_defaults(run=run_query)


def _add_parameters(parser: argparse.ArgumentParser) -> None:
    values = parser.add_mutually_exclusive_group()
    values.add_argument(
        "--param",
        action="append",
        default=[],
        metavar="NAME=VALUE",
        help="value of `$NAME`; NAME:DATE=VALUE states a type, VALUE alone is for `?`; may be repeated",
    )
    values.add_argument(
        "--params-file", type=Path, metavar="FILE", help="the values as one JSON list or object"
    )


def _parameters(arguments: argparse.Namespace) -> Any:
    try:
        if arguments.params_file is not None:
            return parameters.from_text(_text_of(str(arguments.params_file)))
        return parameters.from_flags(arguments.param) or None
    except ValueError as error:
        raise Stop(Exit.USAGE, f"parameters: {error}") from None


def run_check(arguments: argparse.Namespace) -> Exit:
    """Print a verdict."""
    if arguments.batch is not None:
        return batch.run_check(arguments)
    with client_from(arguments) as client:
        verdict = client.check(
            arguments.dataset,
            _sql(arguments.sql),
            purpose=arguments.purpose,
            epsilon=arguments.epsilon,
            rho=arguments.rho,
            delta=arguments.delta,
            accuracy=wanted.accuracy(arguments.accuracy),
            expected=wanted.expected(arguments.expect),
            parameters=_parameters(arguments),
        )
    print(_json(verdict.body) if arguments.json else shown_check(verdict))
    return Exit.OK


def run_query(arguments: argparse.Namespace) -> Exit:
    """Ask, print, and keep the receipt."""
    if arguments.batch is not None:
        return batch.run_query(arguments)
    with client_from(arguments) as client:
        answer = client.query(
            arguments.dataset,
            _sql(arguments.sql),
            purpose=arguments.purpose,
            epsilon=arguments.epsilon,
            rho=arguments.rho,
            delta=arguments.delta,
            accuracy=wanted.accuracy(arguments.accuracy),
            expected=wanted.expected(arguments.expect),
            parameters=_parameters(arguments),
            key=arguments.key,
        )
        if arguments.receipt_to is not None:
            receipt = client.receipt(answer.operation)
            _write(arguments.receipt_to, _json(receipt) + "\n")
    print(_json(answer.body) if arguments.json else shown_answer(answer))
    return Exit.OK


def shown_check(check: Check) -> str:
    """Write a verdict for people."""
    lines = [
        "allowed; nothing was spent"
        + (
            "; this very question was answered before and costs no loss again"
            if check.stored
            else ""
        ),
        f"loss     {check.body['privacy']['accountant']} {check.loss}",
        f"price    {check.price.yuan} {check.price.currency}"
        + (" (waived)" if check.price.waived_uy else ""),
        f"groups   {check.groups}",
        f"answer   after {check.body['answer_after_s']} s",
    ]
    for column in check.body["columns"]:
        noise = column["noise"]
        if noise and noise["half_width_95"] is not None:
            half = noise["half_width_95"]
            lines.append(
                f"±95 %    {column['name']}: ±{number(half)}, within a tenth from {number(noise['tenth_from'])} on"
            )
        for at in noise["half_width_95_at_rows"] if noise else ():
            half = at["half_width"]
            lines.append(f"±95 %    {column['name']}: ±{number(half)} over {at['rows']} rows")
        if noise and noise["rank_off_95_rows"] is not None:
            rows, wide = number(noise["rank_off_95_rows"]), number(noise["bin"])
            lines.append(f"±95 %    {column['name']}: ±{rows} rows, in bins of {wide}")
        if noise and noise["basis"] == "with_answer":
            lines.append(f"±95 %    {column['name']}: known with the answer only")
    lines += [
        f"hidden   a group of {at['units']} with probability {at['probability']}"
        for at in check.hidden
    ]
    lines += ["", _accounts(check)]
    if check.about_more_like_this is not None:
        lines.append(
            f"about {check.about_more_like_this} more like this, then `{check.limited_by}` is spent"
        )
    if not check.fits:
        lines.append("the accounts do not bear this question now")
    return "\n".join([*check.warnings, *lines])


def _accounts(check: Check) -> str:
    head = ["account", "asked", "available", "cap", "more"]
    rows = [
        [
            *(account[name] for name in head[:4]),
            "" if account["more_like_this"] is None else number(account["more_like_this"]),
        ]
        for account in check.body["budget"]
    ]
    return grid(head, rows, [False, True, True, True, True])


def shown_answer(answer: Answer) -> str:
    """Write an answer for people."""
    return "\n".join(
        [
            *answer.warnings,
            table(answer),
            "",
            f"± covers 95 %; loss {answer.accountant} {answer.loss}"
            + (" (answered from the store)" if answer.reused else "")
            + f"; price {answer.price.yuan} {answer.price.currency}",
            f"operation {answer.operation}, receipt: entry {answer.receipt.index} of the log",
        ]
    )


def _sql(text: str | None) -> str:
    if text is None:
        raise Stop(
            Exit.USAGE, "there is no question; write one SELECT, or name a file with --batch"
        )
    if text == "-":
        return sys.stdin.read()
    return _text_of(text[1:]) if text.startswith("@") else text


def _text_of(path: str) -> str:
    try:
        return Path(path).read_text(encoding="utf-8")
    except OSError as error:
        raise Stop(Exit.USAGE, f"`{path}` cannot be read: {error.strerror}") from None
    except UnicodeDecodeError:
        raise Stop(Exit.USAGE, f"`{path}` is not UTF-8 text") from None


def _write(path: Path, text: str) -> None:
    try:
        path.write_text(text, encoding="utf-8")
    except OSError as error:
        raise Stop(Exit.USAGE, f"`{path}` cannot be written: {error.strerror}") from None


def _json(value: object) -> str:
    return json.dumps(value, ensure_ascii=False, indent=2)
