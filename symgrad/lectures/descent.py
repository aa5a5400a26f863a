"""Checks of the lectures' demands on training: updates, schedules, optimisers, batches, stopping."""

from __future__ import annotations

from dataclasses import replace
from math import exp
from typing import TYPE_CHECKING, Any

import numpy as np

from symgrad import api
from symgrad.errors import SpecError
from symgrad.lectures.algorithms import ALGORITHMS, Vector
from symgrad.lectures.demand import DemandSpecs, demand, demand_equal, random_data
from symgrad.training.dataset.data import load_data
from symgrad.training.split import prepare
from symgrad.training.train import train

if TYPE_CHECKING:
    from types import ModuleType

    from symgrad.spec.model import Spec


def termination(case: DemandSpecs) -> str:
    """Training ends when the objective has converged, when time is over, or after its epochs."""
    spec = case.spec()
    module = case.build(spec)
    for reason, stop, epochs in (
        ("converged", replace(spec.train.stop, time_limit=None), spec.train.epochs),
        ("time limit", replace(spec.train.stop, tolerance=None, time_limit=0.05), spec.train.epochs),
        ("epochs", replace(spec.train.stop, tolerance=None, time_limit=None), 3),
    ):
        run = train(
            replace(spec, train=replace(spec.train, stop=stop, epochs=epochs)), module, progress=False
        )
        demand(run.stop_reason == reason, f"ends with {run.stop_reason}, not with {reason}")
        if reason == "converged":
            losses = [record.loss for record in run.history.records]
            change = abs(losses[-1] - losses[-2])
            demand(change <= 1e-7 < abs(losses[-2] - losses[-3]), f"ends where the loss changes by {change}")
    data = load_data(spec, None)
    rows = prepare(spec, data, spec.train.seed, None).training.rows
    sizes: tuple[tuple[Any, int], ...] = (("full", 1), (1, rows), (30, -(-rows // 30)))
    for batch_size, steps in sizes:
        run = train(spec, module, batch_size=batch_size, epochs=1, progress=False)
        demand(run.steps_per_epoch == steps, f"batch_size {batch_size}: {run.steps_per_epoch} steps an epoch")
        _demand_epoch(module, rows if batch_size == "full" else batch_size, rows)
    return (
        "ends when converged, after the time limit, after the epochs; "
        "an epoch of batch, online and mini-batch descent in random order is the one by hand"
    )


def _demand_epoch(module: ModuleType, batch_size: int, rows: int) -> None:
    """An epoch of logistic regression beside the same by hand: so many rows for each update, in order."""
    rng, rate = np.random.default_rng(0), 0.5
    (x, t), order = random_data(module, rng, rows), rng.permutation(rows)
    params = module.init_params(0)
    w, b = np.array(params.W1), np.array(params.b1)
    module.train_epoch(params, module.init_state(params), x, t, batch_size=batch_size, order=order)
    for start in range(0, rows, batch_size):
        batch = order[start : start + batch_size]
        delta = (1 / (1 + np.exp(-(x[batch] @ w + b))) - t[batch]) / len(batch)
        w, b = w - rate * x[batch].T @ delta, b - rate * delta.sum(axis=0)
    demand_equal(f"W1 after an epoch in batches of {batch_size}", params.W1, w, 1e-10)
    demand_equal(f"b1 after an epoch in batches of {batch_size}", params.b1, b, 1e-10)


def decay(case: DemandSpecs) -> str:
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


def optimizers(case: DemandSpecs) -> str:
    """50 training steps of every optimiser on a linear network, beside the lecture's algorithm."""
    rng = np.random.default_rng(0)
    x, t = rng.normal(size=(20, 3)), rng.normal(size=(20, 1))
    with_ones = np.hstack([x, np.ones((20, 1))])

    def gradient(theta: Vector) -> Vector:
        return np.asarray(2 / 20 * with_ones.T @ (with_ones @ theta - t[:, 0]))

    start = rng.normal(size=4)
    for call, algorithm in ALGORITHMS.items():
        module = case.build(case.changed("optimizer: adagrad", f"optimizer: {call}"))
        params = module.unflatten(start.copy())
        state = module.init_state(params)
        for _ in range(50):
            module.train_step(params, state, x, t)
        demand_equal(call, module.flatten(params), algorithm(start, gradient, 50), 1e-12)
    _delta_bar_delta(case)
    words = ", ".join(call.split("(")[0] for call in ALGORITHMS)
    return (
        f"{words}: 50 steps equal the lecture's to 1e-12, with a large δ, so with δ in its place; "
        "delta_bar_delta: rates rise where signs stay, fall where they change; it refuses mini-batches"
    )


def _delta_bar_delta(case: DemandSpecs) -> None:
    """The lecture states its principle alone: that is what is demanded."""
    module = case.build(case.changed("optimizer: adagrad", "optimizer: delta_bar_delta"))
    params = module.init_params(0)
    state, rates = module.init_state(params), []
    for step in range(6):
        gradient = np.array([1.0, -3.0, (-1.0) ** step, 2 * (-1.0) ** step])
        before = module.flatten(params).copy()
        module.update(params, module.unflatten(gradient.copy()), state)
        rates.append((before - module.flatten(params)) / gradient)
    changes = np.diff(rates, axis=0)
    demand((changes[:, :2] > 0).all(), "delta_bar_delta: a rate does not rise where the sign stays")
    demand((changes[:, 2:] < 0).all(), "delta_bar_delta: a rate does not fall where the sign changes")
    text = case.text(case.specs[0]).replace("optimizer: adagrad", "optimizer: delta_bar_delta")
    try:
        api.derive(api.read(text.replace("batch_size: full", "batch_size: 8")))
    except SpecError as error:
        demand("mini-batches" in str(error), f"delta_bar_delta refuses mini-batches with: {error}")
    else:
        demand(False, "delta_bar_delta accepts mini-batches")


def one_word_each(case: DemandSpecs) -> str:
    """Another word in the spec trains another way."""
    changes = {
        "init=he_normal": "init=glorot_uniform",
        "loss: binary_cross_entropy_with_logits": "loss: mse",
        "adam(learning_rate=0.01)": "momentum(learning_rate=0.01)",
        "batch_size: 16": "batch_size: 40",
    }
    endings = [_last_loss(case.spec(), case)]
    endings += [_last_loss(case.changed(old, new), case) for old, new in changes.items()]
    demand(len(set(endings)) == len(endings), "two variants train alike")
    return f"{len(changes)} words changed, one at a time: the loss falls with each, each time otherwise"


def _last_loss(spec: Spec, case: DemandSpecs) -> float:
    data = None if spec.train.data is None else case.folder / spec.train.data.path
    run = train(spec, case.build(spec), data=data, epochs=5, progress=False)
    first, last = run.history.records[0].loss, run.history.records[-1].loss
    demand(last < first, f"the loss does not fall: {first} in the first epoch, {last} in the last")
    return float(last)


def batches(case: DemandSpecs) -> str:
    """The rows of every batch, as training hands them to the module, for each way to shuffle."""
    spec = case.spec()
    module = case.build(spec)
    orders = {}
    for shuffle in ("once", "each_epoch", "never"):
        seen: list[tuple[int, ...]] = []
        plan = replace(spec, train=replace(spec.train, shuffle=shuffle, epochs=3))
        run = train(plan, _watched(module, seen), progress=False)
        demand(
            run.steps_per_epoch == 10, f"{run.steps_per_epoch} iterations an epoch for 200 rows, 20 at a time"
        )
        demand(
            all(sorted(order) == list(range(200)) for order in seen), "an epoch does not take every row once"
        )
        orders[shuffle] = seen
    once, anew, never = orders["once"], orders["each_epoch"], orders["never"]
    demand(len(set(once)) == 1 and once[0] != never[0], "'once' does not draw once")
    demand(len(set(anew)) == 3, "'each_epoch' does not draw anew")
    demand(len(set(never)) == 1 and list(never[0]) == sorted(never[0]), "'never' does not keep the order")
    return "10 iterations an epoch; once: the same batches in 3 epochs; each_epoch: 3 different orders"


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
