"""The ways by which a row leads to the privacy unit.

A row with two ways (payer and payee) belongs to two people, and differential privacy as promised
here covers one. Which one is a choice that the holder must sign, so the ways are counted.
"""

from policies.dataset import Dataset, ForeignKey, Table

# One step: the table, and its columns that hold the key.
Step = tuple[str, tuple[str, ...]]
Path = tuple[Step, ...]


def unit_chain(dataset: Dataset, table: Table) -> tuple[Table, ...] | None:
    """Return the tables from this one to the one that holds the unit's key in a column of its own.

    None if the declared path breaks off or turns in a circle.
    """
    chain = [table]
    while chain[-1].unit is not None and chain[-1].unit.references is not None:
        following = dataset.table(chain[-1].unit.references)
        if following is None or following.unit is None or following in chain:
            return None
        chain.append(following)
    return tuple(chain) if chain[-1].unit is not None else None


def unit_paths(dataset: Dataset, table: Table) -> frozenset[Path]:
    """Return every way from a row of the table to a unit, by declared path and by foreign keys."""
    return _paths(dataset, table, ())


def _paths(dataset: Dataset, table: Table, seen: tuple[str, ...]) -> frozenset[Path]:
    # A circle of keys (a child's parent) is a way to a second person, but needs no second round.
    if table.name in seen:
        return frozenset()
    found: set[Path] = set()
    unit = table.unit
    if unit is not None and unit.references is None:
        found.add(((table.name, (unit.column,)),))
    for key in _keys_towards_private(dataset, table):
        following = dataset.table(key.references)
        if following is None or _is_unit_column(table, following, key):
            continue
        step = (table.name, key.columns)
        if following.name in (*seen, table.name):
            found.add((step, (following.name, key.to)))
        found.update((step, *path) for path in _paths(dataset, following, (*seen, table.name)))
    return frozenset(found)


def _keys_towards_private(dataset: Dataset, table: Table) -> tuple[ForeignKey, ...]:
    keys = list(table.foreign_keys)
    if table.unit is not None and table.unit.references is not None:
        target = dataset.table(table.unit.references)
        if target is not None:
            keys.append(ForeignKey((table.unit.column,), target.name, target.primary_key))
    private = {other.name for other in dataset.tables if other.private}
    return tuple(dict.fromkeys(key for key in keys if key.references in private))


def _is_unit_column(table: Table, following: Table, key: ForeignKey) -> bool:
    """Tell whether the key is the table's own unit column pointing at the unit's table."""
    own, other = table.unit, following.unit
    return (
        own is not None
        and other is not None
        and own.references is None
        and other.references is None
        and key.columns == (own.column,)
        and key.to == (other.column,)
    )
