"""rnn, gru, lstm and last, one row after the other: each goes through its own steps and through no others.

In PyTorch's order of gates. Arrays have an axis of probes first.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from fuzz.arithmetic import Arithmetic

    Parameter = Callable[[str], np.ndarray]

NAMES = ("rnn", "gru", "lstm")


def gone_through(
    name: str, x: np.ndarray, parameter: Parameter, options: Mapping[str, Any], arithmetic: Arithmetic
) -> np.ndarray:
    """All steps of [probes, batch, steps, features], the ways side by side; 0 behind the end of a row."""
    ways = [("", False), ("_r", True)][: 1 + bool(options.get("bidirectional"))]
    rows = [
        [
            _row(name, x[:, row, :count], lambda letter, s=suffix: parameter(letter + s), back, arithmetic)
            for suffix, back in ways
        ]
        for row, count in enumerate(_counts(x, options))
    ]
    return np.stack([np.concatenate([_padded(h, x.shape[2]) for h in both], -1) for both in rows], 1)


def last_of(x: np.ndarray, options: Mapping[str, Any]) -> np.ndarray:
    """The last step of each row; 0 where there is none."""
    zero = np.zeros_like(x[:, 0, 0])
    counts = _counts(x, options)
    return np.stack([x[:, row, count - 1] if count else zero for row, count in enumerate(counts)], 1)


def _counts(x: np.ndarray, options: Mapping[str, Any]) -> list[int]:
    lengths = options.get("lengths")
    if lengths is None:
        return [x.shape[2]] * x.shape[1]
    return [min(round(float(n)), x.shape[2]) for n in lengths[0].real]


def _padded(h: list[np.ndarray], steps: int) -> np.ndarray:
    return np.stack([*h, *[np.zeros_like(h[0])] * (steps + 1 - len(h))][1:], 1)


def _row(
    name: str, x: np.ndarray, parameter: Parameter, back: bool, arithmetic: Arithmetic
) -> list[np.ndarray]:
    """A 0 for its shape, then the steps of a row in their order; x is [probes, steps, features]."""

    def product(v: np.ndarray, letter: str, bias: str = "") -> np.ndarray:
        found = np.matmul(v[:, None, :], parameter(letter))[:, 0]
        return found + parameter(bias) if bias else found

    def tanh(v: np.ndarray) -> np.ndarray:
        return arithmetic.function("tanh", v)

    def sigmoid(v: np.ndarray) -> np.ndarray:
        return (tanh(v / 2) + 1) / 2

    units = parameter("U").shape[-2]
    probes = max(x.shape[0], parameter("W").shape[0], parameter("U").shape[0], parameter("b").shape[0])
    probes = max(probes, parameter("c").shape[0]) if name == "gru" else probes
    h = c = zero = np.zeros((probes, units), x.dtype)
    found = []
    for step in range(x.shape[1])[:: -1 if back else 1]:
        a, u = product(x[:, step], "W", "b"), product(h, "U", "c" if name == "gru" else "")
        if name == "rnn":
            h = tanh(a + u)
        elif name == "gru":
            (r, z, n), (s, w, m) = np.split(a, 3, -1), np.split(u, 3, -1)
            z = sigmoid(z + w)
            h = (1 - z) * tanh(n + sigmoid(r + s) * m) + z * h
        else:
            i, f, g, o = np.split(a + u, 4, -1)
            c = sigmoid(f) * c + sigmoid(i) * tanh(g)
            h = sigmoid(o) * tanh(c)
        found.append(np.broadcast_to(h, zero.shape))
    return [zero, *found[:: -1 if back else 1]]
