"""The specs that every stage is tested on: each construct of the language at least once, small sizes."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from seeds import one_in

from symgrad.spec import library

EXAMPLES = sorted((Path(__file__).parent.parent / "examples").glob("*.yaml"))

Corpus = dict[str, dict[str, Any]]

ROWS = {"inputs": {"x": ["batch", 5]}, "dtype": "float64"}
VALUES = {"targets": {"t": ["batch", 3]}}
LABELS = {"targets": {"t": {"axes": ["batch"], "classes": 3}}}


def _activations() -> Corpus:
    return {
        f"activation_{name}": {
            **ROWS,
            **VALUES,
            "layers": [f"dense(4, activation={name})", "dense(3)"],
            "loss": "mse",
        }
        for name in library.activations
    }


WINDOWS: dict[str, tuple[list[int], list[str]]] = {
    "windows_1d": (
        [4, 1],
        [
            "conv1d(2, kernel=2, padding=causal, dilation=2, activation=tanh)",
            "max_pool1d(2, padding=1)",
            "upsample1d(2)",
            "adaptive_max_pool1d(5, equal=false)",
            "adaptive_avg_pool1d(3, equal=false)",
            "conv_transpose1d(1, kernel=3, stride=2)",
            "avg_pool1d(3)",
            "global_max_pool",
        ],
    ),
    "windows_2d": (
        [3, 4, 2],
        [
            "conv2d(2, kernel=(2, 1), stride=(1, 2), padding=(1, 0), groups=2)",
            "max_pool2d(kernel=(2, 1))",
            "squeeze_excite(reduction=2)",
            "upsample2d(factor=(1, 2), mode=bilinear)",
            "adaptive_avg_pool2d(2)",
            "adaptive_max_pool2d(2)",
            "conv_transpose2d(1, kernel=2)",
            "avg_pool2d(2, stride=1)",
            "flatten",
        ],
    ),
    "windows_3d": (
        [1, 2, 2, 1],
        [
            "conv3d(1, kernel=2, padding=1)",
            "conv_transpose3d(1, kernel=1)",
            "max_pool3d(2)",
            "avg_pool3d(1)",
            "global_avg_pool",
        ],
    ),
    "channels_first": (
        [2, 3, 2],
        [
            "conv2d(3, kernel=3, padding=1, layout=channels_first)",
            "batch_norm2d(layout=channels_first)",
            "relu",
            "max_pool2d(2, layout=channels_first)",
            "flatten",
        ],
    ),
    "patches": ([2, 4, 1], ["patch_embedding(2, patch=(1, 2))", "flatten"]),
    "places": ([3, 4], ["positional", "sinusoidal", "attention(heads=2, causal=true)", "flatten"]),
    "norms_1d": (
        [3, 2],
        ["batch_norm1d", "group_norm1d(groups=2)", "instance_norm1d", "flatten", "batch_norm"],
    ),
    "norms_2d": (
        [2, 1, 4],
        ["batch_norm2d", "group_norm2d(groups=2)", "instance_norm2d", "flatten", "group_norm(groups=2)"],
    ),
    "norms_3d": (
        [2, 1, 2, 2],
        ["batch_norm3d", "group_norm3d(groups=1)", "instance_norm3d", "flatten"],
    ),
    "turned_places": ([3, 2, 4], ["rotary", "flatten"]),
    "block": ([2, 4], ["transformer_block(heads=2, hidden=3)", "flatten"]),
    "recurrent": ([3, 2], ["rnn(2)", "gru(2, bidirectional=true)", "lstm(2)", "last"]),
}
"""Layers of several axes, in chains that call them all: the axes of x behind the batch, and the layers."""
OTHERS: Corpus = {
    "layer_embedding": {
        "inputs": {"x": {"axes": ["batch", 3], "classes": 5}},
        "layers": ["embedding(4, padding=1)", "flatten", "dense(3)"],
    },
    "layer_cross_attention": {
        "inputs": {"x": ["batch", 2, 4], "m": ["batch", 3, 5]},
        "equations": {
            "A": "cross_attention(x, m, heads=4, kv_heads=2, bias=false)",
            "y": "dense(flatten(A), 3)",
        },
    },
    "layer_graph_conv": {
        "inputs": {"x": ["batch", 2, 4], "A": ["batch", 2, 2]},
        "equations": {
            "h": "graph_conv(x, sqrt(A**2), 2)",
            "y": "bilinear(flatten(h), global_max_pool(h), 3)",
        },
    },
    "layer_factorization": {
        "inputs": {"x": {"axes": ["batch"], "classes": 5}, "w": {"axes": ["batch"], "classes": 4}},
        "equations": {"h": "factorization(x, w, 2)", "y": "dense(h, 3)"},
    },
    "steps_in_parts": {
        "inputs": {"x": ["batch", 5, 4]},
        "equations": {
            "h": "gru(x, 2, bidirectional=true)",
            "g": "lstm(h, 2)",
            "y": "dense(global_avg_pool(g), 3)",
        },
        "train": {"steps_at_once": 2},
    },
    "steps_in_parts_of_any_number": {
        "inputs": {"x": ["batch", "T", 4]},
        "equations": {"h": "rnn(x, 2)", "y": "dense(last(h), 3)"},
        "train": {"steps_at_once": 2},
    },
    "layer_rows_of_lengths": {
        "inputs": {"x": ["batch", 3, 4], "L": ["batch"]},
        "equations": {
            "M": "1 + L**2",  # no row is empty
            "A": "attention(x, 2, lengths=M, rotary=true, bias=false)",
            "y": "dense(global_avg_pool(A, lengths=M), 3)",
        },
    },
    "layer_ctc": {
        "inputs": {"x": ["batch", 4, 3], "n": ["batch"]},
        "targets": {"t": {"axes": ["batch", 2], "classes": 2}, "m": ["batch"]},
        "equations": {
            "N": "2 + 3 * sigmoid(n)",  # steps enough for two labels that are the same
            "M": "2 * sigmoid(m)",
            "y": "dense(x, 3)",
            "L": "ctc(y, t, N, M)",
        },
        "outputs": ["y"],
        "loss": "mean(L)",
    },
}
"""Layers of labels or of several tensors."""


def _layers() -> Corpus:
    rows = {
        name: entry for name, entry in library.layers.items() if not entry.takes and not entry.takes_labels
    }
    calls = {n: f"{n}(4)" if "units" in e.signature.arguments else n for n, e in rows.items()}
    over_rows = {
        f"layer_{name}": {**ROWS, **VALUES, "layers": ["dense(4)", call, "dense(3)"], "loss": "mse"}
        for name, call in calls.items()
    }
    others = {name: {**VALUES, "dtype": "float64", "loss": "mse", **spec} for name, spec in OTHERS.items()}
    return (
        over_rows
        | others
        | {
            name: {
                **VALUES,
                "dtype": "float64",
                "inputs": {"x": ["batch", *axes]},
                "layers": [*layers, "dense(3)"],
                "loss": "mse",
                "gradients": ["x"],
            }
            for name, (axes, layers) in WINDOWS.items()
        }
    )


def _losses() -> Corpus:
    rows_of_classes = ("kl_div",)
    output = {"binary_cross_entropy": ["sigmoid"], "nll": ["log_softmax"], "kl_div": ["log_softmax"]}
    calls = {"gaussian_nll": "gaussian_nll(Z2, t, softplus(Z2))"}
    return {
        f"loss_{name}": {
            **ROWS,
            **(LABELS if entry.task == "classes" and name not in rows_of_classes else VALUES),
            "layers": ["dense(4, activation=tanh)", "dense(3)", *output.get(name, [])],
            "loss": calls.get(name, name),
        }
        for name, entry in library.losses.items()
    }


def _optimizers() -> Corpus:
    calls = {name: name for name in library.optimizers} | {
        "own": {
            "hyper": {"eta": 0.1, "delta": 0.9},
            "state": {"v": 0},
            "update": {"v": "delta*v - eta*g", "theta": "theta + v"},
        }
    }
    return {
        f"optimizer_{name}": {
            **ROWS,
            **LABELS,
            "layers": ["dense(3)"],
            "loss": "softmax_cross_entropy",
            "train": {"optimizer": call, "batch_size": "full" if _needs_all_rows(name) else 4},
        }
        for name, call in calls.items()
    }


def _needs_all_rows(optimizer: str) -> bool:
    return optimizer in library.optimizers and bool(library.optimizers[optimizer].full_batch)


def _graph(equations: dict[str, str], loss: str, **changes: Any) -> dict[str, Any]:
    return {**ROWS, **VALUES, "equations": equations, "loss": loss, **changes}


GRAPHS: Corpus = {
    "skip": _graph({"h": "tanh(dense(x, 5))", "y": "dense(h + x, 3)"}, "mse"),
    "two_layers_in_one": _graph({"y": "dense(tanh(dense(x, 4)), 3, bias=false)"}, "mse"),
    "learned_activations": _graph(
        {"h": "dense(x, 4, activation=prelu(per_channel=true))", "y": "dense(swish(h) + swish(h), 3)"}, "mse"
    ),
    "regularised": _graph({"y": "dense(x, 3)"}, "mse(y, t) + 0.01*l2(y_W) + 0.001*l1(y_b)"),
    "sum_reduction": _graph({"y": "dense(x, 3)"}, "mse(y, t, reduction=sum)"),
    "own_softmax": _graph(
        {"z": "dense(x, 3)", "P[n,k]": "exp(z[n,k]) / sum(exp(z[n,j]), j)"}, "-mean(sum(t * log(P), axis=1))"
    ),
    "one_hot_targets": _graph({"z": "dense(x, 3)"}, "softmax_cross_entropy(z, t)"),
    "own_log_sigmoid": _graph({"z": "dense(x, 3)", "p": "1/(1+exp(-z))"}, "-mean(t*log(p) + (1-t)*log(1-p))"),
    "norms": _graph({"y": "dense(x, 3)"}, "sum(sqrt(sum((y - t)**2, axis=1)))"),
    "extrema": _graph({"y": "dense(x, 3)"}, "mean(max(y, axis=1) - min(y, axis=1)) + max(t)"),
    "logsumexp": _graph({"y": "dense(x, 3)"}, "mean(logsumexp(y, axis=1)) + logsumexp(y) - mean(t)"),
    "choices": _graph({"y": "dense(x, 3)"}, "mean(where(y > t, 2*(y - t), max(t - y, 0.1)) * min(y, 1))"),
    "powers": _graph({"y": "dense(x, 3)"}, "mean((1 + y**2)**1.5 / (2 + abs(y))**0.5 - y**3)", targets={}),
    "trigonometry": _graph(
        {"y": "dense(x, 3)"}, "mean(sin(y)*cosh(t) + atan(y) + erf(y) + log1p(y**2) + sinh(y)*cos(y))"
    ),
    "loss_in_equations": _graph({"y": "dense(x, 3)", "z": "y * t + y", "L": "mean(z / (1 + z**2))"}, "L"),
    "transposes": _graph({"y": "dense(x, 3)", "g": "y.T @ y"}, "sum(g**2) / 100 + sum((t.T @ y)**2)"),
    "keepdims": _graph(
        {
            "y": "dense(x, 3)",
            "c": "y - mean(y, axis=0, keepdims=true)",
            "s": "mean(c**2, axis=0, keepdims=true)",
        },
        "mean(c / sqrt(s + 0.1) * t)",
    ),
    "unused_parameter": _graph(
        {"y": "dense(x, 3)"}, "mse", parameters={"u": {"axes": [2], "init": "normal(std=1)"}}
    ),
    "scalar_parameter": _graph(
        {"y": "a * dense(x, 3) + c"},
        "mse",
        parameters={"a": {"axes": [], "init": 0.25}, "c": {"axes": [3], "init": "uniform(limit=1)"}},
    ),
    "input_gradients": _graph({"y": "tanh(dense(x, 3))"}, "mse", gradients=["x"]),
    "two_outputs": _graph({"h": "tanh(dense(x, 4))", "y": "dense(h, 3)"}, "mse(y, t)", outputs=["y", "h"]),
    "weighted_samples": _graph(
        {"y": "dense(x, 3)"},
        "squared_error(y, t, weights=w) + huber(y, t, weights=w)",
        targets={"t": ["batch", 3], "w": ["batch"]},
    ),
    "weighted_labels": _graph(
        {"z": "dense(x, 3)"},
        "softmax_cross_entropy(class_weights=c, label_smoothing=0.1, weights=w)",
        targets={"t": {"axes": ["batch"], "classes": 3, "ignore": -100}, "w": ["batch"]},
        constants={"c": [1, 2, 0.5]},
    ),
    "ignored_class": _graph(
        {"z": "dense(x, 3)", "y": "log_softmax(z)"},
        "nll(y, t) + focal(z, t) + multi_margin(z, t)",
        targets={"t": {"axes": ["batch"], "classes": 3, "ignore": 2}},
    ),
    "constants": _graph(
        {"y": "dense(x, 3) @ filter + shift", "z[n,k]": "sum(y[n,j] * filter[k,j], j) * scale"},
        "mse(z, t)",
        constants={"filter": [[1, 0.5, 2], [0, -1, 0.1], [0.3, 0.2, 1]], "shift": [1, 2, 3], "scale": 0.1},
    ),
    "clipped": _graph({"y": "dense(x, 3)"}, "mse", train={"clip_norm": 0.1, "optimizer": "momentum"}),
    "scheduled": _graph({"y": "dense(x, 3)"}, "mse", train={"schedule": "exponential(decay=0.5)"}),
    "schedules_composed": _graph(
        {"y": "dense(x, 3)"},
        "mse",
        train={"schedule": "min(1, (step + 1) / 10) * step_decay(3, learning_rate=one_cycle(total=20))"},
    ),
    "micro_batches": _graph(
        {"y": "dense(x, 3)"},
        "mse(y, t) + 0.01*l2(y_W)",
        train={"micro_batch_size": 2, "schedule": "cosine", "optimizer": "nesterov"},
    ),
    "axes_named_like_tensors": {
        "dtype": "float64",
        "inputs": {"SIZE": ["Z1", 5]},
        "targets": {"AXES": ["Z1", 3]},
        "layers": ["dense(4, activation=softmax)", "dense(3)"],
        "loss": "mse",
    },
    "awkward_names": {
        "dtype": "float64",
        "inputs": {"n": ["work", 5]},
        "targets": {"grad": ["work", 3]},
        "parameters": {"theta": {"axes": [5, 3]}, "loss": {"axes": [3]}},
        "equations": {"real": "n @ theta + loss", "np": "real * 2"},
        "loss": "mse(np, grad)",
    },
}

INDEXED: Corpus = {
    "matrix_vector": {
        "dtype": "float64",
        "inputs": {"X": ["N", 4]},
        "targets": {"y": ["N"]},
        "parameters": {"w": {"axes": [4], "init": "normal(std=1)"}},
        "equations": {"p": "X @ w"},
        "loss": "mean((p - y)**2)",
    },
    "batched_scores": {
        "dtype": "float64",
        "inputs": {"Q": ["b", "i", 4], "K": ["b", "j", 4]},
        "parameters": {"a": {"axes": []}},
        "equations": {"S[b,i,j]": "a * sum(Q[b,i,d] * K[b,j,d], d)"},
        "loss": "mean(tanh(S))",
        "gradients": ["Q", "K"],
    },
    "convolution": {
        "dtype": "float64",
        "inputs": {"X": ["N", 9]},
        "targets": {"t": ["N", 4]},
        "parameters": {"k": {"axes": [3], "init": "normal(std=1)"}},
        "equations": {"Y[n,i]": "sum(X[n, 2*i + u] * k[u], u)"},
        "loss": "mse(Y, t)",
        "gradients": ["X"],
    },
    "pooling": {
        "dtype": "float64",
        "axes": {"J": 3},
        "inputs": {"x": ["N", 8, 2]},
        "targets": {"t": ["N", 4]},
        "parameters": {
            "W": {"axes": [2, 2, 5], "init": "normal(std=1)"},
            "V": {"axes": [3, 5, 4], "init": "normal(std=1)"},
        },
        "equations": {
            "h[n,i,o]": "tanh(sum(x[n, i + u, c] * W[u,c,o], u, c))",
            "p[n,j:J,o]": "max(h[n, 2*j + k, o], k=2)",
            "y[n,k]": "sum(p[n,j,o] * V[j,o,k], j, o)",
        },
        "loss": "mse(y, t)",
    },
    "placements": {
        "dtype": "float64",
        "inputs": {"x": ["N", 3, 2]},
        "targets": {"t": ["N", 4]},
        "parameters": {
            "W": {"axes": [3, 2, 2], "init": "normal(std=1)"},
            "V": {"axes": [15, 4], "init": "normal(std=1)"},
        },
        "equations": {
            "padded": "pad(x, 1, 1)",
            "h[n,i,o]": "tanh(sum(padded[n, i + u, c] * W[u,c,o], u, c))",
            "wide": "concat(h, pad(x, -1, 0, 1))",
            "y": "flatten(wide) @ V",
            "z": "stack(y, 2 * t, axis=1)",
        },
        "loss": "mse(y, t) + mean(z**2)",
        "gradients": ["x"],
    },
    "causal_attention": {
        "dtype": "float64",
        "axes": {"T": 4},
        "inputs": {"x": ["N", "T", 3]},
        "targets": {"t": ["N", "T", 2]},
        "parameters": {
            "Q": {"axes": [3, 2], "init": "normal(std=1)"},
            "K": {"axes": [3, 2], "init": "normal(std=1)"},
            "V": {"axes": [3, 2], "init": "normal(std=1)"},
        },
        "equations": {
            "e[i:T, c:3]": "where(c == 1, sin(i / 5), cos(i / 3)) + c / 7",
            "z": "x + e",
            "q": "z @ Q",
            "k": "z @ K",
            "v": "z @ V",
            "S[n,i,j]": "where(j <= i, sum(q[n,i,d] * k[n,j,d], d), -1e9)",
            "P": "softmax(S)",
            "y[n,i,d]": "sum(P[n,i,j] * v[n,j,d], j)",
        },
        "loss": "mse(y, t)",
        "gradients": ["x"],
    },
    "embedding": {
        "dtype": "float64",
        "inputs": {"w": {"axes": ["N"], "classes": 6}},
        "targets": {"t": {"axes": ["N"], "classes": 3}},
        "parameters": {
            "E": {"axes": [6, 4], "init": "normal(std=1)"},
            "V": {"axes": [4, 3], "init": "normal(std=1)"},
        },
        "equations": {"e[n,d]": "E[w[n], d]", "z": "e @ V"},
        "loss": "softmax_cross_entropy(z, t)",
    },
    "batch_axis_twice": {
        "dtype": "float64",
        "inputs": {"X": ["N", 4]},
        "targets": {"t": ["N", "N"]},
        "parameters": {"W": {"axes": [4, 3], "init": "normal(std=1)"}},
        "equations": {"Y": "X @ W", "G": "Y @ Y.T"},
        "loss": "mse(G, t)",
    },
    "picked_entry": {
        "dtype": "float64",
        "inputs": {"X": ["N", 4]},
        "parameters": {"W": {"axes": [4, 3], "init": "normal(std=1)"}},
        "equations": {"Z": "X @ W", "first[n]": "Z[n, 0] * Z[n, 2]"},
        "loss": "mean(first)",
    },
    "bilinear": {
        "dtype": "float64",
        "inputs": {"X": ["N", 4], "Y": ["N", 3]},
        "parameters": {"B": {"axes": [2, 4, 3], "init": "normal(std=1)"}},
        "equations": {"Z[n,o]": "sum(X[n,i] * B[o,i,j] * Y[n,j], i, j)"},
        "loss": "mean(Z**2)",
    },
    "distances": {
        "dtype": "float64",
        "inputs": {"X": ["N", 4]},
        "parameters": {"C": {"axes": [3, 4], "init": "normal(std=1)"}},
        "equations": {"D[n,k]": "sum((X[n,d] - C[k,d])**2, d)"},
        "loss": "-mean(logsumexp(-D, axis=1))",
    },
    "scalars_only": {
        "dtype": "float64",
        "inputs": {"x": [], "y": [], "z": []},
        "equations": {"f": "(x + y) * z"},
        "loss": "f",
        "gradients": ["x", "y", "z"],
    },
}

DERIVATIVES: Corpus = {
    "burgers": {
        "dtype": "float64",
        "inputs": {"x": ["N", 1], "t": ["N", 1]},
        "equations": {
            "h": "tanh(dense(x, 3) + dense(t, 3, bias=false))",
            "u": "dense(tanh(dense(h, 3)), 1)",
            "r": "d(u, t) + u * d(u, x) - 0.01 * d(u, x, x)",
        },
        "outputs": ["u"],
        "loss": "mean(r**2)",
    },
    "second_derivatives": {
        "dtype": "float64",
        "inputs": {"x": ["N", 4]},
        "parameters": {
            "W": {"axes": [4, 3], "init": "normal(std=1)"},
            "v": {"axes": [3], "init": "normal(std=1)"},
        },
        "equations": {
            "E": "softplus(x @ W) @ v",
            "F": "-d(E, x)",
            "H[n,i,j]": "d(E[n], x[n,i], x[n,j])",
            "L[n]": "sum(H[n,i,i], i)",
        },
        "loss": "mean(F**2) + mean(L**2)",
    },
    "straight_through": {
        "dtype": "float64",
        "inputs": {"x": ["N", 3]},
        "targets": {"t": ["N", 2]},
        "equations": {
            "z": "tanh(dense(x, 2))",
            "q": "z + stop_gradient(sign(z) - z)",
            "y": "dense(q, 2)",
        },
        "loss": "mse(y, t) + mean((z - stop_gradient(y))**2)",
    },
}

CHANCE: Corpus = {
    "noises": {
        "dtype": "float64",
        "inputs": {"x": ["batch", 4, 4, 1]},
        "targets": {"t": {"axes": ["batch"], "classes": 3}},
        "layers": [
            "conv2d(2, kernel=3, activation=relu)",
            "dropout2d(0.25)",
            "flatten",
            "dense(5, activation=selu)",
            "alpha_dropout(0.2)",
            "gaussian_noise",
            {"residual": ["dense(5)", "stochastic_depth(0.3)"]},
            "gaussian_dropout(0.1)",
            "dropout",
            "dense(3)",
        ],
        "loss": "softmax_cross_entropy",
    },
    "autoencoder_of_samples": {
        "inputs": {"x": ["batch", 4]},
        "equations": {
            "h": "dense(x, 5, activation=tanh)",
            "mu": "dense(h, 2)",
            "s": "dense(h, 2)",
            "z[n,k]": "training(mu[n,k] + exp(s[n,k]) * normal(), mu[n,k])",
            "y": "dense(z, 4)",
        },
        "loss": "mean((y - x)**2) + 0.1 * mean(exp(2 * s) + mu**2 - 1 - 2 * s)",
    },
    "draws": {
        "inputs": {"x": ["batch", 3]},
        "targets": {"t": ["batch", 2]},
        "parameters": {"w": {"axes": [3, 2], "init": "normal(std=1)"}},
        "functions": {"jitter(a)": "a * (1 + 0.1 * gumbel(like=a)) + 0.1 * exponential(like=a)"},
        "equations": {
            "e[n:batch,j:3]": "training(uniform(), 0.5)",
            "k": "training(jitter(x) + jitter(x), 2 * x)",
            "g[n,i]": "sum((k[n,j] + e[n,j]) * w[j,i] * training(bernoulli(0.7), 0.7), j)",
            "y": "dense(g, 2)",
        },
        "loss": "mse(y, t) + training(0.01 * mean(w * normal(like=w)), 0)",
    },
}

CORPUS: Corpus = {
    **_activations(),
    **_layers(),
    **_losses(),
    **_optimizers(),
    **GRAPHS,
    **INDEXED,
    **DERIVATIVES,
    **CHANCE,
}
for _name, _spec in CORPUS.items():
    _spec["name"] = _name

ROWS = [name for name in CORPUS if name.startswith(("activation_", "loss_", "optimizer_"))]
_SOME = one_in(3, ROWS)
TRIED = [name for name in CORPUS if name in _SOME or name not in ROWS]
"""Every construct, and a third of the library's rows, which differ in one formula: others for each state of
the sources. All of them are tried, alone, in test_activations.py, test_losses.py and test_optimizers.py."""

ROUNDED = {"noises"}
"""What agrees to 12 digits and is not identical, as its text rounds numbers that are roots."""
