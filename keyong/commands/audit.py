"""`keyong audit`: take the log away, and check receipts and logs offline with one public key."""

import argparse
import io
import json
import tarfile
from pathlib import Path
from typing import Any

from audit.verify import Held, Report, verify_log, verify_receipt, verify_release
from keyong.commands.credentials import add_flags, client_from
from keyong.commands.exits import Exit, Stop

_FILE_BYTES_MAX = 256 << 20


def add(commands: Any) -> None:
    """Say how the commands are called."""
    audit = commands.add_parser("audit", help="check receipts and logs offline")
    acts = audit.add_subparsers(dest="act", required=True, metavar="ACT")
    verify = acts.add_parser("verify", help="check a receipt or a whole log; needs no node")
    what = verify.add_mutually_exclusive_group(required=True)
    what.add_argument(
        "--receipt", type=Path, metavar="FILE", help="as `query --receipt-to` wrote it"
    )
    what.add_argument("--log", type=Path, metavar="FOLDER", help="as `audit fetch` unpacked it")
    verify.add_argument(
        "--key", required=True, metavar="VKEY", help="the log's public key line, or a file with it"
    )
    verify.add_argument(
        "--held",
        type=Path,
        action="append",
        metavar="FILE",
        help="a checkpoint or receipt kept earlier",
    )
    verify.add_argument("--json", action="store_true", help="print the findings as JSON")
    verify.set_defaults(run=run_verify)
    fetch = acts.add_parser("fetch", help="take the whole log with its documents from a node")
    fetch.add_argument("--to", type=Path, required=True, metavar="FOLDER", help="an empty folder")
    add_flags(fetch)
    fetch.set_defaults(run=run_fetch)


def run_verify(arguments: argparse.Namespace) -> Exit:
    """Check, print what was found, and end with `NOT_VERIFIED` if anything is wrong."""
    vkey = _key(arguments.key)
    held = _held(arguments.held or ())
    report = (
        verify_log(arguments.log, vkey, held)
        if arguments.log
        else _receipt_report(arguments.receipt, vkey)
    )
    print(
        json.dumps(report.fields(), indent=2, ensure_ascii=False)
        if arguments.json
        else shown(report)
    )
    return Exit.OK if report.ok else Exit.NOT_VERIFIED


def shown(report: Report) -> str:
    """Write a report for people."""
    lines = [
        f"{finding.severity}: {finding.code} at entry {finding.index}: {finding.detail}"
        for finding in report.findings
    ]
    if report.size:
        lines.append(f"log {report.origin}, {report.size} entries, root {report.root[:16]}…")
    if report.entry is not None:
        lines.append(
            f"entry: {report.entry.kind} for {report.entry.subject} at {report.entry.time}"
        )
    for kind, count in report.kinds:
        lines.append(f"  {count:>6} {kind}")
    lines.append("verified" if report.ok else "NOT VERIFIED")
    return "\n".join(lines)


def run_fetch(arguments: argparse.Namespace) -> Exit:
    """Unpack the node's export."""
    target: Path = arguments.to
    if target.exists() and any(target.iterdir()):
        raise Stop(Exit.USAGE, f"`{target}` is not empty; name a new folder")
    with client_from(arguments) as client:
        packed = client.fetch("/v1/audit/log/export")
    unpack(packed, target)
    print(f"log in {target / 'log'}; its key is in {target / 'log' / 'log.vkey'}")
    return Exit.OK


def unpack(packed: bytes, target: Path) -> None:
    """Unpack an export. The node is not trusted: no path may lead out of the folder, no link is followed."""
    target.mkdir(parents=True, exist_ok=True)
    try:
        with tarfile.open(fileobj=io.BytesIO(packed), mode="r:") as archive:
            archive.extractall(target, filter="data")
    except tarfile.TarError as error:
        raise Stop(Exit.NOT_VERIFIED, f"the export cannot be unpacked: {error}") from None


def _receipt_report(path: Path, vkey: str) -> Report:
    text = _read(path)
    if not text.lstrip().startswith("{"):
        return verify_receipt(text, vkey)
    try:
        plain = json.loads(text)
        salt = bytes.fromhex(plain["salt"])
        return verify_release(plain["proof"], vkey, salt, plain["content"].encode("utf-8"))
    except (ValueError, KeyError, TypeError, AttributeError):
        raise Stop(Exit.USAGE, f"`{path}` is not a receipt; use `query --receipt-to`") from None


def _held(paths: Any) -> Held:
    texts = [_read(path) for path in paths]
    receipts = [_proof(text) for text in texts if _is_receipt(text)]
    return Held(tuple(text for text in texts if not _is_receipt(text)), tuple(receipts))


def _is_receipt(text: str) -> bool:
    return text.lstrip().startswith(("{", "c2sp.org/tlog-proof"))


def _proof(text: str) -> str:
    if not text.lstrip().startswith("{"):
        return text
    try:
        return str(json.loads(text)["proof"])
    except (ValueError, KeyError, TypeError):
        raise Stop(Exit.USAGE, "a held receipt is not as `query --receipt-to` wrote it") from None


def _key(text: str) -> str:
    return _read(Path(text)) if Path(text).is_file() else text


def _read(path: Path) -> str:
    try:
        if path.stat().st_size > _FILE_BYTES_MAX:
            raise Stop(Exit.USAGE, f"`{path}` is larger than any receipt or checkpoint")
        return path.read_text(encoding="utf-8")
    except OSError as error:
        raise Stop(Exit.USAGE, f"`{path}` cannot be read: {error.strerror}") from None
    except UnicodeDecodeError:
        raise Stop(Exit.USAGE, f"`{path}` is not UTF-8 text") from None
