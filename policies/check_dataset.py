"""Check a Dataset as a whole: what no single field shows.

Refuses  a private table without unit or contribution bound; a row that leads to two units without
         a signed choice; a public table without provenance or that points at a private one; a delta
         that would allow a whole person to be published.
"""

from collections.abc import Iterator

from policies import epochs
from policies.dataset import Dataset, ForeignKey, Table
from policies.reading.report import Problem
from policies.reading.values import name_fault
from policies.terms import DELTA_UNIT, Accountant, TypeKind
from policies.unit_paths import unit_chain, unit_paths

UNIT_KINDS = (TypeKind.INTEGER, TypeKind.BIGINT, TypeKind.HUGEINT, TypeKind.VARCHAR)
_EPOCH_KINDS = (TypeKind.DATE, TypeKind.TIMESTAMP)
# Thresholding may publish one unit with probability delta; over all units that must stay unlikely.
_DELTA_MARGIN = 10
_WHO = "write `unit: {column: ...}` with the column that names the person or thing to protect"


def check_dataset(dataset: Dataset) -> tuple[Problem, ...]:
    """Return every fault of the declaration, or nothing."""
    problems = [*_family(dataset), *_names(dataset)]
    for table in dataset.tables:
        problems += _key(table)
        problems += _epoch(table)
        for index, key in enumerate(table.foreign_keys):
            problems += _foreign_key(dataset, table, key, index)
        problems += _private(dataset, table) if table.private else _public(dataset, table)
    return tuple(problems)


def _family(dataset: Dataset) -> Iterator[Problem]:
    family = dataset.family
    if family.loss_per_query_max > family.lifetime:
        problem = "is above `lifetime`, so it could never be spent"
        yield _invalid(("family", "loss_per_query_max"), problem)
    if not any(table.private for table in dataset.tables):
        yield _invalid(("tables",), "has no private table, so there is nothing to protect")
    if family.accountant is Accountant.PURE_EPS:
        if family.delta_total:
            problem = "does not exist under pure_eps; remove it or choose approx_zcdp"
            yield _invalid(("family", "delta_total"), problem)
    elif family.delta_total == 0:
        why = "approx_zcdp needs a delta"
        yield _missing(("family", "delta_total"), why)
    elif family.delta_total * _DELTA_MARGIN * family.units_declared_max >= DELTA_UNIT:
        units = (("units", str(family.units_declared_max)),)
        yield Problem("document_delta_too_large", ("family", "delta_total"), units)


def _names(dataset: Dataset) -> Iterator[Problem]:
    # The engine folds case: two names that differ in case only would be one column.
    yield from _repeated(("tables",), [table.name for table in dataset.tables])
    for table in dataset.tables:
        at = ("tables", table.name)
        if fault := name_fault(table.name):
            yield _invalid(at, fault)
        yield from _repeated((*at, "columns"), [column.name for column in table.columns])
        for column in table.columns:
            if fault := name_fault(column.name):
                yield _invalid((*at, "columns", column.name), fault)


def _repeated(at: tuple[str, ...], names: list[str]) -> Iterator[Problem]:
    seen: set[str] = set()
    for name in names:
        if name.casefold() in seen:
            yield _invalid((*at, name), "repeats a name; upper and lower case are not told apart")
        seen.add(name.casefold())


def _key(table: Table) -> Iterator[Problem]:
    at = ("tables", table.name, "primary_key")
    yield from _no_such_column(table, table.primary_key, at)
    if len(set(table.primary_key)) != len(table.primary_key):
        yield _invalid(at, "names a column twice")


def _no_such_column(
    table: Table, columns: tuple[str, ...], at: tuple[str, ...]
) -> Iterator[Problem]:
    for name in columns:
        if table.column(name) is None:
            yield _invalid(at, f"names `{name}`, which is not a column of `{table.name}`")


def _foreign_key(dataset: Dataset, table: Table, key: ForeignKey, index: int) -> Iterator[Problem]:
    at = ("tables", table.name, "foreign_keys", str(index))
    yield from _no_such_column(table, key.columns, at)
    target = dataset.table(key.references)
    if target is None:
        yield _invalid(at, f"refers to `{key.references}`, which is not a table here")
        return
    if key.to != target.primary_key or not key.to or len(key.to) != len(key.columns):
        yield _invalid(at, f"must lead to the whole primary key of `{target.name}`")
        return
    for own, other in zip(key.columns, key.to, strict=True):
        left, right = table.column(own), target.column(other)
        if left and right and left.type != right.type:
            yield _invalid(at, f"pairs `{own}` {left.type} with `{other}` {right.type}")


def _epoch(table: Table) -> Iterator[Problem]:
    epoch, at = table.epoch, ("tables", table.name, "epoch")
    if epoch is None:
        return
    column = table.column(epoch.column)
    if column is None or column.type.kind not in _EPOCH_KINDS:
        yield _invalid((*at, "column"), "must be a DATE or TIMESTAMP column of the table")
    first, last = (epochs.ordinal(epoch.grain, label) for label in (epoch.first, epoch.last))
    for name, number in (("from", first), ("to", last)):
        if number is None:
            yield _invalid((*at, name), f"must be a {epoch.grain.value}: 2024, 2024-Q1 or 2024-03")
    if first is not None and last is not None and not 0 <= last - first < epochs.EPOCHS_MAX:
        problem = f"must not lie before `from`, nor {epochs.EPOCHS_MAX} periods after it"
        yield _invalid((*at, "to"), problem)


def _private(dataset: Dataset, table: Table) -> Iterator[Problem]:
    at = ("tables", table.name)
    if table.provenance is not None:
        yield _invalid((*at, "provenance"), "belongs to public tables only")
    if table.contribution is None:
        why = "without it one unit could fill the whole table"
        yield _missing((*at, "contribution"), why)
    elif table.contribution.rows_per_group_max > table.contribution.rows_per_unit_max:
        yield _invalid((*at, "contribution", "rows_per_group"), "is above `rows_per_unit`")
    if table.unit is None:
        params = (("table", table.name), ("cure", _WHO))
        yield Problem("document_unit_missing", at, params)
        return
    yield from _unit(dataset, table)


def _unit(dataset: Dataset, table: Table) -> Iterator[Problem]:
    at = ("tables", table.name, "unit")
    unit = table.unit
    column = table.column(unit.column) if unit else None
    if unit is None or column is None:
        yield _invalid(at, "names a column that the table does not have")
        return
    if unit.references is None and column.type.kind not in UNIT_KINDS:
        yield _invalid(at, f"must be whole numbers or text, not {column.type}")
    chain = unit_chain(dataset, table)
    if chain is None:
        yield _invalid(at, "must lead through private tables to one with a unit column of its own")
        return
    if unit.references is not None:
        yield from _via(table, chain[1])
    yield from _same_unit_type(dataset, table, chain[-1])
    paths = unit_paths(dataset, table)
    if len(paths) > 1 and not unit.protected_path:
        told = " and ".join(sorted(_told(path[0]) for path in paths))
        params = (("table", table.name), ("paths", told))
        yield Problem("document_unit_ambiguous", at, params)


def _told(step: tuple[str, tuple[str, ...]]) -> str:
    return f"`{'`, `'.join(step[1])}`"


def _via(table: Table, target: Table) -> Iterator[Problem]:
    at = ("tables", table.name, "unit", "via")
    column = table.column(table.unit.column) if table.unit else None
    key = target.column(target.primary_key[0]) if len(target.primary_key) == 1 else None
    if key is None or column is None or key.type != column.type:
        yield _invalid(at, f"must hold the primary key of `{target.name}`, one column of its type")


def _same_unit_type(dataset: Dataset, table: Table, end: Table) -> Iterator[Problem]:
    """One person must look the same in every table, or joins on the unit would compare by luck."""
    kinds = []
    for other in dataset.tables:
        if other.private and other.unit is not None and other.unit.references is None:
            column = other.column(other.unit.column)
            kinds.append(column.type if column else None)
    own = end.column(end.unit.column) if end.unit else None
    if own is not None and kinds and kinds[0] is not None and own.type != kinds[0]:
        problem = f"is {own.type}, but another table of the family holds the unit as {kinds[0]}"
        yield _invalid(("tables", table.name, "unit"), problem)


def _public(dataset: Dataset, table: Table) -> Iterator[Problem]:
    at = ("tables", table.name)
    for name, value in (
        ("unit", table.unit),
        ("contribution", table.contribution),
        ("epoch", table.epoch),
    ):
        if value is not None:
            yield _invalid((*at, name), "belongs to private tables only")
    if table.provenance is None:
        yield Problem("document_provenance_missing", at, (("table", table.name),))
    for index, key in enumerate(table.foreign_keys):
        target = dataset.table(key.references)
        if target is not None and target.private:
            problem = f"leads to the private table `{target.name}`; then the table is not public"
            yield _invalid((*at, "foreign_keys", str(index)), problem)


def _invalid(pointer: tuple[str, ...], problem: str) -> Problem:
    params = (("field", ".".join(pointer)), ("problem", problem))
    return Problem("document_field_invalid", pointer, params)


def _missing(pointer: tuple[str, ...], why: str) -> Problem:
    return Problem("document_field_missing", pointer, (("field", ".".join(pointer)), ("why", why)))
