"""Write names and constants into the ingest worker's SQL, and name its own working tables."""

RESERVED = "_ky_"  # columns and tables that start so are the node's own

KEY = "_ky_key"  # canonical text of the original unit key, see canonical.py
ROW = "_ky_row"  # where the row stood in its file, counted from 1: for the report, and for nothing else
WHY = "_ky_why"  # why the row is dropped, or NULL
WRONG = "_ky_wrong"  # numbers of the columns whose value does not fit, or NULL


def quoted(name: str) -> str:
    """Write a name as an identifier."""
    return '"' + name.replace('"', '""') + '"'


def text(value: str) -> str:
    """Write a constant text."""
    return "'" + value.replace("'", "''") + "'"


def listed(names: tuple[str, ...]) -> str:
    """Write a list of columns."""
    return ", ".join(quoted(name) for name in names)


def loaded(number: int) -> str:
    """Name the working table that holds a file's rows with their declared types."""
    return f"loaded_{number}"


def settled(number: int) -> str:
    """Name the working table that holds the rows that stay."""
    return f"settled_{number}"
