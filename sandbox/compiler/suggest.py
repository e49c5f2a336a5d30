"""From a refused question to one like it that would be accepted.

Rewritings are guesses on the syntax tree; nothing rests on them, for a candidate is shown only after it went through the
very stages that refused the first. A suggestion depends on the asker's own text, schema and policy, as the refusal does.
"""

from collections.abc import Callable, Iterator, Mapping
from types import MappingProxyType

import sqlglot
from sqlglot import exp

from policies.refusals import Refused, Suggestion
from sandbox.compiler.rewrites import aggregates, clauses, joins, keys, names, nested
from sandbox.compiler.rewrites.ground import Ground, Rewriter

TEXT_MAX = 4 * 1024
TRIES_MAX = 16
STEPS_MAX = 3
_KEYS: tuple[Rewriter, ...] = (keys.other_key,)
_REWRITERS: Mapping[str, tuple[Rewriter, ...]] = MappingProxyType(
    {
        "unit_join_missing": (joins.unit_equality,),
        "join_not_granted": (joins.granted_pair,),
        "not_aggregated": (keys.aggregated,),
        "no_aggregate": (keys.aggregated,),
        "key_domain_missing": _KEYS,
        "key_too_fine": _KEYS,
        "private_keys_not_granted": _KEYS,
        "column_use_not_granted": (keys.other_key, clauses.without_condition, keys.aggregated),
        "aggregate_not_granted": (aggregates.other_aggregate,),
        "sql_function_refused": (clauses.other_words, aggregates.other_aggregate),
        "sql_feature_refused": (
            clauses.limit_outside,
            nested.distinct_count,
            nested.per_unit,
            joins.inner_join,
            aggregates.one_fraction,
            aggregates.other_aggregate,
            clauses.without_parts,
        ),
        "sql_type_mismatch": (
            aggregates.as_numbers,
            aggregates.whole,
            aggregates.other_aggregate,
        ),
        "sql_argument_refused": (clauses.existing_day, aggregates.one_fraction),
        "no_private_table": (joins.with_private,),
        "bounds_missing": (aggregates.clamped,),
        "bounds_too_wide": (aggregates.in_double, aggregates.clamped),
        "expression_may_overflow": (aggregates.in_double,),
        "too_many_rows": (clauses.fewer_rows,),
        "too_many_groups": (keys.fewer_groups,),
        "unknown_table": (names.nearest_table,),
        "unknown_column": (names.nearest_column,),
        "ambiguous_column": (names.qualified,),
    }
)

Judge = Callable[[str], Refused | None]


def suggest(text: str, ground: Ground, judge: Judge) -> Suggestion | None:
    """Return a question near the refused one that `judge` has nothing against, None if none is found soon.

    A candidate that is refused for another reason is changed again, up to STEPS_MAX times.
    """
    if len(text) > TEXT_MAX:
        return None
    seen = {text}
    waiting: list[tuple[str, Ground, tuple[str, ...]]] = [(text, ground, ())]
    while waiting:
        written, stood, changes = waiting.pop(0)
        for candidate, change in _candidates(written, stood):
            if candidate in seen or len(seen) > TRIES_MAX:
                continue
            seen.add(candidate)
            done = (*changes, change)
            refused = judge(candidate)
            if refused is None:
                return Suggestion(candidate, tuple(dict.fromkeys(done)))
            if len(done) < STEPS_MAX:
                again = Ground(refused, ground.policy, ground.catalogue, ground.today)
                waiting.append((candidate, again, done))
    return None


def _candidates(text: str, ground: Ground) -> Iterator[tuple[str, str]]:
    if ground.refused.code == "sql_not_a_select":
        yield from _statements(text)
        return
    rewriters = _REWRITERS.get(ground.refused.code, ())
    tree = _select(text) if rewriters else None
    if tree is None:
        return
    pretty = "\n" in text.strip()
    for rewriter in rewriters:
        for found in rewriter(tree, ground):
            yield found.tree.sql(dialect="duckdb", pretty=pretty, comments=False), found.change


def _statements(text: str) -> Iterator[tuple[str, str]]:
    """Return the SELECTs that stand in a text beside or inside something else."""
    for statement in _parsed(text):
        if isinstance(statement, exp.Command):
            inner = _select(str(getattr(statement.expression, "this", statement.expression)))
        else:
            inner = statement.find(exp.Select)
        if inner is not None:
            yield inner.sql(dialect="duckdb", comments=False), "sends the SELECT alone"


def _select(text: str) -> exp.Select | None:
    tree = next(iter(_parsed(text)), None)
    return tree if isinstance(tree, exp.Select) else None


def _parsed(text: str) -> list[exp.Expr]:
    try:
        return [tree for tree in sqlglot.parse(text, read="duckdb") if tree is not None]
    except Exception:
        # what the parser cannot read, or runs out of stack on, has no question near it
        return []
