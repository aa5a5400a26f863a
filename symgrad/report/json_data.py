"""The report as data: what a program reads.

An object with these keys, which later versions may add to but not take from; formulas are texts.

- `name`, `sha256` of the spec's text, `symgrad` (the version), `dtype`, `parameter_count`, `loss` (its name
  or null), `outputs` and `prediction` (names)
- `notation`: `name`, `samples` (`rows` or `columns`), `symbols` by name, `gradients`, a note
- `tensors`: `name`, `kind` (`input`, `target`, `parameter`, `constant`), `axes` (a size, or the name of a
  free axis), `classes` (their number, for labels, or null); where there are, `ignore` and `values`
- `equations`, all that the page shows: `target`, `kind`, `axes`, and the equation as `matrix` (where matrices
  can say it, else as `index`), `index` (entry by entry) and `latex`; those of kind `cotangent` with a
  `reason`: `origin` in words (empty where the rest says all) and `through`, the equations that the chain rule
  goes through, each with `target`, `matrix` and `latex`
- `gradients`, those asked for: the same, and `of`, with respect to what
- `update`: `states`, `clip_norm` and `clip_value` (numbers or null), `note`, `look_ahead`, `rule` and `latex`
  of any parameter, line by line, `parameters` and `parameters_latex`: by name, the lines of each;
  where there are, `frozen`, the names of parameters that the optimiser leaves as before, `next_values`, which
  of these are states and the equations that they become in a step, and
  `apart`, lines that say which of them have other numbers, `finish`, what comes after the epochs, and
  `finish_rule`, what an iteration of that does
- `rewrites`: `rule`, the `equation` it was applied in, `within`, the tensor of the spec that this is part of,
  and `text` and `latex`, before → after
- `legend`: how all of it is to be read
- what was asked for beside: `jacobians`, `scalar`, `memory`, `hessian`
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import numpy as np

from symgrad.explain.reasons import owner, reason_of
from symgrad.notation.parameters_apart import numbers_apart
from symgrad.notation.typesetting.latex import LATEX
from symgrad.notation.typesetting.text import TEXT
from symgrad.notation.update_rules import look_ahead_rule, reading_note, update_rule
from symgrad.notation.visibility import shown_equations
from symgrad.report.page import composed_lines, legend
from symgrad.report.tensor_table import parameter_count
from symgrad.report.views.finish_view import finish_rule
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
            for t in (*program.declared, *program.handed_on)
        ],
        "equations": [_equation(e, text, latex) for e in shown_equations(program, derived.hidden)],
        "gradients": [
            {"of": g.of, **_equation(program.definition[g.name], text, latex)} for g in program.gradients
        ],
        "update": _update(derived),
        "rewrites": [
            {
                "rule": r.rule,
                "equation": r.equation,
                "within": owner(r.equation, program),
                "text": text.rewrite(r),
                "latex": latex.rewrite(r),
            }
            for r in dict.fromkeys(program.rewrites)
        ],
        "legend": list(legend(derived)),
        **requested_data(derived),
    }


def _more(tensor: Tensor, spec: Spec) -> dict[str, Any]:
    """The label that means none, where there is one; a constant's numbers as nested lists."""
    values = {c.name: np.reshape(c.values, c.shape).tolist() for c in spec.constants}
    carried = None if tensor.carried is None else str(tensor.carried)
    found = {"ignore": tensor.ignore, "values": values.get(tensor.name), "carried": carried}
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
        **({"reason": _reason(equation, text, latex)} if tensor.kind == "cotangent" else {}),
    }


def _reason(equation: Equation, text: Writing, latex: Writing) -> dict[str, Any]:
    reason = reason_of(equation, text.program, text.hidden)
    through = [
        {"target": e.target, "matrix": text.matrix(e), "latex": latex.matrix(e)} for e in reason.through
    ]
    return {"origin": reason.origin, "through": through}


def _update(derived: Derived) -> dict[str, Any]:
    update, program, train = derived.update, derived.program, derived.spec.train
    model = derived.stages.model
    frozen, nexts, apart = model.frozen, model.next_values, tuple(numbers_apart(model))
    trained = {p.name for p in program.of_kind("parameter")} - {*frozen}
    parameters = [g for g in program.gradients if g.of in trained]
    composed = {
        style: {g.of: list(composed_lines(derived, g.of, g.name, style)) for g in parameters}
        for style in (TEXT, LATEX)
    }
    return {
        "states": [t.name for t in update.of_kind("state")],
        "clip_norm": train.clip_norm,
        "clip_value": train.clip_value,
        "note": reading_note(update),
        "look_ahead": list(look_ahead_rule(update, TEXT)),
        "rule": list(update_rule(update, TEXT)),
        "latex": list(update_rule(update, LATEX)),
        "parameters": composed[TEXT],
        "parameters_latex": composed[LATEX],
        **({"frozen": list(frozen)} if frozen else {}),
        **({"next_values": {n.state: n.equation for n in nexts}} if nexts else {}),
        **({"apart": list(apart)} if apart else {}),
        **({"finish": str(train.finish), "finish_rule": [*finish_rule(train, TEXT)]} if train.finish else {}),
    }
