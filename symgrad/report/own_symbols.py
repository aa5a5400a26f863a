"""Symbols of the reader's own: which names can have one, and what can be one."""

from __future__ import annotations

import unicodedata
from typing import TYPE_CHECKING

from symgrad.errors import SpecError, did_you_mean
from symgrad.notation.typesetting.text import TEXT
from symgrad.notation.typesetting.typeset import Formula, Symbol
from symgrad.notation.visibility import hidden_tensors, shown_equations

if TYPE_CHECKING:
    from collections.abc import Mapping

    from symgrad.calculus.program import Program

MAX_LENGTH = 40
LISTED = 20


def shown_names(program: Program) -> tuple[str, ...]:
    """What stands in formulas and tables: declared tensors, those with an equation shown, free axes."""
    shown = {e.target for e in shown_equations(program, hidden_tensors(program))}
    tensors = [t.name for t in program.tensors if t.name in shown or t.name not in program.definition]
    axes = [str(a.name) for t in program.tensors for a in t.axes if a.is_free]
    return tuple(dict.fromkeys((*tensors, *axes)))


def own_symbols(symbols: Mapping[str, str], names: tuple[str, ...]) -> dict[str, Symbol]:
    """The symbols by name.

    Raises:
        SpecError: nothing of that name is shown, or the text can be no symbol.
    """
    for name in symbols:
        if name not in names:
            listed = ", ".join([*names[:LISTED], *(["..."] if len(names) > LISTED else [])])
            remedy = did_you_mean(name, names) or f"there are {listed}"
            raise SpecError(f"nothing called '{name}' is shown that could get a symbol", remedy=remedy)
    return {name: _symbol(name, text) for name, text in symbols.items()}


def refuse_clashes(written: Mapping[str, Formula], names: tuple[str, ...]) -> None:
    """Raises SpecError where two names would look the same."""
    seen: dict[str, str] = {}
    for name in names:
        text = TEXT.spell(written[name]) if name in written else name
        if text in seen:
            problem = f"'{seen[text]}' and '{name}' would both be written {text}"
            raise SpecError(problem, remedy="choose another symbol")
        seen[text] = name


def _symbol(name: str, text: str) -> Symbol:
    if (problem := _problem(text)) is not None:
        remedy = "write a letter, with or without scripts, such as Ω¹, W_1 or δ'"
        raise SpecError(f"the symbol for '{name}' {problem}", remedy=remedy)
    return Symbol(unicodedata.normalize("NFC", text.strip()))


def _problem(text: str) -> str | None:
    if not isinstance(text, str):
        return f"is a {type(text).__name__}, no text"
    if not text.strip():
        return "is empty"
    if not text.isprintable():
        return f"holds U+{next(ord(c) for c in text if not c.isprintable()):04X}, which cannot be printed"
    if len(text) > MAX_LENGTH:
        return f"has {len(text)} characters, more than {MAX_LENGTH}"
    if unicodedata.combining(text.strip()[0]):
        return "starts with an accent that has no letter"
    if not any(c.isalpha() or unicodedata.category(c) == "So" or c in "∇∂" for c in text):
        return f"would read as a number or an operator: {text}"
    return None
