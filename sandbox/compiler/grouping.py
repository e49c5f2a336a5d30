"""GROUP BY as a list of grouping sets: ROLLUP, CUBE and GROUPING SETS written out, as DuckDB does.

Items of one GROUP BY multiply: `GROUP BY a, ROLLUP (b, c)` is (a, b, c), (a, b), (a). Repeated sets stay, they repeat rows.
"""

from collections.abc import Callable, Iterable
from itertools import combinations

from sqlglot import exp

from policies.refusals import Refused
from sandbox.boundary import SETS_MAX

GROUPING_CLASSES: tuple[type[exp.Expr], ...] = (exp.Grouping, exp.GroupingId)
BITS_MAX = 32  # of one GROUPING

Nodes = tuple[exp.Expr, ...]
Sets = tuple[Nodes, ...]
_Refuse = Callable[..., Refused]


def has_sets(group: exp.Group) -> bool:
    """Tell whether a GROUP BY is more than a list of keys."""
    several = (exp.Rollup, exp.Cube, exp.GroupingSets, exp.Tuple)
    return any(isinstance(item, several) for item in group.expressions)


def listed_sets(group: exp.Group, refused: _Refuse) -> Sets:
    """Return the grouping sets of a GROUP BY, each as its key expressions, in the order they are written.

    Refuses: more sets than one release holds (`sql_too_complex`), and ROLLUP of nothing.
    """
    sets: Sets = ((),)
    for item in group.expressions:
        found = _sets_of(item, refused)
        if len(sets) * len(found) > SETS_MAX:
            raise _too_many(item, refused)
        sets = tuple((*left, *right) for left in sets for right in found)
    return sets


def indexed(sets: Iterable[Iterable[int]], keys: int) -> tuple[tuple[int, ...], ...]:
    """Return the sets by the numbers of their keys, in ascending order; nothing for one set of all keys."""
    found = tuple(tuple(sorted(set(each))) for each in sets)
    return () if found == (tuple(range(keys)),) else found


def _sets_of(item: exp.Expr, refused: _Refuse) -> Sets:
    if isinstance(item, exp.GroupingSets):
        members = [_sets_of(member, refused) for member in item.expressions]
        return tuple(each for found in members for each in found)
    if not isinstance(item, exp.Rollup | exp.Cube):
        return (_element(item),)
    elements = [_element(part) for part in item.expressions]
    if not elements:
        raise refused("sql_syntax", item, near=type(item).__name__.upper())
    if isinstance(item, exp.Rollup):
        chosen = [tuple(elements[:size]) for size in range(len(elements), -1, -1)]
    elif 2 ** len(elements) > SETS_MAX:
        raise _too_many(item, refused)
    else:
        sizes = range(len(elements), -1, -1)
        chosen = [each for size in sizes for each in combinations(elements, size)]
    return tuple(tuple(node for element in each for node in element) for each in chosen)


def _element(node: exp.Expr) -> Nodes:
    """Return the keys of one element: (a, b) is two keys that come and go together, () is none."""
    while isinstance(node, exp.Paren):
        node = node.this
    return tuple(node.expressions) if isinstance(node, exp.Tuple) else (node,)


def _too_many(item: exp.Expr, refused: _Refuse) -> Refused:
    return refused("sql_too_complex", item, what="grouping sets", limit=SETS_MAX)
