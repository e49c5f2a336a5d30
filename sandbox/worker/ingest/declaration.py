"""Hold the declaration to what ingest relies on, once more beside the data."""

from policies.check_dataset import check_dataset
from policies.dataset import Dataset
from sandbox.worker.ingest.names import RESERVED
from sandbox.worker.ingest.refused import Code, IngestRefused


def hold_declaration(dataset: Dataset) -> None:
    """Refuse a declaration that the holder's side should not have let through.

    Reason  Everything after this takes for granted: one type of unit key, ways to the unit that end, foreign keys onto
            whole primary keys. A gateway of another version may see it differently.
    """
    for problem in check_dataset(dataset):
        field, told = ".".join(problem.pointer), dict(problem.params).get("problem", problem.code)
        raise IngestRefused(Code.DECLARATION_UNUSABLE, field=field, problem=told)
    for table in dataset.tables:
        for name in (table.name, *(column.name for column in table.columns)):
            if name.casefold().startswith(RESERVED):
                told = f"may not start with `{RESERVED}`; such names are reserved"
                raise IngestRefused(Code.DECLARATION_UNUSABLE, field=name, problem=told)
