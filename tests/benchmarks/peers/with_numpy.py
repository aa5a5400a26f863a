"""Plain NumPy in the style of the lectures: derivatives by hand, layer by layer, `W -= eta * X.T @ delta`."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

import numpy as np

from benchmarks.peers import Training

if TYPE_CHECKING:
    from benchmarks.problems import Array, Problem

Gradient = Callable[[list["Array"], "Array", "Array"], tuple[float, list["Array"]]]


def train(problem: Problem) -> Training:
    """Forward, backward, update, for each batch."""
    x, t = problem.data()
    weights = problem.weights()
    gradient = _attention if problem.kind == "attention" else _dense(problem)
    update = _adam(problem, weights) if problem.optimizer == "adam" else _sgd(problem, weights)

    def restart() -> None:
        nonlocal update
        for mine, given in zip(weights, problem.weights(), strict=True):
            mine[...] = given
        update = _adam(problem, weights) if problem.optimizer == "adam" else _sgd(problem, weights)

    def epoch(order: Array) -> float:
        total = 0.0
        for rows in order.reshape(-1, problem.batch):
            loss, gradients = gradient(weights, x[rows], t[rows])
            update(gradients)
            total += loss
        return total / problem.steps

    return Training(restart, epoch)


def _dense(problem: Problem) -> Gradient:
    layers = len(problem.sizes) - 1
    relu = problem.activation == "relu"
    loss_and_delta = {"classes": _softmax_loss, "squares": _square_loss, "binary": _binary_loss}[problem.kind]

    def gradient(weights: list[Array], x: Array, t: Array) -> tuple[float, list[Array]]:
        outputs = [x]
        for i in range(layers):
            z = outputs[-1] @ weights[2 * i] + weights[2 * i + 1]
            if i < layers - 1:
                z = np.maximum(z, 0) if relu else np.tanh(z)
            outputs.append(z)
        loss, delta = loss_and_delta(outputs.pop(), t)
        gradients: list[Array] = []
        for i in reversed(range(layers)):
            gradients = [outputs[i].T @ delta, np.sum(delta, axis=0), *gradients]
            if i:
                slope = outputs[i] > 0 if relu else 1 - outputs[i] ** 2
                delta = (delta @ weights[2 * i].T) * slope
        return loss, gradients

    return gradient


def _softmax_loss(z: Array, t: Array) -> tuple[float, Array]:
    rows = np.arange(len(t))
    e = np.exp(z - z.max(axis=1, keepdims=True))
    p = e / e.sum(axis=1, keepdims=True)
    loss = -np.log(p[rows, t]).mean()
    p[rows, t] -= 1
    return float(loss), p / len(t)


def _square_loss(z: Array, t: Array) -> tuple[float, Array]:
    difference = np.maximum(z, 0)
    difference[np.arange(len(t)), t] -= 1
    return float(np.mean(difference**2)), (2 / z.size) * difference * (z > 0)


def _binary_loss(z: Array, t: Array) -> tuple[float, Array]:
    loss = np.mean(np.maximum(z, 0) - t * z + np.log1p(np.exp(-np.abs(z))))
    return float(loss), (1 / (1 + np.exp(-z)) - t) / len(t)


def _attention(weights: list[Array], x: Array, t: Array) -> tuple[float, list[Array]]:
    q, k, v = (x @ w for w in weights)
    scale = np.float32(q.shape[-1] ** -0.5)
    s = (q @ k.transpose(0, 2, 1)) * scale
    e = np.exp(s - s.max(axis=-1, keepdims=True))
    p = e / e.sum(axis=-1, keepdims=True)
    difference = p @ v - t
    do = (2 / difference.size) * difference
    dv = p.transpose(0, 2, 1) @ do
    dp = do @ v.transpose(0, 2, 1)
    ds = p * (dp - (dp * p).sum(axis=-1, keepdims=True)) * scale
    flat = x.reshape(-1, x.shape[-1]).T
    deltas = (ds @ k, ds.transpose(0, 2, 1) @ q, dv)
    return float(np.mean(difference**2)), [flat @ d.reshape(-1, d.shape[-1]) for d in deltas]


def _sgd(problem: Problem, weights: list[Array]) -> Callable[[list[Array]], None]:
    def update(gradients: list[Array]) -> None:
        for w, g in zip(weights, gradients, strict=True):
            w -= problem.learning_rate * g

    return update


def _adam(problem: Problem, weights: list[Array]) -> Callable[[list[Array]], None]:
    first, second = [np.zeros_like(w) for w in weights], [np.zeros_like(w) for w in weights]
    n = 0

    def update(gradients: list[Array]) -> None:
        nonlocal n
        n += 1
        for w, g, m, v in zip(weights, gradients, first, second, strict=True):
            m *= 0.9
            m += 0.1 * g
            v *= 0.999
            v += 0.001 * g**2
            w -= problem.learning_rate * (m / (1 - 0.9**n)) / (np.sqrt(v / (1 - 0.999**n)) + 1e-8)

    return update
