"""What the analyst asks, and what each answer costs."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date

from examples.flights.node import DATASET
from keyong.answer import Answer
from keyong.client import Client

COARSE, FINE = "research", "research_fine"


@dataclass(frozen=True, slots=True)
class Question:
    """One question. `purpose` chooses the contract, and with it the bounds; `rho` is what it may cost every aeroplane."""

    name: str
    purpose: str
    rho: str
    sql: str
    parameters: Mapping[str, date] = field(default_factory=dict)

    def ask(self, analyst: Client) -> Answer:
        """Ask over HTTP and wait for the release instant."""
        return analyst.query(
            DATASET,
            self.sql,
            purpose=self.purpose,
            rho=self.rho,
            parameters=self.parameters or None,
        )


# An average costs noise by the width of its bounds, -20 to 120 minutes; moving their middle to 0 halves it.
CARRIERS = Question(
    "carriers",
    COARSE,
    "0.4",
    """SELECT carrier, count(*) AS flights, 50 + avg(dep_delay - 50) AS delay
FROM flights GROUP BY carrier ORDER BY flights DESC""",
)
# The share is asked in two parts. Cancelled flights are few for any one aeroplane, so they have a table with bounds of
# their own; in one query, dep_time IS NULL over count(*), they would carry the noise that all its flights need.
CANCELLED = Question(
    "cancelled",
    FINE,
    "0.1",
    "SELECT origin, month, count(*) AS cancelled FROM cancellations GROUP BY origin, month",
)
SCHEDULED = Question(
    "scheduled",
    FINE,
    "0.1",
    "SELECT origin, month, count(*) AS flights FROM flights GROUP BY origin, month",
)
# An aeroplane flies in both weathers, but far more often in the dry: two questions, each with the bounds that suit it.
WET = Question(
    "wet",
    FINE,
    "0.1",
    """SELECT CASE WHEN w.precip >= 0.1 THEN 'heavy rain' ELSE 'light rain' END AS weather,
       count(*) AS flights, 50 + avg(f.dep_delay - 50) AS delay
FROM flights f JOIN weather w USING (origin, time_hour)
WHERE w.precip > 0 GROUP BY weather""",
)
DRY = Question(
    "dry",
    COARSE,
    "0.1",
    """SELECT count(*) AS flights, 50 + avg(f.dep_delay - 50) AS delay
FROM flights f JOIN weather w USING (origin, time_hour)
WHERE w.precip = 0""",
)
# The noise of an order statistic is one of ranks: at the median of a large carrier a step of ranks is half a minute, at its
# upper tenth many minutes. So the tail is asked over aeroplanes: one row of each moves a rank by one, not by 350. In
# whole minutes, for the choice is the better the fewer values there are to choose from.
LATE = Question(
    "late",
    COARSE,
    "0.1",
    """SELECT carrier, median(arr_delay) AS middle, quantile_cont(arr_delay, 0.9) AS upper_tenth
FROM flights GROUP BY carrier ORDER BY carrier""",
)
USUAL = Question(
    "usual",
    COARSE,
    "0.15",
    """WITH each AS (SELECT tailnum, mode(carrier) AS carrier, CAST(median(arr_delay) AS INTEGER) AS usual
              FROM flights GROUP BY tailnum)
SELECT carrier, median(usual) AS middle, quantile_cont(usual, 0.9) AS upper_tenth
FROM each GROUP BY carrier HAVING carrier IS NOT NULL ORDER BY carrier""",
)
# Squares of delays: the noise follows the square of the bounds, so a spread is dearer than a mean.
SPREAD = Question(
    "spread",
    COARSE,
    "0.1",
    """SELECT carrier, stddev_samp(dep_delay) AS spread
FROM flights GROUP BY carrier ORDER BY carrier""",
)
# One row of each aeroplane: whatever it did in the year, it moves the answer by one.
REPEATED = Question(
    "repeated",
    FINE,
    "0.01",
    """WITH each AS (SELECT tailnum, count(*) AS times FROM cancellations GROUP BY tailnum)
SELECT count(*) AS aeroplanes, 100 * avg(CASE WHEN times > 1 THEN 1 ELSE 0 END) AS percent_more_than_once
FROM each""",
)
_DAY = """SELECT origin, count(DISTINCT tailnum) AS aeroplanes
FROM flights WHERE flight_date = $day GROUP BY origin ORDER BY origin"""
THANKSGIVING = Question("thanksgiving", FINE, "0.02", _DAY, {"day": date(2013, 11, 28)})
THURSDAY = Question("thursday", FINE, "0.02", _DAY, {"day": date(2013, 11, 21)})
# The window looks at one aeroplane at a time, so it may number its flights of a day.
FIRST = Question(
    "first",
    COARSE,
    "0.1",
    """SELECT 50 + avg(dep_delay - 50) FILTER (WHERE nth = 1) AS first,
       50 + avg(dep_delay - 50) FILTER (WHERE nth > 1) AS later
FROM (SELECT dep_delay, row_number() OVER (PARTITION BY tailnum, flight_date ORDER BY time_hour) AS nth
      FROM flights WHERE dep_time IS NOT NULL)""",
)
NEVER = Question(
    "never",
    COARSE,
    "0.01",
    """SELECT count(*) AS aeroplanes FROM planes p
WHERE NOT EXISTS (SELECT 1 FROM flights f WHERE f.tailnum = p.tailnum AND f.dep_delay > 60)""",
)
TOTALS = Question(
    "totals",
    FINE,
    "0.2",
    """SELECT carrier, month, count(*) AS flights FROM flights
GROUP BY CUBE (carrier, month)
HAVING grouping(carrier, month) > 0 OR carrier = 'UA' ORDER BY carrier NULLS LAST, month NULLS LAST""",
)
ALL = (
    *(CARRIERS, CANCELLED, SCHEDULED, WET, DRY),
    *(LATE, USUAL, SPREAD, REPEATED, THANKSGIVING, THURSDAY, FIRST, NEVER, TOTALS),
)

# Made of noisy numbers that were paid for above, at no further loss, with the loss of the question they follow from.
TOP = Question(
    "top",
    COARSE,
    CARRIERS.rho,
    """SELECT carrier, 50 + avg(dep_delay - 50) AS delay, count(*) AS flights
FROM flights GROUP BY carrier HAVING count(*) > 15000 ORDER BY delay LIMIT 5""",
)
GROWTH = Question(
    "growth",
    FINE,
    SCHEDULED.rho,
    """WITH parts AS (SELECT origin, month, count(*) AS flights FROM flights GROUP BY origin, month),
     months AS (SELECT month, sum(flights) AS flights FROM parts GROUP BY month)
SELECT month, flights, sum(flights) OVER (ORDER BY month ROWS BETWEEN 2 PRECEDING AND CURRENT ROW) AS three_months,
       100 * (flights / lag(flights) OVER (ORDER BY month) - 1) AS percent_more
FROM months ORDER BY month""",
)
FREE = ((TOP, CARRIERS), (GROWTH, SCHEDULED))
