"""Write docs/REFUSALS.md from the catalogue: `python -m tests.tidy.refusals_page`."""

from collections.abc import Mapping

from policies import messages
from policies.how_to_change import HOW, How
from policies.message import Message
from policies.messages import MESSAGES
from policies.messages_of_asking import ASKING
from policies.messages_of_documents import DOCUMENTS
from policies.messages_of_ingest import INGEST
from tests.tidy import tree

PAGE = tree.ROOT / "docs" / "REFUSALS.md"

HEAD = """# Refusals

Every way the node says no: one code, one meaning, for ever. Clients rely on the code; the sentence
may be improved. This page is written from the catalogue by `python -m tests.tidy.refusals_page`; a
test compares the two.

A refusal depends on the query, the schema, the policy and the ledger only, never on data. It names
the place (line and column), the cure and, where a grant would lift it, the smallest such grant. Over
HTTP it is a problem document (RFC 9457) with the status shown here.
"""

TITLES = {
    "_SQL": "Reading the query",
    "_NAMES": "Finding tables and columns",
    "_GRANTS": "Asking the policy",
    "_BOUNDS": "Bounding what one unit can change",
    "_LOSS": "Spending privacy loss",
    "_DOOR": "At the door",
    "_ASKING": "Reading what is sent beside the query",
    "_DOCUMENTS": "Documents a holder writes",
    "_INGEST": "Bringing files in",
}


def groups() -> Mapping[str, Mapping[str, Message]]:
    """Return the catalogue's groups in the order of its file, and what is in none of them."""
    found: dict[str, Mapping[str, Message]] = {
        TITLES.get(name, name.strip("_").capitalize()): group
        for name, group in vars(messages).items()
        if name.startswith("_") and isinstance(group, dict) and not name.startswith("__")
    }
    found[TITLES["_ASKING"]] = ASKING
    found[TITLES["_DOCUMENTS"]] = DOCUMENTS
    found[TITLES["_INGEST"]] = INGEST
    named = {code for group in found.values() for code in group}
    rest = {code: message for code, message in MESSAGES.items() if code not in named}
    return {**found, "Others": rest} if rest else found


def render() -> str:
    """Return the page."""
    sections = [
        f"## {title}\n\n| code | status | English | 中文 |\n|---|---|---|---|\n"
        + "".join(row(code, message) for code, message in group.items())
        for title, group in groups().items()
    ]
    return HEAD + "\n" + "\n".join([*sections, changes()])


CHANGES = """## How to change the question

The rule behind each refusal of a question, and what to write instead. A problem document carries it as `how`; where a question
near the refused one would be accepted, it carries that as `suggestion`, checked by the same stages.

| code | how | 中文 |
|---|---|---|
"""


def changes() -> str:
    """Return the advice, code by code."""
    return CHANGES + "".join(advice(code, how) for code, how in HOW.items())


def advice(code: str, how: How) -> str:
    """Return one line of advice. The code stands in the tables above; here it leads back to them."""
    english, chinese = (text.replace("|", "\\|") for text in (how.en, how.zh))
    return f"| *{code}* | {english} | {chinese} |\n"


def row(code: str, message: Message) -> str:
    """Return one line of a table."""
    english, chinese = (text.replace("|", "\\|") for text in (message.en, message.zh))
    return f"| `{code}` | {message.status} | {english} | {chinese} |\n"


if __name__ == "__main__":
    PAGE.write_text(render(), encoding="utf-8")
