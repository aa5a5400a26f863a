"""Random recurrences with choices between training and inference, and states that training changes."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from fuzz.gradients import (
    FLOOR,
    GARBAGE,
    NEAR,
    NOISE,
    ROUNDINGS,
    Outcome,
    differs,
    module_of,
    sound_point,
)
from fuzz.meaning import meaning
from fuzz.modules import with_garbage
from fuzz.recurrent import Recurrences, spec_of

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from random import Random
    from types import ModuleType

    from fuzz.gradients import Point
    from fuzz.meaning import Meaning

Spec = dict[str, Any]
Arrays = dict[str, np.ndarray]
CHOICE = "training("
RATE, KEPT = 0.1, 0.75


def modes_spec(random: Random) -> Spec:
    """A recurrence whose formulas and starts choose; some of its parameters are states, which keep a mean."""
    draw = Recurrences(random, has_choices=True)
    draw.group(0)
    names = draw.results()
    spec = spec_of(draw, names)
    spec["loss"] += " + training(0.5, 0.25) * mean(" + names[0] + ")"
    states = [name for name in draw.parameters if random.random() < 0.3]
    if len(states) == len(draw.parameters):
        states = states[1:]
    kept = f"{1 - KEPT} * mean({names[0]})"
    spec["state"] = {
        name: {"axes": draw.parameters.pop(name)["axes"], "init": 0.4, "next": f"{KEPT} * {name} + {kept}"}
        for name in states
    }
    return {**spec, "name": "modes", "gradients": []}


def chosen(text: str, place: int) -> str:
    """The text with one of the two formulas of every choice in its place, found by its brackets."""
    while CHOICE in text:
        start = text.rindex(CHOICE)  # the last one holds no other
        parts, depth, at = [""], 0, start + len(CHOICE)
        while depth or text[at] != ")":
            depth += (text[at] in "([") - (text[at] in ")]")
            if text[at] == "," and not depth:
                parts.append("")
            else:
                parts[-1] += text[at]
            at += 1
        text = f"{text[:start]}({parts[place].strip()}){text[at + 1 :]}"
    return text


def in_mode(spec: Spec, place: int) -> Spec:
    """The equations of each step as training (0) or inference (1) has them, states as parameters."""
    return {
        **{key: value for key, value in spec.items() if key not in ("written", "steps", "state")},
        "axes": {"T": spec["steps"]},
        "equations": {name: chosen(formula, place) for name, formula in spec["written"].items()},
        "loss": chosen(spec["loss"], place),
    }


def judge_modes(spec: Spec, random: Random, by_rows: bool) -> Outcome:
    """What the module computes in both modes, and a step of training, beside each mode written out."""
    own = {key: value for key, value in spec.items() if key not in ("steps", "written")}
    module, modes = module_of(own, by_rows), [in_mode(spec, place) for place in (0, 1)]
    point = sound_point(modes[0], dict(module.SHAPES), random, {"T": int(spec["steps"])})
    if point is None:
        return Outcome("unsound")
    inference = meaning(modes[1], point.arrays, {})
    rounded = meaning(modes[1], point.arrays, {}, NOISE["float64"])
    if not (inference.finite and rounded.finite and inference.margin > NEAR["float64"]):
        return Outcome("unsound")
    right = _expected(spec, point, point.exact, inference)
    noisy = [_expected(spec, point, point.rounded[0], rounded)]
    found = [_computed(with_garbage(module, garbage), point.arrays, point.entries) for garbage in GARBAGE]
    if _compared(found, right, noisy).failed:
        noisy += _other_roundings(spec, modes, point)
    return _compared(found, right, noisy)


def _expected(spec: Spec, point: Point, training: Meaning, inference: Meaning) -> Arrays:
    """What a module should answer, by name."""
    found = {"loss of training": training.loss, "loss of inference": inference.loss}
    found |= {f"output {number}": output for number, output in enumerate(inference.outputs)}
    for name, entries in point.entries.items():
        before = np.ravel(point.arrays[name])[entries]
        kept = KEPT * before + (1 - KEPT) * np.mean(training.outputs[0])
        found[f"step of {name}"] = kept if name in spec["state"] else before - RATE * training.gradient[name]
    return found


def _other_roundings(spec: Spec, modes: list[Spec], point: Point) -> Iterator[Arrays]:
    """What is expected where the text is rounded in other ways, as the first may be exact by luck."""
    for seed in range(ROUNDINGS):
        way = np.random.default_rng(seed)
        training = meaning(modes[0], point.arrays, point.entries, NOISE["float64"], way)
        inference = meaning(modes[1], point.arrays, {}, NOISE["float64"], way)
        if training.finite and inference.finite:
            yield _expected(spec, point, training, inference)


def _compared(found: list[Arrays], right: Arrays, noisy: list[Arrays]) -> Outcome:
    for answers in found:
        for name, exactly in right.items():
            noise = [np.ravel(n[name]) for n in noisy]
            if wrong := differs(np.ravel(answers[name]), np.ravel(exactly), noise, FLOOR["float64"]):
                return Outcome(f"wrong {name.split()[0]}", f"{name}: {wrong}")
    return Outcome("right")


def _computed(module: ModuleType, arrays: Mapping[str, np.ndarray], entries: Mapping[str, Any]) -> Arrays:
    """What a module answers, by the names of what is right."""
    data = [arrays[name] for name in (*module.INPUTS, *module.TARGETS)]
    given = [arrays[name] for name in module.INPUTS]
    params = module.unflatten(np.concatenate([np.ravel(arrays[name]) for name in module.SHAPES]))
    outputs = module.forward(params, *given)
    outputs = outputs if isinstance(outputs, tuple) else (outputs,)
    found = {f"output {number}": output for number, output in enumerate(outputs)}
    found["loss of inference"] = module.loss(params, *data)
    found["loss of training"] = module.loss_and_grad(params, *data)[0]
    module.train_step(params, module.init_state(params), *data)
    after = params._asdict()
    return found | {f"step of {name}": np.ravel(after[name])[chosen_] for name, chosen_ in entries.items()}
