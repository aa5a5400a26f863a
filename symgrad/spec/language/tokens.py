"""A formula as a sequence of numbers, words and symbols, every one of them in the language."""

from __future__ import annotations

import re
from dataclasses import dataclass
from fractions import Fraction
from typing import TYPE_CHECKING, Literal, TypeAlias

from symgrad.errors import Position, SpecError
from symgrad.spec.language import number_types
from symgrad.spec.language.names import check_word, refuse_character, shorten

if TYPE_CHECKING:
    from collections.abc import Iterator

MAX_LENGTH = 20_000
MAX_TOKENS = 4_000
MAX_DIGITS = 100
LARGEST = Fraction(number_types.LARGEST["float64"])
SMALLEST = Fraction(number_types.SMALLEST["float64"])

Kind: TypeAlias = Literal["number", "word", "symbol", "text", "end"]

_TOKEN = re.compile(
    r"(?P<space>\s+)"
    r"|(?P<number>(?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:[eE][+-]?[0-9]+)?)"
    r"|(?P<text>\"[A-Za-z0-9 ,.>-]*\"|'[A-Za-z0-9 ,.>-]*')"
    r"|(?P<word>[A-Za-z_][A-Za-z0-9_]*)"
    r"|(?P<symbol>\*\*|//|<=|>=|==|!=|:=|<<|>>|[-+*/%@()\[\],.=<>:])",
    re.ASCII,
)


@dataclass(frozen=True)
class Token:
    """A number, a word, a text in quotes or a symbol of a formula and where it stands."""

    kind: Kind
    text: str
    offset: int
    at: Position

    def __str__(self) -> str:
        return "the end of the formula" if self.kind == "end" else f"'{shorten(self.text)}'"

    @property
    def ends_operand(self) -> bool:
        """Whether an operator, and no operand, may follow."""
        return self.kind in ("number", "word", "text") or self.text in (")", "]")


def place(text: str, offset: int, at: Position) -> Position:
    """Where the character at `offset` of `text` stands, given where `text` begins."""
    before = text[:offset]
    lines = before.count("\n")
    return at.moved(offset - (before.rfind("\n") + 1), lines)


def tokenize(text: str, at: Position) -> tuple[Token, ...]:
    """The tokens of a formula, an end token last.

    Raises:
        SpecError: for a formula that is empty or too long, and at the first character, word or
            number that is not in the language.
    """
    if len(text) > MAX_LENGTH:
        problem = f"the formula has {len(text)} characters, more than {MAX_LENGTH}"
        raise SpecError(problem, at=at, remedy="name its parts in equations of their own")
    tokens = tuple(_scan(text, at))
    if len(tokens) > MAX_TOKENS:
        problem = f"the formula has more than {MAX_TOKENS} numbers, names and operators"
        raise SpecError(problem, at=at, remedy="name its parts in equations of their own")
    if not tokens:
        raise SpecError("the formula is empty", at=at, remedy="expected a formula such as x @ W + b")
    end = Token("end", "", len(text), tokens[-1].at.moved(len(tokens[-1].text)))
    return (*tokens, end)


def exact(text: str, at: Position) -> Fraction:
    """The exact value of a decimal number.

    Raises:
        SpecError: when it has too many digits or is outside the range of float64.
    """
    digits, _, exponent = text.lower().partition("e")
    if len(digits) > MAX_DIGITS:
        raise SpecError(f"a number of {len(digits)} digits", at=at, remedy=f"expected at most {MAX_DIGITS}")
    if len(exponent) > 5 or abs(Fraction(text)) > LARGEST:
        way = "small" if exponent.startswith("-") else "large"
        raise SpecError(f"the number {shorten(text)} is too {way}", at=at, remedy="float64 ends at 1.8e308")
    value = Fraction(text)
    if value != 0 and value < SMALLEST:
        raise SpecError(f"the number {text} is too small", at=at, remedy="below 5e-324 float64 knows only 0")
    return value


def _scan(text: str, at: Position) -> Iterator[Token]:
    offset = 0
    while offset < len(text):
        here = place(text, offset, at)
        found = _TOKEN.match(text, offset)
        if found is None:
            raise refuse_character(text[offset], text[offset + 1 : offset + 2], here)
        offset = found.end()
        if found.lastgroup == "number":
            _check_number(text, found, here)
            yield Token("number", found.group(), found.start(), here)
        elif found.lastgroup == "word":
            check_word(found.group(), here)
            yield Token("word", found.group(), found.start(), here)
        elif found.lastgroup in ("symbol", "text"):
            kind: Kind = "symbol" if found.lastgroup == "symbol" else "text"
            yield Token(kind, found.group(), found.start(), here)


def _check_number(text: str, found: re.Match[str], at: Position) -> None:
    number, rest = found.group(), re.compile(r"[A-Za-z0-9_.]*", re.ASCII).match(text, found.end())
    suffix = rest.group() if rest else ""
    if suffix in ("j", "J"):
        raise SpecError(f"{number}{suffix} is a complex number", at=at, remedy="numbers are real")
    if (suffix and number in ("0", "00")) or suffix.startswith("_"):
        raise SpecError(f"{shorten(number + suffix)} is not a number", at=at, remedy="write plain decimals")
    if suffix.startswith("."):
        problem = f"'{shorten(number + suffix)}' is not a number"
        raise SpecError(problem, at=at, remedy="write it without marks between thousands, as 1000000")
    if suffix:
        remedy = f"for a product write {shorten(number)}*{shorten(suffix)}"
        raise SpecError(f"'{shorten(number + suffix)}' is not a number", at=at, remedy=remedy)
    if re.match(r"0[0-9]", number):
        raise SpecError(f"{shorten(number)} has a leading zero", at=at, remedy="leave the zero out")
    exact(number, at)
