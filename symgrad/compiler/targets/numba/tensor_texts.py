"""The tensors of a model as Python text: arguments, results, first values."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from symgrad.calculus.axes import show_axes
from symgrad.compiler.planning.plan import size_of
from symgrad.compiler.targets.numba.records import ArgumentText, ResultText
from symgrad.compiler.targets.numba.signatures import Signatures, as_tuple
from symgrad.compiler.targets.numba.spelling import CALLERS, NUMBA
from symgrad.elaborate.optimizer import counts_epochs
from symgrad.spec.reads import predicted_from

if TYPE_CHECKING:
    from symgrad.calculus.program import Tensor
    from symgrad.compiler.kernels.function_bodies import FunctionBodies
    from symgrad.compiler.targets.numba.lowered_model import LoweredModel


def signatures_of(lowered: LoweredModel) -> Signatures:
    """The arguments that the functions of a module hand to one another."""
    update = lowered.update
    pieces = ["grad", *(["piece"] if lowered.piece_rows else [])]
    names = lowered.drivers.extent_names
    return Signatures(
        inputs=tuple(_argument(lowered, x) for x in lowered.program.of_kind("input")),
        targets=tuple(_argument(lowered, t) for t in lowered.program.of_kind("target")),
        extents=tuple(names.values()),
        free_extents=tuple(names[axis] for axis in lowered.drivers.free_axes),
        batch_axis=names[lowered.model.batch_axis] if lowered.model.batch_axis else "",
        states=lowered.states,
        step_memory=(
            *(() if lowered.accumulation is not None else pieces),
            *(("ahead",) if lowered.looks_ahead else ()),
        ),
        point="ahead" if lowered.looks_ahead else "theta",
        counts_epochs=counts_epochs(update),
        takes_pieces=bool(lowered.piece_rows),
        takes_sets=lowered.steps_take_sets,
        step_gradient="_step_gradient" if lowered.has_step_gradient else "_gradient",
        looked_up=lowered.looked_up,
        draws=lowered.draws,
    )


def _argument(lowered: LoweredModel, tensor: Tensor) -> ArgumentText:
    return replace(
        argument_in(lowered.drivers, tensor),
        is_batched=bool(tensor.axes) and tensor.axes[0].name == lowered.model.batch_axis != "",
        is_spare=tensor.kind == "input" and tensor.name not in predicted_from(lowered.model),
    )


def argument_in(drivers: FunctionBodies, tensor: Tensor) -> ArgumentText:
    """What callers give these functions for a tensor."""
    views = drivers.views
    return ArgumentText(
        name=tensor.name,
        variable=drivers.names[tensor.name],
        axes=shape_told(tensor),
        classes=tensor.classes,
        ignore=tensor.ignore,
        row_size=" * ".join(NUMBA.text(views.size(a.extent)) for a in tensor.axes[1:]),
        batch_shape=as_tuple(map(NUMBA.text, views.shape_in_memory(tensor.name))),
    )


def shape_told(tensor: Tensor) -> str:
    """The axes of a tensor as a tuple of Python: sizes, and the names of free ones."""
    return as_tuple(repr(a.name) if a.size is None else str(a.size) for a in tensor.axes)


def result(lowered: LoweredModel, name: str, tensor: str) -> ResultText:
    """What a caller gets of a tensor, its axis of samples first, the others as the spec has them."""
    return replace(result_in(lowered.drivers, tensor), name=name)


def result_in(drivers: FunctionBodies, tensor: str) -> ResultText:
    """What a caller gets of a tensor that these functions compute."""
    axes, order = drivers.program.tensor[tensor].axes, drivers.program.tensor[tensor].order
    view = CALLERS.text(drivers.views.view(tensor))
    if drivers.plan.is_by_columns(tensor):
        view = f"np.moveaxis({view}, -1, 0)"
    if order:
        view = f"np.moveaxis({view}, {(*range(len(order)),)}, {order})"
    return ResultText(tensor, f"{view}{'' if axes else '.reshape(())'}", show_axes(axes))


def drawn(lowered: LoweredModel, tensor: Tensor) -> str:
    """`vector[0:64] = rng.normal(0.0, 0.1, 64)  # W1`, or one number for all entries."""
    start, size = lowered.starts[tensor.name], size_of(tensor.axes)[1]
    columns = size_of(tensor.axes[-1:])[1]
    match start.distribution:
        case "truncated_normal":
            value = f"_truncated_normal(rng, {start.scale!r}, {size})"
        case "orthogonal":
            value = f"_orthogonal(rng, {start.scale!r}, {size // columns}, {columns})"
        case "identity":
            value = f"{start.scale!r} * np.eye({size // columns}, {columns}).ravel()"
        case "normal":
            value = f"rng.normal(0.0, {start.scale!r}, {size})"
        case "uniform":
            value = f"rng.uniform({-start.scale!r}, {start.scale!r}, {size})"
        case _:
            value = repr(start.scale)
    offset = lowered.plan.places[tensor.name].offset
    return f"vector[{offset}:{offset + size}] = {value}  # {tensor.name}"
