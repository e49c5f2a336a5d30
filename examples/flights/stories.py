"""Questions four to ten, and two that cost nothing: what each is called, what it shows, and where noise drowns it."""

from dataclasses import dataclass

from examples.flights import questions
from examples.flights.questions import Question


@dataclass(frozen=True, slots=True)
class Story:
    """One table to print. `drowned_above` is the error of each noisy column above which a number is of no use."""

    title: str
    question: Question
    shows: str
    drowned_above: tuple[float, ...] = ()


PAID = (
    Story(
        "4. Median and upper tenth of arrival delay by carrier, over flights",
        questions.LATE,
        "noise is one of ranks: medians of the five largest are good to some minutes, but one flight in ten is too few to find",
        (15, 15),
    ),
    Story(
        "   ... over aeroplanes: the usual (median) delay of each, the middle and the latest tenth of a fleet",
        questions.USUAL,
        "an aeroplane moves a rank by one here: medians are there, large fleets have a tail; it is another question, though",
        (15, 15),
    ),
    Story(
        "5. Spread of departure delays by carrier",
        questions.SPREAD,
        "squares are dear: their bounds are the squares of the bounds. Small carriers drown",
        (12,),
    ),
    Story(
        "6. How many aeroplanes were cancelled, and how many of them more than once",
        questions.REPEATED,
        "grouped by aeroplane below, each counts once: exact to a percent at a fortieth of the price of question 1",
    ),
    Story(
        "7. How many aeroplanes left on one day: Thanksgiving",
        questions.THANKSGIVING,
        "one text and two values: the day is a parameter",
    ),
    Story(
        "   ... and on the Thursday before",
        questions.THURSDAY,
        "no airport's gap is noise: that of a difference of two such counts is ±28",
    ),
    Story(
        "8. Is the first flight of an aeroplane's day more punctual than its later ones?",
        questions.FIRST,
        "a window over each aeroplane's own day. Yes: delays add up, and nearly eight minutes are more than the noise",
    ),
    Story(
        "9. How many registered aeroplanes never left more than an hour late",
        questions.NEVER,
        "NOT EXISTS over each aeroplane's own flights; it counts aeroplanes, so it is cheap",
    ),
    Story(
        "10. Flights by carrier and month, with all totals",
        questions.TOTALS,
        "totals are the sums of their parts; a month of UA is good to a tenth, a carrier of a few hundred flights drowns",
    ),
)
FREE = (
    Story(
        "The five most punctual of the large carriers: question 1 with another HAVING, ORDER BY and LIMIT",
        questions.TOP,
        "asked again for nothing; rank by noisy means, and neighbours may have changed places",
    ),
    Story(
        "Flights by month, over three months, and growth in percent: question 2's flights, added up and compared",
        questions.GROWTH,
        "asked again for nothing, error bars simulated from the same noise; most months' growth is within them",
    ),
)
