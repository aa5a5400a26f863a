"""All that a module computes at a point: every function that answers, run by the machine."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from symgrad.verifier.identity.memory.bounded_memory import BoundsError, View
from symgrad.verifier.identity.training.step_gradients import step_pairs

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from symgrad.verifier.identity.machine import Machine
    from symgrad.verifier.interpretation.array_library import Array
    from symgrad.verifier.interpretation.philox_numbers import Key


class TextOutcome(NamedTuple):
    """Everything a module computes at one point, as arrays of exact numbers; None for what it lacks.

    `loss` is what the gradient is of, `evaluation` what the function `loss` gives, `by_key` the loss and the
    gradient by another key than that of inference, where something is drawn. `tensors` are those
    of the spec that it finds in its workspace by name, `steps` what steps form and must. `in_time` is what is
    predicted one step of time after the other, by the place of a prediction.
    """

    loss: Any
    gradient: Array | None
    input_gradients: list[Array]
    outputs: list[Array]
    prediction: list[Array]
    tensors: Sequence[tuple[str, Array]] = ()
    steps: Sequence[tuple[str, Array, Array]] = ()
    evaluation: Any = None
    by_key: tuple[Any, ...] = ()
    in_time: Sequence[Array] = ()


def outcome_of(
    machine: Machine,
    parameters: Array,
    inputs: Sequence[Array],
    targets: Sequence[Array],
    frozen: Sequence[str] = (),
    nexts: Mapping[str, Array] | None = None,
    *,
    differ: bool = False,
    key: Key | None = None,
) -> TextOutcome:
    """What the functions of a module answer; parameters are one vector in its own order.

    No step forms the gradients of those that are `frozen`; of the states among them it makes the `nexts`.
    Where training and inference `differ`, so do the losses of `loss` and of `loss_and_grad`.

    Raises:
        BoundsError: an access beside an array or its memory.
    """

    def theta() -> View:
        return machine.vector(parameters, "theta")

    names, data = machine.names, (*inputs, *targets)
    outputs = _as_list(names["forward"](theta(), *inputs))
    prediction = _as_list(names["predict"](theta(), *inputs))
    in_time = in_time_of(names, prediction, inputs, partial(names.get("step", tuple), theta()))
    if "_gradient" not in names:
        return TextOutcome(None, None, [], outputs, prediction, in_time=in_time)
    loss = names["loss"](theta(), *data)
    again, vector = names["loss_and_grad"](theta(), *data)
    if not differ and loss != again and not (loss != loss and again != again):
        raise BoundsError("loss and loss_and_grad give two losses")
    given = names["input_gradients"](theta(), *data) if "input_gradients" in names else ()
    gradient = vector.array()
    steps = list(step_pairs(machine, parameters, data, gradient, frozen, nexts or {}))
    slopes = [np.asarray(array, dtype=object) for array in given]
    tensors = _tensors(machine, theta(), data)
    by_key = () if key is None else _by_key(names["loss_and_grad"](theta(), *data, key.seed, key.step))
    return TextOutcome(again, gradient, slopes, outputs, prediction, tensors, steps, loss, by_key, in_time)


def in_time_of(
    facts: Mapping[str, Any], whole: Sequence[Array], inputs: Sequence[Array], step: Callable[..., Any]
) -> list[Array]:
    """What a module predicts where it goes on step by step of time, in the shape of the `whole`."""
    if "STEPS" not in facts:
        return []
    places, carry = facts["STEPS"], None
    found: list[list[Array]] = []
    arrays = dict(zip((*facts["INPUTS"], *facts["PREDICTED"]), (*inputs, *whole), strict=True))
    for number in range(next(arrays[name].shape[place] for name, place in places.items())):
        given = (
            arrays[name].take(number, axis=places[name]) if name in places else arrays[name]
            for name in facts["STEP_INPUTS"]
        )
        predicted, carry = step(carry, *given)
        found.append(list(predicted) if isinstance(predicted, tuple) else [predicted])
    return [
        np.stack([one[n] for one in found], axis=places[name]) if name in places else found[-1][n]
        for n, name in enumerate(facts["PREDICTED"])
    ]


def _by_key(answer: tuple[Any, View]) -> tuple[Any, Array]:
    loss, vector = answer
    return loss, vector.array()


def _tensors(machine: Machine, theta: View, data: Sequence[Array]) -> Sequence[tuple[str, Array]]:
    """The tensors that a training that breaks is told of."""
    names = machine.names
    if "_tensors" not in names:
        return ()  # an older module
    arrays, extents = names["_arguments"](names["INPUTS"] + names["TARGETS"], data)
    work = names["_kept"]("work", names["_work_size"](*extents))
    names["_loss"](theta, *arrays, work, *extents)
    return [(name, np.asarray(array, dtype=object)) for name, array in names["_tensors"](work, *extents)]


def _as_list(answer: Any) -> list[Array]:
    return [np.asarray(a, dtype=object) for a in (answer if isinstance(answer, tuple) else (answer,))]
