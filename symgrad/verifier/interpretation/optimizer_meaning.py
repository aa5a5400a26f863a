"""What an optimiser's equations and a schedule's formula say a step must do."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from fractions import Fraction
from itertools import accumulate
from math import prod
from typing import TYPE_CHECKING

import numpy as np

from symgrad.spec.model import AFTER_STEP
from symgrad.verifier.interpretation.arithmetic import FIFTY_DIGITS, Arithmetic
from symgrad.verifier.interpretation.interpreter import scalar_value

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Mapping, Sequence

    from symgrad.spec.language.syntax import Node
    from symgrad.spec.model import Model
    from symgrad.verifier.interpretation.array_library import Array


@dataclass(frozen=True)
class Progress:
    """All parameters in one vector, the optimiser's states beside it, and how many steps were taken.

    `blocks` are the places of the parameters in it, where the optimiser does not treat all of them alike.
    """

    theta: Array
    states: Mapping[str, Array]
    steps: int
    blocks: Mapping[str, slice] = field(default_factory=dict)


def start(
    model: Model,
    theta: Array,
    arithmetic: Arithmetic = FIFTY_DIGITS,
    shapes: Mapping[str, tuple[int, ...]] | None = None,
) -> Progress:
    """Before the first step: every state has its first value in every entry.

    `shapes` are those of the parameters in their order, needed where the optimiser treats some otherwise.
    """
    vector = arithmetic.array(theta)
    hyper = _hyper(model, arithmetic)
    states = {
        name: arithmetic.array(scalar_value(node, hyper, arithmetic) + vector * 0)
        for name, node in model.optimizer.state
    }
    return Progress(vector, states, 0, blocks_in(shapes or {}))


def blocks_in(shapes: Mapping[str, tuple[int, ...]]) -> dict[str, slice]:
    """The places of parameters in the vector of all."""
    ends = list(accumulate(map(prod, shapes.values()), initial=0))
    return {name: slice(*ends[place : place + 2]) for place, name in enumerate(shapes)}


def step(
    model: Model, before: Progress, gradient: Array, epoch: int = 0, arithmetic: Arithmetic = FIFTY_DIGITS
) -> Progress:
    """One update: the gradient is clipped, the rate scheduled, and the equations applied in order.

    `t` counts from 1 in the update, `step` from 0 in the schedule. An equation sees what those above it
    have set, but for `theta`, which on the right is the parameter before the step.
    """
    values = _before_step(model, before, epoch, arithmetic)
    arithmetic = replace(arithmetic, divide=_quotient_in(arithmetic))
    trained = _trained(model, before, arithmetic)
    values["g"] = _clipped(trained(arithmetic.array(gradient), arithmetic.array(0)), model, arithmetic)
    theta = before.theta
    for name, formula in model.optimizer.update:
        value = arithmetic.array(scalar_value(formula, values, arithmetic) + before.theta * 0)
        if name == "theta":
            theta = values[AFTER_STEP] = trained(value, before.theta)
        else:
            values[name] = value
    states = {name: values[name] for name in before.states}
    return replace(before, theta=theta, states=states, steps=before.steps + 1)


def averaged(model: Model, path: Sequence[Progress], arithmetic: Arithmetic = FIFTY_DIGITS) -> Array:
    """The moving average of the parameters over all steps, each weighing decay times as much as the next.

    `path` is what was before the first step and after each. Frozen parameters, and all before the first
    step, are what they are.
    """
    names, last = model.optimizer.average, path[-1]
    if names is None or not last.steps:
        return last.theta
    decay = _hyper(model, arithmetic)[names.decay]
    total, weights = 0 * last.theta, 0 * decay
    for progress in path[1:]:
        total, weights = total * decay + progress.theta, weights * decay + 1
    mean = arithmetic.divide(arithmetic.array(total), arithmetic.array(weights + 0 * last.theta))
    return _trained(model, last, arithmetic)(mean, last.theta)


def _trained(model: Model, before: Progress, arithmetic: Arithmetic) -> Callable[[Array, Array], Array]:
    """Chooses what is to be where a parameter is trained, and what is to be where it is frozen."""
    if not model.frozen:
        return lambda value, _: value
    is_frozen = _mask(before, model.frozen, arithmetic)
    return lambda value, otherwise: arithmetic.array(arithmetic.library.where(is_frozen, otherwise, value))


def _mask(before: Progress, names: Collection[str], arithmetic: Arithmetic) -> Array:
    """Which entries belong to these parameters."""
    mask = np.zeros(np.shape(before.theta))
    for name in names:
        mask[before.blocks[name]] = 1
    chosen: Array = arithmetic.array(mask) == arithmetic.array(1)
    return chosen


def _quotient_in(arithmetic: Arithmetic) -> Callable[[Array, Array], Array]:
    """Division in which 0/0 is 0: nothing moves a parameter whose gradient has always been 0."""
    library, zero = arithmetic.library, arithmetic.array(0)

    def divide(a: Array, b: Array) -> Array:
        quotient = arithmetic.divide(a, b)
        return arithmetic.array(library.where((a == zero) & (b == zero), zero, quotient))

    return divide


def gradient_point(
    model: Model, before: Progress, epoch: int = 0, arithmetic: Arithmetic = FIFTY_DIGITS
) -> Array:
    """The parameters at which the next step takes its gradient."""
    formula = model.optimizer.look_ahead
    if formula is None:
        return before.theta
    point = scalar_value(formula, _before_step(model, before, epoch, arithmetic), arithmetic)
    return _trained(model, before, arithmetic)(point, before.theta)


def _before_step(model: Model, before: Progress, epoch: int, arithmetic: Arithmetic) -> dict[str, Array]:
    """What has a value before the equations of a step are applied."""
    names = _hyper_of_entries(model, before, arithmetic)
    if "learning_rate" in names:
        time = {"epoch": epoch, "epochs": model.spec.train.epochs, "step": before.steps}
        numbers = {name: arithmetic.array(number) for name, number in time.items()}
        names["learning_rate"] = scalar_value(model.schedule, {**names, **numbers}, arithmetic)
    return {**names, **before.states, "theta": before.theta, "t": arithmetic.array(before.steps + 1)}


def _hyper_of_entries(model: Model, before: Progress, arithmetic: Arithmetic) -> dict[str, Array]:
    """The hyper-parameters; where parameters have numbers of their own, those of every entry."""
    names = _hyper(model, arithmetic)
    for group in model.groups:
        own = _hyper(model, arithmetic, {hyper.of: hyper.value for hyper in group.hyper})
        is_in = _mask(before, group.parameters, arithmetic)
        names = {
            name: arithmetic.array(arithmetic.library.where(is_in, own[name], value))
            for name, value in names.items()
        }
    return names


def _hyper(model: Model, arithmetic: Arithmetic, own: Mapping[str, Node] | None = None) -> dict[str, Array]:
    """The numbers of the optimiser, some of them a group's `own`."""
    names: dict[str, Array] = {}
    for name, formula in model.optimizer.hyper:
        names[name] = scalar_value((own or {}).get(name, formula), names, arithmetic)
    return names


def _clipped(gradient: Array, model: Model, arithmetic: Arithmetic) -> Array:
    """The gradient with its norm bounded, then each of its entries."""
    train = model.spec.train
    if train.clip_norm is not None:
        gradient = _of_norm(gradient, train.clip_norm, arithmetic)
    if train.clip_value is not None:
        limit = _written(train.clip_value, arithmetic)
        gradient = arithmetic.library.where(gradient > limit, limit, gradient)
        gradient = arithmetic.library.where(gradient < -limit, -limit, gradient)
    return gradient


def _written(number: float, arithmetic: Arithmetic) -> Array:
    """The decimal that a float shows, as the numbers of formulas are."""
    return arithmetic.array(arithmetic.number(Fraction(repr(float(number)))))


def _of_norm(gradient: Array, limit: float, arithmetic: Arithmetic) -> Array:
    """The gradient with its norm bounded; formed in units of the largest entry, nothing overflows."""
    largest = arithmetic.array(np.max(np.abs(gradient), initial=0))
    if not largest > 0:
        return gradient
    parts = gradient / largest
    norm = arithmetic.array(largest * arithmetic.functions["sqrt"](arithmetic.array((parts * parts).sum())))
    bound, one = _written(limit, arithmetic), arithmetic.array(1)
    factor = arithmetic.library.where(norm <= bound, one, arithmetic.divide(bound, norm))
    return arithmetic.array(gradient * factor)
