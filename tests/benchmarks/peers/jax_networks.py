"""The networks of networks.py in JAX, channels last, as its users write them."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeAlias

import jax
import jax.numpy as jnp

Array: TypeAlias = jax.Array
Loss: TypeAlias = Callable[[dict[str, Array], Array, Array], Array]


def loss_of(network: str) -> Loss:
    """The loss of a network by its parameters' names, its inputs and targets."""
    kind, *sizes = network.split()
    if kind == "gpt":
        return lambda p, x, t: _gpt(int(sizes[0]), p, x, t)
    return _LOSSES[kind]


def _cross_entropy(y: Array, t: Array) -> Array:
    return -jnp.mean(jnp.take_along_axis(jax.nn.log_softmax(y), t[..., None], -1))


def _conv2d(a: Array, w: Array, padding: str = "VALID") -> Array:
    return jax.lax.conv_general_dilated(a, w, (1, 1), padding, dimension_numbers=("NHWC", "HWIO", "NHWC"))


def _conv1d(p: dict[str, Array], x: Array, t: Array) -> Array:
    def conv(a: Array, w: Array, step: int) -> Array:
        axes = ("NWC", "WIO", "NWC")
        return jax.lax.conv_general_dilated(
            a, w, (step,), "VALID", rhs_dilation=(step,), dimension_numbers=axes
        )

    a = jax.nn.relu(conv(x, p["W1"], 1) + p["b1"])
    a = jax.nn.relu(conv(a, p["W2"], 2) + p["b2"])
    return _cross_entropy(a.mean(1) @ p["W3"], t)


def _pool(a: Array) -> Array:
    return jax.lax.reduce_window(a, -jnp.inf, jax.lax.max, (1, 2, 2, 1), (1, 2, 2, 1), "VALID")


def _lenet(p: dict[str, Array], x: Array, t: Array) -> Array:
    a = _pool(jax.nn.relu(_conv2d(x, p["W1"]) + p["b1"]))
    a = jax.nn.relu(_conv2d(a, p["W2"]) + p["b2"])
    if a.shape[1] > p["W3"].shape[0]:
        a = _pool(a)
    a = a.reshape(len(a), -1) @ p["W3"].reshape(-1, p["W3"].shape[-1]) + p["b3"]
    for number in map(str, range(4, len(p) // 2 + 1)):
        a = jax.nn.relu(a) @ p[f"W{number}"] + p[f"b{number}"]
    return _cross_entropy(a, t)


def _convolutions(p: dict[str, Array], x: Array, t: Array) -> Array:
    a = jax.nn.relu(_conv2d(x, p["W1"]) + p["b1"])
    a = jax.nn.relu(_conv2d(a, p["W2"]) + p["b2"])
    return _cross_entropy(a.mean((1, 2)) @ p["W3"], t)


def _resnet(p: dict[str, Array], x: Array, t: Array) -> Array:
    a = jax.nn.relu(_conv2d(x, p["W1"], "SAME") + p["b1"])
    a = jax.nn.relu(x + _conv2d(a, p["W2"], "SAME") + p["b2"])
    return _cross_entropy(a.mean((1, 2)) @ p["W3"], t)


def _attended(p: dict[str, Array], number: str, x: Array) -> Array:
    q, k, v = (jnp.einsum("nic,chd->nihd", x, p[f"W{part}{number}"]) for part in "qkv")
    s = jnp.einsum("nihd,njhd->nhij", q, k) * q.shape[-1] ** -0.5
    s = jnp.where(jnp.tril(jnp.ones(s.shape[-2:], bool)), s, -1e9)
    o = jnp.einsum("nhij,njhd->nihd", jax.nn.softmax(s), v)
    return jnp.einsum("nihd,hdc->nic", o, p[f"Wo{number}"])


def _attention(p: dict[str, Array], x: Array, t: Array) -> Array:
    return jnp.mean((_attended(p, "", x) - t) ** 2)


def _norm(z: Array, g: Array, b: Array) -> Array:
    return (z - z.mean(-1, keepdims=True)) / jnp.sqrt(z.var(-1, keepdims=True) + 1e-5) * g + b


def _gpt(blocks: int, p: dict[str, Array], x: Array, t: Array) -> Array:
    a = p["emb"][x] + p["pos"]
    for k in map(str, range(1, blocks + 1)):
        a = a + _attended(p, k, _norm(a, p[f"ga{k}"], p[f"ba{k}"]))
        m = _norm(a, p[f"gm{k}"], p[f"bm{k}"])
        a = a + jax.nn.gelu(m @ p[f"U{k}"] + p[f"u{k}"], approximate=True) @ p[f"D{k}"] + p[f"d{k}"]
    return _cross_entropy(_norm(a, p["gf"], p["bf"]) @ p["emb"].T, t)


def _bengio(p: dict[str, Array], x: Array, t: Array) -> Array:
    e = p["emb"][x].reshape(len(x), -1)
    h = jnp.tanh(e @ p["W"].reshape(-1, p["W"].shape[-1]) + p["b"])
    return _cross_entropy(h @ p["V"] + p["c"], t)


def _lstm(p: dict[str, Array], x: Array, t: Array) -> Array:
    def step(carry: tuple[Array, Array], a: Array) -> tuple[tuple[Array, Array], None]:
        h, c = carry
        i, f, g, o = jnp.split(a + h @ p["U"], 4, -1)
        c = jax.nn.sigmoid(f) * c + jax.nn.sigmoid(i) * jnp.tanh(g)
        return (jax.nn.sigmoid(o) * jnp.tanh(c), c), None

    zero = jnp.zeros((len(x), len(p["U"])), x.dtype)
    (h, _), _ = jax.lax.scan(step, (zero, zero), (x @ p["W"] + p["b"]).swapaxes(0, 1))
    return _cross_entropy(h @ p["V"], t)


def _gru(p: dict[str, Array], x: Array, t: Array) -> Array:
    def step(h: Array, a: Array) -> tuple[Array, None]:
        (ar, az, aq), (sr, sz, sq) = jnp.split(a, 3, -1), jnp.split(h @ p["U"] + p["c"], 3, -1)
        z = jax.nn.sigmoid(az + sz)
        return (1 - z) * jnp.tanh(aq + jax.nn.sigmoid(ar + sr) * sq) + z * h, None

    zero = jnp.zeros((len(x), len(p["U"])), x.dtype)
    h, _ = jax.lax.scan(step, zero, (x @ p["W"] + p["b"]).swapaxes(0, 1))
    return _cross_entropy(h @ p["V"], t)


_LOSSES: dict[str, Loss] = {
    "lstm": _lstm,
    "gru": _gru,
    "conv1d": _conv1d,
    "lenet": _lenet,
    "convolutions": _convolutions,
    "resnet": _resnet,
    "attention": _attention,
    "bengio": _bengio,
}
