"""The optimisers of lecture 002, line by line as on its slides, to compare with."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any, TypeAlias

import numpy as np

Vector: TypeAlias = "np.ndarray[Any, np.dtype[np.float64]]"
GradientAt: TypeAlias = Callable[[Vector], Vector]


def adagrad(theta: Vector, gradient: GradientAt, steps: int, *, eta: float, delta: float) -> Vector:
    r = np.zeros_like(theta)
    for _ in range(steps):
        g = gradient(theta)
        r = r + g * g
        v = -eta / (delta + np.sqrt(r)) * g
        theta = theta + v
    return theta


def rmsprop(
    theta: Vector, gradient: GradientAt, steps: int, *, eta: float, rho: float, delta: float
) -> Vector:
    r = np.zeros_like(theta)
    for _ in range(steps):
        g = gradient(theta)
        r = rho * r + (1 - rho) * (g * g)
        v = -eta / np.sqrt(delta + r) * g
        theta = theta + v
    return theta


def adadelta(theta: Vector, gradient: GradientAt, steps: int, *, rho: float, delta: float) -> Vector:
    r, s = np.zeros_like(theta), np.zeros_like(theta)
    for _ in range(steps):
        g = gradient(theta)
        r = rho * r + (1 - rho) * (g * g)
        v = -np.sqrt(delta + s) / np.sqrt(delta + r) * g
        s = rho * s + (1 - rho) * (v * v)
        theta = theta + v
    return theta


def adam(
    theta: Vector, gradient: GradientAt, steps: int, *, eta: float, rho1: float, rho2: float, delta: float
) -> Vector:
    s, r = np.zeros_like(theta), np.zeros_like(theta)
    for i in range(1, steps + 1):
        g = gradient(theta)
        s = rho1 * s + (1 - rho1) * g
        r = rho2 * r + (1 - rho2) * (g * g)
        corrected_s, corrected_r = s / (1 - rho1**i), r / (1 - rho2**i)
        v = -eta * corrected_s / (delta + np.sqrt(corrected_r))
        theta = theta + v
    return theta


def momentum(theta: Vector, gradient: GradientAt, steps: int, *, eta: float, delta: float) -> Vector:
    v = np.zeros_like(theta)
    for _ in range(steps):
        g = gradient(theta)
        v = delta * v - eta * g
        theta = theta + v
    return theta


def nesterov(theta: Vector, gradient: GradientAt, steps: int, *, eta: float, delta: float) -> Vector:
    v = np.zeros_like(theta)
    for _ in range(steps):
        g = gradient(theta + delta * v)
        v = delta * v - eta * g
        theta = theta + v
    return theta


def nesterov_simplified(
    theta: Vector, gradient: GradientAt, steps: int, *, eta: float, delta: float
) -> Vector:
    v = np.zeros_like(theta)
    for _ in range(steps):
        g = gradient(theta)
        theta = theta + delta**2 * v - eta * (1 + delta) * g
        v = delta * v - eta * g
    return theta


ALGORITHMS: dict[str, Callable[[Vector, GradientAt, int], Vector]] = {
    "adagrad(learning_rate=0.3, eps=0.1)": partial(adagrad, eta=0.3, delta=0.1),
    "rmsprop_eps_inside(learning_rate=0.02, alpha=0.9, eps=0.1)": partial(
        rmsprop, eta=0.02, rho=0.9, delta=0.1
    ),
    "adadelta(rho=0.8, eps=0.1)": partial(adadelta, rho=0.8, delta=0.1),
    "adam(learning_rate=0.05, b1=0.8, b2=0.95, eps=0.1)": partial(
        adam, eta=0.05, rho1=0.8, rho2=0.95, delta=0.1
    ),
    "classical_momentum(learning_rate=0.05, momentum=0.8)": partial(momentum, eta=0.05, delta=0.8),
    "nesterov(learning_rate=0.05, momentum=0.8)": partial(nesterov, eta=0.05, delta=0.8),
    "simplified_nesterov(learning_rate=0.05, momentum=0.8)": partial(
        nesterov_simplified, eta=0.05, delta=0.8
    ),
}
"""By the words that ask for them in a spec. A large δ shows where it stands, as a usual one does not."""
