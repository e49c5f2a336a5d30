"""`keyong budget`, `keyong usage` and `keyong datasets`."""

import argparse
import json
from collections.abc import Mapping
from decimal import Decimal
from typing import Any

from keyong.commands.credentials import add_flags, client_from
from keyong.commands.exits import Exit
from keyong.gauge import gauge
from keyong.table import grid


def add(commands: Any) -> None:
    """Say how the commands are called."""
    for name, run, said in (
        ("budget", run_budget, "where every account stands that concerns you"),
        ("usage", run_usage, "what was metered and what it costs"),
        ("datasets", run_datasets, "what you may ask about"),
    ):
        parser = commands.add_parser(name, help=said)
        parser.add_argument("--json", action="store_true", help="print the node's JSON")
        if name == "datasets":
            parser.add_argument("dataset", nargs="?", help="show the schema of this one")
        add_flags(parser)
        parser.set_defaults(run=run)


def run_budget(arguments: argparse.Namespace) -> Exit:
    """Print the accounts with a gauge each."""
    with client_from(arguments) as client:
        accounts = client.budgets()
    print(json.dumps(accounts, indent=2) if arguments.json else shown_accounts(accounts))
    return Exit.OK


def shown_accounts(accounts: list[Mapping[str, Any]]) -> str:
    """Write accounts for people."""
    rows = [[a["account"], a["available"], a["cap"], gauge(a["part_spent"])] for a in accounts]
    return grid(["account", "left", "of", "spent"], rows, [False, True, True, False])


def run_usage(arguments: argparse.Namespace) -> Exit:
    """Print the usage records."""
    with client_from(arguments) as client:
        records = client.usage()
    print(json.dumps(records, indent=2) if arguments.json else shown_usage(records))
    return Exit.OK


def shown_usage(records: list[Mapping[str, Any]]) -> str:
    """Write usage records for people."""
    rows = [
        [
            str(record["index"]),
            record["time"][:19].replace("T", " "),
            record["buyer"],
            record["usage"]["cells_declared"],
            record["usage"]["columns"],
            _nano(record["usage"]["epsilon_nano"]) or _nano(record["usage"]["rho_nano"]) or "0",
            _yuan(record["quote"]["due_uy"]),
        ]
        for record in records
    ]
    head = ["entry", "time (UTC)", "buyer", "cells", "columns", "loss", "yuan"]
    return grid(head, rows, [True, False, False, True, True, True, True])


def run_datasets(arguments: argparse.Namespace) -> Exit:
    """Print what may be asked about."""
    with client_from(arguments) as client:
        found: Any = client.dataset(arguments.dataset) if arguments.dataset else client.datasets()
    if arguments.json:
        print(json.dumps(found, indent=2, ensure_ascii=False))
    elif arguments.dataset:
        print(_schema(found))
    else:
        head = ["id", "version", "holder", "unit", "accountant", "size_class"]
        rows = [[str(dataset[name]) for name in head] for dataset in found]
        print(grid(head, rows, [False] * len(head)))
    return Exit.OK


def _schema(dataset: Mapping[str, Any]) -> str:
    rows = [
        [
            f"{table['name']}.{column['name']}",
            column["type"],
            " ".join(column["uses"]),
            " to ".join(column["bounds"] or ()),
            _domain(column["domain"]),
        ]
        for policy in dataset["policies"]
        for table in policy["tables"]
        for column in table["columns"]
    ]
    return grid(["column", "type", "uses", "bounds", "domain"], rows, [False] * 5)


def _domain(domain: Mapping[str, Any] | None) -> str:
    if domain is None:
        return ""
    if "values" in domain:
        shown = ", ".join(str(value) for value in domain["values"][:6])
        more = len(domain["values"]) - 6
        return shown + (f", … {more} more" if more > 0 else "")
    return " to ".join(domain["range"]) if "range" in domain else f"as {domain['ref']}"


def _nano(text: str) -> str:
    return "" if text == "0" else f"{(Decimal(text) / 10**9).normalize():f}"


def _yuan(text: str) -> str:
    return f"{Decimal(text) / 10**6:,.6f}".rstrip("0").rstrip(".")
