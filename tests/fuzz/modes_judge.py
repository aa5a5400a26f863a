"""What a module that draws computes in both modes, and in a step of training, beside its text written out."""

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
    plain,
    sound_point,
)
from fuzz.meaning import meaning
from fuzz.modules import with_garbage
from fuzz.written_out import written_out
from symgrad.errors import SpecError
from symgrad.pipeline import stages_of
from symgrad.spec.reader import read
from symgrad.verifier.interpretation.arithmetic import NATIVE
from symgrad.verifier.interpretation.interpreter import interpret
from symgrad.verifier.interpretation.philox_numbers import Key as JudgesKey

if TYPE_CHECKING:
    from collections.abc import Iterator
    from random import Random
    from types import ModuleType

    from fuzz.gradients import Point
    from fuzz.meaning import Meaning
    from fuzz.philox import Key

Spec = dict[str, Any]
Arrays = dict[str, np.ndarray]
OF_THE_JUDGE = ("least", "chain", "key", "steps", "written", "marked")
SEEDS = (0, 1, 7, 2**32 - 1, 2**40 + 3)
RATE = 0.1
EXACT = np.clongdouble


def judge_modes(spec: Spec, random: Random, by_rows: bool) -> Outcome:
    """Loss, outputs, slopes, a step and next values by a key; the chain of the same layers has the same."""
    key = (random.choice(SEEDS), random.choice((0, 1, 5, 1000)))
    own = {k: v for k, v in spec.items() if k not in OF_THE_JUDGE}
    train = {"optimizer": f"sgd(learning_rate={RATE})", "epochs": 1, **own.get("train", {})}
    try:
        module = _module(own, train, by_rows)
    except SpecError as error:
        if "depends on no parameter" in error.problem and "steps" in spec:
            return Outcome("unsound")  # they stand in a start that so few steps do not reach
        raise
    training, inference, by_chance = written_out(spec)
    nexts = [f"next_{name}" for name in own.get("state", {})]
    modes = {**training, "key": key, "outputs": nexts}, inference, {**by_chance, "key": key}
    longer = 0 if "steps" in spec else random.choice((0, 1, 3))
    fixed = {"T": int(spec.get("steps", spec.get("least", 1))) + longer, "S": random.randint(1, 4)}
    point = sound_point(modes[0], dict(module.SHAPES), random, fixed)
    expected = None if point is None else _expected(own, modes, point, EXACT)
    if point is None or expected is None:
        return Outcome("unsound")
    rounded = _expected(own, modes, point, NOISE[_dtype(own)])
    found = [_computed(with_garbage(module, garbage), own, point, key) for garbage in GARBAGE]
    found.append(_read_by_the_judge(own, point, key))
    noisy = [rounded] if rounded else []
    outcome = _compared(found, expected, noisy, FLOOR[_dtype(own)])
    if outcome.failed:
        outcome = _compared(
            found, expected, [*noisy, *_other_roundings(own, modes, point)], FLOOR[_dtype(own)]
        )
    return outcome if outcome.failed or "chain" not in spec else _as_chain(spec, own, point, key, by_rows)


def _dtype(spec: Spec) -> str:
    return str(spec.get("dtype", "float32"))


def _module(spec: Spec, train: Spec, by_rows: bool) -> ModuleType:
    """The module, in pieces if the spec asks for that and may."""
    try:
        return module_of({**spec, "train": train}, by_rows)
    except SpecError as error:
        if "micro" not in str(error):
            raise
    return module_of({**spec, "train": {k: v for k, v in train.items() if k != "micro_batch_size"}}, by_rows)


def _expected(
    spec: Spec,
    modes: tuple[Spec, Spec, Spec],
    point: Point,
    kind: type,
    way: np.random.Generator | None = None,
) -> Arrays | None:
    """What a module should answer, by name; nothing where that is not finite or too near a choice."""
    training = point.exact if kind is EXACT else meaning(modes[0], point.arrays, point.entries, kind, way)
    inference, by_chance = (meaning(mode, point.arrays, {}, kind, way) for mode in modes[1:])
    if not (training.finite and inference.finite and by_chance.finite):
        return None
    if kind is EXACT and min(inference.margin, by_chance.margin) <= NEAR[_dtype(spec)]:
        return None
    drawn = {f"drawn {number}": output for number, output in enumerate(by_chance.outputs)}
    return drawn | _named(spec, point, training, inference)


def _named(spec: Spec, point: Point, training: Meaning, inference: Meaning) -> Arrays:
    found = {"loss of training": np.asarray(training.loss), "loss of inference": np.asarray(inference.loss)}
    found |= {f"output {number}": output for number, output in enumerate(inference.outputs)}
    nexts = dict(zip(spec.get("state", {}), training.outputs, strict=False))
    for name, entries in point.entries.items():
        if name in nexts:
            found[f"step of {name}"] = np.ravel(nexts[name])[entries]
            continue
        found[f"gradient of {name}"] = training.gradient[name]
        if name not in spec.get("gradients", ()):
            before = np.ravel(point.arrays[name])[entries]
            found[f"step of {name}"] = before - RATE * training.gradient[name]
    return found


def _other_roundings(spec: Spec, modes: tuple[Spec, Spec, Spec], point: Point) -> Iterator[Arrays]:
    ways = (np.random.default_rng(seed) for seed in range(ROUNDINGS))
    others = (_expected(spec, modes, point, NOISE[_dtype(spec)], way) for way in ways)
    yield from (found for found in others if found is not None)


def _compared(found: list[Arrays], right: Arrays, noisy: list[Arrays], floor: float) -> Outcome:
    for answers in found:
        for name in answers:
            exact, noise = np.ravel(right[name]), [np.ravel(n[name]) for n in noisy]
            if wrong := differs(np.ravel(answers[name]), exact, noise, floor):
                whose = " by the judge" if "loss of inference" not in answers else ""
                return Outcome(f"wrong {name.split()[0]}{whose}", f"{name}: {wrong}")
    return Outcome("right")


def _computed(module: ModuleType, spec: Spec, point: Point, key: Key) -> Arrays:
    """What a module answers, by the names of what is right."""
    arrays, (seed, step) = point.arrays, key
    data = [arrays[name] for name in (*module.INPUTS, *module.TARGETS)]
    params, inputs = _params(module, point), [arrays[name] for name in module.INPUTS]
    outputs = module.forward(params, *inputs)
    outputs = outputs if isinstance(outputs, tuple) else (outputs,)
    found = {f"output {number}": output for number, output in enumerate(outputs)}
    if hasattr(module, "draw_prediction") and [*module.PREDICTED] == spec.get("outputs"):
        by_chance = module.draw_prediction(params, *inputs, seed=seed, step=step)
        by_chance = by_chance if isinstance(by_chance, tuple) else (by_chance,)
        found |= {f"drawn {number}": output for number, output in enumerate(by_chance)}
    found["loss of inference"] = module.loss(params, *data)
    drawn = _told(module, key)
    found["loss of training"], slopes = module.loss_and_grad(params, *data, **drawn)
    slopes = slopes._asdict()
    if spec.get("gradients"):
        slopes |= module.input_gradients(params, *data, **drawn)._asdict()
    state = module.init_state(params, **({"seed": seed} if drawn else {}))
    state.step[0] = step
    module.train_step(params, state, *data)
    after = params._asdict()
    for name, entries in point.entries.items():
        if name not in spec.get("state", {}):
            found[f"gradient of {name}"] = np.ravel(slopes[name])[entries]
        if name in after:
            found[f"step of {name}"] = np.ravel(after[name])[entries]
    return found


def _params(module: ModuleType, point: Point) -> Any:
    parts = [np.ravel(point.arrays[name]) for name in module.SHAPES]
    return module.unflatten(np.concatenate([*parts, np.empty(0)]).astype(module.DTYPE))


def _read_by_the_judge(spec: Spec, point: Point, key: Key) -> Arrays:
    """What the verifier takes the spec to mean."""
    model = stages_of(read(plain({k: v for k, v in spec.items() if k != "train"}))).model
    training = interpret(model, point.arrays, NATIVE, key=JudgesKey(*key))
    inference = interpret(model, point.arrays, NATIVE)
    found = {f"output {number}": np.asarray(o, float) for number, o in enumerate(inference.outputs)}
    return found | {"loss of training": np.asarray(training.loss, float)}


def _as_chain(spec: Spec, own: Spec, point: Point, key: Key, by_rows: bool) -> Outcome:
    """The loss and the slopes of the chain of the same layers."""
    last = [*spec["equations"]][-1]
    name, _, rest = str(spec["loss"]).partition(f"({last}, t")
    if not name.isidentifier() or "," in rest or "(" in rest or len(spec["targets"]) > 1:
        return Outcome("right")
    graph = {k: v for k, v in own.items() if k != "train"}
    chain = {k: v for k, v in graph.items() if k != "equations"} | {"layers": spec["chain"], "loss": name}
    modules = [with_garbage(module_of(made, by_rows), GARBAGE[0]) for made in (graph, chain)]
    if modules[0].SIZE != modules[1].SIZE:
        return Outcome("a chain has other parameters", f"{modules[0].SHAPES} {modules[1].SHAPES}")
    theta, found = np.ravel(modules[0].flatten(_params(modules[0], point))), []
    for module in modules:
        data = [point.arrays[n] for n in (*module.INPUTS, *module.TARGETS)]
        loss, slopes = module.loss_and_grad(module.unflatten(theta.copy()), *data, **_told(module, key))
        found.append([float(loss), *module.flatten(slopes)])
    if not np.allclose(*found, rtol=1e-4, atol=1e-6, equal_nan=True):
        return Outcome("a chain is not its graph", f"{found}")
    return Outcome("right")


def _told(module: ModuleType, key: Key) -> dict[str, int]:
    """What numbers are drawn by, where a module draws some."""
    return dict(zip(("seed", "step"), key, strict=True)) if hasattr(module, "KEY") else {}
