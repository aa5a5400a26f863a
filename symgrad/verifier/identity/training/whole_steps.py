"""Steps of training that visit rows of tables alone, run whole, against the optimiser on the whole gradient.

Which entries such a step leaves out depends on its data, so nothing stands for the network here: the step
forms its gradient itself, in memory full of garbage, and afterwards every entry of all parameters and of all
that the optimiser keeps is compared.
"""

from __future__ import annotations

from dataclasses import replace
from fractions import Fraction
from typing import TYPE_CHECKING, Any

import numpy as np

from symgrad.spec.expansion.hyper_parameters import with_hyper
from symgrad.spec.reads import draws
from symgrad.verifier.identity.training.step_gradients import looks_up, trained
from symgrad.verifier.interpretation.optimizer_meaning import start, step
from symgrad.verifier.sampling.hyper_values import drawn_hyper, own_hyper

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from symgrad.spec.model import Model
    from symgrad.verifier.identity.machine import Machine
    from symgrad.verifier.identity.memory.bounded_memory import View
    from symgrad.verifier.identity.training.step_gradients import Pair
    from symgrad.verifier.interpretation.array_library import Array

_TIMES = ((0, 0), (2, 1))
"""How many steps were made before, and the epoch."""

_SEED = 29
"""What is drawn by."""


def whole_step_pairs(
    model: Model, machine: Machine, parameters: Array, data: Sequence[Array]
) -> Iterator[Pair]:
    """What every entry is after a step and must be: with the spec's hyper-parameters, then with others."""
    if not looks_up(machine):
        return
    shapes = machine.text.facts["SHAPES"]
    is_kept = trained(shapes, model.frozen)
    progress = start(model, parameters, machine.arithmetic, shapes)
    theta = machine.vector(progress.theta, "theta")
    states = [machine.vector(values[is_kept], name) for name, values in progress.states.items()]
    rng = np.random.default_rng(_SEED)
    for settings, (steps, epoch) in zip((own_hyper(model), drawn_hyper(model, rng)), _TIMES, strict=True):
        told = with_hyper(model, settings) if model.hyper else model
        counted = [_number(machine, value) for value in (steps, *([_SEED] if draws(model) else ()))]
        key = (_SEED, steps) if draws(model) else ()
        loss, gradient = machine.names["loss_and_grad"](theta, *data, *key)
        progress = replace(progress, steps=steps)
        progress = step(told, progress, gradient.array(), epoch, machine.arithmetic)
        counter = machine.vector(np.array(counted, dtype=object), "step")
        found = _take(told, machine, data, theta, (counter, *states), epoch)
        when = f"after step {steps + 1} on rows that were looked up"
        yield f"the loss {when}", np.array(found, dtype=object), np.array(loss, dtype=object)
        due = machine.arithmetic.array(np.array([_number(machine, steps + 1), *counted[1:]], dtype=object))
        yield f"the count of steps {when}", counter.array(), due
        yield f"theta {when}", theta.array(), progress.theta
        for (name, values), state in zip(progress.states.items(), states, strict=True):
            yield f"{name} {when}", state.array(), values[is_kept]


def _take(
    model: Model, machine: Machine, data: Sequence[Array], theta: View, state: tuple[View, ...], epoch: int
) -> Any:
    """The loss of a step of the text, in memory full of garbage."""
    names, facts = machine.names, machine.text.facts
    arrays, extents = names["_arguments"](names["INPUTS"] + names["TARGETS"], data)
    memory = [machine.vector(machine.garbage(theta.size), name) for name in facts["STEP_MEMORY"]]
    epochs = (_number(machine, model.spec.train.epochs),) if facts.get("EPOCHS") else ()
    hyper = np.array([machine.number(value) for value in own_hyper(model).values()], dtype=object)
    setting = (_number(machine, epoch), *epochs, machine.vector(hyper, "hyper"))
    work = names["_kept"]("work", names["_work_size"](*extents))
    return names["_step"](theta, *memory, state, *setting, *arrays[: len(data)], work, *extents)


def _number(machine: Machine, value: int) -> Any:
    return machine.arithmetic.number(Fraction(value))
