"""First values of parameters as expressions of the emitted module."""

from __future__ import annotations

from typing import TYPE_CHECKING

import sympy as sp

from symgrad.elaborate.formulas import Evaluator
from symgrad.elaborate.operands import Builder, scalar
from symgrad.elaborate.operations import LARGEST_SINGLE
from symgrad.errors import SpecError

if TYPE_CHECKING:
    from symgrad.calculus.program import Tensor
    from symgrad.compiler.module.fans import Fans
    from symgrad.spec.model import InitSpec


def initial_values(init: InitSpec, tensor: Tensor, size: int, fans: Fans) -> str:
    """`rng.normal(0.0, 0.1, 64)`, or one number for all entries.

    Raises:
        SpecError: the scale is no finite number, or negative where it is a width.
    """
    known = {"fan_in": scalar(sp.Integer(fans.fan_in)), "fan_out": scalar(sp.Integer(fans.fan_out))}
    value = Evaluator(Builder(), {}, {}).evaluate(init.scale, "init", known).body
    number = float(value) if value.is_number and value.is_finite else None
    is_finite = number is not None and abs(number) < LARGEST_SINGLE
    if number is None or not is_finite or (number < 0 and init.distribution != "constant"):
        raise SpecError(
            f"the first values of '{tensor.name}' need a finite scale that is not negative",
            at=init.scale.at,
            remedy="give a number such as 0.1",
        )
    match init.distribution:
        case "normal":
            return f"rng.normal(0.0, {number!r}, {size})"
        case "uniform":
            return f"rng.uniform({-number!r}, {number!r}, {size})"
    return repr(number)
