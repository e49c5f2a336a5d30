"""What a guest may be told instead of an answer."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class Place:
    """Line and column in the text that was sent, both from 1."""

    line: int
    column: int

    def __str__(self) -> str:
        return f"{self.line}:{self.column}"


@dataclass(frozen=True, slots=True)
class NeededGrant:
    """The smallest grant that would lift a refusal."""

    table: str
    column: str
    use: str


@dataclass(frozen=True, slots=True)
class Suggestion:
    """A question near the refused one that would be accepted, and what was changed. It may mean something else."""

    sql: str
    changes: str


class Refused(Exception):
    """The node said no. `code` is stable; nothing was spent; the same request may be sent again once the cause is gone."""

    def __init__(self, problem: Mapping[str, Any]) -> None:
        self.code = str(problem.get("code", "unknown"))
        self.status = int(problem.get("status", 0))
        self.message = str(problem.get("detail", "the node gave no reason"))
        self.at = _place(problem)
        self.needed_grants = tuple(
            NeededGrant(grant["table"], grant["column"], grant["use"])
            for grant in problem.get("needed_grants", ())
        )
        self.how = None if problem.get("how") is None else str(problem["how"])
        self.suggestion = _suggestion(problem.get("suggestion"))
        self.loss_spent = str(problem.get("loss_spent", "0"))
        self.problem = dict(problem)
        self.member = problem.get("member")
        where = f" at {self.at}" if self.at else ""
        which = f"member `{self.member}`: " if self.member else ""
        super().__init__(f"{which}{self.code}{where}: {self.message}")


class RunFailed(Refused):
    """The question was accepted and its run failed beside the data. `loss_spent` stays spent; a new try needs a new key."""


class NotReached(Exception):
    """No node answered: the address, the network or the credentials are wrong."""


def _place(problem: Mapping[str, Any]) -> Place | None:
    for error in problem.get("errors", ()):
        if "line" in error:
            return Place(int(error["line"]), int(error["column"]))
    return None


def _suggestion(plain: Mapping[str, Any] | None) -> Suggestion | None:
    return None if plain is None else Suggestion(str(plain["sql"]), str(plain["changes"]))
