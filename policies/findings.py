"""A finding: one reason to say no, as a value, so that all of them can be shown at once."""

from dataclasses import dataclass

from policies.messages import MESSAGES
from policies.phrases import in_chinese
from policies.refusals import NeededGrant, Position, Refused, Stage


@dataclass(frozen=True, slots=True)
class Finding:
    """One reason with its place; `params` fill the catalogue's template and never hold data."""

    code: str
    stage: Stage
    at: Position | None
    params: tuple[tuple[str, str], ...]
    needed_grants: tuple[NeededGrant, ...]

    def refused(self) -> Refused:
        """Return the exception that says the same."""
        return Refused(
            self.code,
            self.stage,
            at=self.at,
            needed_grants=self.needed_grants,
            **dict(self.params),
        )

    def message(self, language: str) -> str:
        """Return the sentence in `en` or `zh-CN`."""
        entry = MESSAGES[self.code]
        if not language.startswith("zh"):
            return entry.en.format(**dict(self.params))
        return entry.zh.format(**{k: in_chinese(v) for k, v in self.params})
