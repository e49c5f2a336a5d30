"""The allow-list of syntax: which nodes may stand in a query and which of their arguments may be set.

An unknown statement does not fail in the parser, it becomes a `Command`; an unknown clause becomes an argument of a known
node. So both are listed, and what is not listed is refused. Adding syntax is one visible line here and its meaning in
resolve.py or scalars.py.
"""

from collections.abc import Mapping
from types import MappingProxyType

from sqlglot import exp

from sandbox.compiler.order_calls import ORDER_CLASSES

_BINARY = frozenset({"this", "expression"})
_UNARY = frozenset({"this"})
_SET = frozenset({"this", "expression", "distinct", "with_"})

# clause nodes: what may hang where
_CLAUSES: dict[type[exp.Expr], frozenset[str]] = {
    exp.Select: frozenset(
        {
            "expressions",
            "from_",
            "joins",
            "where",
            "group",
            "having",
            "order",
            "limit",
            "offset",
            "with_",
            "distinct",
            "windows",
            "qualify",
        }
    ),
    exp.From: _UNARY,
    exp.Join: frozenset({"this", "on", "using", "kind", "side", "method"}),
    exp.Table: frozenset({"this", "alias", "db"}),
    exp.TableAlias: frozenset({"this", "columns"}),
    exp.Subquery: frozenset({"this", "alias", "with_"}),
    exp.With: frozenset({"expressions"}),
    exp.CTE: frozenset({"this", "alias", "materialized"}),
    exp.Union: _SET,
    exp.Except: _SET,
    exp.Intersect: _SET,
    exp.Values: frozenset({"expressions", "alias"}),
    exp.Tuple: frozenset({"expressions"}),
    exp.GenerateSeries: frozenset({"start", "end", "step", "is_end_exclusive"}),
    exp.Qualify: _UNARY,
    exp.Exists: _UNARY,
    exp.Where: _UNARY,
    exp.Group: frozenset({"expressions", "all"}),
    exp.Rollup: frozenset({"expressions"}),
    exp.Cube: frozenset({"expressions"}),
    exp.GroupingSets: frozenset({"expressions"}),
    exp.Tuple: frozenset({"expressions"}),
    exp.Having: _UNARY,
    exp.Order: frozenset({"expressions"}),
    exp.Ordered: frozenset({"this", "desc", "nulls_first"}),
    exp.Limit: frozenset({"expression"}),
    exp.Offset: frozenset({"expression"}),
    exp.Alias: frozenset({"this", "alias"}),
    exp.Column: frozenset({"this", "table"}),
    exp.Identifier: frozenset({"this", "quoted"}),
    exp.Star: frozenset({"except_", "replace"}),
    exp.Columns: _UNARY,
    exp.Var: _UNARY,
}

_WINDOWS: dict[type[exp.Expr], frozenset[str]] = {
    exp.Window: frozenset({"this", "partition_by", "order", "spec", "alias", "over"}),
    exp.WindowSpec: frozenset({"kind", "start", "start_side", "end", "end_side"}),
    exp.RowNumber: frozenset(),
    exp.Rank: frozenset(),
    exp.DenseRank: frozenset(),
    exp.Lag: frozenset({"this", "offset"}),
    exp.Lead: frozenset({"this", "offset"}),
    exp.FirstValue: _UNARY,
    exp.LastValue: _UNARY,
}

# exact, over the rows of one person or over public rows; row_aggregates.py says what each means
_ROW_AGGREGATES: dict[type[exp.Expr], frozenset[str]] = {
    exp.Min: _UNARY,
    exp.Max: _UNARY,
    exp.LogicalAnd: _UNARY,
    exp.LogicalOr: _UNARY,
    exp.Median: _UNARY,
    exp.Variance: _UNARY,
    exp.VariancePop: _UNARY,
    exp.Stddev: _UNARY,
    exp.StddevSamp: _UNARY,
    exp.StddevPop: _UNARY,
    exp.ArgMin: _BINARY,
    exp.ArgMax: _BINARY,
    exp.Mode: _UNARY,
}

_AGGREGATES: dict[type[exp.Expr], frozenset[str]] = {
    exp.Count: frozenset({"this", "big_int"}),
    exp.CountIf: _UNARY,
    exp.Sum: _UNARY,
    exp.Avg: _UNARY,
    exp.CovarPop: _BINARY,
    exp.CovarSamp: _BINARY,
    exp.Corr: _BINARY,
    exp.RegrSlope: _BINARY,
    exp.RegrIntercept: _BINARY,
    exp.RegrR2: _BINARY,
    exp.RegrCount: _BINARY,
    exp.RegrAvgx: _BINARY,
    exp.RegrAvgy: _BINARY,
    exp.RegrSxx: _BINARY,
    exp.RegrSyy: _BINARY,
    exp.RegrSxy: _BINARY,
    exp.ApproxDistinct: _UNARY,
    exp.Quantile: frozenset({"this", "quantile"}),
    exp.ApproxQuantile: frozenset({"this", "quantile"}),
    exp.PercentileCont: _BINARY,
    exp.PercentileDisc: _BINARY,
    exp.WithinGroup: _BINARY,
    exp.Distinct: frozenset({"expressions", "on"}),
    exp.Filter: _BINARY,
    exp.Grouping: frozenset({"expressions"}),
    exp.GroupingId: frozenset({"expressions"}),
}

_SCALARS: dict[type[exp.Expr], frozenset[str]] = {
    exp.Literal: frozenset({"this", "is_string"}),
    exp.Boolean: _UNARY,
    exp.Null: frozenset(),
    exp.Paren: _UNARY,
    exp.And: _BINARY,
    exp.Or: _BINARY,
    exp.Not: _UNARY,
    exp.EQ: _BINARY,
    exp.NEQ: _BINARY,
    exp.LT: _BINARY,
    exp.LTE: _BINARY,
    exp.GT: _BINARY,
    exp.GTE: _BINARY,
    exp.Is: _BINARY,
    exp.NullSafeEQ: _BINARY,
    exp.NullSafeNEQ: _BINARY,
    exp.Between: frozenset({"this", "low", "high"}),
    exp.In: frozenset({"this", "expressions", "query"}),
    exp.Like: frozenset({"this", "expression", "negate"}),
    exp.ILike: frozenset({"this", "expression", "negate"}),
    exp.Case: frozenset({"this", "ifs", "default"}),
    exp.If: frozenset({"this", "true", "false"}),
    exp.Coalesce: frozenset({"this", "expressions"}),
    exp.Nullif: _BINARY,
    exp.Least: frozenset({"this", "expressions", "ignore_nulls"}),
    exp.Greatest: frozenset({"this", "expressions", "ignore_nulls"}),
    exp.Add: _BINARY,
    exp.Sub: _BINARY,
    exp.Mul: _BINARY,
    exp.Div: frozenset({"this", "expression", "typed", "safe"}),
    exp.IntDiv: _BINARY,
    exp.Mod: _BINARY,
    exp.Neg: _UNARY,
    exp.Abs: _UNARY,
    exp.Round: frozenset({"this", "decimals"}),
    exp.Floor: _UNARY,
    exp.Ceil: _UNARY,
    exp.Sqrt: _UNARY,
    exp.Ln: _UNARY,
    exp.Exp: _UNARY,
    exp.Cast: frozenset({"this", "to"}),
    exp.TryCast: frozenset({"this", "to", "safe"}),
    exp.DataType: frozenset({"this", "nested", "expressions"}),
    exp.DataTypeParam: _UNARY,
    exp.Lower: _UNARY,
    exp.Upper: _UNARY,
    exp.Length: _UNARY,
    exp.Substring: frozenset({"this", "start", "length"}),
    exp.Left: _BINARY,
    exp.Right: _BINARY,
    exp.Trim: _UNARY,
    exp.DPipe: frozenset({"this", "expression", "safe"}),
    exp.StartsWith: _BINARY,
    exp.Contains: _BINARY,
    exp.Year: _UNARY,
    exp.Quarter: _UNARY,
    exp.Month: _UNARY,
    exp.Week: _UNARY,
    exp.Day: _UNARY,
    exp.DayOfMonth: _UNARY,
    exp.DayOfWeek: _UNARY,
    exp.DayOfYear: _UNARY,
    exp.Hour: _UNARY,
    exp.Minute: _UNARY,
    exp.Extract: _BINARY,
    exp.TimestampTrunc: frozenset({"this", "unit"}),
    exp.DateTrunc: frozenset({"this", "unit"}),
    exp.DateDiff: frozenset({"this", "expression", "unit", "date_part_boundary"}),
    exp.Interval: frozenset({"this", "unit"}),
    exp.Anonymous: frozenset({"this", "expressions"}),
}

ALLOWED: Mapping[type[exp.Expr], frozenset[str]] = MappingProxyType(
    {**_CLAUSES, **_WINDOWS, **_ROW_AGGREGATES, **_AGGREGATES, **_SCALARS}
)

# Functions the parser has no class for but we know; every other `Anonymous` is refused by name.
ANONYMOUS = frozenset({"date_part", "datepart"})

# the aggregates of a release
AGGREGATE_CLASSES: tuple[type[exp.Expr], ...] = (
    exp.Count,
    exp.CountIf,
    exp.Sum,
    exp.Avg,
    exp.VariancePop,
    exp.Variance,
    exp.StddevPop,
    exp.StddevSamp,
    exp.Stddev,
    exp.LogicalAnd,
    exp.LogicalOr,
    exp.CovarPop,
    exp.CovarSamp,
    exp.Corr,
    exp.RegrSlope,
    exp.RegrIntercept,
    exp.RegrR2,
    exp.RegrCount,
    exp.RegrAvgx,
    exp.RegrAvgy,
    exp.RegrSxx,
    exp.RegrSyy,
    exp.RegrSxy,
    exp.ApproxDistinct,
    *ORDER_CLASSES,
    exp.Filter,
)

# Everything that makes a SELECT one over groups, at the release or below it.
ANY_AGGREGATE: tuple[type[exp.Expr], ...] = (*AGGREGATE_CLASSES, *_ROW_AGGREGATES)
