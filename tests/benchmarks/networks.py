"""Networks beyond dense layers, as specs in index notation: convolutions, attention, embeddings.

Written out, so that the parameters and their order are seen: peers take the same arrays by these names.
Images are [batch, height, width, channels].
"""

from __future__ import annotations

from itertools import pairwise
from typing import Any

from benchmarks.residuals import RESIDUALS

Spec = dict[str, Any]


def _classes(axes: list[Any], count: int) -> Spec:
    return {"axes": ["batch", *axes], "classes": count}


def _pooled(of: str) -> str:
    return f"max({of}[n, 2*i + u, 2*j + v, c], u=2, v=2)"


def _convolved(x: str, number: str) -> str:
    return f"sum({x}[n, i + u, j + v, c] * W{number}[u, v, c, o], u, v, c) + b{number}[o]"


def conv1d() -> Spec:
    """Two convolutions over 100 places, the second with stride and dilation 2, and the mean over places."""
    return {
        "inputs": {"x": ["batch", 100, 4]},
        "targets": {"t": _classes([], 5)},
        "parameters": {"W1": [5, 4, 16], "b1": [16], "W2": [3, 16, 16], "b2": [16], "W3": [16, 5]},
        "equations": {
            "Z1[n, i, o]": "sum(x[n, i + u, c] * W1[u, c, o], u, c) + b1[o]",
            "A1": "relu(Z1)",
            "Z2[n, i, o]": "sum(A1[n, 2*i + 2*u, c] * W2[u, c, o], u, c) + b2[o]",
            "A2": "relu(Z2)",
            "P[n, c]": "mean(A2[n, i, c], i)",
            "y": "P @ W3",
        },
        "loss": "softmax_cross_entropy(y, t)",
    }


def lenet(size: int, kernels: tuple[int, int], channels: tuple[int, int], hidden: tuple[int, ...]) -> Spec:
    """Two convolutions with pooling, where the second has room for it, and dense layers to ten classes."""
    first = (size - kernels[0] + 1) // 2
    second = first - kernels[1] + 1
    pools = second > 2
    side = second // 2 if pools else second
    widths = (*hidden, 10)
    parameters = {
        "W1": [kernels[0]] * 2 + [1, channels[0]], "b1": [channels[0]],
        "W2": [kernels[1]] * 2 + [*channels], "b2": [channels[1]],
        "W3": [side, side, channels[1], widths[0]], "b3": [widths[0]],
    }  # fmt: skip
    equations = {
        "Z1[n, i, j, o]": _convolved("x", "1"),
        "A1": "relu(Z1)",
        "P1[n, i, j, c]": _pooled("A1"),
        "Z2[n, i, j, o]": _convolved("P1", "2"),
        "A2": "relu(Z2)",
        **({"P2[n, i, j, c]": _pooled("A2")} if pools else {}),
        "Z3[n, k]": f"sum({'P2' if pools else 'A2'}[n, i, j, c] * W3[i, j, c, k], i, j, c) + b3[k]",
    }
    for number, (rows, columns) in enumerate(pairwise(widths), 4):
        parameters |= {f"W{number}": [rows, columns], f"b{number}": [columns]}
        equations |= {f"A{number - 1}": f"relu(Z{number - 1})"}
        equations |= {f"Z{number}": f"A{number - 1} @ W{number} + b{number}"}
    return {
        "inputs": {"x": ["batch", size, size, 1]},
        "targets": {"t": _classes([], 10)},
        "parameters": parameters,
        "equations": equations,
        "loss": f"softmax_cross_entropy(Z{len(widths) + 2}, t)",
    }


def convolutions() -> Spec:
    """Two convolutions of 3×3 from 32 channels to 32, without padding, and the mean over the places."""
    return {
        "inputs": {"x": ["batch", 16, 16, 32]},
        "targets": {"t": _classes([], 10)},
        "parameters": {"W1": [3, 3, 32, 32], "b1": [32], "W2": [3, 3, 32, 32], "b2": [32], "W3": [32, 10]},
        "equations": {
            "Z1[n, i, j, o]": _convolved("x", "1"),
            "A1": "relu(Z1)",
            "Z2[n, i, j, o]": _convolved("A1", "2"),
            "A2": "relu(Z2)",
            "P[n, c]": "mean(A2[n, i, j, c], i, j)",
            "y": "P @ W3",
        },
        "loss": "softmax_cross_entropy(y, t)",
    }


def resnet_block(channels: int) -> Spec:
    """relu(x + conv(relu(conv(x)))) with kernels of 3×3 and padding, on images of 32×32, and their mean."""
    kernel = [3, 3, channels, channels]
    padded = "pad(pad({}, 1, 1), 2, 1)"
    return {
        "inputs": {"x": ["batch", 32, 32, channels]},
        "targets": {"t": _classes([], 10)},
        "parameters": {"W1": kernel, "b1": [channels], "W2": kernel, "b2": [channels], "W3": [channels, 10]},
        "equations": {
            "X": padded.format("x"),
            "Z1[n, i, j, o]": _convolved("X", "1"),
            "A1": "relu(Z1)",
            "B1": padded.format("A1"),
            "Z2[n, i, j, o]": _convolved("B1", "2"),
            "A2": "relu(x + Z2)",
            "P[n, c]": "mean(A2[n, i, j, c], i, j)",
            "y": "P @ W3",
        },
        "loss": "softmax_cross_entropy(y, t)",
    }


def _attention(of: str, heads: int, width: int, number: str = "") -> tuple[Spec, Spec]:
    """The parameters and equations of causal attention, heads behind places; its result is R."""
    channels = heads * width
    weights = {f"W{part}{number}": [channels, heads, width] for part in "qkv"}
    equations = {
        f"{part.upper()}{number}[n, i, h, d]": f"sum({of}[n, i, c] * W{part}{number}[c, h, d], c)"
        for part in "qkv"
    }
    scores = f"sum(Q{number}[n, i, h, d] * K{number}[n, j, h, d], d) / sqrt({width})"
    equations |= {
        f"S{number}[n, h, i, j]": f"where(j <= i, {scores}, -1e9)",
        f"P{number}": f"softmax(S{number})",
        f"O{number}[n, i, h, d]": f"sum(P{number}[n, h, i, j] * V{number}[n, j, h, d], j)",
        f"R{number}[n, i, c]": f"sum(O{number}[n, i, h, d] * Wo{number}[h, d, c], h, d)",
    }
    return weights | {f"Wo{number}": [heads, width, channels]}, equations


def attention(length: int, heads: int, width: int, heads_first: bool = False) -> Spec:
    """Causal attention alone; its heads lie behind the places, or before them."""
    weights, equations = _attention("x", heads, width)
    if heads_first:
        for name in "QKVO":
            equations = {
                left.replace(f"{name}[n, i, h, d]", f"{name}[n, h, i, d]"):
                right.replace(f"{name}[n, i, h, d]", f"{name}[n, h, i, d]")
                .replace(f"{name}[n, j, h, d]", f"{name}[n, h, j, d]")
                for left, right in equations.items()
            }  # fmt: skip
    return {
        "inputs": {"x": ["batch", length, heads * width]},
        "targets": {"t": ["batch", length, heads * width]},
        "parameters": weights,
        "equations": equations,
        "loss": "mean((R - t)**2)",
    }


def gpt(blocks: int, length: int, heads: int, width: int, tokens: int = 65) -> Spec:
    """Blocks of attention and two dense layers of four times the channels, each behind a layer norm."""
    channels = heads * width
    parameters: Spec = {"emb": [tokens, channels], "pos": [length, channels]}
    equations: Spec = {"X0[n, i, d]": "emb[x[n, i], d] + pos[i, d]"}
    for k in map(str, range(1, blocks + 1)):
        before = f"X{int(k) - 1}"
        weights, attending = _attention(f"N{k}", heads, width, k)
        parameters |= {f"ga{k}": [channels], f"ba{k}": [channels], **weights}
        parameters |= {f"gm{k}": [channels], f"bm{k}": [channels]}
        parameters |= {f"U{k}": [channels, 4 * channels], f"u{k}": [4 * channels]}
        parameters |= {f"D{k}": [4 * channels, channels], f"d{k}": [channels]}
        equations |= {
            f"N{k}": f"norm({before}, ga{k}, ba{k})",
            **attending,
            f"Y{k}": f"{before} + R{k}",
            f"M{k}": f"norm(Y{k}, gm{k}, bm{k})",
            f"G{k}": f"gelu_tanh(M{k} @ U{k} + u{k})",
            f"X{k}": f"Y{k} + G{k} @ D{k} + d{k}",
        }
    mean = "mean(z, axis=-1, keepdims=true)"
    variance = f"mean((z - {mean})**2, axis=-1, keepdims=true)"
    return {
        "inputs": {"x": _classes([length], tokens)},
        "targets": {"t": _classes([length], tokens)},
        "functions": {"norm(z, g, b)": f"(z - {mean}) / sqrt({variance} + 1e-5) * g + b"},
        "parameters": parameters | {"gf": [channels], "bf": [channels]},
        "equations": {
            **equations,
            "F": f"norm(X{blocks}, gf, bf)",
            "y[n, i, v]": "sum(F[n, i, d] * emb[v, d], d)",
        },
        "loss": "softmax_cross_entropy(y, t)",
    }


def bengio(tokens: int, length: int, width: int, hidden: int) -> Spec:
    """The embeddings of the last tokens through one hidden layer (Bengio et al. 2003)."""
    return {
        "inputs": {"x": _classes([length], tokens)},
        "targets": {"t": _classes([], tokens)},
        "parameters": {
            "emb": [tokens, width], "W": [length, width, hidden], "b": [hidden],
            "V": [hidden, tokens], "c": [tokens],
        },
        "equations": {
            "E[n, i, d]": "emb[x[n, i], d]",
            "h[n, k]": "tanh(sum(E[n, i, d] * W[i, d, k], i, d) + b[k])",
            "y": "h @ V + c",
        },
        "loss": "softmax_cross_entropy(y, t)",
    }  # fmt: skip


def lstm(units: int, steps: int) -> Spec:
    """An LSTM over steps of 32 numbers, gates i, f, g, o side by side, and ten classes from its last step."""
    gate = "{}(s[n, t, k + {}])"
    return {
        "inputs": {"x": ["batch", steps, 32]},
        "targets": {"t": _classes([], 10)},
        "parameters": {"W": [32, 4 * units], "U": [units, 4 * units], "b": [4 * units], "V": [units, 10]},
        "equations": {
            "a[n, t, k]": "sum(x[n, t, d] * W[d, k], d) + b[k]",
            "s[n, t, k]": "a[n, t, k] + sum(h[n, t-1, j] * U[j, k], j)",
            **{
                f"{name}[n, t, k:{units}]": gate.format("tanh" if name == "g" else "sigmoid", place * units)
                for place, name in enumerate("ifgo")
            },
            f"c[n, t, k:{units}]": "f[n, t, k] * c[n, t-1, k] + i[n, t, k] * g[n, t, k]",
            f"h[n, t, k:{units}]": "o[n, t, k] * tanh(c[n, t, k])",
            "c[n, -1, k]": "0",
            "h[n, -1, k]": "0",
            "y": "h[:, -1] @ V",
        },
        "loss": "softmax_cross_entropy(y, t)",
    }


def gru(units: int, steps: int) -> Spec:
    """A GRU over steps of 32 numbers, gates r, z, n side by side, and ten classes from its last step."""
    return {
        "inputs": {"x": ["batch", steps, 32]},
        "targets": {"t": _classes([], 10)},
        "parameters": {
            "W": [32, 3 * units], "U": [units, 3 * units], "b": [3 * units], "c": [3 * units],
            "V": [units, 10],
        },
        "equations": {
            "a[n, t, k]": "sum(x[n, t, d] * W[d, k], d) + b[k]",
            "s[n, t, k]": "sum(h[n, t-1, j] * U[j, k], j) + c[k]",
            f"r[n, t, k:{units}]": "sigmoid(a[n, t, k] + s[n, t, k])",
            f"z[n, t, k:{units}]": f"sigmoid(a[n, t, k + {units}] + s[n, t, k + {units}])",
            f"q[n, t, k:{units}]": f"tanh(a[n, t, k + {2 * units}] + r[n, t, k] * s[n, t, k + {2 * units}])",
            f"h[n, t, k:{units}]": "(1 - z[n, t, k]) * q[n, t, k] + z[n, t, k] * h[n, t-1, k]",
            "h[n, -1, k]": "0",
            "y": "h[:, -1] @ V",
        },
        "loss": "softmax_cross_entropy(y, t)",
    }  # fmt: skip


NETWORKS: dict[str, Spec] = {
    "conv1d": conv1d(),
    "lenet 8": lenet(8, (3, 2), (8, 16), (32,)),
    "lenet 28": lenet(28, (5, 5), (6, 16), (120, 84)),
    "convolutions": convolutions(),
    "resnet 16": resnet_block(16),
    "resnet 32": resnet_block(32),
    "attention 16": attention(16, 4, 8),
    "attention 128": attention(128, 4, 64),
    "attention 128 heads first": attention(128, 4, 64, heads_first=True),
    "gpt 1": gpt(1, 32, 4, 16),
    "gpt 2": gpt(2, 32, 4, 16),
    "gpt 4": gpt(4, 32, 4, 16),
    "gpt 2 128x64": gpt(2, 64, 4, 32),
    "gpt 2 128x128": gpt(2, 128, 4, 32),
    "bengio": bengio(64, 8, 16, 128),
    "bengio 10000": bengio(10_000, 5, 32, 64),
    "lstm 64x20": lstm(64, 20),
    "lstm 64x100": lstm(64, 100),
    "lstm 256x20": lstm(256, 20),
    "gru 64x20": gru(64, 20),
    "gru 256x20": gru(256, 20),
    **RESIDUALS,
}
"""By the names that problems and peers know them by."""


def shapes_of(network: str) -> dict[str, tuple[int, ...]]:
    """The shapes of the parameters, by their names."""
    return {name: tuple(axes) for name, axes in NETWORKS[network]["parameters"].items()}
