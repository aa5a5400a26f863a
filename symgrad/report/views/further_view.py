"""Derivatives beyond the gradient: those a spec asks for, and the Hessian of the loss by what it reads."""

from __future__ import annotations

import re
from dataclasses import replace
from typing import TYPE_CHECKING, Any
from unicodedata import normalize

from symgrad.notation.equations import Writing
from symgrad.notation.typesetting import typeset as ts
from symgrad.notation.typesetting.text import TEXT
from symgrad.notation.visibility import hidden_tensors, shown_equations
from symgrad.report.content import FormulaRow, Section

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from symgrad.calculus.program import Equation, Program
    from symgrad.notation.typesetting.style import Style
    from symgrad.pipeline import FurtherStages
    from symgrad.report.derived import Derived
    from symgrad.spec.model import FurtherKind

_DOT = "\N{COMBINING DOT ABOVE}"
_DOTTED = re.compile(r"(d?)([A-Za-z])(\d*|_\w+)$")
_MOVING = "v_X is the direction in which a parameter X moves, and a dot how a value moves then."

_NOTES: Mapping[FurtherKind, str] = {
    "hvp": f"The Hessian of the loss times v: how the gradient moves along v. {_MOVING}",
    "gauss_newton": "Jᵀ(H(Jv)): forward through the network, by the Hessian of the loss, and back, where GX "
    f"is what comes back to X. {_MOVING}",
    "per_sample": "The gradient of the loss of each row alone: the rows stand in front. What is not shown "
    "again follows from these as above.",
    "jacobian": "Every entry of a row by every entry that it depends on.",
    "hessian": "The second derivatives of the loss, the axes of both entries one after the other.",
}


def further_sections(derived: Derived, style: Style) -> list[Section]:
    """A section for every derivative that the spec asks for."""
    return [
        Section("equations", str(found.asked), _NOTES[found.asked.kind], tuple(_rows(found, derived, style)))
        for found in derived.stages.further
    ]


def _rows(found: FurtherStages, derived: Derived, style: Style) -> Iterator[FormulaRow]:
    writing = _writing(found.derived, style)
    for equation in _new_equations(found.derived, derived.stages.derived, writing):
        matrix, index = writing.matrix(equation), writing.index(equation)
        yield FormulaRow(matrix, index if index != matrix else "")


def _new_equations(program: Program, before: Program, writing: Writing) -> Iterator[Equation]:
    """Those that are not among the equations and gradients shown above."""
    for equation in shown_equations(program, writing.hidden):
        if before.definition.get(equation.target) != equation:
            yield equation


def _writing(program: Program, style: Style) -> Writing:
    plain = Writing(program, hidden_tensors(program), style)
    symbols = {t.name: ts.Symbol(text) for t in program.of_kind("tangent") if (text := _dotted(t.of))}
    return replace(
        plain, convention=replace(plain.convention, symbols={**plain.convention.symbols, **symbols})
    )


def _dotted(name: str) -> str:
    """`Ż1` for Z1 and `dŻ1` for dZ1; a longer word has no letter for the dot."""
    found = _DOTTED.match(name)
    return normalize("NFC", f"{found[1]}{found[2]}{_DOT}{found[3]}") if found else ""


def further_data(derived: Derived) -> list[dict[str, Any]]:
    """The derivatives that the spec asks for as texts."""
    return [
        {"asked": section.title, "equations": [row.formula for row in section.rows]}
        for section in further_sections(derived, TEXT)
    ]
