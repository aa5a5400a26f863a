"""Optimisers as their papers state them, in NumPy: each yields theta after one step, then after the next.

`slope` is the gradient of the loss. Nothing here knows symgrad.
"""

from __future__ import annotations

from itertools import count
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    Slope = Callable[[np.ndarray], np.ndarray]
    Path = Iterator[np.ndarray]


def sgd(theta: np.ndarray, slope: Slope, eta: float, decay: float = 0) -> Path:
    """Robbins & Monro 1951, with the squared norm of theta, times decay/2, added to the loss."""
    while True:
        theta = theta - eta * (slope(theta) + decay * theta)
        yield theta


def torch_momentum(
    theta: np.ndarray, slope: Slope, eta: float, mu: float, tau: float = 0, decay: float = 0
) -> Path:
    """What PyTorch documents for SGD: the first velocity is the gradient, later ones are dampened by tau."""
    v = None
    while True:
        g = slope(theta) + decay * theta
        v = g if v is None else mu * v + (1 - tau) * g
        theta = theta - eta * v
        yield theta


def lecture_momentum(theta: np.ndarray, slope: Slope, eta: float, delta: float, decay: float = 0) -> Path:
    """v <- delta v - eta g, theta <- theta + v."""
    v = np.zeros_like(theta)
    while True:
        v = delta * v - eta * (slope(theta) + decay * theta)
        theta = theta + v
        yield theta


def nesterov(theta: np.ndarray, slope: Slope, eta: float, delta: float, decay: float = 0) -> Path:
    """v <- delta v - eta grad C(theta + delta v), theta <- theta + v; the decay is a part of C."""
    v = np.zeros_like(theta)
    while True:
        ahead = theta + delta * v
        v = delta * v - eta * (slope(ahead) + decay * ahead)
        theta = theta + v
        yield theta


def simplified_nesterov(theta: np.ndarray, slope: Slope, eta: float, delta: float, decay: float = 0) -> Path:
    """Bengio et al. 2012: the point ahead itself is moved, before the velocity changes."""
    v = np.zeros_like(theta)
    while True:
        g = slope(theta) + decay * theta
        theta = theta + delta**2 * v - eta * (1 + delta) * g
        v = delta * v - eta * g
        yield theta


def adagrad(
    theta: np.ndarray, slope: Slope, eta: float, delta: float, r: float = 0, decay: float = 0
) -> Path:
    """Duchi et al. 2011; delta stands outside the root."""
    while True:
        g = slope(theta) + decay * theta
        r = r + g * g
        v = -eta / (delta + np.sqrt(r)) * g
        theta = theta + v
        yield theta


def rmsprop(
    theta: np.ndarray, slope: Slope, eta: float, rho: float, delta: float, inside: bool, decay: float = 0
) -> Path:
    """Hinton 2012; delta stands inside the root, or outside it."""
    r = np.zeros_like(theta)
    while True:
        g = slope(theta) + decay * theta
        r = rho * r + (1 - rho) * (g * g)
        v = -eta / (np.sqrt(delta + r) if inside else delta + np.sqrt(r)) * g
        theta = theta + v
        yield theta


def adadelta(theta: np.ndarray, slope: Slope, rho: float, delta: float, decay: float = 0) -> Path:
    """Zeiler 2012, which has no step size."""
    r, s = np.zeros_like(theta), np.zeros_like(theta)
    while True:
        g = slope(theta) + decay * theta
        r = rho * r + (1 - rho) * (g * g)
        v = -np.sqrt(delta + s) / np.sqrt(delta + r) * g
        s = rho * s + (1 - rho) * (v * v)
        theta = theta + v
        yield theta


def adam(
    theta: np.ndarray,
    slope: Slope,
    eta: float,
    rho1: float,
    rho2: float,
    delta: float,
    decay: float = 0,
    decoupled: bool = False,
    largest: bool = False,
) -> Path:
    """Kingma & Ba 2015; Loshchilov & Hutter 2019 where `decoupled`, Reddi et al. 2018 where `largest`."""
    s, r, top = np.zeros_like(theta), np.zeros_like(theta), np.zeros_like(theta)
    for i in count(1):
        g = slope(theta) + (0 if decoupled else decay * theta)
        s = rho1 * s + (1 - rho1) * g
        r = rho2 * r + (1 - rho2) * (g * g)
        top = np.maximum(top, r) if largest else r
        s_hat, r_hat = s / (1 - rho1**i), top / (1 - rho2**i)
        shrunk = (1 - eta * decay) * theta if decoupled else theta
        theta = shrunk - eta * s_hat / (delta + np.sqrt(r_hat))
        yield theta


def lazy_adam(theta: np.ndarray, slope: Slope, eta: float, rho1: float, rho2: float, delta: float) -> Path:
    """Kingma & Ba 2015 for the entries that have a gradient; the others, and their moments, stay."""
    theta, s, r = theta.copy(), np.zeros_like(theta), np.zeros_like(theta)
    for i in count(1):
        g = slope(theta)
        moved = np.flatnonzero(g)
        s[moved] = rho1 * s[moved] + (1 - rho1) * g[moved]
        r[moved] = rho2 * r[moved] + (1 - rho2) * g[moved] ** 2
        s_hat, r_hat = s[moved] / (1 - rho1**i), r[moved] / (1 - rho2**i)
        theta[moved] -= eta * s_hat / (delta + np.sqrt(r_hat))
        yield theta.copy()


def nadam(
    theta: np.ndarray,
    slope: Slope,
    eta: float,
    rho1: float,
    rho2: float,
    delta: float,
    psi: float,
    decay: float = 0,
) -> Path:
    """Dozat 2016: mu_i = rho1 (1 - 0.96^(i psi) / 2), and momenta corrected by products of them."""
    m, n = np.zeros_like(theta), np.zeros_like(theta)
    mu = [rho1 * (1 - 0.5 * 0.96 ** (i * psi)) for i in range(1, 200)]
    for i in count(1):
        g = slope(theta) + decay * theta
        m = rho1 * m + (1 - rho1) * g
        n = rho2 * n + (1 - rho2) * g**2
        g_hat = g / (1 - np.prod(mu[:i]))
        m_hat = m / (1 - np.prod(mu[: i + 1]))
        m_bar = (1 - mu[i - 1]) * g_hat + mu[i] * m_hat
        theta = theta - eta * m_bar / (np.sqrt(n / (1 - rho2**i)) + delta)
        yield theta


def adamax(
    theta: np.ndarray, slope: Slope, eta: float, rho1: float, rho2: float, delta: float, decay: float = 0
) -> Path:
    """Kingma & Ba 2015, section 7.1, with delta added to |g|."""
    m, u = np.zeros_like(theta), np.zeros_like(theta)
    for i in count(1):
        g = slope(theta) + decay * theta
        m = rho1 * m + (1 - rho1) * g
        u = np.maximum(rho2 * u, np.abs(g) + delta)
        theta = theta - eta / (1 - rho1**i) * m / u
        yield theta


def lion(theta: np.ndarray, slope: Slope, eta: float, rho1: float, rho2: float, decay: float = 0) -> Path:
    """Chen et al. 2023, algorithm 2."""
    m = np.zeros_like(theta)
    while True:
        g = slope(theta)
        c = rho1 * m + (1 - rho1) * g
        theta = theta - eta * (np.sign(c) + decay * theta)
        m = rho2 * m + (1 - rho2) * g
        yield theta


def rprop(
    theta: np.ndarray, slope: Slope, first: float, down: float, up: float, least: float, most: float
) -> Path:
    """Igel & Huesken 2000, iRprop-, weight after weight."""
    rates, last = [first] * theta.size, [0.0] * theta.size
    while True:
        g, theta = list(slope(theta)), theta.copy()
        for k in range(theta.size):
            if last[k] * g[k] > 0:
                rates[k] = min(rates[k] * up, most)
            elif last[k] * g[k] < 0:
                rates[k] = max(rates[k] * down, least)
                g[k] = 0.0
            theta[k] -= np.sign(g[k]) * rates[k]
            last[k] = g[k]
        yield theta


def delta_bar_delta(
    theta: np.ndarray, slope: Slope, first: float, kappa: float, phi: float, average: float
) -> Path:
    """Jacobs 1988, weight after weight: rates grow by kappa, or shrink by the factor 1 - phi."""
    rates, means = [first] * theta.size, [0.0] * theta.size
    while True:
        g, theta = slope(theta), theta.copy()
        for k in range(theta.size):
            if means[k] * g[k] > 0:
                rates[k] += kappa
            elif means[k] * g[k] < 0:
                rates[k] -= phi * rates[k]
            means[k] = (1 - average) * g[k] + average * means[k]
            theta[k] -= rates[k] * g[k]
        yield theta
