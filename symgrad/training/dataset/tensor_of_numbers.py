"""From the numbers of a file to a tensor: shape, finiteness, whole labels, the spec's dtype."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import numpy as np

from symgrad.errors import DataError
from symgrad.training.dataset.exactness import to_float

if TYPE_CHECKING:
    from numpy.typing import DTypeLike, NDArray

    from symgrad.spec.model import Spec, TensorSpec
    from symgrad.training.dataset.source import SourceNumbers


def row_shape(tensor: TensorSpec, spec: Spec) -> tuple[int, ...]:
    """The sizes of a tensor's axes after the batch axis.

    Raises DataError when the first axis is not the batch, or another has no size. The batch is a free axis
    that stands first and nowhere else: the two axes of `adj: [nodes, nodes]` do not count samples.
    """
    sizes = dict(spec.axes)
    first = tensor.axes[0] if tensor.axes else None
    further = {axis for t in (*spec.inputs, *spec.targets) for axis in t.axes[1:]}
    if not isinstance(first, str) or first in sizes or first in further:
        raise DataError(
            f"'{tensor.name}' has no batch axis: training here takes a file row by row, a row for a sample",
            at=tensor.at,
            remedy="its first axis must be free and stand nowhere else, as in [batch, 64]; data that are one "
            f"sample, step after step, are trained by the module's own fit({_arguments(spec)})",
        )
    return tuple(_size(axis, tensor, sizes) for axis in tensor.axes[1:])


def _arguments(spec: Spec) -> str:
    return ", ".join(t.name for t in (*spec.inputs, *spec.targets))


def _size(axis: int | str, tensor: TensorSpec, sizes: dict[str, int]) -> int:
    if isinstance(axis, int):
        return axis
    if axis not in sizes:
        problem = f"axis '{axis}' of '{tensor.name}' has no size, and data needs one"
        raise DataError(problem, at=tensor.at, remedy=f"add 'axes: {{{axis}: SIZE}}' to the spec")
    return sizes[axis]


def make_tensor(
    block: SourceNumbers, tensor: TensorSpec, shape: tuple[int, ...], dtype: DTypeLike
) -> NDArray[np.floating[Any]] | NDArray[np.int64]:
    """The block as a contiguous tensor [rows, *shape]: int64 labels where `classes` is set, else `dtype`.

    Raises DataError for a shape that does not fit, for NaN and infinity, and for bad labels.
    """
    _check_shape(block, tensor, shape)
    _refuse(
        block, ~np.isfinite(block.values), tensor, "is not a finite number", "leave out or fill such rows"
    )
    values = block.values.reshape(len(block.values), *shape)
    return _labels(block, values, tensor) if tensor.classes else _floats(block, values, tensor, dtype)


def _check_shape(block: SourceNumbers, tensor: TensorSpec, shape: tuple[int, ...]) -> None:
    """Rows may be flattened or unflattened; two different foldings of a row are an error."""
    found = block.values.shape[1:]
    same = _without_ones(found) == _without_ones(shape)
    flat = min(len(found), len(shape)) <= 1 and math.prod(found) == math.prod(shape)
    if not (same or flat):
        where = block.place(0, 0) if block.values.size else None
        problem = f"rows of shape {_brackets(found)} do not fit '{tensor.name}'"
        remedy = f"the spec needs rows of shape {_brackets(shape)}"
        if tensor.classes and found == (*shape, tensor.classes):
            axes = ", ".join(map(str, (*tensor.axes, tensor.classes)))
            remedy = f"for one row of {tensor.classes} numbers per label write {tensor.name}: [{axes}]"
        raise DataError(problem, at=where, remedy=remedy)


def _without_ones(shape: tuple[int, ...]) -> tuple[int, ...]:
    return tuple(size for size in shape if size != 1)


def _brackets(shape: tuple[int, ...]) -> str:
    return f"[{', '.join(map(str, shape))}]"


def _refuse(
    block: SourceNumbers, bad: NDArray[np.bool_], tensor: TensorSpec, problem: str, remedy: str
) -> None:
    """Raise a DataError at the first bad entry."""
    if bad.any():
        flat = bad.reshape(len(bad), -1)
        row, entry = (int(index) for index in np.unravel_index(int(flat.argmax()), flat.shape))
        value = block.values.reshape(flat.shape)[row, entry]
        text = f"{float(value):.12g} {problem} (for '{tensor.name}')"
        raise DataError(text, at=block.place(row, entry), remedy=remedy)


def _labels(block: SourceNumbers, values: NDArray[Any], tensor: TensorSpec) -> NDArray[np.int64]:
    classes = tensor.classes or 0
    expected = f"labels are whole numbers from 0 to {classes - 1}"
    expected += f", or {tensor.ignore} for none" if tensor.ignore is not None else ""
    _refuse(block, values != np.floor(values), tensor, "is not a whole number", expected)
    counts = np.ones(values.shape, bool) if tensor.ignore is None else values != tensor.ignore
    remedy, labels = expected, values[counts]
    if labels.min(initial=classes) == 1 and labels.max(initial=0) == classes:
        remedy = f"the labels start at 1: subtract 1; {expected}"
    _refuse(block, counts & ((values < 0) | (values >= classes)), tensor, "is no class", remedy)
    return np.ascontiguousarray(values, dtype=np.int64)


def _floats(
    block: SourceNumbers, values: NDArray[Any], tensor: TensorSpec, dtype: DTypeLike
) -> NDArray[np.floating[Any]]:
    cast = to_float(values, dtype, block.place, tensor.name)
    problem = f"does not fit {np.dtype(dtype)}"
    _refuse(block, ~np.isfinite(cast), tensor, problem, "scale the column, or use dtype: float64")
    return cast
