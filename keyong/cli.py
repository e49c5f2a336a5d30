"""The command line. What runs inside the domain is imported only when it is asked for."""

import argparse
import os
import sys
from collections.abc import Sequence
from typing import Any

from keyong.commands import account, ask, audit, holder, node, story
from keyong.commands.exits import MEANINGS, Exit, Stop
from keyong.refused import NotReached, Refused, RunFailed

_MODULES = (story, node, holder, ask, account, audit)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command; return its exit status. No traceback reaches the reader."""
    parsed = _parser().parse_args(arguments)
    try:
        return int(parsed.run(parsed))
    except Stop as stop:
        return _said(str(stop), stop.status)
    except RunFailed as failed:
        return _said(f"{failed}; spent: {failed.loss_spent}", Exit.RUN_FAILED)
    except Refused as refused:
        return _said(_refusal(refused), Exit.NOT_REACHED if refused.status == 401 else Exit.REFUSED)
    except NotReached as error:
        return _said(str(error), Exit.NOT_REACHED)
    except KeyboardInterrupt:
        return _said("interrupted", 130)
    except BrokenPipeError:
        # Whoever read our output has gone; there is nobody left to tell.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return int(Exit.OK)
    except Exception as error:
        return _inside(error, parsed.lang)


def _refusal(refused: Refused) -> str:
    grants = "".join(
        f"\n  needs: {grant.table}.{grant.column} as {grant.use}" for grant in refused.needed_grants
    )
    if refused.suggestion is None:
        return f"{refused}{grants}" + (f"\n  {refused.how}" if refused.how else "")
    sql = refused.suggestion.sql.replace("\n", "\n    ")
    return f"{refused}{grants}\n  this would be accepted ({refused.suggestion.changes}):\n    {sql}"


def _inside(error: Exception, lang: str) -> int:
    """Say what a command on the node met. Only the server's own modules raise these, so only they are asked."""
    known = sys.modules.get("policies.refusals")
    if known is not None and isinstance(error, known.Refused):
        place = f":{error.at}" if error.at else ""
        status = Exit.CANNOT_START if error.stage.value == "door" else Exit.REFUSED
        return _said(f"{error.code}{place}: {error.message(lang)}", status)
    starts = (
        "SettingsRefused",
        "ClientsRefused",
        "RegisterRefused",
        "ShelfRefused",
        "StoreRefused",
        "HeadRefused",
    )
    if type(error).__name__ in starts or isinstance(error, OSError):
        return _said(str(error), Exit.CANNOT_START)
    if os.environ.get("KEYONG_TRACEBACK"):
        raise error
    return _said(
        f"a fault of our own: {type(error).__name__}; run again with KEYONG_TRACEBACK=1 to see where",
        Exit.CANNOT_START,
    )


def _said(text: str, status: int) -> int:
    print(f"keyong: {text}", file=sys.stderr)
    return int(status)


class _Parser(argparse.ArgumentParser):
    """A parser that takes `--lang` wherever it is written."""

    def __init__(self, *arguments: Any, **named: Any) -> None:
        super().__init__(*arguments, **named)
        self.add_argument(
            "--lang",
            choices=("en", "zh"),
            default=argparse.SUPPRESS,
            help="language of messages",
        )


def _parser() -> argparse.ArgumentParser:
    meanings = "\n".join(f"  {status.value}  {said}" for status, said in MEANINGS.items())
    parser = _Parser(
        prog="keyong",
        description="Ask a domain node, run one, check its log. 可用不可见.",
        epilog=f"exit status:\n{meanings}",
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    chinese = os.environ.get("LANG", "").startswith("zh")
    parser.set_defaults(lang="zh" if chinese else "en")
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")
    for module in _MODULES:
        module.add(commands)
    return parser
