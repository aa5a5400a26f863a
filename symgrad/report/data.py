"""The report as data: what a program reads."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from symgrad.calculus.display import hidden_tensors, shown_equations
from symgrad.calculus.latex import Latex
from symgrad.calculus.notation import index_form, matrix_form, rewrite_form
from symgrad.calculus.text import Text
from symgrad.compiler.update_text import update_rule
from symgrad.report.page import composed_lines, declared, parameter_count
from symgrad.version import VERSION

if TYPE_CHECKING:
    from collections.abc import Collection

    from symgrad.calculus.program import Axes, Equation, Program
    from symgrad.report.derivation import Derivation


def as_data(derivation: Derivation) -> dict[str, Any]:
    """Numbers, texts, lists and dicts, ready for JSON."""
    program, spec = derivation.program, derivation.spec
    hidden = hidden_tensors(program)
    return {
        "name": spec.name,
        "sha256": spec.sha256,
        "symgrad": VERSION,
        "dtype": spec.dtype,
        "parameter_count": parameter_count(program),
        "loss": program.loss,
        "outputs": list(program.outputs),
        "prediction": list(program.prediction),
        "tensors": [
            {"name": t.name, "kind": t.kind, "axes": _axes(t.axes), "classes": t.classes}
            for t in declared(program)
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
        "rule": list(update_rule(update, Text())),
        "latex": list(update_rule(update, Latex())),
        "parameters": {
            g.of: list(composed_lines(derivation, g.of, g.name, hidden, Text())) for g in parameters
        },
    }
