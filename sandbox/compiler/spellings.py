"""Second names of functions that the parser knows by the first only, and what to ask instead of what has no mechanism."""

from collections.abc import Callable, Mapping
from types import MappingProxyType

from sqlglot import exp

_ONE = 1


def _count_star(_: list[exp.Expr]) -> exp.Expr:
    return exp.Count(this=exp.Star(), big_int=True)


def _avg(arguments: list[exp.Expr]) -> exp.Expr:
    return exp.Avg(this=arguments[0])


def _sum(arguments: list[exp.Expr]) -> exp.Expr:
    return exp.Sum(this=arguments[0])


# name → how many arguments it has, and the call it is
_SECOND_NAMES: Mapping[str, tuple[int, Callable[[list[exp.Expr]], exp.Expr]]] = MappingProxyType(
    {
        "count_star": (0, _count_star),
        "mean": (_ONE, _avg),
        "sum_no_overflow": (_ONE, _sum),
    }
)

_OF_ONE_ROW = "it gives back the value of one row; ask for a count, a mean or a median"
_LISTED = "it lists the values of single rows; count them by GROUP BY"
_PRODUCT = "ask for exp(sum(ln(x))) with bounds"

CURES: Mapping[str, str] = MappingProxyType(
    {
        **dict.fromkeys(
            ("any_value", "arbitrary", "first", "last", "arg_min", "arg_max", "min_by", "max_by"),
            _OF_ONE_ROW,
        ),
        **dict.fromkeys(
            ("list", "array_agg", "string_agg", "group_concat", "listagg", "histogram"), _LISTED
        ),
        "product": _PRODUCT,
    }
)


def settle_spellings(tree: exp.Expr) -> None:
    """Replace every second name in the tree by the call it stands for. Another number of arguments stays, and is refused."""
    for node in list(tree.find_all(exp.Anonymous)):
        known = _SECOND_NAMES.get(str(node.this).lower())
        if known is not None and len(node.expressions) == known[0]:
            call = known[1](list(node.expressions))
            call.meta.update(node.meta)
            node.replace(call)
