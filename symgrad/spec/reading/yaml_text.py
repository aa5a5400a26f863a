"""YAML, and only the plain part of it, as a document.

The parser's events are read one by one, so that a text nested 20,000 deep or one that expands to
gigabytes by aliases is refused at the limit and never built.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from ruamel.yaml import YAML
from ruamel.yaml.error import MarkedYAMLError, StringMark, YAMLError
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
from ruamel.yaml.nodes import ScalarNode

from symgrad.errors import InternalError, Position, SpecError
from symgrad.spec.language.names import shorten
from symgrad.spec.reading.document import (
    MAX_BYTES,
    MAX_DEPTH,
    MAX_ITEMS,
    Document,
    ItemPlace,
    Key,
    Plain,
    check_text,
)
from symgrad.spec.reading.slips import slip_near
from symgrad.spec.reading.yaml_number import yaml_number

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

_PREFIX = "tag:yaml.org,2002:"


@dataclass
class _Item:
    """A value with its place and, for lists and mappings, the items in it."""

    place: ItemPlace
    value: Plain = None
    items: dict[str | int, _Item] = field(default_factory=dict)
    size: int = 1


def from_yaml(text: str, source: str, path: Path | None = None) -> Document:
    """The document a YAML text stands for.

    Raises:
        SpecError: for text that is not YAML, or uses tags, several documents, duplicate keys or
            unreasonable nesting and aliases.
    """
    start = Position(source, 1, 1)
    if len(text) > MAX_BYTES:
        raise SpecError(f"the spec has more than {MAX_BYTES} characters", at=start, remedy="shorten it")
    check_text(text, start)
    unix = text.replace("\r\n", "\n").replace("\r", "\n")
    root = _Loader(unix, source).load()
    if root is None or (root.value is None and not root.items):
        raise SpecError("the spec is empty", at=start, remedy="expected keys such as inputs and layers")
    if not isinstance(root.value, dict):
        problem = "the spec is not a mapping"
        raise SpecError(problem, at=root.place.value, remedy="expected keys such as inputs and layers")
    places: dict[Key, ItemPlace] = {}
    _collect(root, (), places)
    return Document(source, root.value, places, text, path)


def _collect(item: _Item, key: Key, places: dict[Key, ItemPlace]) -> None:
    places[key] = item.place
    for part, inner in item.items.items():
        _collect(inner, (*key, part), places)


class _Loader:
    """One pass over the events of a text."""

    def __init__(self, text: str, source: str) -> None:
        self.text, self.source = text, source
        self.yaml = YAML(typ="safe", pure=True)
        self.anchors: dict[str, _Item] = {}
        self.size = 0

    def load(self) -> _Item | None:
        """The only document of the text, or None."""
        events = self.events()
        root: _Item | None = None
        for event in events:
            if isinstance(event, DocumentStartEvent):
                if root is not None:
                    raise self.error(event, "a second YAML document", "a spec is one document")
                root = self.item(next(events), events, 0)
        return root

    def events(self) -> Iterator[Event]:
        """The parser's events, its errors turned into ours."""
        try:
            yield from self.yaml.parse(self.text)
        except MarkedYAMLError as error:
            # A text that ends too early is mended where the open item begins.
            ends = "stream" in str(error.problem)
            mark = error.context_mark if ends and error.context_mark else error.problem_mark
            at = Position(self.source, mark.line + 1, mark.column + 1) if mark else self.source
            slip = slip_near(self.text.split("\n"), error.problem_mark.line) if error.problem_mark else None
            if slip is not None:
                at = Position(self.source, slip.line + 1, slip.column + 1)
            remedy = slip.remedy if slip is not None else _QUOTE
            raise SpecError(f"not valid YAML: {error.problem}", at=at, remedy=remedy) from None
        except YAMLError:
            raise SpecError("not valid YAML", at=Position(self.source, 1, 1), remedy=_QUOTE) from None

    def item(self, event: Event, events: Iterator[Event], depth: int) -> _Item:
        """The item that begins with `event`."""
        if isinstance(event, AliasEvent):
            return self.count(event, self.alias(event))
        match event:
            case MappingStartEvent(anchor=anchor, tag=tag):
                self.check(event, tag, depth)
                item = self.mapping(event, events, depth)
            case SequenceStartEvent(anchor=anchor, tag=tag):
                self.check(event, tag, depth)
                item = self.sequence(event, events, depth)
            case ScalarEvent(anchor=anchor, tag=tag):
                self.check(event, tag, depth)
                item = self.scalar(event)
            case _:
                raise InternalError(f"an unexpected YAML event: {event}")
        if anchor is not None:
            self.anchors[anchor] = item
        return self.count(event, item)

    def check(self, event: Event, tag: object, depth: int) -> None:
        """Refuse tags and nesting beyond the limit."""
        if tag is not None:
            tag = shorten(str(tag))
            raise self.error(event, f"the YAML tag '{tag}' is not in the language", "leave it out")
        if depth > MAX_DEPTH:
            raise self.error(event, f"nested deeper than {MAX_DEPTH} levels", "a spec is flat")

    def count(self, event: Event, item: _Item) -> _Item:
        """`item`, once its expanded size is known to be reasonable."""
        self.size += item.size if isinstance(event, AliasEvent) else 1
        if self.size > MAX_ITEMS or item.size > MAX_ITEMS:
            raise self.error(event, f"the spec has more than {MAX_ITEMS} items", "shorten it")
        return item

    def alias(self, event: AliasEvent) -> _Item:
        item = self.anchors.get(event.anchor)
        if item is None:
            remedy = "for a product write a * b and quote the formula"
            raise self.error(event, f"the YAML alias '*{shorten(event.anchor)}' has no anchor", remedy)
        return item

    def mapping(self, event: Event, events: Iterator[Event], depth: int) -> _Item:
        data: dict[str, Plain] = {}
        result = _Item(self.place(event))
        while not isinstance(event := next(events), MappingEndEvent):
            key_event = event
            key = self.key(key_event, result)
            inner = self.item(next(events), events, depth + 1)
            at = self.key_position(key_event)
            is_empty = inner.place.text == "" and inner.value is None
            place = ItemPlace(at, at if is_empty else inner.place.value, inner.place.text)
            result.items[key] = _Item(place, inner.value, inner.items)
            result.size += inner.size
            data[key] = inner.value
        result.value = data
        return result

    def key(self, event: Event, within: _Item) -> str:
        """The text of a key that is new in its mapping."""
        if not isinstance(event, ScalarEvent):
            raise self.error(event, "a key that is not a text", "expected a name")
        self.check(event, event.tag, 0)
        key = str(event.value)
        check_text(key, self.position(event))
        if key in within.items:
            first = within.items[key].place.key
            remedy = f"the first stands at {first}; keep one"
            raise self.error(event, f"the key '{shorten(key)}' stands twice", remedy)
        return key

    def sequence(self, event: Event, events: Iterator[Event], depth: int) -> _Item:
        data: list[Plain] = []
        result = _Item(self.place(event))
        while not isinstance(event := next(events), SequenceEndEvent):
            inner = self.item(event, events, depth + 1)
            result.items[len(data)] = inner
            result.size += inner.size
            data.append(inner.value)
        result.value = data
        return result

    def scalar(self, event: ScalarEvent) -> _Item:
        tag = self.yaml.resolver.resolve(ScalarNode, event.value, event.implicit)
        check_text(event.value, self.position(event))
        return _Item(self.place(event), self.value(event, str(tag).removeprefix(_PREFIX)))

    def value(self, event: ScalarEvent, kind: str) -> Plain:
        text: str = event.value
        match kind:
            case "null":
                return None
            case "bool":
                return text.lower() == "true"
            case "int" | "float":
                return yaml_number(text, kind, self.position(event))
        return text

    def position(self, event: Event) -> Position:
        return Position(self.source, event.start_mark.line + 1, event.start_mark.column + 1)

    def key_position(self, event: Event) -> Position:
        """Where the text of a key begins: behind its quote, if it has one."""
        quoted = isinstance(event, ScalarEvent) and event.style in ("'", '"')
        return self.position(event).moved(1 if quoted else 0)

    def error(self, event: Event, problem: str, remedy: str) -> SpecError:
        return SpecError(problem, at=self.position(event), remedy=remedy)

    def place(self, event: Event) -> ItemPlace:
        """Where a value's text begins: behind the quote, or on the line below a block's `|`."""
        at = self.position(event)
        if not isinstance(event, ScalarEvent) or event.anchor is not None:
            return ItemPlace(at, at, None)
        raw = self.raw(event.start_mark, event.end_mark)
        match event.style:
            case "|" | ">":
                return ItemPlace(at, at.moved(0, 1), raw.partition("\n")[2])
            case "'" | '"':
                inner = raw[1:-1]
                same = inner.split() == event.value.split()
                return ItemPlace(at, at.moved(1), inner if same else event.value)
        return ItemPlace(at, at, raw)

    def raw(self, start: StringMark, end: StringMark) -> str:
        return self.text[start.index : end.index]


_QUOTE = "put a formula with ': ' or ' #' in it, or with one of * @ [ { in front, in quotes"
