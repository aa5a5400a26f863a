"""The text of a spec as plain data, with the place of every key and value."""

from __future__ import annotations

import hashlib
import json
import math
import os
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from numbers import Integral, Real
from typing import TYPE_CHECKING, TypeAlias

from symgrad.errors import Position, SpecError
from symgrad.spec.language.names import shorten

if TYPE_CHECKING:
    from pathlib import Path

MAX_BYTES = 100_000
MAX_DEPTH = 20
MAX_ITEMS = 10_000
MAX_INTEGER = 10**100
MAX_PATH = 1_000

Plain: TypeAlias = "bool | int | float | str | list[Plain] | dict[str, Plain] | None"
Key: TypeAlias = "tuple[str | int, ...]"
"""The way from the top of a document to one of its items."""

_UNPRINTABLE = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f\x80-\x84\x86-\x9f\ud800-\udfff\ufffe\uffff]")


@dataclass(frozen=True)
class ItemPlace:
    """Where an item stands: its key, its value, and the text of its value as the user wrote it."""

    key: Position
    value: Position
    text: str | None


@dataclass(frozen=True)
class Document:
    """Plain data with the places of its items; a dict's text is JSON. `path` is None for texts and dicts."""

    source: str
    data: dict[str, Plain]
    places: Mapping[Key, ItemPlace]
    text: str
    path: Path | None

    @property
    def sha256(self) -> str:
        """The SHA-256 of its text."""
        return sha256(self.text)

    def known(self, key: Key) -> Key:
        """`key` without the parts that the document does not have."""
        found: Key = ()
        for part in key:
            if (*found, part) in self.places:
                found = (*found, part)
        return found

    def place(self, key: Key) -> ItemPlace:
        """The place of an item, or of the innermost item around it that the document has."""
        return self.places[self.known(key)]


def text_of_file(path: Path, source: str) -> str:
    """The text of a spec file.

    Raises:
        SpecError: for a file that is missing, is a directory, is too large or is not UTF-8.
    """
    try:
        if path.is_dir():
            raise SpecError("this is a directory", at=source, remedy="name the spec file in it")
        with path.open("rb") as file:
            content = file.read(MAX_BYTES + 1)
    except FileNotFoundError:
        raise SpecError("no such file", at=source, remedy="expected the path of a YAML spec") from None
    except (OSError, ValueError) as error:
        reason = error.strerror if isinstance(error, OSError) else str(error)
        raise SpecError(f"the file cannot be read: {reason}", at=source, remedy="check the path") from None
    if len(content) > MAX_BYTES:
        raise SpecError(f"the file has more than {MAX_BYTES} bytes", at=source, remedy="shorten the spec")
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        at = Position(source, 1, 1).moved(0, content[: error.start].count(b"\n"))
        raise SpecError("the file is not UTF-8 text", at=at, remedy="save it as UTF-8") from None


def check_text(text: str, at: Position) -> None:
    """Refuse characters that no text may hold.

    Raises:
        SpecError: at the first NUL byte, control character or lone surrogate.
    """
    stray = _UNPRINTABLE.search(text)
    if stray:
        before = text[: stray.start()]
        here = at.moved(len(before) - before.rfind("\n") - 1, before.count("\n"))
        problem = f"the character U+{ord(stray.group()):04X} is not allowed"
        raise SpecError(problem, at=here, remedy="remove it")


def from_mapping(mapping: Mapping[str, object]) -> Document:
    """The document a dict stands for. A place is `<dict>.train.seed:1:1`: it names the key.

    Raises:
        SpecError: for anything in it that YAML could not say.
    """
    source = "<dict>"
    places: dict[Key, ItemPlace] = {}
    data = _plain(mapping, (), source, places)
    if not isinstance(data, dict):
        raise SpecError("a spec is a mapping", at=source, remedy="expected keys such as inputs and layers")
    text = canonical(data)
    if len(text) > MAX_BYTES:
        raise SpecError(f"the spec has more than {MAX_BYTES} characters", at=source, remedy="shorten it")
    return Document(source, data, places, text, None)


def canonical(data: dict[str, Plain]) -> str:
    """The text of a dict: JSON without blanks."""
    return json.dumps(data, separators=(",", ":"), ensure_ascii=True)


def sha256(text: str) -> str:
    """The SHA-256 of a text, as hexadecimal digits."""
    return hashlib.sha256(text.encode()).hexdigest()


def is_path(source: str | os.PathLike[str]) -> bool:
    """Whether `source` names a file; a text is long, or has a line break or a `key: value`."""
    if isinstance(source, os.PathLike) or os.path.exists(source):
        return True
    is_word = bool(source.strip()) and source.isprintable() and len(source) <= MAX_PATH
    return is_word and ": " not in source


def _plain(value: object, key: Key, source: str, places: dict[Key, ItemPlace]) -> Plain:
    at = Position(".".join([source, *map(str, key)]), 1, 1)
    places[key] = ItemPlace(at, at, None)
    if len(places) > MAX_ITEMS:
        raise SpecError(f"the spec has more than {MAX_ITEMS} items", at=source, remedy="shorten it")
    if len(key) > MAX_DEPTH:
        raise SpecError(f"nested deeper than {MAX_DEPTH} levels", at=at, remedy="a spec is flat")
    if isinstance(value, Mapping):
        return {_key(k, at): _plain(v, (*key, _key(k, at)), source, places) for k, v in value.items()}
    if isinstance(value, Sequence) and not isinstance(value, str | bytes | bytearray):
        return [_plain(v, (*key, i), source, places) for i, v in enumerate(value)]
    return _scalar(value, at)


def _key(key: object, at: Position) -> str:
    if not isinstance(key, str):
        raise SpecError(f"a key of type {type(key).__name__}", at=at, remedy="expected a text")
    check_text(key, at)
    return str(key)


def _scalar(value: object, at: Position) -> Plain:
    if value is None or isinstance(value, bool):
        return value
    if isinstance(value, str):
        if len(value) > MAX_BYTES:
            raise SpecError(f"a text of {len(value)} characters", at=at, remedy="shorten it")
        check_text(value, at)
        return str(value)
    if isinstance(value, Integral) and abs(int(value)) < MAX_INTEGER:
        return int(value)
    if isinstance(value, Real) and not isinstance(value, Integral) and math.isfinite(value):
        return float(value)
    if isinstance(value, Real):
        raise SpecError("a number that is too large or not finite", at=at, remedy="expected a finite number")
    problem = f"a value of type {shorten(type(value).__name__)}"
    raise SpecError(problem, at=at, remedy="expected a text, a number, a truth value, a list or a mapping")
