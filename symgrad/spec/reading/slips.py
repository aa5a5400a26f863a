"""Slips of the pen that YAML reads as something else: what was meant, as the remedy of an error."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, NamedTuple

from symgrad.spec.language.names import shorten
from symgrad.spec.language.wellformed import COMMA_IN_YAML

if TYPE_CHECKING:
    from symgrad.spec.reading.document import Plain

DECIMAL_POINT = "a decimal number has a point, as 0.5"
MINUS = "'- ' begins a list: write a minus without the space, as in -mean(y)"
_GLUED = re.compile(r"(\s*(?:- )?['\"]?\w+['\"]?):(?=[^\s:/\\])(.*)")
_NUMBER = re.compile(r"(?P<digits>\d+)(?:(?P<mark>[.,])(?P<rest>\d+))?\s*(?P<percent>%?)")


def torn(key: str, value: Plain) -> str:
    """What an unknown key is a part of: `epochs:3` without a space, or `5` of `clip_norm: 1,5`."""
    if remedy := glued(key):
        return remedy
    if value is not None:
        return ""
    if re.fullmatch(r"\d+[)\]]*", key):
        return f"{DECIMAL_POINT}; {COMMA_IN_YAML}"
    return COMMA_IN_YAML if key.count("(") != key.count(")") else ""


def glued(line: str) -> str:
    """The remedy for a key whose colon has no space behind it."""
    found = _GLUED.fullmatch(line.rstrip())
    return f"put a space after the colon: '{shorten(f'{found[1].strip()}: {found[2]}')}'" if found else ""


def as_number(text: str) -> str:
    """The number that `20%`, `0,2` or `'0.2'` means, as it is written here; empty for another text."""
    found = _NUMBER.fullmatch(text.strip())
    if found is None:
        return ""
    number = float(f"{found['digits']}.{found['rest'] or 0}")
    return f"{number / 100 if found['percent'] else number:g}"


def call_text(name: str, given: Plain) -> str:
    """The call that the mapping `{name: {argument: value}}` stands for: `name(argument=value)`."""
    if isinstance(given, dict):
        return f"{name}({', '.join(f'{key}={_plain(value)}' for key, value in given.items())})"
    return f"{name}({_plain(given)})" if given is not None else name


def _plain(value: Plain) -> str:
    return str(value).lower() if isinstance(value, bool) else shorten(str(value))


def in_list(text: Plain) -> str:
    """The remedy for a list where one text belongs: YAML takes `- x` for a list."""
    if isinstance(text, list) and len(text) == 1 and isinstance(text[0], str):
        return f"write {shorten(text[0])} alone: '- ' and [...] make a list, a minus has no space behind it"
    return ""


class Slip(NamedTuple):
    """Where a text goes wrong, both counted from 0, and how to mend it."""

    line: int
    column: int
    remedy: str


def slip_near(lines: list[str], line: int) -> Slip | None:
    """What is wrong in a text that is not YAML, at the line where its parser gave up or at the one before."""
    here = lines[line] if line < len(lines) else ""
    indent = here[: len(here) - len(here.lstrip())]
    if "\t" in indent:
        return Slip(line, indent.index("\t"), "indent with spaces: YAML allows no tabs there")
    if minus := re.search(r":\s+(?=- )", here):
        return Slip(line, minus.end(), MINUS)
    before = next((n for n in range(line - 1, -1, -1) if lines[n].strip()), line)
    for number in (line, before):
        if number < len(lines) and (remedy := glued(lines[number])):
            return Slip(number, len(lines[number]) - len(lines[number].lstrip()), remedy)
    if inner := re.search(r"(?<=[{,])\s*(\w+):(?=[\[{'\"\w])", here):
        return Slip(line, inner.start(1), f"put a space after the colon: '{inner[1]}: ...'")
    return None
