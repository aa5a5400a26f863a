"""The programs of the derivatives that a spec asks for beyond the gradient."""

from __future__ import annotations

from dataclasses import replace
from math import prod
from typing import TYPE_CHECKING

from symgrad.errors import SpecError, did_you_mean
from symgrad.passes.dividing.separability import why_rows_are_coupled
from symgrad.passes.further.rows_apart import rows_apart
from symgrad.passes.further.second_order import (
    gauss_newton_product,
    hessian_of,
    hessian_product,
    jacobian_of,
)
from symgrad.spec.reads import loss_arguments

if TYPE_CHECKING:
    from symgrad.calculus.program import Program
    from symgrad.spec.model import FurtherDerivative, Model

MOST_DERIVATIVES = 2**20
"""What a matrix of derivatives may hold, of a row where there are rows: a hundred times that fills memory."""


def further_program(asked: FurtherDerivative, model: Model, primal: Program, derived: Program) -> Program:
    """What a derivative is computed by; `derived` is the `primal` program with its gradient.

    Raises:
        SpecError: the model has no such derivative; the message says why.
    """
    if asked.kind == "jacobian":
        return _jacobian(asked, model, primal)
    if model.loss is None:
        raise SpecError(f"'{asked.kind}' needs a loss", at=asked.at, remedy="add loss: ...")
    if not model.parameters:
        remedy = "give the spec parameters, or leave it out"
        raise SpecError(f"'{asked.kind}' is of parameters, and there are none", at=asked.at, remedy=remedy)
    match asked.kind:
        case "gauss_newton":
            return gauss_newton_product(primal, _cut(asked, model, primal))
        case "per_sample":
            return _row_gradients(asked, model, primal, derived)
        case "hessian":
            return _hessian(asked, model, derived)
    return hessian_product(derived)


def _hessian(asked: FurtherDerivative, model: Model, derived: Program) -> Program:
    """Raises SpecError: what it names is no parameter, or has too many entries."""
    (name,) = asked.of
    names = [p.name for p in model.parameters]
    if name not in names:
        remedy = did_you_mean(name, names) or f"name a parameter, such as {names[0]}"
        raise SpecError(f"'{name}' is no parameter", at=asked.at, remedy=remedy)
    entries = prod(axis.size or 1 for axis in derived.tensor[name].axes)
    if entries**2 > MOST_DERIVATIVES:
        problem = f"'{name}' has {entries:,} entries, so {entries**2:,} second derivatives"
        remedy = f"at most {MOST_DERIVATIVES:,} are formed; derive: [hvp] gives their products with vectors"
        raise SpecError(problem, at=asked.at, remedy=remedy)
    return hessian_of(derived, name)


def _jacobian(asked: FurtherDerivative, model: Model, primal: Program) -> Program:
    """Raises SpecError: there is no such derivative, rows know of each other, or it is too large."""
    of, by = asked.of
    equations, inputs = [e.name for e in model.equations], [t.name for t in model.spec.inputs]
    known = [*equations, *inputs, *(p.name for p in model.parameters)]
    for name, possible in ((of, equations), (by, known)):
        if name not in possible:
            remedy = did_you_mean(name, possible) or f"name one of {', '.join(possible)}"
            raise SpecError(f"'{name}' has no place in a Jacobian", at=asked.at, remedy=remedy)
    behind = primal.needed([of])
    if primal.tensor[by].is_integer:
        raise SpecError(
            f"'{by}' holds integer labels, nothing varies by it", at=asked.at, remedy="leave it out"
        )
    if by not in behind or by == of:
        raise SpecError(f"'{of}' does not depend on '{by}'", at=asked.at, remedy="name what it is made of")
    if targets := behind & {t.name for t in model.spec.targets}:
        problem = f"'{of}' depends on the target {min(targets)}"
        raise SpecError(problem, at=asked.at, remedy="a Jacobian is of what the inputs decide")
    rows = model.batch_axis
    axes = primal.tensor[of].axes
    is_by_rows = bool(axes) and axes[0].name == rows != ""
    said = model.said
    reason = why_rows_are_coupled(replace(primal, loss=of), rows, said) if is_by_rows else None
    if reason:
        problem = f"no row of '{of}' has derivatives of its own: {reason}"
        raise SpecError(problem, at=asked.at, remedy="leave the Jacobian out")
    size = prod(axis.size or 1 for axis in (*axes, *primal.tensor[by].axes))
    if size > MOST_DERIVATIVES:
        problem = f"the derivatives of '{of}' by '{by}' are {size:,} for every row"
        raise SpecError(problem, at=asked.at, remedy=f"at most {MOST_DERIVATIVES:,} are formed")
    return jacobian_of(primal, of, by, rows, asked.at)


def _row_gradients(asked: FurtherDerivative, model: Model, primal: Program, derived: Program) -> Program:
    """The gradient of the loss of every row alone.

    Raises:
        SpecError: there are no rows, or they know of each other.
    """
    reason = why_rows_are_coupled(primal, model.batch_axis, model.said)
    if reason:
        problem = f"no row has a gradient of its own: {reason}"
        raise SpecError(problem, at=asked.at, remedy="leave per_sample out")
    gradient = {g.of: g.name for g in derived.gradients}
    return rows_apart(derived, model.batch_axis, [gradient[p.name] for p in model.parameters], asked.at)


def _cut(asked: FurtherDerivative, model: Model, primal: Program) -> tuple[str, ...]:
    """Where Gauss and Newton leave the network for the loss: what is named, or else what the loss reads.

    Raises:
        SpecError: it is no tensor, or the loss depends on parameters beside it.
    """
    known = {e.name for e in model.equations} | {p.name for p in model.parameters}
    for name in asked.of:
        if name not in known:
            remedy = did_you_mean(name, known) or "name an equation that the loss reads"
            raise SpecError(f"'{name}' is no equation", at=asked.at, remedy=remedy)
    cut = asked.of or loss_arguments(model)
    beside = _beside(primal, cut) & {p.name for p in model.parameters}
    if beside:
        through = ", ".join(cut) or "what it reads"
        problem = f"the loss depends on {', '.join(sorted(beside))} beside {through}"
        all_of_it = f'derive: ["gauss_newton({", ".join([*cut, *sorted(beside)])})"]'
        remedy = f"give what it computes of them an equation, and let it read that; or name all: {all_of_it}"
        raise SpecError(problem, at=asked.at, remedy=remedy)
    if not any(primal.tensor[name].axes for name in cut):
        problem = "the loss is made of single numbers, which have no curvature of their own"
        remedy = 'name the tensor that it is convex in, such as derive: ["gauss_newton(y)"]'
        raise SpecError(problem, at=asked.at, remedy=remedy)
    return cut


def _beside(program: Program, cut: tuple[str, ...]) -> set[str]:
    """What the loss depends on where the tensors in `cut` are given."""
    found = {program.loss} if program.loss else set()
    for equation in reversed(program.equations):
        if equation.target in found and equation.target not in cut:
            found |= equation.reads
    return {str(name) for name in found} - set(cut)
