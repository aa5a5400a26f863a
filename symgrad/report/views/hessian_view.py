"""The Hessian of the loss, as matrices where these say it, else entry by entry."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from symgrad.calculus.terms import Entry
from symgrad.explain.curvature.loss_hessians import loss_hessian
from symgrad.explain.jacobian_structure import structure
from symgrad.notation.equations import Writing
from symgrad.notation.typesetting import typeset as ts
from symgrad.notation.typesetting.latex import LATEX
from symgrad.notation.typesetting.text import TEXT
from symgrad.notation.visibility import shown_equations, visible_reads
from symgrad.passes.further.second_order import with_given
from symgrad.pipeline import Stages
from symgrad.report.content import FormulaRow, Section
from symgrad.report.views.jacobian_view import jacobian_row
from symgrad.spec.expansion.steps.solved_tensors import refuse_second_derivatives
from symgrad.spec.reads import loss_arguments

if TYPE_CHECKING:
    from collections.abc import Iterator

    from symgrad.calculus.program import Equation, Program
    from symgrad.explain.curvature.block_forms import BlockForm
    from symgrad.explain.curvature.loss_hessians import LossHessian
    from symgrad.notation.typesetting.style import Style
    from symgrad.report.derived import Derived

MOST_NAMED = 8
"""So many blocks that are too long are named."""
_NAMED = "named here"
_HESSIAN_NOTE = (
    "The second derivatives of the loss that are not 0. A matrix has a row for every entry of one tensor and "
    "a column for every entry of the other, the last index running fastest; ∂²loss/∂z[n]² is one for each n, "
    "and what lies between different n is 0. z[n] is row n of z, as a column; ⊗ is Kronecker's product."
)


def hessian_sections(derived: Derived, style: Style) -> list[Section]:
    """The Hessian of the loss by the tensors that it reads, and by the parameters."""
    return [
        Section("jacobians", title, _note(found), tuple(_hessian_rows(found, derived, style)))
        for title, found in hessians(derived)
        if found.blocks or found.too_long
    ]


def hessians(derived: Derived) -> Iterator[tuple[str, LossHessian]]:
    """The Hessians that are shown: by what the loss reads, all of it given, and by the parameters."""
    stages = derived.stages
    model = stages.model
    refuse_second_derivatives(model.spec, model.spec.at)
    read, parameters = loss_arguments(model), tuple(p.name for p in model.parameters)
    if stages.formulas.loss is not None and parameters:
        alone = Stages(model, with_given(stages.formulas, read)).standardised
        yield "Hessian of the loss by what it reads", loss_hessian(alone, read)
        yield "Hessian of the loss by parameters", loss_hessian(stages.standardised, parameters)


def _note(found: LossHessian) -> str:
    long = [f"∂²{found.loss}/∂{first}∂{second}" for first, second in found.too_long]
    named = ", ".join(long[:MOST_NAMED]) + (
        f" and {len(long) - MOST_NAMED} more" if len(long) > MOST_NAMED else ""
    )
    return _HESSIAN_NOTE + (f" Too long to be written: {named}." if long else "")


def hessian_data(derived: Derived) -> list[dict[str, Any]]:
    """The Hessians as texts, lists and dicts; what has no matrix form has null there."""
    return [_hessian_data(title, found, derived) for title, found in hessians(derived)]


def _hessian_data(title: str, found: LossHessian, derived: Derived) -> dict[str, Any]:
    text, latex = (_hessian_writing(found, style) for style in (TEXT, LATEX))
    named = (*_unseen(found, derived, text), *found.named)
    return {
        "title": title,
        "named": [{"target": e.target, "matrix": text.matrix(e), "latex": latex.matrix(e)} for e in named],
        "blocks": [
            {
                "by": [block.first, block.second],
                "every": [str(i) for i in block.form.every] if block.form else [],
                "matrix": _matrix_form(block.form, found.loss, TEXT) if block.form else None,
                "latex": _matrix_form(block.form, found.loss, LATEX) if block.form else None,
                "index": jacobian_row(block.entries, text).formula if block.has_short_entries else None,
                "structure": structure(block.entries),
            }
            for block in found.blocks
        ],
        "too_long": [list(pair) for pair in found.too_long],
    }


def _hessian_rows(found: LossHessian, derived: Derived, style: Style) -> Iterator[FormulaRow]:
    writing = _hessian_writing(found, style)
    for equation in (*_unseen(found, derived, writing), *found.named):
        yield FormulaRow(writing.matrix(equation), label=_NAMED)
    for block in found.blocks:
        row = jacobian_row(block.entries, writing)
        if block.form is not None:
            matrix = _matrix_form(block.form, found.loss, style)
            row = FormulaRow(matrix, row.formula if block.has_short_entries else "", row.label)
        yield row


def _matrix_form(form: BlockForm, loss: str, style: Style) -> str:
    return style.spell(ts.Relation(ts.Partial(ts.NameText(loss), (form.of, form.by)), "=", form.value))


def _hessian_writing(found: LossHessian, style: Style) -> Writing:
    return Writing(found.program, _log_sums(found.program), style)


def _log_sums(program: Program) -> frozenset[str]:
    """The log-sum-exps of one tensor, which have no names on pages."""
    found = (e for e in program.equations if e.reduction == "logsumexp" and isinstance(e.body, Entry))
    return frozenset(e.target for e in found if program.tensor[e.target].kind == "temporary")


def _unseen(found: LossHessian, derived: Derived, writing: Writing) -> list[Equation]:
    """What the blocks read that stands nowhere on the page as it is here, and what this reads in turn."""
    program, above = found.program, derived.stages.derived
    shown = {e.target: e for e in shown_equations(above, derived.hidden)}
    named = {equation.target for equation in found.named}
    waiting = [n for e in found.named for n in visible_reads(program, e, writing.hidden)]
    for block in found.blocks:
        waiting += [entry.tensor for entry in block.entries.value.atoms(Entry)]
        waiting += block.form.used if block.form is not None else ()
    unseen: set[str] = set()
    while waiting:
        name = waiting.pop()
        equation = program.definition.get(name)
        is_known = name in named | unseen | {*writing.hidden} or program.tensor[name].kind == "value"
        if equation is not None and not is_known and shown.get(name) != equation:
            unseen.add(name)
            waiting += visible_reads(program, equation, writing.hidden)
    return [e for e in program.equations if e.target in unseen]
