"""What the analyst asks, and what each answer costs."""

from dataclasses import dataclass

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

    def ask(self, analyst: Client) -> Answer:
        """Ask over HTTP and wait for the release instant."""
        return analyst.query(DATASET, self.sql, purpose=self.purpose, rho=self.rho)


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
ALL = (CARRIERS, CANCELLED, SCHEDULED, WET, DRY)
