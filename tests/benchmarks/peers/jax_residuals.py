"""The residuals of residuals.py in JAX, point by point: by nested gradients, forward, or as series."""

from __future__ import annotations

from collections.abc import Callable
from typing import Literal, TypeAlias

import jax
import jax.numpy as jnp
from jax.experimental.jet import jet

Array: TypeAlias = jax.Array
Function: TypeAlias = Callable[[Array], Array]
Slopes: TypeAlias = Callable[[Function, Array], tuple[Array, Array]]
Way: TypeAlias = Literal["grad", "jvp", "jet"]


def residual_of(equation: str, way: Way) -> Callable[[dict[str, Array], Array, Array], Array]:
    """The loss of a network by its parameters' names and the two coordinates of the points."""
    twice, once = _TWICE[way], jax.grad if way == "grad" else _forward

    def at_point(p: dict[str, Array], x: Array, t: Array) -> Array:
        u_x, u_xx = twice(lambda x: _network(p, x, t), x)
        if equation == "burgers":
            u_t = once(lambda t: _network(p, x, t))(t)
            return u_t + _network(p, x, t) * u_x - 0.01 * u_xx
        _, u_tt = twice(lambda t: _network(p, x, t), t)
        return u_xx + u_tt + jnp.sin(3 * x) * jnp.sin(3 * t)

    return lambda p, x, t: jnp.mean(jax.vmap(at_point, (None, 0, 0))(p, x[:, 0], t[:, 0]) ** 2)


def _network(p: dict[str, Array], x: Array, t: Array) -> Array:
    a = jnp.tanh(x * p["Wx"][0] + t * p["Wt"][0] + p["b1"])
    for number in range(2, len(p) // 2):
        a = jnp.tanh(a @ p[f"W{number}"] + p[f"b{number}"])
    return (a @ p["W"] + p["b"])[0]


def _forward(f: Function) -> Function:
    return lambda x: jax.jvp(f, (x,), (jnp.ones_like(x),))[1]


def _by_grad(f: Function, x: Array) -> tuple[Array, Array]:
    return jax.grad(f)(x), jax.grad(jax.grad(f))(x)


def _by_jvp(f: Function, x: Array) -> tuple[Array, Array]:
    return jax.jvp(_forward(f), (x,), (jnp.ones_like(x),))


def _by_jet(f: Function, x: Array) -> tuple[Array, Array]:
    _, (first, second) = jet(f, (x,), ((jnp.ones_like(x), jnp.zeros_like(x)),))
    return first, second


_TWICE: dict[Way, Slopes] = {"grad": _by_grad, "jvp": _by_jvp, "jet": _by_jet}
