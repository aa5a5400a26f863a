"""Fan-in, fan-out and scale of a parameter as the spec's own formulas show them, without the compiler.

The first sum of products that a parameter stands in decides: an axis summed over counts into fan-in; one
that only the result has, and one summed over while it slides along another tensor, counts into fan-out.
Products of matrices say the same of the two axes of a matrix.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from symgrad.spec.language.declared_ranges import bound_names
from symgrad.spec.language.syntax import Binary, Call, Index, Name, Node, Transpose
from symgrad.spec.language.trees import children, names_in, walk
from symgrad.verifier.interpretation.interpreter import Shape, scalar_value

if TYPE_CHECKING:
    from symgrad.spec.model import Model, ParameterDecl


@dataclass(frozen=True)
class SpecFans:
    """Places of a parameter's axes: those summed over, and those that feed the result."""

    summed: tuple[int, ...]
    fed: tuple[int, ...]

    def sizes(self, shape: Shape) -> tuple[int, int]:
        """Fan-in and fan-out of a parameter of this shape."""
        return math.prod(shape[n] for n in self.summed), math.prod(shape[n] for n in self.fed)


def fans_of(model: Model, parameter: ParameterDecl) -> SpecFans | None:
    """The fans of a parameter; None where no sum of products shows them plainly."""
    for equation in model.equations:
        found = _in_formula(equation.formula, parameter)
        if found is not None:
            return found
    return None


def _in_formula(node: Node, parameter: ParameterDecl) -> SpecFans | None:
    match node:
        case Binary("@", left, right):
            found = _in_product(left, right, parameter)
        case Call(("sum" | "mean"), (term, *_)) if reduced := set(bound_names(node)):
            found = _in_sum(term, reduced, parameter.name)
        case _:
            found = None
    if found is not None:
        return found
    inside = (_in_formula(child, parameter) for child in children(node))
    return next((fans for fans in inside if fans is not None), None)


def _in_product(left: Node, right: Node, parameter: ParameterDecl) -> SpecFans | None:
    """A matrix sums over the axis next to the `@`, a vector over its own."""
    rank = len(parameter.axes)
    for operand, sums_first in ((left, False), (right, True)):
        is_turned = isinstance(operand, Transpose)
        named = operand.operand if isinstance(operand, Transpose) else operand
        if isinstance(named, Name) and named.id == parameter.name:
            summed = 0 if rank == 1 or sums_first is not is_turned else 1
            return SpecFans((summed,), tuple(n for n in range(rank) if n != summed)) if rank <= 2 else None
    return None


def _in_sum(term: Node, reduced: set[str], name: str) -> SpecFans | None:
    uses = [node for node in walk(term) if isinstance(node, Index)]
    own = next((node for node in uses if node.tensor == name), None)
    if own is None or not all(isinstance(index, Name) for index in own.indices):
        return None
    others = [index for node in uses if node != own for index in node.indices]
    alone = {index.id for index in others if isinstance(index, Name)}
    affine = [names_in(index) for index in others if isinstance(index, Binary)]
    slide = {name for names in affine if names - names_in(own) for name in names} - alone
    letters = [index.id for index in own.indices if isinstance(index, Name)]
    summed = tuple(n for n, letter in enumerate(letters) if letter in reduced)
    fed = tuple(
        n
        for n, letter in enumerate(letters)
        if (letter in slide if letter in reduced else letter not in alone)
    )
    return SpecFans(summed, fed) if summed else None


def scale_of(model: Model, decl: ParameterDecl, shape: Shape) -> float | None:
    """The constant, half-width or standard deviation; None where it needs fans that are not plain to see."""
    fans = (shape[0], shape[-1]) if shape else (1, 1)
    if {"fan_in", "fan_out"} & names_in(decl.init.scale):
        found = fans_of(model, decl)
        if found is None and len(shape) > 1:
            return None
        fans = fans if found is None else found.sizes(shape)
    numbers = dict(zip(("fan_in", "fan_out"), (np.asarray(float(f)) for f in fans), strict=True))
    return float(scalar_value(decl.init.scale, numbers))
