"""Random recurrences with choices between training and inference, and states that training changes."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from fuzz.recurrent import Recurrences, spec_of

if TYPE_CHECKING:
    from random import Random

Spec = dict[str, Any]
KEPT = 0.75


def modes_spec(random: Random) -> Spec:
    """A recurrence whose formulas and starts choose, and may draw; some of its parameters are states."""
    draw = Recurrences(random, has_choices=True, has_draws=random.random() < 0.5)
    draw.group(0)
    names = draw.results()
    spec = spec_of(draw, names)
    spec["loss"] += " + training(0.5, 0.25) * mean(" + names[0] + ")"
    states = [name for name in draw.parameters if random.random() < 0.3]
    if len(states) == len(draw.parameters):
        states = states[1:]
    kept = f"{1 - KEPT} * mean({names[0]})"
    noise = " + 0.1 * normal(like={})" if draw.has_draws else ""
    spec["state"] = {
        name: {
            "axes": draw.parameters.pop(name)["axes"],
            "init": 0.4,
            "next": f"{KEPT} * {name} + {kept}{noise.format(name)}",
        }
        for name in states
    }
    if draw.with_rows and random.random() < 0.5:
        spec["train"] = {**spec["train"], "micro_batch_size": random.randint(1, 3)}
    return {**spec, "name": "modes", "gradients": []}
