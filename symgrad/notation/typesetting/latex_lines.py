"""Equations as a page has room for them: aligned at their sign, and broken where they are too wide.

A formula that is too wide is opened: a sum before its signs, a product before its factors, a quotient becomes
one with a stroke, and brackets are written so that they may close in another line.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from symgrad.notation.typesetting import typeset as ts
from symgrad.notation.typesetting.latex import LATEX, LatexStyle
from symgrad.notation.typesetting.latex_widths import LATEX_WIDTHS
from symgrad.notation.typesetting.style import POWER, REDUCTION

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from symgrad.notation.typesetting.typeset import Formula

LINE = 29 * 4
"""Quarters of an em: what a line of an article has room for, in LaTeX's own layout with its wide margins."""
INDENT = 4
ALIGNED = ("=", "+=", "←", "→", "…")
_BREAK = " \\\\\n&\\quad "
_AT_START = {
    "numbers": r"\cdot ",
    "matrices": r"\cdot ",
    "entries": r"\odot ",
    "outer": r"\otimes ",
    "kronecker": r"\otimes ",
}


@dataclass(frozen=True)
class _Piece:
    """What no line breaks: `lead` stands before it within a line, `start` at the start of one."""

    text: str
    width: int
    lead: str = ""
    start: str = ""


class LatexLines(LatexStyle):
    """LaTeX with each equation as the lines of an `align`, which are no longer than `line`."""

    def __init__(self, line: int = LINE) -> None:
        self.line = line

    @property
    def within_words(self) -> LatexStyle:
        return LATEX

    def spell(self, formula: Formula) -> str:
        """An equation as its lines, everything else as in `LatexStyle`."""
        match formula:
            case ts.Relation(left, operator, right) if operator in ALIGNED:
                return self._equation(left, self.signs[operator], right)
        return super().spell(formula)

    def _equation(self, left: Formula, sign: str, right: Formula) -> str:
        before, room = LATEX_WIDTHS.width(left), self.line - INDENT
        if before <= self.line // 3 or before + LATEX_WIDTHS.width(right) < room:
            lines = _filled(self._opened(right, room - before - INDENT), room - before)
            return f"{LATEX.spell(left)} &{sign} {_BREAK.join(lines)}"
        lefts, rights = (_filled(self._opened(side, room), room) for side in (left, right))
        return f"&{_BREAK.join(lefts)} \\\\\n&\\quad {sign} {_BREAK.join(rights)}"

    def _opened(self, formula: Formula, room: int) -> list[_Piece]:
        """The formula in pieces that are no wider than there is room, where it can be opened so far."""
        width = LATEX_WIDTHS.width(formula)
        if width <= room:
            return [_Piece(LATEX.spell(formula), width)]
        match formula:
            case ts.Sum(terms):
                return list(self._terms(terms, room))
            case ts.ProductText(kind, factors):
                return list(self._factors(kind, factors, room))
            case ts.Quotient(above, below):
                rest = self._bracketed(below, POWER, room)
                rest[0] = replace(rest[0], lead=" / ", start="/ ")
                return [*self._bracketed(above, POWER, room), *rest]
            case ts.Reduced("sum", indices, body):
                sign = LATEX.reduction("sum", [LATEX.spell(i) for i in indices], "")
                return _around(sign, self._bracketed(body, REDUCTION, room), "")
            case ts.CallText(function, (argument,), is_slope):
                return _around(
                    rf"{self.function(function, is_slope)}\bigl(", self._opened(argument, room), r"\bigr)"
                )
        return [_Piece(LATEX.spell(formula), width)]

    def _terms(self, terms: Sequence[tuple[bool, Formula]], room: int) -> Iterator[_Piece]:
        for number, (negative, term) in enumerate(terms):
            first, *rest = self._bracketed(term, REDUCTION, room)
            sign = f"{self.minus} " if negative else "+ " if number else ""
            lead = f" {sign}" if number else sign
            yield replace(first, lead=lead, start=sign)
            yield from rest

    def _factors(self, kind: ts.ProductKind, factors: Sequence[Formula], room: int) -> Iterator[_Piece]:
        for number, factor in enumerate(factors):
            is_last = number == len(factors) - 1
            if self.fits_in_product(factor, kind, is_last) and (is_last or not _has_stroke(factor, room)):
                first, *rest = self._opened(factor, room)
            else:
                first, *rest = self._in_brackets(factor, room)
            yield replace(first, lead=self.signs[kind], start=_AT_START[kind]) if number else first
            yield from rest

    def _bracketed(self, formula: Formula, level: int, room: int) -> list[_Piece]:
        """In brackets where it holds together less than `level`."""
        if self.level(formula) >= level and not (level == POWER and _has_stroke(formula, room)):
            return self._opened(formula, room)
        return self._in_brackets(formula, room)

    def _in_brackets(self, formula: Formula, room: int) -> list[_Piece]:
        if LATEX_WIDTHS.width(formula) + 2 <= room:
            return [
                _Piece(self.frames["brackets"].format(LATEX.spell(formula)), LATEX_WIDTHS.width(formula) + 2)
            ]
        # A bracket whose other one may stand in another line cannot grow with what is between them.
        return _around(r"\bigl(", self._opened(formula, room - 2), r"\bigr)")


def _has_stroke(formula: Formula, room: int) -> bool:
    """Whether it becomes a quotient with a stroke, which holds together less than one with a line."""
    return isinstance(formula, ts.Quotient) and LATEX_WIDTHS.width(formula) > room


def _around(before: str, pieces: list[_Piece], after: str) -> list[_Piece]:
    first = replace(pieces[0], text=f"{before}{pieces[0].start}{pieces[0].text}", lead="", start="")
    *rest, last = [first, *pieces[1:]]
    return [*rest, replace(last, text=f"{last.text}{after}")]


def _filled(pieces: Sequence[_Piece], room: int) -> list[str]:
    """The pieces in lines, as many in each as there is room for."""
    lines, used = [""], 0
    for piece in pieces:
        if used and used + piece.width + INDENT > room:
            lines, used = [*lines, ""], 0
        lines[-1] += (piece.lead if used else piece.start) + piece.text
        used += piece.width + INDENT
    return lines


LATEX_LINES = LatexLines()
