"""`keyong query DATASET --batch FILE` and `keyong check DATASET --batch FILE`."""

import argparse
import json
from pathlib import Path
from typing import Any

from keyong.batch import BatchAnswer, Member
from keyong.commands.credentials import client_from
from keyong.commands.exits import Exit, Stop
from keyong.table import grid, number, table

_FIELDS = {"id", "sql", "weight", "parameters"}


def run_query(arguments: argparse.Namespace) -> Exit:
    """Ask all questions of a file as one, and print their answers."""
    members = read_members(arguments.batch)
    _refuse_other_flags(arguments)
    with client_from(arguments) as client:
        given = client.batch(
            arguments.dataset,
            members,
            purpose=arguments.purpose,
            epsilon=arguments.epsilon,
            rho=arguments.rho,
            key=arguments.key,
        )
        if arguments.receipt_to is not None:
            receipts = {m: client.receipt(a.operation) for m, a in given.answers.items()}
            _write(arguments.receipt_to, _json(receipts) + "\n")
    print(_json(given.body) if arguments.json else shown(given))
    return Exit.OK


def run_check(arguments: argparse.Namespace) -> Exit:
    """Print how a batch would be split and how exact each answer would be."""
    members = read_members(arguments.batch)
    _refuse_other_flags(arguments)
    with client_from(arguments) as client:
        verdict = client.check_batch(
            arguments.dataset,
            members,
            purpose=arguments.purpose,
            epsilon=arguments.epsilon,
            rho=arguments.rho,
        )
    print(_json(verdict) if arguments.json else shown_check(verdict))
    return Exit.OK


def read_members(path: Path) -> list[Member]:
    """Read a JSON or YAML file: a list of {id, sql, weight}, some with parameters."""
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise Stop(Exit.USAGE, f"`{path}` cannot be read: {error}") from None
    plain = _yaml(path, text) if path.suffix in (".yaml", ".yml") else _plain_json(path, text)
    if not isinstance(plain, list) or not plain:
        raise Stop(Exit.USAGE, f"`{path}` is not a list of questions; write {{id, sql, weight}}")
    return [_member(path, place, item) for place, item in enumerate(plain, start=1)]


def shown(given: BatchAnswer) -> str:
    """Write the answers for people."""
    lines = []
    for member, answer in given.answers.items():
        free = " (answered from what was measured, no loss)" if answer.reused else ""
        lines += [f"{member}{free}", table(answer), f"receipt: entry {answer.receipt.index}", ""]
    lines += [f"{member}: {code}" for member, code in given.refused.items()]
    return "\n".join([*lines, f"± covers 95 %; loss {given.loss} for all together"])


def shown_check(verdict: Any) -> str:
    """Write a verdict for people."""
    rows = []
    for member in verdict["members"]:
        for column in member["columns"]:
            noise = column["noise"]
            if noise is not None:
                half = noise["half_width_95"]
                said = "depends on the answer" if half is None else f"±{number(half)}"
                rows.append([member["id"], member["share"], column["name"], said])
    return "\n".join(
        [
            f"allowed; nothing was spent; loss {verdict['charged']} for all together",
            f"answer   after {verdict['answer_after_s']} s",
            "",
            grid(["member", "share", "column", "±95 %"], rows, [False, True, False, True]),
        ]
    )


def _refuse_other_flags(arguments: argparse.Namespace) -> None:
    if arguments.sql is not None or arguments.accuracy or arguments.expect or arguments.param:
        raise Stop(Exit.USAGE, "a batch has its questions and their parameters in the file")
    if arguments.delta is not None or arguments.params_file is not None:
        raise Stop(Exit.USAGE, "a batch takes --epsilon or --rho, and no other amount")


def _member(path: Path, place: int, item: Any) -> Member:
    fits = isinstance(item, dict) and {"id", "sql", "weight"} <= set(item) <= _FIELDS
    if not fits or not isinstance(item["weight"], int):
        raise Stop(
            Exit.USAGE,
            f"`{path}`: question {place} has not the fields id, sql, weight [, parameters]",
        )
    return Member(str(item["id"]), str(item["sql"]), item["weight"], item.get("parameters"))


def _plain_json(path: Path, text: str) -> Any:
    try:
        return json.loads(text)
    except ValueError as error:
        raise Stop(Exit.USAGE, f"`{path}` is not JSON: {error}") from None


def _yaml(path: Path, text: str) -> Any:
    from ruamel.yaml import YAML
    from ruamel.yaml.error import YAMLError

    try:
        return YAML(typ="safe").load(text)
    except YAMLError as error:
        raise Stop(Exit.USAGE, f"`{path}` is not YAML: {error}") from None


def _write(path: Path, text: str) -> None:
    try:
        path.write_text(text, encoding="utf-8")
    except OSError as error:
        raise Stop(Exit.USAGE, f"`{path}` cannot be written: {error.strerror}") from None


def _json(value: object) -> str:
    return json.dumps(value, ensure_ascii=False, indent=2)
