"""The worlds: people and their claims, and random ones in which every type and every bound turns up."""

from datetime import date
from decimal import Decimal
from random import Random

from policies.terms import ContributionBound, SqlType, TypeKind
from tests.fuzz.world import Field, Sheet, World

INTEGER, BIGINT, HUGEINT, DOUBLE, TEXT, DATE, INSTANT, FLAG = (
    SqlType(kind)
    for kind in (
        TypeKind.INTEGER,
        TypeKind.BIGINT,
        TypeKind.HUGEINT,
        TypeKind.DOUBLE,
        TypeKind.VARCHAR,
        TypeKind.DATE,
        TypeKind.TIMESTAMP,
        TypeKind.BOOLEAN,
    )
)
MONEY = SqlType(TypeKind.DECIMAL, 12, 2)
REGIONS = ("north", "south", "east", "west")
YEAR = (date(2024, 1, 1), date(2024, 12, 31))


def _between(low: int, high: int) -> tuple[Decimal, Decimal]:
    return (Decimal(low), Decimal(high))


def people(groups: int = 2, with_items: bool = True) -> World:
    """Return persons, their claims, perhaps the items of a claim, and public weather. `groups` bounds groups per unit."""
    persons = Sheet(
        "persons",
        (
            Field("person_id", BIGINT),
            Field("name", TEXT),
            Field("region", TEXT, REGIONS),
            Field("sex", TEXT, ("F", "M", None)),
            Field("birth", DATE, bounds=(date(1930, 1, 1), date(2010, 12, 31))),
            Field("income", DOUBLE, bounds=_between(-1000, 200_000)),
            Field("children", INTEGER, bounds=_between(0, 12)),
            Field("insured", FLAG),
        ),
        key=("person_id",),
        unit="person_id",
        contribution=ContributionBound(1, 1, 1),
    )
    claims = Sheet(
        "claims",
        (
            Field("claim_id", BIGINT),
            Field("person_id", BIGINT),
            Field("hospital", TEXT, ("h1", "h2", "h3")),
            Field("icd", TEXT, ("C50", "C61", "E11")),
            Field("amount", MONEY, bounds=_between(-50, 5_000)),
            Field("day", DATE, bounds=YEAR),
            Field("seen", INSTANT),
        ),
        key=("claim_id",),
        unit="person_id",
        contribution=ContributionBound(12, 3, groups),
    )
    items = Sheet(
        "items",
        (
            Field("claim_ref", BIGINT),
            Field("pieces", BIGINT, bounds=_between(1, 40)),
            Field("price", SqlType(TypeKind.DECIMAL, 18, 4), bounds=_between(0, 900)),
            Field("kind", INTEGER, (1, 2, 3)),
        ),
        unit="claim_ref",
        parent="claims",
        contribution=ContributionBound(20, 4, groups),
    )
    weather = Sheet(
        "weather",
        (
            Field("region", TEXT, REGIONS),
            Field("day", DATE, bounds=YEAR),
            Field("rain_mm", DOUBLE, bounds=_between(0, 200)),
        ),
        key=("region", "day"),
    )
    joins = (
        ("persons", "person_id", "claims", "person_id"),
        ("claims", "person_id", "claims", "person_id"),
        ("items", "claim_ref", "claims", "claim_id"),
        ("persons", "region", "weather", "region"),
        ("claims", "day", "weather", "day"),
    )
    if with_items:
        return World((persons, claims, items, weather), joins)
    return World((persons, claims, weather), tuple(join for join in joins if join[0] != "items"))


def random_world(rng: Random) -> World:
    """Return one to three private tables and at most one public one, with columns of any type."""
    unit = Field("u", rng.choice((INTEGER, BIGINT, HUGEINT, TEXT)))
    shared = Field("place", TEXT, ("a", "b", "c"))
    sheets = []
    for index in range(rng.randint(1, 3)):
        fields = [unit, shared, *_random_fields(rng, f"t{index}")]
        rows = rng.randint(1, 10)
        bound = ContributionBound(rows, rng.randint(1, min(rows, 4)), rng.randint(1, 3))
        sheets.append(Sheet(f"t{index}", tuple(fields), unit="u", contribution=bound))
    joins = [
        (left.name, "u", right.name, "u")
        for place, left in enumerate(sheets)
        for right in sheets[place:]
    ]
    if rng.random() < 0.5:
        sheets.append(Sheet("places", (shared, Field("size", DOUBLE, bounds=_between(0, 9)))))
        joins += [(sheet.name, "place", "places", "place") for sheet in sheets[:-1]]
    return World(tuple(sheets), tuple(joins))


def _random_fields(rng: Random, prefix: str) -> list[Field]:
    return [_random_field(rng, f"{prefix}_{letter}") for letter in "abcde"[: rng.randint(2, 5)]]


def _random_field(rng: Random, name: str) -> Field:
    match rng.randrange(9):
        case 0:
            return Field(name, FLAG)
        case 1:
            listed = tuple(rng.sample(("x", "y", "zz", "", "长"), rng.randint(2, 4)))
            return Field(name, TEXT, (*listed, None) if rng.random() < 0.3 else listed)
        case 2:
            first = date(rng.randint(1950, 2020), rng.randint(1, 12), 1)
            return Field(name, DATE, bounds=(first, date(first.year + 1, 6, 30)))
        case 3:
            return Field(name, INSTANT)
        case 4:
            return Field(name, DOUBLE, bounds=_between(*sorted(rng.sample(range(-500, 5000), 2))))
        case 5:
            digits = rng.randint(3, 18)
            kind = SqlType(TypeKind.DECIMAL, digits, rng.randint(0, min(digits - 1, 6)))
            return Field(name, kind, bounds=_between(*sorted(rng.sample(range(-90, 90), 2))))
        case 6:
            return Field(name, rng.choice((INTEGER, BIGINT)), (0, 1, 2, 7))
        case 7:
            return Field(name, DOUBLE)
    kind = rng.choice((INTEGER, BIGINT, HUGEINT))
    return Field(name, kind, bounds=_between(*sorted(rng.sample(range(-50, 400), 2))))
