"""What training starts from: the distributions of parameters with their scales as numbers, and the states."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import sympy as sp

from symgrad.calculus.axes import show_axes
from symgrad.calculus.terms import Entry
from symgrad.elaborate.formulas import Evaluator
from symgrad.elaborate.operands import EquationBuilder, Value, scalar
from symgrad.elaborate.optimizer import hyper_parameters
from symgrad.elaborate.starting.fans import Fans, fans_of
from symgrad.errors import ShapeError, SpecError
from symgrad.spec.language.number_types import LARGEST

if TYPE_CHECKING:
    from collections.abc import Mapping

    from symgrad.calculus.program import Program, Tensor
    from symgrad.spec.language.syntax import Node
    from symgrad.spec.model import Distribution, InitSpec, Model, ParameterDecl


@dataclass(frozen=True)
class FirstValues:
    """`scale` is the deviation of a normal distribution, also of one that is cut at two of them, the end of a
    uniform one, the constant itself, or what an identity or an orthogonal matrix is multiplied by.
    """

    distribution: Distribution
    scale: float


def first_values(model: Model, program: Program) -> Mapping[str, FirstValues]:
    """What every parameter starts from; `program` says what its fan-in and fan-out are.

    Raises:
        SpecError: a scale is no finite number, or negative where it is a width.
        ShapeError: a matrix for a parameter that is none.
    """
    for p in model.parameters:
        _check_axes(p, program.tensor[p.name])
    return {
        p.name: _first_values(p.name, p.init, fans_of(program.tensor[p.name], program))
        for p in model.parameters
    }


def first_states(model: Model) -> Mapping[str, sp.Expr]:
    """What every state of the optimiser starts from, in all its entries: a formula over hyper-parameters.

    Raises:
        SpecError: no number, or one beyond the reach of single precision.
    """
    hyper = hyper_parameters(model)
    named = {**hyper, **{h.name: scalar(Entry(h.name)) for h in model.hyper if h.name in hyper}}
    for name, start in model.optimizer.state:
        _check_first_state(name, start, _evaluated(start, hyper))
    return {name: _evaluated(start, named) for name, start in model.optimizer.state}


def _evaluated(start: Node, hyper: Mapping[str, Value]) -> sp.Expr:
    return Evaluator(EquationBuilder(), {}, {}).evaluate(start, "state", hyper).body


def _check_first_state(name: str, start: Node, value: sp.Expr) -> None:
    if not value.is_number:
        raise SpecError(f"the state '{name}' must start from a number", at=start.at)
    if not abs(value) <= LARGEST["float32"]:
        problem = f"the state '{name}' starts from {float(value):g}"
        raise SpecError(problem, at=start.at, remedy=f"expected at most {LARGEST['float32']:.2g}")


def _check_axes(parameter: ParameterDecl, tensor: Tensor) -> None:
    """An identity is a matrix, an orthogonal one may have more axes in front of the last."""
    init, rank, least = parameter.init, len(tensor.axes), 2
    if init.distribution not in ("identity", "orthogonal"):
        return
    if rank < least or (rank > least and init.distribution == "identity"):
        raise ShapeError(
            f"{init.distribution} first values of '{parameter.name}', which is {show_axes(tensor.axes)}",
            at=parameter.at,
            remedy="write zeros, or normal(std=0.1), for what is no matrix",
        )


def _first_values(name: str, init: InitSpec, fans: Fans) -> FirstValues:
    known = {"fan_in": scalar(sp.Integer(fans.fan_in)), "fan_out": scalar(sp.Integer(fans.fan_out))}
    value = Evaluator(EquationBuilder(), {}, {}).evaluate(init.scale, "init", known).body
    number = float(value) if value.is_number and value.is_finite else None
    is_finite = number is not None and abs(number) <= LARGEST["float32"]
    if number is None or not is_finite or (number < 0 and init.distribution != "constant"):
        raise SpecError(
            f"the first values of '{name}' need a finite scale that is not negative",
            at=init.scale.at,
            remedy="give a number such as 0.1",
        )
    return FirstValues(init.distribution, number)
