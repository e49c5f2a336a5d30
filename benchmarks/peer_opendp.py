"""OpenDP Polars on the workloads; runs in its own environment, reads a request and prints answers as JSON.

Each run is a whole query of its own: build, release, collect. It is a library for data frames and not SQL: joins are made and
products are columns beforehand, rows of a customer are truncated by it, several aggregates share one query.
"""

import json
import sys
import time
import warnings
from datetime import date

import opendp.prelude as dp
import polars as pl

CANDIDATES = [600.0 * place for place in range(1001)]
ROWS_MAX = 10_000_000
DECIMALS = ("o_totalprice", "l_quantity", "l_extendedprice", "l_discount")


def main() -> None:
    """Answer the request."""
    warnings.simplefilter("ignore")
    dp.enable_features("contrib", "honest-but-curious")
    request = json.loads(sys.argv[1])
    print(json.dumps({name: answered(request, name) for name in request["workloads"]}))


def answered(request, name):
    """Return as many runs of one workload as fit into its time, or the reason why there are none."""
    runs, began = [], time.perf_counter()
    try:
        rows = frame(request["files"], name)
        while len(runs) < request["runs"] and time.perf_counter() - began < request["seconds"]:
            runs.append(asked(rows, request, name))
    except Exception as error:
        return {"runs": [], "note": f"{type(error).__name__}: {' '.join(str(error).split())[:200]}"}
    return {"runs": runs, "note": ""}


def frame(files, name):
    """Return the rows of a workload with their customer; joined and computed beforehand."""
    orders = numbers(pl.scan_parquet(f"{files}/orders.parquet"))
    kept = [
        "o_custkey",
        "o_orderpriority",
        "o_orderstatus",
        "o_clerk",
        "o_orderdate",
        "o_totalprice",
    ]
    if name not in ("W5", "W9"):
        return orders.select(kept).collect().lazy()
    lines = numbers(pl.scan_parquet(f"{files}/lineitem.parquet"))
    lines = lines.with_columns(paid=pl.col("l_extendedprice") * (1 - pl.col("l_discount")))
    joined = lines.join(orders, left_on="l_orderkey", right_on="o_orderkey")
    if name == "W5":
        joined = joined.filter(pl.col("l_shipdate") <= date(1998, 9, 2))
        kept = [
            "o_custkey",
            "l_returnflag",
            "l_linestatus",
            "l_quantity",
            "l_extendedprice",
            "paid",
        ]
        return joined.select([*kept, "l_discount"]).collect().lazy()
    nations = pl.scan_parquet(f"{files}/nation.parquet")
    people = pl.scan_parquet(f"{files}/customer.parquet")
    people = people.join(nations, left_on="c_nationkey", right_on="n_nationkey")
    year = (pl.col("o_orderdate") >= date(1994, 1, 1)) & (pl.col("o_orderdate") < date(1995, 1, 1))
    joined = joined.filter(year).join(people, left_on="o_custkey", right_on="c_custkey")
    return joined.select("o_custkey", "n_name", "paid").collect().lazy()


def numbers(table):
    """Return decimals as floats: sums of decimals are not among its measurements."""
    there = table.collect_schema().names()
    return table.with_columns(pl.col(c).cast(pl.Float64) for c in DECIMALS if c in there)


def asked(rows, request, name):
    """Ask one workload once."""
    workload = request["workloads"][name]
    context = dp.Context.compositor(
        data=rows,
        privacy_unit=dp.unit_of(contributions=1, identifier=pl.col("o_custkey")),
        privacy_loss=dp.loss_of(epsilon=1.0, delta=1e-9 if name == "W6" else 0.0),
        split_evenly_over=1,
        margins=[dp.polars.Margin(max_length=ROWS_MAX, max_groups=ROWS_MAX)],
    )
    query = context.query().truncate_per_group(1 if workload["distinct"] else workload["rows"])
    if name == "W7":
        price = pl.col("o_totalprice").fill_nan(0.0).fill_null(0.0)
        return query.select(price.dp.median(CANDIDATES)).release().collect().rows()
    if not workload["keys"]:
        return query.select(dp.len(signed=True)).release().collect().rows()
    keys = KEYS[name]
    grouped = query.group_by(*keys)
    answer = grouped.agg(*SUMS.get(name, [dp.len(signed=True)]))
    if name != "W6":
        answer = answer.with_keys(public(request["keys"][name], keys))
    columns = [*keys, *ORDER.get(name, ["len"])]
    return [written(row) for row in answer.release().collect().select(columns).rows()]


def public(values, keys):
    """Return declared keys as a frame."""
    made = pl.LazyFrame(values, schema=dict.fromkeys(keys, pl.String), orient="row")
    return made.with_columns(pl.col("o_orderdate").str.to_date()) if "o_orderdate" in keys else made


def total(column, upper):
    """Return a sum within bounds."""
    return pl.col(column).fill_nan(0.0).fill_null(0.0).dp.sum((0.0, upper))


def written(row):
    """Return a row that JSON can hold."""
    return [value.isoformat() if isinstance(value, date) else value for value in row]


KEYS = {
    "W3": ["o_orderpriority"],
    "W4": ["o_orderstatus"],
    "W5": ["l_returnflag", "l_linestatus"],
    "W6": ["o_clerk"],
    "W8": ["o_orderdate"],
    "W9": ["n_name"],
}
ORDER = {
    "W4": ["o_totalprice"],
    "W5": ["l_quantity", "l_extendedprice", "paid", "l_discount", "len"],
    "W9": ["paid"],
}


def measured():
    """Return the sums of the workloads that have some."""
    return {
        "W4": [total("o_totalprice", 600_000.0)],
        "W5": [
            total("l_quantity", 50.0),
            total("l_extendedprice", 105_000.0),
            total("paid", 105_000.0),
            total("l_discount", 0.1),
            dp.len(signed=True),
        ],
        "W9": [total("paid", 105_000.0)],
    }


SUMS = measured()
main()
