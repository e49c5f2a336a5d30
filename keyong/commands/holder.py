"""`keyong policy` and `keyong hold`: a holder's documents and the holder's hand on the switch."""

import argparse
import json
from pathlib import Path
from typing import Any

from keyong.commands.credentials import add_flags, client_from
from keyong.commands.exits import Exit, Stop


def add(commands: Any) -> None:
    """Say how the commands are called."""
    policy = commands.add_parser(
        "policy", help="read, draft, submit and approve a holder's documents"
    )
    acts = policy.add_subparsers(dest="act", required=True, metavar="ACT")
    lint = acts.add_parser("lint", help="list every fault of a document, with line and column")
    lint.add_argument("file", type=Path, help="policy, dataset, price plan or split agreement")
    lint.add_argument("--json", action="store_true", help="print the findings as JSON")
    lint.set_defaults(run=run_lint)
    infer = acts.add_parser(
        "infer", help="draft a policy and a dataset from a DuckDB file's schema"
    )
    infer.add_argument("--db", type=Path, required=True, metavar="FILE", help="the DuckDB file")
    infer.add_argument(
        "--unit", required=True, metavar="TABLE.COLUMN", help="the key of whom to protect"
    )
    infer.add_argument(
        "--public",
        action="append",
        default=[],
        metavar="TABLE",
        help="holds nobody's rows; repeatable",
    )
    infer.add_argument(
        "--bounds-from-public-knowledge",
        type=Path,
        metavar="FILE",
        help="bounds and domains, as YAML",
    )
    infer.add_argument(
        "--output",
        type=Path,
        required=True,
        metavar="FILE",
        help="the policy; FILE-dataset beside it",
    )
    infer.set_defaults(run=run_infer)
    submit = acts.add_parser("submit", help="lay a document before another holder's eyes")
    submit.add_argument("file", type=Path)
    add_flags(submit)
    submit.set_defaults(run=run_submit)
    approve = acts.add_parser("approve", help="approve exactly one version of a document")
    approve.add_argument("id", help="the id that `submit` printed")
    approve.add_argument("digest", help="the digest that `submit` printed")
    add_flags(approve)
    approve.set_defaults(run=run_approve)
    hold = commands.add_parser("hold", help="stop questions at once, or let them in again")
    hold.add_argument("act", choices=("suspend", "resume"))
    hold.add_argument("dataset", nargs="?", help="this dataset only; without it, everything")
    add_flags(hold)
    hold.set_defaults(run=run_hold)


def run_lint(arguments: argparse.Namespace) -> Exit:
    """Print findings with their places, as `file:line:column`."""
    from policies.documents import lint

    findings = lint(_read(arguments.file), arguments.file.name)
    if arguments.json:
        plain = [
            {
                "code": found.code,
                "line": found.at.line if found.at else None,
                "column": found.at.column if found.at else None,
                "message": found.message(arguments.lang),
            }
            for found in findings
        ]
        print(json.dumps(plain, indent=2, ensure_ascii=False))
    else:
        for found in findings:
            place = f":{found.at}" if found.at else ""
            print(f"{arguments.file}{place}: {found.code}: {found.message(arguments.lang)}")
        if not findings:
            print(f"{arguments.file}: no fault found")
    return Exit.REFUSED if findings else Exit.OK


def run_infer(arguments: argparse.Namespace) -> Exit:
    """Write both drafts; what was left out is said."""
    from gateway.infer import infer_from

    drafts = infer_from(
        arguments.db,
        arguments.unit,
        tuple(arguments.public),
        arguments.bounds_from_public_knowledge,
    )
    output: Path = arguments.output
    beside = output.with_name(f"{output.stem}-dataset{output.suffix or '.yaml'}")
    for path, text in ((output, drafts.policy), (beside, drafts.dataset)):
        try:
            path.write_text(text, encoding="utf-8")
        except OSError as error:
            raise Stop(Exit.USAGE, f"`{path}` cannot be written: {error.strerror}") from None
        print(f"wrote {path}; every line marked REVIEW is a guess to replace")
    for name, why in drafts.left_out:
        print(f"left out {name}: {why}")
    return Exit.OK


def run_submit(arguments: argparse.Namespace) -> Exit:
    """Submit, and print what the other holder needs to approve."""
    text = _text(arguments.file)
    with client_from(arguments) as client:
        made = client.send("POST", "/v1/policies", {"text": text})
    print(f"{made['id']} version {made['version']} is {made['state']}; another holder now runs")
    print(f"keyong policy approve {made['id']} {made['digest']}")
    return Exit.OK


def run_approve(arguments: argparse.Namespace) -> Exit:
    """Approve and publish."""
    with client_from(arguments) as client:
        body = {"digest": arguments.digest}
        made = client.send("POST", f"/v1/policies/{arguments.id}:approve", body)
    print(f"{made['id']} version {made['version']} is {made['state']}")
    return Exit.OK


def run_hold(arguments: argparse.Namespace) -> Exit:
    """Stop or let go on."""
    body = {"dataset": arguments.dataset} if arguments.dataset else {}
    with client_from(arguments) as client:
        made = client.send("POST", f"/v1/holds:{arguments.act}", body)
    print("held: " + (", ".join(made["held"]) or "nothing"))
    return Exit.OK


def _read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise Stop(Exit.USAGE, f"`{path}` cannot be read: {error.strerror}") from None


def _text(path: Path) -> str:
    try:
        return _read(path).decode("utf-8")
    except UnicodeDecodeError:
        raise Stop(Exit.USAGE, f"`{path}` is not UTF-8 text") from None
