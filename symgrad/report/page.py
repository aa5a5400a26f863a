"""The content of a report, in one style of mathematics: what every format lays out in its own way."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from symgrad.calculus.convention import ROWS
from symgrad.notation.equations import index_form, matrix_form, rewrite_form, right_formula
from symgrad.notation.index_writer import IndexWriter
from symgrad.notation.update_rules import (
    composed_rule,
    look_ahead_rule,
    reading_note,
    rule_of_step,
    update_rule,
)
from symgrad.notation.visibility import hidden_tensors, shown_equations, visible_reads
from symgrad.report.notations import NOTATIONS, written_name
from symgrad.report.tensors import TensorRow, parameter_count, tensor_rows
from symgrad.report.views import requested_legend, requested_sections
from symgrad.version import VERSION

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable

    from symgrad.calculus.program import Equation, Program
    from symgrad.notation.style import Style
    from symgrad.report.derivation import Derivation


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

    kind: Literal["equations", "updates", "rewrites", "jacobians"]
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

    @property
    def has_symbols(self) -> bool:
        return any(tensor.symbol for tensor in self.tensors)


LEGEND = (
    "Products with ⊙, quotients, powers and functions act entry by entry; ᵀ exchanges rows and columns.",
    "softmax and logsumexp run along the last axis; Σ over n sums over the rows of the data.",
    "In the second line of an equation every entry has its indices, which count from 0.",
    "A line with += adds for every value of every index in it.",
)
COLUMNS_LEGEND = (
    "The samples of a batch are the columns of a matrix. A vector is a column, and beside a matrix it stands "
    "in each of its columns.",
    "softmax and logsumexp run down each column, onehot gives a column for each label. "
    "1 with an axis below it is a column of so many ones; Σ over n sums over the samples.",
)
STACKS_LEGEND = "Tensors of three and more axes stand as in the spec, samples first."
REWRITE_NAMES_NOTE = "These lines keep the names of the spec, and samples as rows."
DELTA_LEGEND = "δ(a, b) is 1 where a is b, and 0 elsewhere."
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
            program.convention.note or GRADIENT_NOTE,
            _gradient_rows(parts["gradient"], program, hidden, style),
        ),
    ]
    if program.gradients and program.of_kind("parameter"):
        sections += _update_sections(derivation, hidden, style)
    sections += requested_sections(derivation, style)
    sections.append(Section("rewrites", "Rewrites", _rewrite_note(program), _rewrites(program, style)))
    facts = (
        *_notation_fact(program),
        ("precision", derivation.spec.dtype),
        ("parameters", f"{parameter_count(program):,}"),
        ("symgrad", VERSION),
        ("spec SHA-256", derivation.spec.sha256),
    )
    shown = tuple(s for s in sections if s.rows)
    return Page(derivation.name, facts, _legend(derivation), tensor_rows(derivation, style), shown)


def _notation_fact(program: Program) -> tuple[tuple[str, str], ...]:
    name = program.convention.name
    return (("notation", f"{name}; {NOTATIONS[name].about}"),) if name != "rows" else ()


def _legend(derivation: Derivation) -> tuple[str, ...]:
    ignores = any(tensor.ignore is not None for tensor in derivation.program.declared)
    own = (*_of_matrices(derivation.program), *([DELTA_LEGEND] if ignores else []))
    return (*own, *requested_legend(derivation))


def _of_matrices(program: Program) -> tuple[str, ...]:
    if program.convention.samples == "rows":
        return LEGEND
    has_stacks = any(len(t.axes) > 2 for t in program.tensors)
    return (LEGEND[0], *COLUMNS_LEGEND, *([STACKS_LEGEND] if has_stacks else []), *LEGEND[2:])


def _parts(program: Program, hidden: Collection[str]) -> dict[str, list[Equation]]:
    """The shown equations by what they are for."""
    outputs = program.needed(program.outputs)
    loss = program.needed((program.loss,) if program.loss else ())
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
    on_the_way = program.needed((program.loss,) if program.loss else ())
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
    rule = tuple(Row(line) for line in (*look_ahead_rule(update, style), *update_rule(update, style)))
    composed = [Row(line) for line in rule_of_step(update, style)]
    for gradient in program.gradients:
        if program.tensor[gradient.of].kind != "parameter":
            continue
        lines = composed_lines(derivation, gradient.of, gradient.name, hidden, style)
        of = written_name(program, gradient.of)
        composed += [Row(line, label=of if not n else "") for n, line in enumerate(lines)]
    return [
        Section("updates", "Update rule", reading_note(update), rule),
        Section("updates", "Update of every parameter", COMPOSED_NOTE, tuple(composed)),
    ]


def composed_lines(
    derivation: Derivation, parameter: str, gradient: str, hidden: Collection[str], style: Style
) -> tuple[str, ...]:
    """The update of one parameter, its gradient put in."""
    program = derivation.program
    short = IndexWriter(program).tensor(gradient)
    full = right_formula(program.definition[gradient], program, hidden)
    return composed_rule(
        derivation.update, parameter, full or short, short, style, convention=program.convention
    )


def _rewrite_note(program: Program) -> str:
    return REWRITE_NOTE if program.convention == ROWS else f"{REWRITE_NOTE} {REWRITE_NAMES_NOTE}"


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
