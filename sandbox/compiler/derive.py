"""Make derived relations: give a relation columns of its own, so that what stands above cannot reach below."""

from dataclasses import dataclass

from sandbox.algebra import Column, Expr, Project, Windowed
from sandbox.compiler.rows import Called, Named, Rows, Source, public_rows, unit_of


@dataclass(frozen=True, slots=True)
class Derived:
    """Rows with columns of their own, and the names in reach moved onto them."""

    rows: Rows
    sources: tuple[Source, ...]
    merged: dict[str, Expr]


def project(
    number: int,
    rows: Rows,
    columns: tuple[Expr, ...],
    windows: tuple[Windowed, ...],
    name: Called,
) -> Rows:
    """Return the rows with columns c0, c1, … and windows w0, w1, … of their own."""
    unit = () if rows.unit is None else (rows.unit,)
    relation = Project(number, rows.relation, unit, columns, windows)
    return derived_rows(relation, rows, columns, name)


def derived_rows(relation: Project, rows: Rows, columns: tuple[Expr, ...], name: Called) -> Rows:
    """Return what is known of a projection of `rows`."""
    if not relation.unit:
        return public_rows(relation, name)
    keys = frozenset(
        own(relation.id, index, expr) for index, expr in enumerate(columns) if expr in rows.keys
    )
    return Rows(relation, unit_of(relation.id), frozenset(), keys, name)


def own(number: int, index: int, expr: Expr) -> Column:
    """Return the `index`-th column of a projection."""
    return Column(number, f"c{index}", expr.type)


def materialise(
    number: int, rows: Rows, sources: tuple[Source, ...], merged: dict[str, Expr]
) -> Derived:
    """Return the rows behind a projection of everything in reach. What stays unused is pruned in the end (prune.py)."""
    exprs = tuple(
        dict.fromkeys([*(c.expr for source in sources for c in source.columns), *merged.values()])
    )
    moved = {expr: own(number, index, expr) for index, expr in enumerate(exprs)}
    return Derived(
        project(number, rows, exprs, (), rows.name),
        tuple(
            Source(s.alias, tuple(Named(c.name, moved[c.expr]) for c in s.columns), s.at)
            for s in sources
        ),
        {name: moved[expr] for name, expr in merged.items()},
    )


def is_plain(sources: tuple[Source, ...]) -> bool:
    """Tell whether every name stands for a bare column: then NULLs of an outer join reach it as they should."""
    return all(isinstance(c.expr, Column) for source in sources for c in source.columns)
