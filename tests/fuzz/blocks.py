"""Attention and what is built of it, places and embeddings, on arrays with an axis of probes first."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from fuzz.arithmetic import Arithmetic

    Parameter = Callable[[str], np.ndarray]
    Options = Mapping[str, Any]


def attended(x: np.ndarray, memory: np.ndarray, parameter: Parameter, options: Options) -> np.ndarray:
    """One query after another over the places that it sees; arrays are [probes, batch, places, features]."""
    has_bias = options.get("bias") is not False

    def shift(name: str, head: tuple[int, ...]) -> Any:
        return parameter(name)[:, None, *head] if has_bias else 0

    weights = {name: parameter(name) for name in ("Wq", "Wk", "Wv", "Wo")}
    wide = weights["Wq"].shape[-1]
    total: Any = 0
    for head in np.ndindex(weights["Wq"].shape[2:-1]):
        shared = head[:1]
        query, key, value = (
            [z[:, :, i] @ weights[f"W{w}"][:, :, *at] + shift(f"b{w}", at) for i in range(z.shape[2])]
            for w, z, at in (("q", x, head), ("k", memory, shared), ("v", memory, shared))
        )
        rows = [_looked_up(i, q, key, value, wide, options) for i, q in enumerate(query)]
        total = total + np.stack(rows, axis=2) @ weights["Wo"][:, None, *head]
    return np.asarray(total + (parameter("bo")[:, None, None] if has_bias else 0))


def _looked_up(
    i: int, query: np.ndarray, key: list[np.ndarray], value: list[np.ndarray], wide: int, options: Options
) -> np.ndarray:
    """What place i finds: values by weights that are 0 where nobody looks."""
    seen = [j for j in range(len(key)) if not options.get("causal") or j <= i]
    root = np.sqrt(np.longdouble(wide)).astype(query.real.dtype)
    scores = [(query * key[j]).sum(axis=-1) / root for j in seen]
    mask = options.get("mask")
    shown = [1 if mask is None else np.where(mask[:, :, j].real > 0, 1, 0) for j in seen]
    known = [np.where(s, z.real, -np.inf) for s, z in zip(shown, scores, strict=True)]
    top = np.max(np.broadcast_arrays(*known), axis=0)
    powers = [np.where(s, np.exp(np.where(s, z - top, z - z)), 0) for s, z in zip(shown, scores, strict=True)]
    total = sum(powers)
    return np.asarray(sum((p / total)[..., None] * value[j] for p, j in zip(powers, seen, strict=True)))


def waves(x: np.ndarray, base: float, arithmetic: Arithmetic) -> np.ndarray:
    """x and the waves of its places: sines in even features, cosines in odd ones."""
    places, features = x.shape[2:]
    found = np.empty((places, features), np.longdouble)
    for i, c in np.ndindex(places, features):
        angle = i / np.longdouble(base) ** (np.longdouble(c - c % 2) / features)
        found[i, c] = np.cos(angle) if c % 2 else np.sin(angle)
    return x + arithmetic.number(found)


def turned(x: np.ndarray, base: float, arithmetic: Arithmetic) -> np.ndarray:
    """Pairs of features turned by their place; x is [probes, batch, places, heads, features]."""
    found, half = np.empty_like(x), x.shape[-1] // 2
    for i, k in np.ndindex(x.shape[2], half):
        angle = i / np.longdouble(base) ** (np.longdouble(k) / half)
        c, s = arithmetic.number(np.cos(angle)), arithmetic.number(np.sin(angle))
        first, second = x[:, :, i, :, k], x[:, :, i, :, k + half]
        found[:, :, i, :, k] = first * c - second * s
        found[:, :, i, :, k + half] = second * c + first * s
    return found


def embedded(labels: np.ndarray, table: np.ndarray, padding: int | None) -> np.ndarray:
    """A row of the table for each label; zeros for that of padding."""
    rows = np.take(table, labels, axis=1)
    return rows if padding is None else np.where((labels == padding)[..., None], 0, rows)
