"""The allow-list of aggregates: what may be measured is a line here, and a reviewer sees it in the diff."""

from collections.abc import Mapping
from types import MappingProxyType

from policies.terms import AggregateName
from sandbox.privacy.aggregates.aggregate import (
    Aggregate,
    Argument,
    Ending,
    MomentSpec,
    Ranked,
    Steps,
)
from sandbox.privacy.aggregates.avg import AVG
from sandbox.privacy.aggregates.count import COUNT
from sandbox.privacy.aggregates.count_distinct import COUNT_DISTINCT
from sandbox.privacy.aggregates.mode import CHOSEN, MODE
from sandbox.privacy.aggregates.pairs import PAIRED
from sandbox.privacy.aggregates.quantile import (
    MAX,
    MEDIAN,
    MIN,
    ORDERED,
    QUANTILE_CONT,
    QUANTILE_DISC,
)
from sandbox.privacy.aggregates.sum import SUM
from sandbox.privacy.aggregates.truth import BOOL_AND, BOOL_OR
from sandbox.privacy.aggregates.variance import STDDEV_POP, STDDEV_SAMP, VAR_POP, VAR_SAMP

AGGREGATES: Mapping[AggregateName, Aggregate] = MappingProxyType(
    {
        AggregateName.COUNT: COUNT,
        AggregateName.COUNT_DISTINCT: COUNT_DISTINCT,
        AggregateName.SUM: SUM,
        AggregateName.AVG: AVG,
        AggregateName.VAR_POP: VAR_POP,
        AggregateName.VAR_SAMP: VAR_SAMP,
        AggregateName.STDDEV_POP: STDDEV_POP,
        AggregateName.STDDEV_SAMP: STDDEV_SAMP,
        AggregateName.MEDIAN: MEDIAN,
        AggregateName.QUANTILE_CONT: QUANTILE_CONT,
        AggregateName.QUANTILE_DISC: QUANTILE_DISC,
        AggregateName.MIN: MIN,
        AggregateName.MAX: MAX,
        AggregateName.MODE: MODE,
        AggregateName.BOOL_AND: BOOL_AND,
        AggregateName.BOOL_OR: BOOL_OR,
        **PAIRED,
    }
)

__all__ = [
    "AGGREGATES",
    "CHOSEN",
    "ORDERED",
    "Aggregate",
    "Argument",
    "Ending",
    "MomentSpec",
    "Ranked",
    "Steps",
]
