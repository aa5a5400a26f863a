"""The optimisers of lecture 002, line by line as on its slides, to compare with."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeAlias

import numpy as np

Vector: TypeAlias = "np.ndarray[Any, np.dtype[np.float64]]"
GradientAt: TypeAlias = Callable[[Vector], Vector]


def adagrad(
    theta: Vector, gradient: GradientAt, steps: int, eta: float = 0.01, delta: float = 1e-10
) -> Vector:
    r = np.zeros_like(theta)
    for _ in range(steps):
        g = gradient(theta)
        r = r + g * g
        v = -eta / (delta + np.sqrt(r)) * g
        theta = theta + v
    return theta


def rmsprop(
    theta: Vector, gradient: GradientAt, steps: int, eta: float = 0.01, rho: float = 0.99, delta: float = 1e-8
) -> Vector:
    r = np.zeros_like(theta)
    for _ in range(steps):
        g = gradient(theta)
        r = rho * r + (1 - rho) * (g * g)
        v = -eta / np.sqrt(delta + r) * g
        theta = theta + v
    return theta


def adadelta(
    theta: Vector, gradient: GradientAt, steps: int, rho: float = 0.9, delta: float = 1e-6
) -> Vector:
    r, s = np.zeros_like(theta), np.zeros_like(theta)
    for _ in range(steps):
        g = gradient(theta)
        r = rho * r + (1 - rho) * (g * g)
        v = -np.sqrt(delta + s) / np.sqrt(delta + r) * g
        s = rho * s + (1 - rho) * (v * v)
        theta = theta + v
    return theta


def adam(
    theta: Vector, gradient: GradientAt, steps: int, eta: float = 0.001,
    rho1: float = 0.9, rho2: float = 0.999, delta: float = 1e-8,
) -> Vector:  # fmt: skip
    s, r = np.zeros_like(theta), np.zeros_like(theta)
    for i in range(1, steps + 1):
        g = gradient(theta)
        s = rho1 * s + (1 - rho1) * g
        r = rho2 * r + (1 - rho2) * (g * g)
        corrected_s, corrected_r = s / (1 - rho1**i), r / (1 - rho2**i)
        v = -eta * corrected_s / (delta + np.sqrt(corrected_r))
        theta = theta + v
    return theta


def momentum(
    theta: Vector, gradient: GradientAt, steps: int, eta: float = 0.01, delta: float = 0.9
) -> Vector:
    v = np.zeros_like(theta)
    for _ in range(steps):
        g = gradient(theta)
        v = delta * v - eta * g
        theta = theta + v
    return theta


def nesterov(
    theta: Vector, gradient: GradientAt, steps: int, eta: float = 0.01, delta: float = 0.9
) -> Vector:
    v = np.zeros_like(theta)
    for _ in range(steps):
        g = gradient(theta + delta * v)
        v = delta * v - eta * g
        theta = theta + v
    return theta


def nesterov_simplified(
    theta: Vector, gradient: GradientAt, steps: int, eta: float = 0.01, delta: float = 0.9
) -> Vector:
    v = np.zeros_like(theta)
    for _ in range(steps):
        g = gradient(theta)
        theta = theta + delta**2 * v - eta * (1 + delta) * g
        v = delta * v - eta * g
    return theta


ALGORITHMS: dict[str, Callable[[Vector, GradientAt, int], Vector]] = {
    "adagrad": adagrad,
    "rmsprop_eps_inside": rmsprop,
    "adadelta": adadelta,
    "adam": adam,
    "classical_momentum": momentum,
    "nesterov": nesterov,
    "simplified_nesterov": nesterov_simplified,
}
"""By the word that asks for them in a spec."""
