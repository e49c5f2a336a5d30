"""Parse YAML 1.2, or JSON, into nodes. ruamel.yaml's only home.

Only the plain part of YAML is accepted. Anchors, aliases, tags, directives and a second document
are refused: an alias can make a small file grow without limit, and whoever signs a document must
see all that it says. Of the library only the event parser is used; types are decided in `nodes`.
"""

import unicodedata

from ruamel.yaml import YAML
from ruamel.yaml.error import MarkedYAMLError, YAMLError
from ruamel.yaml.events import (
    AliasEvent,
    DocumentStartEvent,
    Event,
    MappingEndEvent,
    MappingStartEvent,
    ScalarEvent,
    SequenceEndEvent,
    SequenceStartEvent,
)

from policies.reading.nodes import Mapping, Node, Scalar, Sequence
from policies.refusals import Position, Refused, Stage

BYTES_MAX = 1 << 20
LINE_CHARACTERS_MAX = 1 << 16
DEPTH_MAX = 16
NODES_MAX = 20_000


def load_yaml(text: str | bytes, path: str) -> Node:
    """Parse exactly one document; `path` only names it in refusals.

    Refuses  text that is not UTF-8; more than 1 MiB, 16 levels, 20,000 nodes or 65,536 characters
             in a line; a name written twice; anchors, aliases, tags and directives.
    """
    source = _decoded(text, path)
    try:
        return _Builder(path).build(source)
    except MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        at = Position(mark.line + 1, mark.column + 1) if mark else None
        problem = error.problem or error.context or "it does not parse"
        raise _refused("document_syntax", at, path=path, problem=problem) from None
    except (YAMLError, ValueError) as error:
        problem = str(error).splitlines()[0]
        raise _refused("document_syntax", None, path=path, problem=problem) from None


def _decoded(text: str | bytes, path: str) -> str:
    # The size is checked before anything else looks at the text.
    if len(text) > BYTES_MAX:
        raise _too_large(None, path, f"{BYTES_MAX} bytes")
    try:
        raw = text.encode("utf-8") if isinstance(text, str) else text
        decoded = raw.decode("utf-8-sig")
    except UnicodeError:
        raise _refused("document_not_text", None, path=path) from None
    if len(raw) > BYTES_MAX:
        raise _too_large(None, path, f"{BYTES_MAX} bytes")
    # The scanner is slow on one endless token; no honest line is this long.
    for number, line in enumerate(decoded.split("\n"), 1):
        if len(line) > LINE_CHARACTERS_MAX:
            where = Position(number, LINE_CHARACTERS_MAX + 1)
            raise _too_large(where, path, f"{LINE_CHARACTERS_MAX} characters in one line")
    return decoded


def _refused(code: str, at: Position | None, **params: str) -> Refused:
    return Refused(code, Stage.DOCUMENT, at=at, needed_grants=(), **params)


def _too_large(at: Position | None, path: str, limit: str) -> Refused:
    return _refused("document_too_large", at, path=path, limit=limit)


class _Open:
    """A mapping or list whose end has not been seen yet."""

    def __init__(self, at: Position, *, mapping: bool) -> None:
        self.at = at
        self.mapping = mapping
        self.name: str | None = None
        self.entries: dict[str, Node] = {}
        self.keys_at: dict[str, Position] = {}
        self.items: list[Node] = []

    def closed(self) -> Node:
        if self.mapping:
            return Mapping(self.entries, self.keys_at, self.at)
        return Sequence(tuple(self.items), self.at)


class _Builder:
    """Builds nodes from events on a stack of its own, so that no nesting exhausts Python's."""

    def __init__(self, path: str) -> None:
        self.path = path
        self.stack: list[_Open] = []
        self.root: Node | None = None
        self.nodes = 0
        self.documents = 0

    def build(self, source: str) -> Node:
        for event in YAML(typ="safe", pure=True).parse(source):
            self._take(event)
        if self.root is None:
            problem = "there is no document in it"
            raise _refused("document_syntax", None, path=self.path, problem=problem)
        return self.root

    def _take(self, event: Event) -> None:
        at = Position(event.start_mark.line + 1, event.start_mark.column + 1)
        self._plain_part_only(event, at)
        if isinstance(event, ScalarEvent):
            self._add(Scalar(self._text(event.value, at), event.style is None, at))
        elif isinstance(event, MappingStartEvent | SequenceStartEvent):
            self._push(_Open(at, mapping=isinstance(event, MappingStartEvent)))
        elif isinstance(event, MappingEndEvent | SequenceEndEvent):
            self._add(self.stack.pop().closed())

    def _plain_part_only(self, event: Event, at: Position) -> None:
        if isinstance(event, DocumentStartEvent):
            self.documents += 1
            if self.documents > 1:
                raise self._not_accepted("a second document", at)
            if event.version or event.tags:
                raise self._not_accepted("a directive", at)
        if isinstance(event, AliasEvent) or getattr(event, "anchor", None):
            raise self._not_accepted("an anchor or alias", at)
        if getattr(event, "tag", None):
            raise self._not_accepted("a tag", at)

    def _push(self, opened: _Open) -> None:
        if self.stack and self.stack[-1].mapping and self.stack[-1].name is None:
            raise self._not_accepted("a name that is not text", opened.at)
        self.stack.append(opened)
        if len(self.stack) > DEPTH_MAX:
            raise _too_large(opened.at, self.path, f"{DEPTH_MAX} levels")

    def _add(self, node: Node) -> None:
        self.nodes += 1
        if self.nodes > NODES_MAX:
            raise _too_large(node.at, self.path, f"{NODES_MAX} entries")
        if not self.stack:
            self.root = node
            return
        top = self.stack[-1]
        if not top.mapping:
            top.items.append(node)
        elif top.name is not None:
            top.entries[top.name] = node
            top.name = None
        elif isinstance(node, Scalar):
            if node.text in top.keys_at:
                raise _refused("document_field_repeated", node.at, path=self.path, field=node.text)
            top.name = node.text
            top.keys_at[node.text] = node.at

    def _text(self, text: str, at: Position) -> str:
        # JSON writes characters beyond the BMP as two escapes; a half of such a pair is not text.
        try:
            whole = text.encode("utf-16-le", "surrogatepass").decode("utf-16-le")
        except UnicodeError:
            raise _refused("document_not_text", at, path=self.path) from None
        return unicodedata.normalize("NFC", whole)

    def _not_accepted(self, what: str, at: Position) -> Refused:
        return _refused("document_feature_refused", at, path=self.path, what=what)
