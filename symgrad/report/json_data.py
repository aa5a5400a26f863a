"""The report as data: what a program reads."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import numpy as np

from symgrad.notation.typesetting.latex import LATEX
from symgrad.notation.typesetting.text import TEXT
from symgrad.notation.update_rules import look_ahead_rule, update_rule
from symgrad.notation.visibility import shown_equations
from symgrad.report.page import composed_lines
from symgrad.report.tensor_table import parameter_count
from symgrad.report.views.sections import requested_data
from symgrad.version import VERSION

if TYPE_CHECKING:
    from symgrad.calculus.axes import Axes
    from symgrad.calculus.program import Equation, Tensor
    from symgrad.notation.convention import Convention
    from symgrad.notation.equations import Writing
    from symgrad.report.derived import Derived
    from symgrad.spec.model import Spec


def json_text(derived: Derived) -> str:
    """The report as JSON."""
    return json.dumps(as_data(derived), indent=2, allow_nan=False)


def as_data(derived: Derived) -> dict[str, Any]:
    """Numbers, texts, lists and dicts, ready for JSON."""
    program, spec = derived.program, derived.spec
    text, latex = derived.writing(TEXT), derived.writing(LATEX)
    return {
        "name": spec.name,
        "sha256": spec.sha256,
        "symgrad": VERSION,
        "dtype": spec.dtype,
        "notation": _notation(derived.convention),
        "parameter_count": parameter_count(program),
        "loss": program.loss,
        "outputs": list(program.outputs),
        "prediction": list(program.prediction),
        "tensors": [
            {"name": t.name, "kind": t.kind, "axes": _axes(t.axes), "classes": t.classes, **_more(t, spec)}
            for t in program.declared
        ],
        "equations": [_equation(e, text, latex) for e in shown_equations(program, derived.hidden)],
        "gradients": [
            {"of": g.of, **_equation(program.definition[g.name], text, latex)} for g in program.gradients
        ],
        "update": _update(derived),
        "rewrites": [
            {"rule": r.rule, "equation": r.equation, "text": text.rewrite(r)}
            for r in dict.fromkeys(program.rewrites)
        ],
        **requested_data(derived),
    }


def _more(tensor: Tensor, spec: Spec) -> dict[str, Any]:
    """The label that means none, where there is one; a constant's numbers as nested lists."""
    values = {c.name: np.reshape(c.values, c.shape).tolist() for c in spec.constants}
    found = {"ignore": tensor.ignore, "values": values.get(tensor.name)}
    return {key: value for key, value in found.items() if value is not None}


def _notation(convention: Convention) -> dict[str, Any]:
    """The symbols are those in `matrix`, `index` and `latex`; everything else bears the names of the spec."""
    symbols = {name: TEXT.spell(symbol) for name, symbol in convention.symbols.items()}
    return {
        "name": convention.name,
        "samples": convention.samples,
        "symbols": symbols,
        "gradients": convention.note,
    }


def _axes(axes: Axes) -> list[str | int]:
    """Sizes, and the names of the axes whose sizes the data decides."""
    return [a.label for a in axes]


def _equation(equation: Equation, text: Writing, latex: Writing) -> dict[str, Any]:
    tensor = text.program.tensor[equation.target]
    return {
        "target": tensor.name,
        "kind": tensor.kind,
        "axes": _axes(tensor.axes),
        "matrix": text.matrix(equation),
        "index": text.index(equation),
        "latex": latex.matrix(equation),
    }


def _update(derived: Derived) -> dict[str, Any]:
    update, program, train = derived.update, derived.program, derived.spec.train
    parameters = [g for g in program.gradients if program.tensor[g.of].kind == "parameter"]
    return {
        "states": [t.name for t in update.of_kind("state")],
        "clip_norm": train.clip_norm,
        "clip_value": train.clip_value,
        "look_ahead": list(look_ahead_rule(update, TEXT)),
        "rule": list(update_rule(update, TEXT)),
        "latex": list(update_rule(update, LATEX)),
        "parameters": {g.of: list(composed_lines(derived, g.of, g.name, TEXT)) for g in parameters},
    }
