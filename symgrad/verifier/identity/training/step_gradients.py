"""Gradients as a step of training takes them: added to another vector while formed, or summed over pieces."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np

from symgrad.verifier.identity.memory.bounded_memory import View, laid_over

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from symgrad.verifier.identity.machine import Machine
    from symgrad.verifier.interpretation.array_library import Array

_PIECE = 2
"""Rows, of five."""

LOOKED_UP = "_update_looked_up"
"""What a text updates rows of tables by that its data name."""

Pair = tuple[str, "Array", "Array"]


def step_pairs(
    machine: Machine,
    parameters: Array,
    data: Sequence[Array],
    gradient: Array,
    frozen: Sequence[str],
    nexts: Mapping[str, Array],
) -> Iterator[tuple[str, Array, Array]]:
    """What a step's gradient is, what it must be, and its name; `gradient` is that of all the data.

    No step needs that of `frozen` parameters; where it is of a state, a step forms the next value.
    """
    shapes = machine.text.facts["SHAPES"]
    is_trained, is_renewed = trained(shapes, frozen), ~trained(shapes, [*nexts])
    if "_step_gradient" in machine.names:
        is_formed = trained(shapes, [name for name in frozen if name not in nexts])
        yield _of_trained(machine, parameters, data, _with_nexts(gradient, shapes, nexts), is_formed)
    if "_backward" in machine.names:
        yield _accumulated(machine, parameters, data, _with_nexts(gradient, shapes, nexts), is_renewed)
    if "_gradient_in_pieces" in machine.names:
        what, found, expected = _in_pieces(machine, parameters, data)
        yield what, found[is_trained], expected[is_trained]


def _with_nexts(gradient: Array, shapes: Mapping[str, tuple[int, ...]], nexts: Mapping[str, Array]) -> Array:
    """The gradient with the next values of states in place of theirs."""
    formed, first = gradient.copy(), 0
    for name, shape in shapes.items():
        end = first + math.prod(shape)
        if name in nexts:
            formed[first:end] = np.ravel(nexts[name])
        first = end
    return formed


def looks_up(machine: Machine) -> bool:
    """Whether a step visits rows of tables alone, those that its data name."""
    return LOOKED_UP in machine.names


def trained(shapes: Mapping[str, tuple[int, ...]], frozen: Sequence[str]) -> Array:
    """Which entries of the vector of all parameters are trained."""
    parts = [np.full(math.prod(shape), name not in frozen) for name, shape in shapes.items()]
    return np.concatenate([*parts, np.empty(0, bool)])


def _of_trained(
    machine: Machine, parameters: Array, data: Sequence[Array], gradient: Array, is_trained: Array
) -> Pair:
    """What a step forms, without the gradient of frozen parameters, in a vector of garbage."""
    names = machine.names
    arrays, extents = names["_arguments"](names["INPUTS"] + names["TARGETS"], data)
    grad = machine.vector(machine.garbage(gradient.size), "grad")
    work = names["_kept"]("work", names["_work_size"](*extents))
    before = grad.array()
    names["_step_gradient"](machine.vector(parameters, "theta"), grad, *arrays, work, *extents)
    found = grad.array()
    if looks_up(machine):  # the step itself, which must use none of what is not formed, is run elsewhere
        is_left = (found == before) & (gradient == 0 * gradient)
        found = np.where(is_left, gradient, found)
    return "the gradient in a step", found[is_trained], gradient[is_trained]


def _accumulated(
    machine: Machine, parameters: Array, data: Sequence[Array], gradient: Array, is_renewed: Array
) -> Pair:
    """destination ← keep·destination + scale·gradient; states have their next values there."""
    names = machine.names
    arrays, extents = names["_arguments"](names["INPUTS"] + names["TARGETS"], data)
    before = machine.garbage(gradient.size)
    keep, scale = machine.garbage(gradient.size + 2)[-2:]
    theta, destination = machine.vector(parameters, "theta"), machine.vector(before, "destination")
    work = names["_kept"]("work", names["_work_size"](*extents))
    names["_loss"](theta, *arrays, work, *extents)
    names["_backward"](theta, destination, keep, scale, *arrays, work, *extents)
    expected = np.where(is_renewed, gradient, before * keep + gradient * scale)
    return "the gradient added to another vector", destination.array(), expected


def _in_pieces(machine: Machine, parameters: Array, data: Sequence[Array]) -> Pair:
    """The gradient of the rows in an order, a row twice among them, formed over pieces of these."""
    names = machine.names
    batch = names["FREE_AXES"][0]
    has_rows = [names["AXES"][name][:1] == (batch,) for name in names["INPUTS"] + names["TARGETS"]]
    count = next(array.shape[0] for array, rows in zip(data, has_rows, strict=True) if rows)
    order = [place % count for place in (2, 0, 1, 1, 0)]
    theta, grad, piece = (machine.vector(vector, "") for vector in (parameters, parameters, parameters))
    flat = [machine.vector(a.reshape(-1), "") if rows else a for a, rows in zip(data, has_rows, strict=True)]
    space = tuple(_space(machine, array, count) for array, rows in zip(data, has_rows, strict=True) if rows)
    arrays, extents = names["_arguments"](names["INPUTS"] + names["TARGETS"], data)
    key = arrays[len(data) :]
    work = names["_kept"]("work", names["_work_size"](_PIECE, *extents[1:]))
    chosen = machine.vector(np.array(order, dtype=object), "order")
    whole = [a[order] if own else a for a, own in zip(data, has_rows, strict=True)]
    _, expected = names["loss_and_grad"](theta, *whole)
    all_rows, names["MICRO_BATCH_SIZE"] = names["MICRO_BATCH_SIZE"], _PIECE
    names["_gradient_in_pieces"](theta, grad, piece, *flat, chosen, space, *key, work, *extents[1:])
    names["MICRO_BATCH_SIZE"] = all_rows  # what else goes in pieces is run with all rows at once
    return "the gradient in pieces", grad.array(), expected.array()


def _space(machine: Machine, array: Array, count: int) -> View:
    """Memory for the rows of a piece."""
    return laid_over(np.resize(array, _PIECE * array.size // count), machine.kind, "rows")
