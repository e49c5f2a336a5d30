"""The one total DuckDB form of each operator: whatever a row holds, a value or NULL, never an error.

An error that depends on a row is an answer without noise (`CASE WHEN id = 17 THEN 1 // 0 END`), so casts are TRY_CAST,
divisors are never 0, arithmetic is done in a type it cannot overflow, and dates stay within the years 1 to 9999. TRY,
which is slow on failing rows and so tells time, stands only where the types leave no other form.
Statement and proof by cases: docs/proofs/totality.md.

Nothing of a plan becomes SQL text but declared names, types, units of time and whole numbers; constants are parameters.
"""

from collections.abc import Callable
from types import MappingProxyType
from typing import Any

from sandbox.algebra import Exists, Op
from sandbox.worker.scalars import choice, dates, numbers, text
from sandbox.worker.scalars.rendering import Reference, Rendering, Rule
from sandbox.worker.sql_types import NotRenderable

# One visible line for each operator: an operator without a line here cannot reach a row.
RULES = MappingProxyType[Op, Rule](
    {
        Op.AND: choice.logic,
        Op.OR: choice.logic,
        Op.NOT: choice.logic,
        Op.EQ: choice.compare,
        Op.NE: choice.compare,
        Op.LT: choice.compare,
        Op.LE: choice.compare,
        Op.GT: choice.compare,
        Op.GE: choice.compare,
        Op.IS_DISTINCT: choice.compare,
        Op.IS_NULL: choice.is_null,
        Op.IS_NAN: choice.is_nan,
        Op.IN: choice.contained,
        Op.LIKE: choice.like,
        Op.ILIKE: choice.like,
        Op.CASE: choice.case,
        Op.COALESCE: choice.choose,
        Op.LEAST: choice.choose,
        Op.GREATEST: choice.choose,
        Op.NULLIF: choice.nullif,
        Op.ADD: numbers.arithmetic,
        Op.SUB: numbers.arithmetic,
        Op.MUL: numbers.arithmetic,
        Op.INT_DIV: numbers.arithmetic,
        Op.MOD: numbers.arithmetic,
        Op.DIV: numbers.divide,
        Op.NEG: numbers.sign,
        Op.ABS: numbers.sign,
        Op.ROUND: numbers.round_,
        Op.FLOOR: numbers.floor,
        Op.CEIL: numbers.floor,
        Op.SQRT: numbers.of_double,
        Op.LN: numbers.of_double,
        Op.EXP: numbers.of_double,
        Op.CAST: numbers.cast,
        Op.LOWER: text.of_text,
        Op.UPPER: text.of_text,
        Op.TRIM: text.of_text,
        Op.LENGTH: text.length,
        Op.SUBSTRING: text.part,
        Op.LEFT: text.part,
        Op.RIGHT: text.part,
        Op.CONCAT: text.concat,
        Op.STARTS_WITH: text.test,
        Op.CONTAINS: text.test,
        Op.DATE_TRUNC: dates.date_trunc,
        Op.DATE_PART: dates.date_part,
        Op.DATE_DIFF: dates.date_diff,
        Op.DATE_ADD: dates.date_add,
        Op.FROM_EPOCH: dates.from_epoch,
    }
)


def scalars(refer: Callable[[Reference], str], parameters: dict[str, Any]) -> Rendering:
    """Return a renderer of expressions without EXISTS, which names columns by `refer` and constants in `parameters`."""
    return Rendering(RULES, refer, _no_relation, parameters)


def _no_relation(rendering: Rendering, found: Exists) -> str:
    raise NotRenderable("there are no other rows to ask about")


__all__ = ["RULES", "Reference", "Rendering", "scalars"]
