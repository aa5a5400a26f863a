"""What a network by itself is given: tensors with the axes of those that a call of it has."""

from __future__ import annotations

from typing import TYPE_CHECKING

from symgrad.errors import SpecError
from symgrad.spec.model import TensorSpec

if TYPE_CHECKING:
    from symgrad.calculus.axes import Axis
    from symgrad.calculus.program import Program
    from symgrad.spec.model import AxisSpec, NetworkFunction


def network_inputs(function: NetworkFunction, program: Program) -> tuple[TensorSpec, ...]:
    """The arguments of a network as inputs; `program` is the one that calls it.

    A size that follows from others there, as that of x[1:], is one that the data decide here.

    Raises:
        SpecError: there are more of these than axes that data decide.
    """
    like = [program.tensor[name] for name in function.like]
    axes = {axis for tensor in like for axis in tensor.axes}
    plain = [str(a.name) for a in program.free_axes if a.form is None]
    spare = [name for name in plain if name not in {a.name for a in axes}]
    named: dict[Axis, AxisSpec] = {axis: axis.label for axis in axes if axis.form is None}
    for axis in sorted(axes - named.keys(), key=str):
        if not spare:
            problem = f"'{function}' is given tensors of more sizes than data decide"
            raise SpecError(problem, at=function.at, remedy="call it with inputs somewhere")
        named[axis] = spare.pop(0)
    return tuple(
        TensorSpec(name, tuple(named[axis] for axis in tensor.axes), tensor.classes, function.at)
        for name, tensor in zip(function.arguments, like, strict=True)
    )
