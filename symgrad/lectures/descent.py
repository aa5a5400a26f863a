"""Checks of the lectures' demands on training: updates, schedules, optimisers, batches, stopping."""

from __future__ import annotations

from dataclasses import replace
from math import exp
from typing import TYPE_CHECKING, Any

import numpy as np

from symgrad import api
from symgrad.errors import SpecError
from symgrad.lectures.algorithms import ALGORITHMS
from symgrad.lectures.case import Case, demand, demand_equal, random_data
from symgrad.training.data import load_data
from symgrad.training.split import prepare
from symgrad.training.train import train

if TYPE_CHECKING:
    from types import ModuleType

    from symgrad.lectures.algorithms import Vector
    from symgrad.spec.model import Spec


def update_order(case: Case) -> str:
    """One step of gradient descent, beside the same step by hand with the old weights."""
    module, rng = case.build(case.spec()), np.random.default_rng(0)
    x, t = random_data(module, rng, 5)
    params = module.init_params(0)
    old = {name: np.array(value) for name, value in params._asdict().items()}
    module.train_step(params, module.init_state(params), x, t)
    hidden = 1 / (1 + np.exp(-(x @ old["W1"] + old["b1"])))
    delta2 = 2 * (hidden @ old["W2"] + old["b2"] - t) / len(x)
    delta1 = delta2 @ old["W2"].T * hidden * (1 - hidden)
    gradient = {"W1": x.T @ delta1, "b1": delta1.sum(0), "W2": hidden.T @ delta2, "b2": delta2.sum(0)}
    for name, value in params._asdict().items():
        demand_equal(f"{name} after the step", value, old[name] - 0.5 * gradient[name], 1e-12)
    return "a step of the module is the step with the old W2 in ∂J/∂X"


def termination(case: Case) -> str:
    """Training ends when the objective has converged, when time is over, or after its epochs."""
    spec = case.spec()
    module = case.build(spec)
    reasons = []
    for stop, epochs in (
        (spec.train.stop, spec.train.epochs),
        (replace(spec.train.stop, tolerance=None, time_limit=0.05), spec.train.epochs),
        (replace(spec.train.stop, tolerance=None, time_limit=None), 3),
    ):
        shorter = replace(spec, train=replace(spec.train, stop=stop, epochs=epochs))
        reasons.append(train(shorter, module, progress=False).stop_reason)
    demand(len(set(reasons)) == 3, f"three criteria end with {', '.join(reasons)}")
    rows = prepare(spec, load_data(spec, None), spec.train.seed, None).training.rows
    sizes: tuple[tuple[Any, int], ...] = (("full", 1), (1, rows), (30, -(-rows // 30)))
    for batch_size, steps in sizes:
        run = train(spec, module, batch_size=batch_size, epochs=1, progress=False)
        demand(run.steps_per_epoch == steps, f"batch_size {batch_size}: {run.steps_per_epoch} steps an epoch")
    return f"ends with: {', '.join(reasons)}; batch, online and mini-batch"


def decay(case: Case) -> str:
    """The step on a gradient of ones is the learning rate: in epoch k, what the lecture says."""
    epochs = range(50)
    for name, lecture in (
        ("12_inverse_decay", [0.1 / (1 + 0.05 * k) for k in epochs]),
        ("12_exponential_decay", [0.1 * exp(-0.05 * k) for k in epochs]),
    ):
        module = case.build(case.spec(name))
        params = module.init_params(0)
        state, ones = module.init_state(params), np.ones(module.SIZE)
        rates = []
        for epoch in epochs:
            before = module.flatten(params).copy()
            module.update(params, module.unflatten(ones), state, epoch=epoch)
            rates.append(float((before - module.flatten(params))[0]))
        demand_equal(name, rates, lecture, 1e-12)
    return "η0/(1+kδ) and η0·exp(−kδ) for k = 0 … 49"


def optimizers(case: Case) -> str:
    """50 steps of every optimiser on a random quadratic, beside the lecture's algorithm."""
    rng = np.random.default_rng(0)
    for word, algorithm in ALGORITHMS.items():
        module = case.build(case.changed("optimizer: adagrad", f"optimizer: {word}"))
        curvature = rng.normal(size=(module.SIZE, module.SIZE))
        curvature = curvature.T @ curvature / module.SIZE
        target = rng.normal(size=module.SIZE)

        def gradient(theta: Vector, a: Vector = curvature, b: Vector = target) -> Vector:
            return np.asarray(a @ theta - b)

        start = rng.normal(size=module.SIZE)
        demand_equal(word, _steps(module, start, gradient, 50), algorithm(start, gradient, 50), 1e-12)
    _refuses_minibatches(case)
    words = ", ".join(ALGORITHMS)
    return f"{words}: 50 steps equal the lecture's to 1e-12; delta_bar_delta refuses mini-batches"


def _steps(module: ModuleType, start: Vector, gradient: Any, steps: int) -> Vector:
    params = module.unflatten(start.copy())
    state = module.init_state(params)
    for _ in range(steps):
        at = module.gradient_point(params, state) if hasattr(module, "gradient_point") else params
        module.update(params, module.unflatten(gradient(module.flatten(at))), state)
    return np.array(module.flatten(params))


def _refuses_minibatches(case: Case) -> None:
    text = case.text(case.specs[0]).replace("optimizer: adagrad", "optimizer: delta_bar_delta")
    try:
        case.build(api.read(text.replace("batch_size: full", "batch_size: 8")))
    except SpecError:
        return
    demand(False, "delta_bar_delta accepts mini-batches")


def one_word_each(case: Case) -> str:
    """Another word in the spec trains another way."""
    text = case.text(case.specs[0])
    changes = {
        "init=he_normal": "init=glorot_uniform",
        "loss: binary_cross_entropy_with_logits": "loss: mse",
        "adam(learning_rate=0.01)": "momentum(learning_rate=0.01)",
        "batch_size: 16": "batch_size: 40",
    }
    endings = [_last_loss(case.spec(), case)]
    for old, new in changes.items():
        demand(old in text, f"the spec does not say '{old}'")
        endings.append(_last_loss(case.changed(old, new), case))
    demand(all(np.isfinite(endings)), "a variant does not train")
    demand(len(set(endings)) == len(endings), "two variants train alike")
    return f"{len(changes)} words changed, one at a time: each trains, each otherwise"


def _last_loss(spec: Spec, case: Case) -> float:
    data = None if spec.train.data is None else case.folder / spec.train.data.path
    run = train(spec, case.build(spec), data=data, epochs=2, progress=False)
    return float(run.history.records[-1].loss)


def batches(case: Case) -> str:
    """The rows of every batch, as training hands them to the module, for each way to shuffle."""
    spec = case.spec()
    module = case.build(spec)
    orders = {}
    for shuffle in ("once", "each_epoch", "never"):
        seen: list[tuple[int, ...]] = []
        plan = replace(spec, train=replace(spec.train, shuffle=shuffle, epochs=3))
        train(plan, _watched(module, seen), progress=False)
        orders[shuffle] = seen
    once, anew, never = orders["once"], orders["each_epoch"], orders["never"]
    demand(len(set(once)) == 1 and once[0] != never[0], "'once' does not draw once")
    demand(len(set(anew)) == 3, "'each_epoch' does not draw anew")
    demand(len(set(never)) == 1 and list(never[0]) == sorted(never[0]), "'never' does not keep the order")
    steps = -(-len(once[0]) // 20)
    return f"{steps} iterations an epoch; once: the same batches in 3 epochs; each_epoch: 3 different orders"


def _watched(module: ModuleType, seen: list[tuple[int, ...]]) -> ModuleType:
    """The module with a `train_epoch` that notes the order of the rows."""
    from types import ModuleType as Module

    watched = Module(module.__name__)
    vars(watched).update(vars(module))

    def train_epoch(params: Any, state: Any, *data: Any, **options: Any) -> float:
        order = options.get("order")
        seen.append(tuple(range(len(data[0])) if order is None else order))
        return float(module.train_epoch(params, state, *data, **options))

    vars(watched)["train_epoch"] = train_epoch
    return watched
