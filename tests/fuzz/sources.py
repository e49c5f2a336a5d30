"""FROM: private tables joined on their unit, public tables on their columns."""

from dataclasses import dataclass
from random import Random

from tests.fuzz.expressions import Maker
from tests.fuzz.spellings import Named
from tests.fuzz.world import Sheet, World


@dataclass(frozen=True, slots=True)
class Source:
    """FROM in both spellings, and the tables in reach under their aliases."""

    text: str
    plain: str
    sheets: tuple[tuple[str, Sheet], ...]
    productions: frozenset[str]


def source_of(world: World, rng: Random) -> Source:
    """Return a random FROM over one to four tables."""
    first = rng.choice(world.private)
    sheets = [("p0", first)]
    text = plain = f"{first.name} p0"
    productions = {"from.one"}
    for step in range(rng.choice((0, 0, 1, 1, 2))):
        found = [(at, way) for at in sheets for way in _ways(world, at[1])]
        if not found:
            break
        (near, _), (own, sheet, theirs) = rng.choice(found)
        alias = f"p{step + 1}"
        maker = Maker(rng, tuple(Named(f"{alias}.{f.name}", f) for f in sheet.fields))
        extra = maker.make("flag", 1) if rng.random() < 0.3 else None
        on = f"{near}.{own} = {alias}.{theirs}"
        side = "public" if sheet.unit is None else "private"
        productions |= {f"join.{side}", *(extra.productions if extra else ())}
        if own == theirs and len(sheets) == 1 and extra is None and rng.random() < 0.4:
            text += f" JOIN {sheet.name} {alias} USING ({own})"
            plain += f" JOIN {sheet.name} {alias} USING ({own})"
        else:
            text += f" JOIN {sheet.name} {alias} ON {on}" + (f" AND {extra.text}" if extra else "")
            plain += f" JOIN {sheet.name} {alias} ON {on}" + (
                f" AND {extra.plain}" if extra else ""
            )
        sheets.append((alias, sheet))
    if world.public and rng.random() < 0.05:
        sheet = rng.choice(world.public)
        text, plain = f"{text} CROSS JOIN {sheet.name} pc", f"{plain} CROSS JOIN {sheet.name} pc"
        sheets.append(("pc", sheet))
        productions.add("join.cross")
    return Source(text, plain, tuple(sheets), frozenset(productions))


def _ways(world: World, sheet: Sheet) -> list[tuple[str, Sheet, str]]:
    """Return (own column, other sheet, its column) for each join of the world that starts or ends at the sheet."""
    found = []
    for left, own, right, theirs in world.joins:
        if left == sheet.name:
            found.append((own, world.sheet(right), theirs))
        if right == sheet.name and left != right:
            found.append((theirs, world.sheet(left), own))
    return [way for way in found if sheet.unit is not None or way[1].unit is None]
