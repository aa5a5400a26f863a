"""What an optimiser's equations and a schedule's formula say a step must do."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from symgrad.verifier.arithmetic import FIFTY_DIGITS
from symgrad.verifier.interpreter import scalar_value

if TYPE_CHECKING:
    from collections.abc import Mapping

    from symgrad.spec.model import Model
    from symgrad.verifier.arithmetic import Arithmetic, Array


@dataclass(frozen=True)
class Progress:
    """All parameters in one vector, the optimiser's states beside it, and how many steps were taken."""

    theta: Array
    states: Mapping[str, Array]
    steps: int


def start(model: Model, theta: Array, arithmetic: Arithmetic = FIFTY_DIGITS) -> Progress:
    """Before the first step: every state has its first value in every entry."""
    vector = arithmetic.array(theta)
    hyper = _hyper(model, arithmetic)
    states = {
        name: np.asarray(scalar_value(node, hyper, arithmetic) + vector * 0, dtype=arithmetic.dtype)
        for name, node in model.optimizer.state
    }
    return Progress(vector, states, 0)


def step(
    model: Model, before: Progress, gradient: Array, epoch: int = 0, arithmetic: Arithmetic = FIFTY_DIGITS
) -> Progress:
    """One update: the gradient is clipped, the rate scheduled, and the equations applied in order.

    `t` counts from 1 in the update, `step` from 0 in the schedule. An equation sees what those above it
    have set; `theta` on the right of its own equation is the parameter before the step.
    """
    names = _hyper(model, arithmetic)
    if "learning_rate" in names:
        time = {"epoch": np.asarray(float(epoch)), "step": np.asarray(float(before.steps))}
        names["learning_rate"] = scalar_value(model.schedule, {**names, **time}, arithmetic)
    values: dict[str, Array] = {
        **names,
        **before.states,
        "theta": before.theta,
        "g": _clipped(arithmetic.array(gradient), model.spec.train.clip_norm, arithmetic),
        "t": np.asarray(float(before.steps + 1)),
    }
    for name, formula in model.optimizer.update:
        values[name] = scalar_value(formula, values, arithmetic) + before.theta * 0
    states = {name: values[name] for name in before.states}
    return Progress(values["theta"], states, before.steps + 1)


def _hyper(model: Model, arithmetic: Arithmetic) -> dict[str, Array]:
    names: dict[str, Array] = {}
    for name, formula in model.optimizer.hyper:
        names[name] = scalar_value(formula, names, arithmetic)
    return names


def _clipped(gradient: Array, limit: float | None, arithmetic: Arithmetic) -> Array:
    if limit is None:
        return gradient
    norm = arithmetic.functions["sqrt"](np.asarray((gradient * gradient).sum(), dtype=arithmetic.dtype))
    bound = arithmetic.array(limit)
    if np.asarray(norm <= bound, dtype=bool).all():
        return gradient
    return np.asarray(gradient * arithmetic.divide(bound, norm), dtype=arithmetic.dtype)
