"""autograd: NumPy that differentiates itself."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import autograd.numpy as anp
import numpy as np
from autograd import value_and_grad

from benchmarks.peers import Training

if TYPE_CHECKING:
    from collections.abc import Callable

    from benchmarks.problems import Array, Problem


def train(problem: Problem) -> Training:
    """The gradient by autograd, the update in place by NumPy."""
    x, t = problem.data()
    weights = problem.weights()
    moments = [[np.zeros_like(w) for w in weights] for _ in range(2)]
    gradient = value_and_grad(_loss(problem))
    n = 0

    def restart() -> None:
        nonlocal n
        n = 0
        for mine, given in zip(weights, problem.weights(), strict=True):
            mine[...] = given
        for array in (*moments[0], *moments[1]):
            array.fill(0)

    def epoch(order: Array) -> float:
        nonlocal n
        total = 0.0
        for rows in order.reshape(-1, problem.batch):
            loss, gradients = gradient(weights, x[rows], t[rows])
            n += 1
            total += loss
            _update(problem, weights, gradients, moments, n)
        return float(total) / problem.steps

    return Training(restart, epoch)


def _update(problem: Problem, weights: Any, gradients: Any, moments: Any, n: int) -> None:
    if problem.optimizer == "sgd":
        for w, g in zip(weights, gradients, strict=True):
            w -= problem.learning_rate * g
        return
    for w, g, m, v in zip(weights, gradients, *moments, strict=True):
        m *= 0.9
        m += 0.1 * g
        v *= 0.999
        v += 0.001 * g**2
        w -= problem.learning_rate * (m / (1 - 0.9**n)) / (np.sqrt(v / (1 - 0.999**n)) + 1e-8)


def _loss(problem: Problem) -> Callable[[Any, Array, Array], Any]:
    classes = np.eye(problem.sizes[-1], dtype=np.float32) if problem.kind in ("classes", "squares") else None

    def attention(weights: Any, x: Array, t: Array) -> Any:
        q, k, v = (anp.matmul(x, w) for w in weights)
        s = anp.matmul(q, anp.swapaxes(k, 1, 2)) * np.float32(q.shape[-1] ** -0.5)
        e = anp.exp(s - anp.max(s, axis=-1, keepdims=True))
        return anp.mean((anp.matmul(e / anp.sum(e, axis=-1, keepdims=True), v) - t) ** 2)

    def dense(weights: Any, x: Any, t: Array) -> Any:
        for i in range(0, len(weights), 2):
            x = anp.dot(x, weights[i]) + weights[i + 1]
            if i < len(weights) - 2:
                x = x * (x > 0) if problem.activation == "relu" else anp.tanh(x)
        if classes is None:
            return anp.mean(anp.logaddexp(np.float32(0), x) - t * x)
        if problem.kind == "squares":
            return anp.mean((x * (x > 0) - classes[t]) ** 2)
        shifted = x - anp.max(x, axis=1, keepdims=True)
        scores = anp.log(anp.sum(anp.exp(shifted), axis=1)) - anp.sum(shifted * classes[t], axis=1)
        return anp.mean(scores)

    return attention if problem.kind == "attention" else dense
