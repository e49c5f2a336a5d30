"""The price of a usage record: one pure function, used by quote, hold, statement and the offline verifier alike.

Units       micro-yuan, whole numbers. Quote = hold = bill: nothing that happens while a query runs can change its
            price.
"""

from dataclasses import dataclass

from audit.money.metering import Usage
from policies.pricing import PricePlan
from policies.terms import NANO, PurposeClass

# Source: 发改价格〔2025〕65号: use for governance and for the public good is free.
FREE_PURPOSES = frozenset({PurposeClass.GOVERNANCE, PurposeClass.PUBLIC_GOOD})


@dataclass(frozen=True, slots=True)
class Quote:
    """A price, rated in full and then waived where use is free, so that the value of free use stays visible."""

    gross_uy: int
    waived_uy: int
    due_uy: int

    def __post_init__(self) -> None:
        if (
            min(self.gross_uy, self.waived_uy, self.due_uy) < 0
            or self.gross_uy != self.waived_uy + self.due_uy
        ):
            raise ValueError("a quote is gross = waived + due, none below zero")

    def fields(self) -> dict[str, str]:
        """Write the quote as a leaf does."""
        return {
            "gross_uy": str(self.gross_uy),
            "waived_uy": str(self.waived_uy),
            "due_uy": str(self.due_uy),
        }


def quote_from(fields: dict[str, str]) -> Quote:
    """Read a quote out of a leaf that has passed its schema."""
    return Quote(int(fields["gross_uy"]), int(fields["waived_uy"]), int(fields["due_uy"]))


@dataclass(frozen=True, slots=True)
class PricePart:
    """One line of the explanation of a price."""

    name: str
    amount_uy: int


def parts(plan: PricePlan, usage: Usage) -> tuple[PricePart, ...]:
    """Return what the price is made of; `minimum` is what lifts a small sum to the minimum fee."""
    components = (
        PricePart("queries", plan.per_query_uy * usage.queries),
        PricePart("cells", plan.per_cell_uy * usage.cells_declared),
        PricePart("columns", plan.per_column_uy * usage.columns),
        PricePart("epsilon", half_up(plan.per_epsilon_uy * usage.epsilon_nano, NANO)),
        PricePart("rho", half_up(plan.per_rho_uy * usage.rho_nano, NANO)),
        PricePart("size_class", dict(plan.size_class_uy)[usage.size_class] * usage.queries),
    )
    total = sum(part.amount_uy for part in components)
    return (*components, PricePart("minimum", max(0, plan.minimum_fee_uy - total)))


def price(plan: PricePlan, usage: Usage) -> Quote:
    """Return the price of `usage` under `plan`."""
    gross = sum(part.amount_uy for part in parts(plan, usage))
    waived = gross if usage.purpose_class in FREE_PURPOSES else 0
    return Quote(gross, waived, gross - waived)


def half_up(numerator: int, denominator: int) -> int:
    """Divide, rounding halves away from zero, so that a credit is the exact opposite of its charge."""
    magnitude = (2 * abs(numerator) + denominator) // (2 * denominator)
    return magnitude if numerator >= 0 else -magnitude
