"""Every way the node says no, as one closed tree.

    Refused                      expected; depends on SQL, schema, policy and ledger only, never on data
    ├─ document_*                a policy, dataset, plan or agreement cannot be read
    ├─ sql_*                     parse: the text is not one SELECT that we understand
    ├─ unknown_* / ambiguous_*   resolve: a name does not lead to one registered column
    ├─ *_not_granted …           check: the policy does not allow it
    ├─ unit_* / bounds_* / …     bound: one person could move the answer without limit
    ├─ loss_* / budget_* …       plan and ledger: the privacy loss is not available
    └─ request_* / token_* …     the door

A `Failure` (sandbox/boundary.py) is something else: it happens beside the data, carries no text, and spends.
"""

from dataclasses import dataclass
from enum import StrEnum

from policies.messages import MESSAGES
from policies.phrases import in_chinese


class Stage(StrEnum):
    """Where on the way down a query was stopped."""

    DOCUMENT = "document"
    PARSE = "parse"
    RESOLVE = "resolve"
    CHECK = "check"
    BOUND = "bound"
    PLAN = "plan"
    LEDGER = "ledger"
    DOOR = "door"
    RUN = "run"


@dataclass(frozen=True, slots=True)
class Position:
    """Line and column in the text the user sent, both counted from 1."""

    line: int
    column: int

    def __str__(self) -> str:
        return f"{self.line}:{self.column}"


@dataclass(frozen=True, slots=True)
class NeededGrant:
    """The smallest grant that would lift a refusal; the holder can paste it into a policy."""

    table: str
    column: str
    use: str


@dataclass(frozen=True, slots=True)
class Suggestion:
    """A question near the refused one that would be accepted, and what was changed. It may mean something else."""

    sql: str
    changes: tuple[str, ...]

    def says(self, language: str) -> str:
        """Return what was changed, in `en` or `zh-CN`."""
        if not language.startswith("zh"):
            return "; ".join(self.changes)
        return "；".join(in_chinese(change) for change in self.changes)


class Refused(Exception):
    """A refusal with a stable code, the place, and a text that names the cure.

    `params` fill the catalogue's template; they may hold the user's own words and names from schema or policy, never data.
    `suggestion` is added on the way out, where the question is still at hand, and so is `member`: the number and the id of
    the one question of several that was refused.
    """

    def __init__(
        self,
        code: str,
        stage: Stage,
        *,
        at: Position | None = None,
        needed_grants: tuple[NeededGrant, ...] = (),
        **params: object,
    ) -> None:
        self.code = code
        self.stage = stage
        self.at = at
        self.needed_grants = needed_grants
        self.params = {name: str(value) for name, value in params.items()}
        self.suggestion: Suggestion | None = None
        self.member: tuple[int, str] | None = None
        super().__init__(str(self))

    def message(self, language: str) -> str:
        """Return the sentence in `en` or `zh-CN`."""
        entry = MESSAGES[self.code]
        if not language.startswith("zh"):
            return entry.en.format(**self.params)
        return entry.zh.format(**{k: in_chinese(v) for k, v in self.params.items()})

    def __str__(self) -> str:
        place = f" at {self.at}" if self.at else ""
        return f"{self.code}{place}: {self.message('en')}"
