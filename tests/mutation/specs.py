"""The specs whose modules faults are planted in: small, and of twenty-three different kinds."""

from __future__ import annotations

from typing import Any

ROWS = {"inputs": {"x": ["batch", 3]}, "dtype": "float64"}
VALUES = {"targets": {"t": ["batch", 2]}}
LABELS = {"targets": {"t": {"axes": ["batch"], "classes": 4}}}

SPECS: dict[str, dict[str, Any]] = {
    "classifier": {
        **ROWS,
        **LABELS,
        "layers": ["dense(4, activation=tanh)", "dense(4)"],
        "loss": "softmax_cross_entropy",
        "train": {"optimizer": "adam", "batch_size": 3, "epochs": 6},
    },
    "single": {
        **ROWS,
        **VALUES,
        "dtype": "float32",
        "layers": ["dense(4, activation=sigmoid)", "dense(2)"],
        "loss": "mse",
        "train": {"optimizer": "momentum", "schedule": "exponential(decay=0.1)", "seed": 5},
    },
    "binary": {
        **ROWS,
        "targets": {"t": ["batch", 1]},
        "layers": ["dense(3, activation=relu)", "dense(1)"],
        "loss": "binary_cross_entropy_with_logits",
        "train": {"optimizer": "rmsprop", "clip_norm": 0.5, "shuffle": "once"},
    },
    "ignoring": {
        **ROWS,
        "targets": {"t": {"axes": ["batch"], "classes": 3, "ignore": -100}, "w": ["batch"]},
        "constants": {"c": [1, 2, 0.5]},
        "layers": ["dense(3)"],
        "loss": "softmax_cross_entropy(class_weights=c, label_smoothing=0.1, weights=w)",
        "train": {"optimizer": "sgd", "shuffle": "never"},
    },
    "pieces": {
        **ROWS,
        **VALUES,
        "equations": {"y": "dense(x, 2)"},
        "loss": "mse(y, t) + 0.01*l2(y_W)",
        "train": {"micro_batch_size": 2, "schedule": "cosine", "optimizer": "nesterov"},
    },
    "ahead": {
        **ROWS,
        **VALUES,
        "layers": ["dense(2, activation=softplus)"],
        "loss": "huber",
        "train": {"optimizer": "nesterov(weight_decay=0.01)", "clip_value": 0.1},
    },
    "averages": {
        **ROWS,
        **VALUES,
        "layers": ["dense(4, activation=softmax)", "dense(2, activation=gelu)"],
        "loss": "mse",
        "train": {"optimizer": "adamw(weight_decay=0.1)", "schedule": "step_decay(2, k=step)"},
    },
    "embedding": {
        "dtype": "float64",
        "inputs": {"w": {"axes": ["N"], "classes": 6}},
        "targets": {"t": {"axes": ["N"], "classes": 3}},
        "parameters": {
            "E": {"axes": [6, 2], "init": "normal(std=1)"},
            "V": {"axes": [2, 3], "init": "uniform(limit=0.5)"},
        },
        "equations": {"e[n,d]": "E[w[n], d]", "z": "e @ V"},
        "loss": "softmax_cross_entropy(z, t)",
        "train": {"optimizer": "adagrad"},
    },
    "attention": {
        "dtype": "float64",
        "inputs": {"x": ["batch", "time", 3]},
        "targets": {"t": ["batch", 2]},
        "parameters": {
            "Q": {"axes": [3, 2], "init": "glorot_uniform"},
            "K": {"axes": [3, 2], "init": "glorot_normal"},
        },
        "equations": {
            "q[n,i,d]": "sum(x[n,i,e] * Q[e,d], e)",
            "k[n,i,d]": "sum(x[n,i,e] * K[e,d], e)",
            "s[n,i,j]": "sum(q[n,i,d] * k[n,j,d], d)",
            "a": "softmax(s)",
            "h[n,d]": "sum(a[n,i,j] * k[n,j,d], i, j)",
        },
        "loss": "mse(h, t)",
        "train": {"optimizer": "sgd(learning_rate=0.1)"},
    },
    "convolution": {
        "dtype": "float64",
        "inputs": {"X": ["N", 9]},
        "targets": {"t": ["N", 4]},
        "parameters": {"k": {"axes": [3], "init": "he_normal"}},
        "equations": {"Y[n,i]": "sum(X[n, 2*i + u] * k[u], u)"},
        "loss": "mse(Y, t)",
        "gradients": ["X"],
        "train": {"optimizer": "sgd"},
    },
    "own_optimizer": {
        **ROWS,
        **VALUES,
        "equations": {"y": "a * dense(x, 2) + c"},
        "parameters": {"a": {"axes": [], "init": 0.25}, "c": {"axes": [2], "init": "uniform(limit=1)"}},
        "loss": "mean(log1p(abs(y - t))) + mean(erf(y))",
        "train": {
            "optimizer": {
                "hyper": {"eta": 0.1, "delta": 0.9},
                "state": {"v": 0},
                "update": {"v": "delta*v - eta*g", "theta": "theta + v"},
            }
        },
    },
    "further": {
        **ROWS,
        **VALUES,
        "constants": {"c": [1, 0.5]},
        "parameters": {"V": [3, 2]},
        "equations": {"y": "c * tanh(x @ V)"},
        "loss": "mse(y, t)",
        "derive": ["hvp", "gauss_newton", "per_sample", "jacobian(y, x)", "hessian(V)"],
        "train": {"optimizer": "sgd"},
    },
    "pooled": {
        "dtype": "float64",
        "inputs": {"x": ["batch", 5, 4, 2]},
        "targets": {"t": {"axes": ["batch"], "classes": 3}},
        "parameters": {"W": {"axes": [2, 2, 2, 3], "init": "he_normal"}, "b": [3]},
        "equations": {
            "p": "pad(x, 1, 1, 0)",
            "z[n,i,j,o]": "sum(p[n, i + u, j + v, c] * W[u,v,c,o], u, v, c) + b[o]",
            "m[n,i:2,j,o]": "max(relu(z[n, 2*i + u, j, o]), u=3)",
            "y": "dense(flatten(m, 1), 3)",
        },
        "loss": "softmax_cross_entropy(y, t)",
        "train": {"optimizer": "momentum", "freeze": "b"},
    },
    "heads": {
        "dtype": "float64",
        "inputs": {"x": ["batch", 4, 3]},
        "targets": {"t": ["batch", 2]},
        "parameters": {
            "Q": {"axes": [3, 2, 2], "init": "glorot_uniform"},
            "K": {"axes": [3, 2, 2], "init": "glorot_normal"},
            "V": {"axes": [3, 2, 2], "init": "glorot_normal"},
            "O": {"axes": [2, 2, 2], "init": "glorot_normal"},
        },
        "equations": {
            "q[n,h,i,d]": "sum(x[n,i,e] * Q[e,h,d], e)",
            "k[n,h,i,d]": "sum(x[n,i,e] * K[e,h,d], e)",
            "v[n,h,i,d]": "sum(x[n,i,e] * V[e,h,d], e)",
            "s[n,h,i,j]": "where(j <= i, sum(q[n,h,i,d] * k[n,h,j,d], d), -1e9)",
            "a": "softmax(s)",
            "o[n,i,h,d]": "sum(a[n,h,i,j] * v[n,h,j,d], j)",
            "y[n,c]": "mean(o[n,i,h,d] * O[h,d,c], i, h, d)",
        },
        "loss": "mse(y, t)",
        "train": {"optimizer": "adam", "micro_batch_size": 2, "average": 0.9},
    },
    "unrolled": {
        "dtype": "float64",
        "inputs": {"x": ["batch", 3, 2]},
        "targets": {"t": ["batch", 1]},
        "parameters": {
            "U": {"axes": [2, 2], "init": "glorot_uniform"},
            "W": {"axes": [2, 2], "init": "glorot_uniform"},
        },
        "equations": {
            "h0[n,j]": "tanh(sum(x[n,0,i] * U[i,j], i))",
            "h1[n,j]": "tanh(sum(x[n,1,i] * U[i,j], i) + sum(h0[n,i] * W[i,j], i))",
            "h2[n,j]": "tanh(sum(x[n,2,i] * U[i,j], i) + sum(h1[n,i] * W[i,j], i))",
            "y": "dense(h0 + h2, 1)",
        },
        "loss": "mse(y, t)",
        "gradients": ["x"],
        "train": {"optimizer": "rmsprop", "clip_norm": 0.5},
    },
    "controlled": {
        **ROWS,
        **VALUES,
        "layers": ["dense(4, activation=tanh)", "dense(3, activation=tanh)", "dense(2)"],
        "loss": "mse",
        "train": {
            "optimizer": "adamw(weight_decay=0.1)",
            "freeze": ["W1", "b2"],
            "per_parameter": {"b*": {"weight_decay": 0}, "W3": {"learning_rate": 0.02}},
            "average": 0.9,
            "schedule": "exponential(decay=0.1)",
        },
    },
    "in_pieces": {
        **ROWS,
        **LABELS,
        "dtype": "float32",
        "layers": ["dense(4, activation=relu)", "dense(4)"],
        "loss": "softmax_cross_entropy",
        "train": {
            "optimizer": "adam",
            "micro_batch_size": 2,
            "per_parameter": {"W1": {"learning_rate": 0.01}},
            "monitor": "gradients",
        },
    },
    "in_sections": {
        **ROWS,
        **VALUES,
        "dtype": "float32",
        "layers": ["dense(3, activation=tanh)", "dense(4, activation=sigmoid)", "dense(2)"],
        "loss": "mse",
        "train": {"optimizer": "momentum", "freeze": "b1"},
    },
    "stateful": {
        **ROWS,
        **VALUES,
        "equations": {
            "h": "batch_norm(dense(x, 4), momentum=0.2)",
            "m[j]": "mean(abs(t[n,j]), n)",
            "y": "dense(h, 2) * training(1, 0.5) + seen",
        },
        "state": {"seen": {"axes": [2], "init": 0, "next": "0.9 * seen + 0.1 * m"}},
        "loss": "mse(y, t)",
        "train": {"optimizer": "momentum", "batch_size": 3},
    },
    "recurrent": {
        "dtype": "float64",
        "inputs": {"x": ["batch", 4, 2]},
        "targets": {"t": ["batch", 1]},
        "parameters": {
            "W": {"axes": [2, 3], "init": "glorot_uniform"},
            "U": {"axes": [3, 3], "init": "glorot_uniform"},
            "s": {"axes": [3], "init": "normal(std=0.5)"},
        },
        "equations": {
            "h[n,t,i]": "tanh(sum(x[n,t,d] * W[d,i], d) + sum(h[n,t-1,j] * U[j,i], j))",
            "h[n,-1,i]": "s[i]",
            "y": "dense(h[:, -1], 1)",
        },
        "loss": "mse(y, t)",
        "train": {"optimizer": "adam"},
    },
    "next_words": {
        "dtype": "float32",
        "inputs": {"w": {"axes": ["batch", "T"], "classes": 40}},
        "targets": {"t": {"axes": ["batch", "T"], "classes": 40}},
        "layers": ["embedding(3, init=truncated_normal(std=0.5))", "lstm(2)", "dense(40)"],
        "loss": "softmax_cross_entropy",
        "train": {"optimizer": "sgd"},
    },
    "next_letters": {
        "dtype": "float64",
        "inputs": {"w": {"axes": ["batch", "T"], "classes": 5}},
        "targets": {"t": {"axes": ["batch", "T"], "classes": 5}},
        "layers": ["embedding(4)", "attention(heads=2, causal=true)", "dense(5)"],
        "loss": "softmax_cross_entropy",
        "train": {"optimizer": "adam"},
    },
    "scalars": {
        "dtype": "float64",
        "inputs": {"x": [], "y": [], "z": []},
        "equations": {"f": "(x + y) * exp(z)"},
        "loss": "f",
        "gradients": ["x", "y", "z"],
    },
}
LONGEST_SECTIONS = {"in_sections": 6}
"""Specs whose drivers are cut as those of large networks are, and after how many statements."""
for _name, _spec in SPECS.items():
    _spec["name"] = _name
