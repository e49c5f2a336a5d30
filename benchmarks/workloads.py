"""The nine questions about orders that are asked of everybody, and the bounds that are declared for each.

Bounds    From what the TPC-H specification says in public, rounded after a look at a smaller scale: ten orders a customer
          on average over all, of one to seven lines each, over 2406 days. Everybody else gets `rows`, the most rows of a
          customer that count at all. Keyong gets `per_group` and `groups`: it has no bound on all rows of a person
          together, only their product.
"""

from dataclasses import dataclass
from datetime import date, timedelta

from policies.terms import Accountant

FIRST_DAY, LAST_DAY = date(1992, 1, 1), date(1998, 8, 2)
DAYS = tuple(FIRST_DAY + timedelta(day) for day in range((LAST_DAY - FIRST_DAY).days + 1))
PRIORITIES = ("1-URGENT", "2-HIGH", "3-MEDIUM", "4-NOT SPECIFIED", "5-LOW")
STATUSES = ("F", "O", "P")
PRICE, LINE, QUANTITY, DISCOUNT = 600_000, 105_000, 50, 0.1


@dataclass(frozen=True, slots=True)
class Workload:
    """One question. `values` are the largest magnitudes of one row of each noisy column that is measured, in the order of
    `SELECT`; the first `keys` columns name the group. `lines` if rows are lines of orders and not orders.
    """

    name: str
    asks: str
    sql: str
    keys: int
    values: tuple[float, ...]
    rows: int
    per_group: int
    groups: int
    lines: bool = False
    private_keys: bool = False
    distinct: bool = False
    order: bool = False

    def rivals(self, accountant: Accountant) -> bool:
        """Tell whether the textbook has an answer: Laplace noise on sums over known groups."""
        return accountant is Accountant.PURE_EPS and not (self.private_keys or self.order)


_SUMMARY = (
    "SELECT l_returnflag, l_linestatus, sum(l_quantity) AS quantity, sum(l_extendedprice) AS base, "
    "sum(l_extendedprice * (1 - l_discount)) AS paid, sum(l_discount) AS discount, count(*) AS n "
    "FROM lineitem WHERE l_shipdate <= DATE '1998-09-02' GROUP BY l_returnflag, l_linestatus"
)
_NATIONS = (
    "SELECT n_name, sum(l_extendedprice * (1 - l_discount)) AS revenue "
    "FROM customer JOIN orders ON o_custkey = c_custkey JOIN lineitem ON l_orderkey = o_orderkey "
    "JOIN nation ON n_nationkey = c_nationkey "
    "WHERE o_orderdate >= DATE '1994-01-01' AND o_orderdate < DATE '1995-01-01' GROUP BY n_name"
)


def _by(key: str, what: str = "count(*)") -> str:
    return f"SELECT {key}, {what} AS n FROM orders GROUP BY {key}"  # noqa: S608


WORKLOADS = (
    Workload("W1", "orders", "SELECT count(*) AS n FROM orders", 0, (1,), 50, 50, 1),
    Workload(
        "W2",
        "customers with orders",
        "SELECT count(DISTINCT o_custkey) AS n FROM orders",
        0,
        (1,),
        50,
        50,
        1,
        distinct=True,
    ),
    Workload("W3", "orders by priority (5)", _by("o_orderpriority"), 1, (1,), 50, 12, 5),
    Workload(
        "W4",
        "price by status (3)",
        _by("o_orderstatus", "sum(o_totalprice)"),
        1,
        (PRICE,),
        50,
        8,
        3,
    ),
    Workload(
        "W5",
        "pricing summary (4 × 5)",
        _SUMMARY,
        2,
        (QUANTITY, LINE, LINE, DISCOUNT, 1),
        200,
        70,
        4,
        lines=True,
    ),
    Workload(
        "W6",
        "orders by clerk, undeclared",
        _by("o_clerk"),
        1,
        (1,),
        50,
        1,
        32,
        private_keys=True,
    ),
    Workload(
        "W7",
        "median price",
        "SELECT median(o_totalprice) AS middle FROM orders",
        0,
        (PRICE,),
        50,
        32,
        1,
        order=True,
    ),
    Workload("W8", "orders by day (2406)", _by("o_orderdate"), 1, (1,), 50, 1, 32),
    Workload("W9", "revenue by nation (25)", _NATIONS, 1, (LINE,), 60, 12, 1, lines=True),
)
