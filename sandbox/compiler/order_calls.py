"""How order statistics are written: their values, and which constant fraction of them lies below."""

from dataclasses import dataclass
from fractions import Fraction

from sqlglot import exp

from policies.terms import AggregateName
from sandbox.privacy.aggregates.quantile import FRACTIONS
from sandbox.privacy.ranks import DENOMINATOR_MAX

ORDER_CLASSES: tuple[type[exp.Expr], ...] = (
    exp.Median,
    exp.Quantile,
    exp.ApproxQuantile,
    exp.PercentileCont,
    exp.PercentileDisc,
    exp.WithinGroup,
    exp.Min,
    exp.Max,
    exp.Mode,
)

_FIXED: dict[type[exp.Expr], AggregateName] = {
    exp.Median: AggregateName.MEDIAN,
    exp.Min: AggregateName.MIN,
    exp.Max: AggregateName.MAX,
}
_CONTINUOUS = (exp.PercentileCont,)


@dataclass(frozen=True, slots=True)
class OrderCall:
    """An order statistic as written: of which values, and which fraction of them lies below."""

    name: AggregateName
    argument: exp.Expr
    fraction: Fraction | None  # None of a mode


class NotAnOrderCall(Exception):
    """The call has another form; `need` and `cure` say which would do."""

    def __init__(self, need: str, cure: str) -> None:
        super().__init__()
        self.need = need
        self.cure = cure


def read_order(call: exp.Expr) -> OrderCall:
    """Return what an order statistic asks.

    Refuses (NotAnOrderCall): fractions that are no constants, lists of them, and orders other than that of the values.
    """
    if type(call) in _FIXED:
        name = _FIXED[type(call)]
        return OrderCall(name, _plain(call.this), Fraction(*FRACTIONS[name]))
    if isinstance(call, exp.Mode):
        return OrderCall(AggregateName.MODE, _plain(call.this), None)
    if isinstance(call, exp.WithinGroup):
        return _within_group(call)
    if isinstance(call, (exp.Quantile, exp.ApproxQuantile)):
        argument, written = call.this, call.args.get("quantile")
    else:
        argument, written = call.this, call.args.get("expression")
    return OrderCall(_name(call), _plain(argument), _fraction(written))


def _within_group(call: exp.WithinGroup) -> OrderCall:
    inner, order = call.this, call.expression
    terms = order.expressions if isinstance(order, exp.Order) else []
    if not isinstance(inner, (exp.PercentileCont, exp.PercentileDisc)) or len(terms) != 1:
        raise NotAnOrderCall(
            "one value to order by", "write quantile_cont(x, 0.5) or quantile_disc(x, 0.5)"
        )
    if inner.args.get("expression") is not None:
        raise NotAnOrderCall("one fraction", "write quantile_cont(x, 0.5)")
    fraction = _fraction(inner.this)
    below = 1 - fraction if terms[0].args.get("desc") else fraction
    return OrderCall(_name(inner), _plain(terms[0].this), below)


def _name(call: exp.Expr) -> AggregateName:
    continuous = isinstance(call, _CONTINUOUS)
    return AggregateName.QUANTILE_CONT if continuous else AggregateName.QUANTILE_DISC


def _plain(argument: exp.Expr | None) -> exp.Expr:
    if argument is None or isinstance(argument, (exp.Distinct, exp.Order, exp.Star)):
        raise NotAnOrderCall("one value", "leave DISTINCT and ORDER BY out")
    return argument


def _fraction(written: exp.Expr | None) -> Fraction:
    if not isinstance(written, exp.Literal) or written.is_string:
        raise NotAnOrderCall("a constant from 0 to 1", "write the fraction out, as 0.95")
    try:
        found = Fraction(str(written.this))
    except ValueError:
        raise NotAnOrderCall("a constant from 0 to 1", "write the fraction out, as 0.95") from None
    if not 0 <= found <= 1 or found.denominator > DENOMINATOR_MAX:
        raise NotAnOrderCall(
            "a constant from 0 to 1 with at most six decimals", "write the fraction out, as 0.95"
        )
    return found
