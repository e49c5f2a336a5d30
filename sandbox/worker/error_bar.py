"""How far one released number may be off, and what is known of it for all rows of an answer."""

from dataclasses import dataclass

from policies.terms import Scalar
from sandbox.privacy.spread import ErrorLaw


@dataclass(frozen=True, slots=True)
class ErrorBar:
    """Standard deviation and interval of one cell; None where there is none."""

    deviation: float | None
    lower: Scalar
    upper: Scalar


NO_ERROR = ErrorBar(None, None, None)


@dataclass(frozen=True, slots=True)
class Shown:
    """The rows of the answer, and for each grouping set the error law of each moment's cells."""

    groups: tuple[int, ...]
    laws: tuple[tuple[ErrorLaw, ...], ...]
