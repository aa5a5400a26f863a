"""The content of a report, in one style of mathematics: what every format lays out in its own way."""

from __future__ import annotations

import re
from dataclasses import dataclass
from math import prod
from typing import TYPE_CHECKING, Literal

from symgrad.calculus.display import hidden_tensors, shown_equations, visible_reads
from symgrad.calculus.notation import index_form, matrix_form, rewrite_form, right_formula
from symgrad.calculus.program import show_axes
from symgrad.calculus.terms import entries
from symgrad.calculus.typeset import Name
from symgrad.compiler.update_text import composed_rule, rule_of_step, update_rule
from symgrad.version import VERSION

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable

    from symgrad.calculus.program import Equation, Program, Tensor
    from symgrad.calculus.style import Style
    from symgrad.report.derivation import Derivation


@dataclass(frozen=True)
class TensorRow:
    """A declared tensor."""

    name: str
    kind: str
    axes: str
    note: str


@dataclass(frozen=True)
class Row:
    """A formula; `indexed` says it entry by entry, `through` names what the chain rule went through."""

    formula: str
    indexed: str = ""
    label: str = ""
    through: tuple[str, ...] = ()


@dataclass(frozen=True)
class Section:
    """Formulas under a title. Labels say where an equation comes from, whose update, or which rewrite."""

    kind: Literal["equations", "updates", "rewrites"]
    title: str
    note: str
    rows: tuple[Row, ...]


@dataclass(frozen=True)
class Page:
    """A whole report. `facts` are pairs of a word and its value."""

    title: str
    facts: tuple[tuple[str, str], ...]
    legend: tuple[str, ...]
    tensors: tuple[TensorRow, ...]
    sections: tuple[Section, ...]


LEGEND = (
    "Products with ⊙, quotients, powers and functions act entry by entry; ᵀ exchanges rows and columns.",
    "softmax and logsumexp run along the last axis; Σ over n sums over the rows of the data.",
    "In the second line of an equation every entry has its indices, which count from 0.",
    "A line with += adds for every value of every index in it.",
)
GRADIENT_NOTE = "dX is the derivative of the loss with respect to X, and has the shape of X."
COMPOSED_NOTE = "The rule above with each parameter's own gradient; states bear the parameter's name."
REWRITE_NOTE = (
    "Each is an exact law that makes the computation stable or shorter. "
    "Names not seen above are intermediate results that were removed."
)


def page_of(derivation: Derivation, style: Style) -> Page:
    """The content of the report, its formulas spelled in a style."""
    program = derivation.program
    hidden = hidden_tensors(program)
    parts = _parts(program, hidden)
    sections = [
        Section("equations", "Equations", "", _rows(parts["forward"], program, hidden, style)),
        Section("equations", "Loss", "", _rows(parts["loss"], program, hidden, style)),
        Section("equations", "Prediction", "", _rows(parts["prediction"], program, hidden, style)),
        Section(
            "equations",
            "Gradients",
            GRADIENT_NOTE,
            _gradient_rows(parts["gradient"], program, hidden, style),
        ),
    ]
    if program.gradients and program.of_kind("parameter"):
        sections += _update_sections(derivation, hidden, style)
    sections.append(Section("rewrites", "Rewrites", REWRITE_NOTE, _rewrites(program, style)))
    facts = (
        ("precision", derivation.spec.dtype),
        ("parameters", f"{parameter_count(program):,}"),
        ("symgrad", VERSION),
        ("spec SHA-256", derivation.spec.sha256),
    )
    tensors = tuple(_tensor_row(t) for t in declared(program))
    return Page(derivation.name, facts, LEGEND, tensors, tuple(s for s in sections if s.rows))


def declared(program: Program) -> tuple[Tensor, ...]:
    """Inputs, targets and parameters."""
    return tuple(t for kind in ("input", "target", "parameter") for t in program.of_kind(kind))


def size_of(tensor: Tensor) -> int:
    """How many entries a parameter has."""
    return prod(axis.size or 1 for axis in tensor.axes)


def parameter_count(program: Program) -> int:
    """How many entries all parameters have."""
    return sum(map(size_of, program.of_kind("parameter")))


def _tensor_row(tensor: Tensor) -> TensorRow:
    note = f"labels 0 … {tensor.classes - 1}" if tensor.classes is not None else ""
    if tensor.kind == "parameter":
        size = size_of(tensor)
        note = f"{size:,} {'entry' if size == 1 else 'entries'}"
    return TensorRow(tensor.name, tensor.kind, show_axes(tensor.axes) if tensor.axes else "a number", note)


def _parts(program: Program, hidden: Collection[str]) -> dict[str, list[Equation]]:
    """The shown equations by what they are for."""
    outputs = needed(program, program.outputs)
    loss = needed(program, (program.loss,) if program.loss else ())
    parts: dict[str, list[Equation]] = {"forward": [], "loss": [], "prediction": [], "gradient": []}
    for equation in shown_equations(program, hidden):
        name = equation.target
        if program.tensor[name].kind == "cotangent":
            parts["gradient"].append(equation)
        elif name in outputs:
            parts["forward"].append(equation)
        else:
            parts["loss" if name in loss else "prediction"].append(equation)
    return parts


def needed(program: Program, results: Iterable[str]) -> set[str]:
    """The tensors that some results depend on, and these."""
    found = set(results)
    for equation in reversed(program.equations):
        if equation.target in found:
            found |= equation.reads
    return found


def _rows(
    equations: Iterable[Equation], program: Program, hidden: Collection[str], style: Style
) -> tuple[Row, ...]:
    return tuple(_row(e, program, hidden, style) for e in equations)


def _row(
    equation: Equation,
    program: Program,
    hidden: Collection[str],
    style: Style,
    label: str = "",
    through: tuple[str, ...] = (),
) -> Row:
    matrix = matrix_form(equation, program, style, hidden)
    index = index_form(equation, program, style, hidden)
    return Row(matrix, index if index != matrix else "", label, through)


def _gradient_rows(
    equations: Iterable[Equation], program: Program, hidden: Collection[str], style: Style
) -> tuple[Row, ...]:
    rows = []
    for equation in equations:
        users = readers(program, equation.target[1:], hidden)
        label = _origin(equation.target[1:], program, any(e.target == program.loss for e in users))
        through = tuple(matrix_form(e, program, style, hidden) for e in users if e.target != program.loss)
        rows.append(_row(equation, program, hidden, style, label, through))
    return tuple(rows)


def _origin(of: str, program: Program, in_loss: bool) -> str:
    if of not in program.tensor:
        return f"{of} is an intermediate result in {_owner(of, program)}"
    return "from the loss" if in_loss else ""


def readers(program: Program, tensor: str, hidden: Collection[str]) -> tuple[Equation, ...]:
    """The shown equations that the chain rule goes through, up to the next cotangents or the loss."""
    on_the_way = needed(program, (program.loss,) if program.loss else ())
    reached = {tensor}
    found = []
    for equation in shown_equations(program, hidden):
        if equation.target in on_the_way and reached & visible_reads(program, equation, hidden):
            found.append(equation)
            if f"d{equation.target}" not in program.tensor:
                reached.add(equation.target)
    return tuple(found)


def _update_sections(derivation: Derivation, hidden: Collection[str], style: Style) -> list[Section]:
    program, update = derivation.program, derivation.update
    rule = tuple(Row(line) for line in update_rule(update, style))
    notes = ["theta is any parameter and g its gradient"]
    if any(e.tensor == "t" for _, body in update.updates for e in entries(body)):
        notes.append("t counts the steps from 1")
    if update.clip_norm is not None:
        notes.append("the norm is that of all gradients together")
    composed = [Row(line) for line in rule_of_step(update, style)]
    for gradient in program.gradients:
        if program.tensor[gradient.of].kind != "parameter":
            continue
        lines = composed_lines(derivation, gradient.of, gradient.name, hidden, style)
        composed += [Row(line, label=gradient.of if not n else "") for n, line in enumerate(lines)]
    return [
        Section("updates", "Update rule", f"{'; '.join(notes)}.", rule),
        Section("updates", "Update of every parameter", COMPOSED_NOTE, tuple(composed)),
    ]


def composed_lines(
    derivation: Derivation, parameter: str, gradient: str, hidden: Collection[str], style: Style
) -> tuple[str, ...]:
    """The update of one parameter, its gradient put in."""
    program = derivation.program
    short = Name(gradient, is_cotangent=True)
    full = right_formula(program.definition[gradient], program, hidden)
    return composed_rule(derivation.update, parameter, full or short, short, style)


def _rewrites(program: Program, style: Style) -> tuple[Row, ...]:
    rows = []
    for rewrite in dict.fromkeys(program.rewrites):
        formula = rewrite_form(rewrite.before, rewrite.after, program, style)
        rows.append(Row(formula, label=f"{rewrite.rule}, in {_owner(rewrite.equation, program)}"))
    return tuple(dict.fromkeys(rows))


def _owner(name: str, program: Program) -> str:
    """The named tensor whose formula a temporary came from."""
    base = re.sub(r"(_\d+)+$", "", name)
    return base if name not in program.tensor and base in program.tensor else name
