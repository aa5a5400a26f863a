"""PyTensor, compiled by Numba: a step called from Python, or a scan over the epoch."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pytensor
import pytensor.tensor as pt

from benchmarks.peers import Training

if TYPE_CHECKING:
    from benchmarks.problems import Array, Problem

pytensor.config.floatX = "float32"


def steps(problem: Problem) -> Training:
    """A compiled step; the data and the parameters are shared variables."""
    x, t, state = _shared(problem)
    rows = pt.lvector("rows")
    new, loss = _step(problem, state, x[rows], t[rows])
    step = _function([rows], loss, list(zip(state, new, strict=True)))

    def epoch(order: Array) -> float:
        return float(sum(step(rows) for rows in order.reshape(-1, problem.batch))) / problem.steps

    return Training(lambda: _restart(problem, state), epoch)


def scan(problem: Problem) -> Training:
    """A compiled epoch."""
    x, t, state = _shared(problem)
    order = pt.lmatrix("order")

    def step(rows: Any, *state: Any) -> list[Any]:
        new, loss = _step(problem, list(state), x[rows], t[rows])
        return [*new, loss]

    *new, losses = pytensor.scan(step, sequences=[order], outputs_info=[*state, None], return_updates=False)
    updates = [(old, values[-1]) for old, values in zip(state, new, strict=True)]
    whole = _function([order], losses.mean(), updates)
    return Training(
        lambda: _restart(problem, state),
        lambda order: float(whole(order.reshape(-1, problem.batch))),
    )


def _function(inputs: list[Any], output: Any, updates: list[tuple[Any, Any]]) -> Any:
    return pytensor.function(inputs, output, updates=updates, mode="NUMBA", trust_input=True)


def _first_state(problem: Problem) -> list[Array]:
    weights = problem.weights()
    if problem.optimizer == "sgd":
        return weights
    zeros = [np.zeros_like(w) for w in (*weights, *weights)]
    return [*weights, *zeros, np.zeros((), np.float32)]


def _shared(problem: Problem) -> tuple[Any, Any, list[Any]]:
    x, t = (pytensor.shared(array, borrow=True) for array in problem.data())
    return x, t, [pytensor.shared(array, shape=array.shape) for array in _first_state(problem)]


def _restart(problem: Problem, state: list[Any]) -> None:
    for variable, value in zip(state, _first_state(problem), strict=True):
        variable.set_value(value)


def _step(problem: Problem, state: list[Any], x: Any, t: Any) -> tuple[list[Any], Any]:
    count, rate = len(problem.shapes), np.float32(problem.learning_rate)
    weights = state[:count]
    loss = _attention(weights, x, t) if problem.kind == "attention" else _dense(problem, weights, x, t)
    gradients = pt.grad(loss, weights)
    if problem.optimizer == "sgd":
        return [w - rate * g for w, g in zip(weights, gradients, strict=True)], loss
    first, second, n = state[count : 2 * count], state[2 * count : 3 * count], state[-1] + 1
    keep, keep_square = np.float32(0.9), np.float32(0.999)
    first = [keep * m + (1 - keep) * g for m, g in zip(first, gradients, strict=True)]
    second = [keep_square * v + (1 - keep_square) * g**2 for v, g in zip(second, gradients, strict=True)]
    a, b = 1 / (1 - keep**n), 1 / (1 - keep_square**n)
    moved = zip(weights, first, second, strict=True)
    weights = [w - rate * (a * m) / (pt.sqrt(b * v) + np.float32(1e-8)) for w, m, v in moved]
    return [array.astype("float32") for array in (*weights, *first, *second, n)], loss


def _attention(weights: list[Any], x: Any, t: Any) -> Any:
    q, k, v = (x @ w for w in weights)
    p = pt.special.softmax(q @ k.transpose(0, 2, 1) * np.float32(weights[0].type.shape[1] ** -0.5), axis=-1)
    return pt.mean((p @ v - t) ** 2)


def _dense(problem: Problem, weights: list[Any], x: Any, t: Any) -> Any:
    for i in range(0, len(weights), 2):
        x = x @ weights[i] + weights[i + 1]
        if i < len(weights) - 2:
            x = pt.maximum(x, 0) if problem.activation == "relu" else pt.tanh(x)
    if problem.kind == "binary":
        return pt.mean(pt.softplus(x) - t * x)
    if problem.kind == "squares":
        return pt.mean((pt.maximum(x, 0) - pt.eq(t[:, None], np.arange(problem.sizes[-1]))) ** 2)
    return -pt.mean(pt.special.log_softmax(x, axis=-1)[pt.arange(problem.batch), t])
