"""The tensors of a spec that data feed."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

from symgrad.errors import DataError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from symgrad.spec.model import Spec, TensorSpec, Word


@dataclass(frozen=True)
class Slot:
    """A tensor of the spec that data feed: rows of `shape`, labels where it has `classes`."""

    name: str
    shape: tuple[int, ...]
    is_input: bool
    classes: int | None = None
    class_names: tuple[Word, ...] = ()
    ignore: int | None = None

    @property
    def size(self) -> int:
        """The entries of a row."""
        return math.prod(self.shape)


def slots_of(spec: Spec, lengths: Mapping[str, int] | None = None) -> tuple[Slot, ...]:
    """The inputs, then the targets, with `lengths` of free axes. Raises DataError without rows or sizes."""
    return tuple(
        Slot(t.name, row_shape(t, spec, lengths or {}), t in spec.inputs, t.classes, t.class_names, t.ignore)
        for t in (*spec.inputs, *spec.targets)
    )


def sets_of(spec: Spec) -> dict[str, str]:
    """The set of points of every tensor, its first axis; empty where all share their rows."""
    found = {t.name: str(t.axes[0]) for t in (*spec.inputs, *spec.targets) if t.axes}
    return found if len({*found.values()}) > 1 else {}


def further_axes(spec: Spec) -> tuple[str, ...]:
    """The free axes behind the first one of some tensor."""
    sizes = dict(spec.axes)
    axes = (axis for t in (*spec.inputs, *spec.targets) for axis in t.axes[1:])
    return tuple(dict.fromkeys(axis for axis in axes if isinstance(axis, str) and axis not in sizes))


def lengths_in(spec: Spec, shapes: Mapping[str, tuple[int, ...]]) -> dict[str, int]:
    """How long the free axes are where the rows of tensors have these shapes, as far as these fit."""
    found: dict[str, int] = {}
    for tensor in (*spec.inputs, *spec.targets):
        if len(shapes[tensor.name]) == len(tensor.axes) - 1:
            pairs = zip(tensor.axes[1:], shapes[tensor.name], strict=True)
            found = {axis: size for axis, size in pairs if isinstance(axis, str)} | found
    return {axis: found[axis] for axis in further_axes(spec) if axis in found}


def row_shape(tensor: TensorSpec, spec: Spec, lengths: Mapping[str, int]) -> tuple[int, ...]:
    """The sizes of a tensor's axes after the batch axis.

    Raises DataError when the first axis is not the batch, or another has no size. The batch is a free axis
    that stands first and nowhere else: the two axes of `adj: [nodes, nodes]` do not count samples.
    """
    sizes = {**lengths, **dict(spec.axes)}
    first = tensor.axes[0] if tensor.axes else None
    further = {axis for t in (*spec.inputs, *spec.targets) for axis in t.axes[1:]}
    if not isinstance(first, str) or first in dict(spec.axes) or first in further:
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
        remedy = f"add 'axes: {{{axis}: SIZE}}' to the spec, or give arrays, as in an NPZ file"
        raise DataError(problem, at=tensor.at, remedy=remedy)
    return sizes[axis]
