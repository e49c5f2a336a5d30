"""`keyong demo`: one domain, end to end, in under a minute."""

import argparse
from typing import Any

from keyong.commands.exits import Exit


def add(commands: Any) -> None:
    """Say how the command is called."""
    demo = commands.add_parser("demo", help="walk through one invented domain, end to end")
    demo.add_argument(
        "--insecure-dev-runtime", action="store_true", help="NO ISOLATION; the data is invented"
    )
    demo.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> Exit:
    """Tell the story."""
    from keyong.demo.story import tell_story

    return tell_story(arguments.lang, arguments.insecure_dev_runtime)
