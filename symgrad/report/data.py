"""The report as data: what a program reads."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from symgrad.notation.equations import index_form, matrix_form, rewrite_form
from symgrad.notation.latex import Latex
from symgrad.notation.text import Text
from symgrad.notation.update_rules import look_ahead_rule, update_rule
from symgrad.notation.visibility import hidden_tensors, shown_equations
from symgrad.report.page import composed_lines
from symgrad.report.tensors import parameter_count
from symgrad.report.views import requested_data
from symgrad.version import VERSION

if TYPE_CHECKING:
    from collections.abc import Collection

    from symgrad.calculus.axes import Axes
    from symgrad.calculus.convention import Convention
    from symgrad.calculus.program import Equation, Program, Tensor
    from symgrad.report.derivation import Derivation
    from symgrad.spec.model import Spec


def as_data(derivation: Derivation) -> dict[str, Any]:
    """Numbers, texts, lists and dicts, ready for JSON."""
    program, spec = derivation.program, derivation.spec
    hidden = hidden_tensors(program)
    return {
        "name": spec.name,
        "sha256": spec.sha256,
        "symgrad": VERSION,
        "dtype": spec.dtype,
        "notation": _notation(program.convention),
        "parameter_count": parameter_count(program),
        "loss": program.loss,
        "outputs": list(program.outputs),
        "prediction": list(program.prediction),
        "tensors": [
            {"name": t.name, "kind": t.kind, "axes": _axes(t.axes), "classes": t.classes, **_more(t, spec)}
            for t in program.declared
        ],
        "equations": [_equation(e, program, hidden) for e in shown_equations(program, hidden)],
        "gradients": [
            {"of": g.of, **_equation(program.definition[g.name], program, hidden)} for g in program.gradients
        ],
        "update": _update(derivation, hidden),
        "rewrites": [
            {"rule": r.rule, "equation": r.equation, "text": rewrite_form(r.before, r.after, program)}
            for r in dict.fromkeys(program.rewrites)
        ],
        **requested_data(derivation),
    }


def _more(tensor: Tensor, spec: Spec) -> dict[str, Any]:
    """The label that means none, where there is one; a constant's numbers as nested lists."""
    values = {c.name: np.reshape(c.values, c.shape).tolist() for c in spec.constants}
    found = {"ignore": tensor.ignore, "values": values.get(tensor.name)}
    return {key: value for key, value in found.items() if value is not None}


def _notation(convention: Convention) -> dict[str, Any]:
    """The symbols are those in `matrix`, `index` and `latex`; everything else bears the names of the spec."""
    symbols = {name: Text().spell(symbol) for name, symbol in convention.symbols.items()}
    return {
        "name": convention.name,
        "samples": convention.samples,
        "symbols": symbols,
        "gradients": convention.note,
    }


def _axes(axes: Axes) -> list[str | int]:
    """Sizes, and the names of the axes whose sizes the data decides."""
    return [a.size if a.size is not None else str(a.name) for a in axes]


def _equation(equation: Equation, program: Program, hidden: Collection[str]) -> dict[str, Any]:
    tensor = program.tensor[equation.target]
    return {
        "target": tensor.name,
        "kind": tensor.kind,
        "axes": _axes(tensor.axes),
        "matrix": matrix_form(equation, program, Text(), hidden),
        "index": index_form(equation, program, Text(), hidden),
        "latex": matrix_form(equation, program, Latex(), hidden),
    }


def _update(derivation: Derivation, hidden: Collection[str]) -> dict[str, Any]:
    update, program = derivation.update, derivation.program
    parameters = [g for g in program.gradients if program.tensor[g.of].kind == "parameter"]
    return {
        "states": [name for name, _ in update.states],
        "clip_norm": update.clip_norm,
        "clip_value": update.clip_value,
        "look_ahead": list(look_ahead_rule(update, Text())),
        "rule": list(update_rule(update, Text())),
        "latex": list(update_rule(update, Latex())),
        "parameters": {
            g.of: list(composed_lines(derivation, g.of, g.name, hidden, Text())) for g in parameters
        },
    }
