"""Which derivatives the formulas of a `manual` block claim, and whether such claims can be made at all."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from symgrad.calculus.axes import Axes, show_axes
from symgrad.errors import ShapeError, SpecError, did_you_mean
from symgrad.pipeline import Stages
from symgrad.spec.language.trees import names_in

if TYPE_CHECKING:
    from symgrad.calculus.program import Program, Tensor
    from symgrad.spec.model import AxisSpec, EquationSpec, Model


@dataclass(frozen=True)
class Claimed:
    """The manual formula `name` claims to be the derivative of the loss with respect to `of`.

    `axes` are the names and sizes of both; `uses` are the manual formulas it is built on, directly or
    through others.
    """

    name: str
    of: str
    axes: tuple[AxisSpec, ...]
    uses: frozenset[str]


def with_manual(model: Model) -> Model:
    """The model that computes its manual formulas too, after all else."""
    return replace(model, equations=(*model.equations, *model.manual))


def claimed_derivatives(model: Model) -> tuple[Claimed, ...]:
    """The claims of a model's manual formulas, in order: `dX`, where X is any tensor of the model.

    Raises:
        SpecError: an unknown name, a derivative that does not exist, a formula that claims nothing and is
            of no use to another.
        ShapeError: operands that do not fit together, or a claim of another shape than its tensor.
    """
    if not model.manual:
        return ()
    program = Stages(with_manual(model)).formulas
    tensors = {name: program.tensor[name] for name in _named(model)}
    sizes = {axis.name for tensor in tensors.values() for axis in tensor.axes} | dict(model.spec.axes).keys()
    uses = _uses(model.manual)
    claims = []
    for equation in model.manual:
        of = equation.name[1:] if equation.name[0] == "d" else ""
        if of in sizes:
            problem = f"'{equation.name}' claims the derivative with respect to '{of}', which is a size"
            raise SpecError(problem, at=equation.at, remedy="choose another name")
        if of in tensors:
            _check(equation, tensors[of], program)
            axes = tuple(a.label for a in tensors[of].axes)
            claims.append(Claimed(equation.name, of, axes, uses[equation.name]))
        elif not any(equation.name in used for used in uses.values()):
            raise _idle(equation, [f"d{name}" for name in tensors])
    return tuple(claims)


def _uses(manual: tuple[EquationSpec, ...]) -> dict[str, frozenset[str]]:
    uses: dict[str, frozenset[str]] = {}
    for equation in manual:
        direct = names_in(equation.formula) & uses.keys()
        uses[equation.name] = frozenset(direct).union(*(uses[name] for name in direct))
    return uses


def _named(model: Model) -> list[str]:
    tensors = (*model.spec.inputs, *model.spec.targets)
    later = (*(p.name for p in model.parameters), *(e.name for e in model.equations))
    return [*(tensor.name for tensor in tensors), *later]


def _check(equation: EquationSpec, tensor: Tensor, program: Program) -> None:
    name, of = equation.name, tensor.name
    if program.loss is None:
        raise SpecError(f"'{name}' claims a derivative of a loss", at=equation.at, remedy="add loss: ...")
    if tensor.is_integer:
        problem = f"'{name}' claims the derivative with respect to '{of}', which holds integer labels"
        raise SpecError(problem, at=equation.at, remedy="leave it out, or choose another name")
    axes = program.tensor[name].axes
    if _fit(axes, tensor.axes):
        return
    remedy = "a derivative has the shape of what it is taken by"
    if _fit(axes[::-1], tensor.axes):
        remedy = "its transpose would fit"
    raise ShapeError(
        f"'{name}' is {show_axes(axes)}, but '{of}' is {show_axes(tensor.axes)}",
        at=equation.at,
        remedy=remedy,
    )


def _fit(left: Axes, right: Axes) -> bool:
    return len(left) == len(right) and all(a.fits(b) for a, b in zip(left, right, strict=True))


def _idle(equation: EquationSpec, known: list[str]) -> SpecError:
    problem = f"'{equation.name}' claims no derivative, and no formula below uses it"
    same = [name for name in known if name.lower() == equation.name.lower()]
    remedy = did_you_mean(equation.name, same or known) or f"claims are called {', '.join(known[:6])}"
    return SpecError(problem, at=equation.at, remedy=remedy)
