"""SmartNoise SQL on the workloads; runs in its own environment, reads a request and prints answers as JSON.

Its exact totals are computed once by its own rewritten query and its own reader; each run then is its own noise and what it
does after. What its SQL lacks is put into the table beforehand: joins are made, products are columns, money is in thousands
(it refuses sums whose noise is too large in its units).
"""

import json
import logging
import sys
import time
import traceback

import duckdb
import snsql

ORDERS = "SELECT CAST(o_custkey AS INT) AS pid, {columns} FROM orders"
LINES = "SELECT CAST(o_custkey AS INT) AS pid, {columns} FROM lineitem JOIN orders ON o_orderkey = l_orderkey "
PAID = "CAST(l_extendedprice * (1 - l_discount) AS DOUBLE) / 1000 AS paid"

# workload: columns with their types, rows they come from, question, powers that undo the units
ASKED = {
    "W1": ({}, ORDERS.format(columns="1 AS one"), "SELECT COUNT(*) AS n FROM t", ()),
    "W2": ({}, ORDERS.format(columns="1 AS one"), "SELECT COUNT(DISTINCT pid) AS n FROM t", ()),
    "W3": (
        {"k": "string"},
        ORDERS.format(columns="o_orderpriority AS k"),
        "SELECT k, COUNT(*) AS n FROM t GROUP BY k",
        (),
    ),
    "W4": (
        {"k": "string", "price": (0, 600)},
        ORDERS.format(columns="o_orderstatus AS k, CAST(o_totalprice AS DOUBLE) / 1000 AS price"),
        "SELECT k, SUM(price) AS n FROM t GROUP BY k",
        (1000,),
    ),
    "W5": (
        {
            "k": "string",
            "j": "string",
            "q": (0, 50),
            "b": (0, 105),
            "paid": (0, 105),
            "d": (0, 0.1),
        },
        LINES.format(
            columns="l_returnflag AS k, l_linestatus AS j, CAST(l_quantity AS DOUBLE) AS q, "
            f"CAST(l_extendedprice AS DOUBLE) / 1000 AS b, {PAID}, CAST(l_discount AS DOUBLE) AS d"
        )
        + "WHERE l_shipdate <= DATE '1998-09-02'",
        "SELECT k, j, SUM(q) AS q1, SUM(b) AS b1, SUM(paid) AS p1, SUM(d) AS d1, COUNT(*) AS n FROM t GROUP BY k, j",
        (1, 1000, 1000, 1, 1),
    ),
    "W6": (
        {"k": "string"},
        ORDERS.format(columns="o_clerk AS k"),
        "SELECT k, COUNT(*) AS n FROM t GROUP BY k",
        (),
    ),
    "W7": (
        {"price": (0, 600)},
        ORDERS.format(columns="CAST(o_totalprice AS DOUBLE) / 1000 AS price"),
        "SELECT MEDIAN(price) AS n FROM t",
        (1000,),
    ),
    "W8": (
        {"k": "string"},
        ORDERS.format(columns="CAST(o_orderdate AS VARCHAR) AS k"),
        "SELECT k, COUNT(*) AS n FROM t GROUP BY k",
        (),
    ),
    "W9": (
        {"k": "string", "paid": (0, 105)},
        LINES.format(columns=f"n_name AS k, {PAID}")
        + "JOIN customer ON c_custkey = o_custkey JOIN nation ON n_nationkey = c_nationkey "
        "WHERE o_orderdate >= DATE '1994-01-01' AND o_orderdate < DATE '1995-01-01'",
        "SELECT k, SUM(paid) AS n FROM t GROUP BY k",
        (1000,),
    ),
}


def main() -> None:
    """Answer the request."""
    logging.disable(logging.CRITICAL)
    request = json.loads(sys.argv[1])
    connection = duckdb.connect()
    for table in ("customer", "orders", "lineitem", "nation"):
        connection.execute(f"CREATE VIEW {table} AS FROM '{request['files']}/{table}.parquet'")
    print(json.dumps({name: answered(connection, request, name) for name in ASKED}))


def answered(connection, request, name):
    """Return as many runs of one workload as fit into its time, or the reason why there are none."""
    try:
        return asked(connection, request, name)
    except Exception as error:
        words = str(error) or traceback.format_exc().splitlines()[-1]
        return {"runs": [], "note": f"{type(error).__name__}: {words.splitlines()[0][:200]}"}


def asked(connection, request, name):
    """Ask one workload."""
    columns, source, sql, units = ASKED[name]
    workload = request["workloads"][name]
    parts = len(workload["values"])
    privacy = snsql.Privacy(epsilon=1.0 / parts, delta=1e-9)
    frame = connection.sql(source).df()
    known = {"pid": {"name": "pid", "type": "int", "private_id": True}, "one": {"type": "int"}}
    for column, kind in columns.items():
        known[column] = (
            {"type": kind}
            if isinstance(kind, str)
            else {"type": "float", "lower": kind[0], "upper": kind[1]}
        )
    table = {"max_ids": workload["rows"], "sample_max_ids": True, "row_privacy": False}
    table |= {"censor_dims": workload["private_keys"], **known}
    reader = snsql.from_df(frame, privacy=privacy, metadata={"": {"": {"t": table}}})
    query = reader.parse_query_string(sql)
    exact = exact_totals(reader, query)
    runs, began = [], time.perf_counter()
    while len(runs) < request["runs"] and time.perf_counter() - began < request["seconds"]:
        rows = reader._execute_ast(query, pre_aggregated=exact)[1:]
        runs.append([scaled(row, workload["keys"], units) for row in rows])
    note = "its ε is per column: each gets a fifth" if parts > 1 else ""
    return {"runs": runs, "note": note}


def exact_totals(reader, query):
    """Run its own rewritten query once. Its limit of rows a person is applied there."""
    subquery, _ = reader._rewrite_ast(query)
    return list(reader._get_reader(subquery)._execute_ast(subquery))


def scaled(row, keys, units):
    """Undo the units of the noisy columns."""
    values = [float(value) * unit for value, unit in zip(row[keys:], units or (1,), strict=True)]
    return [*row[:keys], *values]


main()
