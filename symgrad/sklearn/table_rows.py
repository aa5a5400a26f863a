"""Rows of tables as the tensors of a spec."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

from symgrad.sklearn.changed_specs import WEIGHTS

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from symgrad.spec.model import Model, Spec, TensorSpec


def row_shape(spec: Spec, tensor: TensorSpec) -> tuple[int, ...]:
    """The shape of one sample of a tensor whose first axis counts samples.

    Raises ValueError where another axis has no size.
    """
    sizes, axes = dict(spec.axes), tensor.axes[1:]
    free = [axis for axis in axes if isinstance(axis, str) and axis not in sizes]
    if free:
        raise ValueError(
            f"{spec.name}: axis '{free[0]}' of '{tensor.name}' has no size; write axes: {free[0]}: ..."
        )
    return tuple(axis if isinstance(axis, int) else sizes[axis] for axis in axes)


def target_of(model: Model) -> TensorSpec:
    """The one target that y is for.

    Raises ValueError where there is none, or several, or its first axis does not count samples; and where the
    network says several things of a sample.
    """
    name, targets = model.spec.name, [t for t in model.spec.targets if t.name != WEIGHTS]
    if len(targets) != 1 or targets[0].axes[:1] != (model.batch_axis,):
        raise ValueError(f"{name}: expected one target, whose first axis counts samples as that of the input")
    if model.prediction is None and len(model.outputs) != 1:
        said = f"it has the outputs {', '.join(model.outputs)}; say which is the prediction"
        raise ValueError(f"{name}: {said}: outputs: [{model.outputs[-1]}]")
    return targets[0]


def as_tensor(spec: Spec, tensor: TensorSpec, table: NDArray[Any]) -> NDArray[Any]:
    """The rows of a table, each in the shape of a sample.

    Raises ValueError where they have too few or too many entries.
    """
    shape, width = row_shape(spec, tensor), math.prod(table.shape[1:])
    if math.prod(shape) != width:
        problem = f"a sample of '{tensor.name}' has {math.prod(shape)} entries, the data have {width}"
        raise ValueError(f"{spec.name}: {problem}; expected rows of shape {list(shape)}")
    return table.reshape(len(table), *shape)
