"""Ask a raw database questions through the sandbox, one JSON line for each.

    python -m tests.lab --db raw.duckdb --policy p.yaml --queries q.jsonl --mode check|exact|bounded|run [--dataset d.yaml]

Questions  one JSON object per line: {"id", "sql"}, optionally "epsilon" (or "rho") and "purpose". Without a loss the most
           that one query may cost, at most 1; without a purpose the first of the policy.
Answers    {"id", "verdict", "code", "message", "columns", "rows", "loss", "moments"}; verdict is `accepted`, `refused`
           (with the code and text of the refusal) or `failed` (`internal` for a bug).
check      compile and rehearse in the twin; no rows.
exact      the answer without noise and with inert bounds: rows clamp at ±2**62 steps, groups and partials not at all,
           ingest caps nothing. Post-processing acts on exact aggregates.
bounded    the exact clipped moments, one row per declared group: key columns k0, k1 …, then one column per moment,
           m0_count, m1_sum, …, in the whole-number units of its claimed sensitivity. Keyed choices use one fixed secret,
           so that the moments of two databases can be compared.
run        what an operator would get: a confined twin and a confined query worker for each question.
Values     whole numbers and DOUBLE as numbers, DECIMAL, DATE and TIMESTAMP as text (ISO), NaN and infinities as text.
Dataset    without --dataset it is derived: types and primary keys from the database's catalogue, units, caps and public
           tables from the policy; a unit column that is a foreign key to another private table's primary key leads on.
The raw database is only read. What is made of it lies in a temporary folder and is removed.
"""

import argparse
import json
import shutil
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path

from policies.access.model import AccessPolicy
from policies.dataset import Dataset
from policies.documents import load_access_policy, load_dataset
from tests.lab.answers import MODES, Answer, answer
from tests.lab.bench import SOURCE, Bench, bench, uncapped
from tests.lab.declared import copy_declared, declare


def main() -> int:
    """Answer every question, in the order asked."""
    arguments = _arguments()
    policy = load_access_policy(arguments.policy.read_bytes(), str(arguments.policy))
    questions = arguments.queries.read_text(encoding="utf-8").splitlines()
    with open_lab(arguments.db, policy, arguments.dataset, arguments.mode) as opened:
        for line in questions:
            if line.strip():
                print(_answer_line(opened, arguments.mode, line), flush=True)
    return 0


@contextmanager
def open_lab(raw: Path, policy: AccessPolicy, dataset: Path | None, mode: str) -> Iterator[Bench]:
    """Ingest the raw database once, with caps that cut nothing where the mode says so."""
    with tempfile.TemporaryDirectory(prefix="lab-source-") as name:
        folder = Path(name)
        settled = _settled(raw, folder)
        declared = _declared(settled, policy, dataset)
        sources = folder / "source"
        sources.mkdir()
        copy_declared(settled, declared, sources / SOURCE)
        wanted = uncapped(declared) if mode == "exact" else declared
        with bench(wanted, policy, sources) as opened:
            yield opened


def _declared(raw: Path, policy: AccessPolicy, dataset: Path | None) -> Dataset:
    if dataset is None:
        return declare(raw, policy)
    return load_dataset(dataset.read_bytes(), str(dataset))


def _settled(raw: Path, folder: Path) -> Path:
    """Return the database, or a copy of it if its owner left a log beside it: replaying that log would write."""
    log = raw.with_name(raw.name + ".wal")
    if not log.exists():
        return raw
    copy = folder / "raw.duckdb"
    shutil.copy(raw, copy)
    shutil.copy(log, copy.with_name(copy.name + ".wal"))
    return copy


def _answer_line(opened: Bench, mode: str, line: str) -> str:
    try:
        question = json.loads(line)
        name = question["id"]
        found = answer(opened, mode, question) if "sql" in question else _unreadable("has no `sql`")
    except (ValueError, KeyError, TypeError) as error:
        name, found = None, _unreadable(type(error).__name__)
    return json.dumps({"id": name, **asdict(found)}, ensure_ascii=False, allow_nan=False)


def _unreadable(problem: str) -> Answer:
    return Answer("failed", "question_unreadable", problem)


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tests.lab", description=__doc__)
    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    parser.add_argument("--db", type=Path, required=True)
    parser.add_argument("--policy", type=Path, required=True)
    parser.add_argument("--queries", type=Path, required=True)
    parser.add_argument("--mode", choices=MODES, required=True)
    parser.add_argument("--dataset", type=Path)
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())
