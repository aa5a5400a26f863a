"""Specs with the derivatives of the lectures as manual formulas, and what can be wrong with such."""

from __future__ import annotations

from typing import Any

LMS: dict[str, Any] = {
    "name": "lms",
    "dtype": "float64",
    "inputs": {"x": ["N", 4]},
    "targets": {"y": ["N"]},
    "parameters": {"w": {"axes": [4], "init": "normal(std=1)"}},
    "equations": {"p": "x @ w"},
    "loss": "sum((y - p)**2)",
    "manual": {"delta": "y - p", "dw[j]": "-2 * sum(delta[i] * x[i,j], i)"},
}
PERCEPTRON: dict[str, Any] = {
    **LMS,
    "name": "perceptron",
    "equations": {"d": "x @ w", "s": "sigmoid(d)"},
    "loss": "sum((y - s)**2)",
    "manual": {"dw": "-2 * sum(((y - s) * s * (1 - s) * x.T), axis=1)", "dd": "-2 * (y - s) * s * (1 - s)"},
}
SOFTMAX: dict[str, Any] = {
    "name": "softmax",
    "dtype": "float64",
    "inputs": {"x": ["N", 4]},
    "targets": {"t": {"axes": ["N"], "classes": 3}},
    "parameters": {"W": {"axes": [4, 3]}},
    "equations": {"s": "x @ W"},
    "loss": "softmax_cross_entropy(s, t)",
    "manual": {"ds": "(softmax(s) - onehot(t)) / N", "dW": "x.T @ ds"},
}
MLP: dict[str, Any] = {
    "name": "mlp",
    "dtype": "float64",
    "inputs": {"x": ["batch", 3]},
    "targets": {"t": {"axes": ["batch"], "classes": 4}},
    "layers": ["dense(5, activation=tanh)", "dense(4)"],
    "loss": "softmax_cross_entropy",
    "manual": {
        "dZ2": "(softmax(Z2) - onehot(t)) / batch",
        "dW2": "A1.T @ dZ2",
        "db2": "sum(dZ2, axis=0)",
        "dA1": "dZ2 @ W2.T",
        "dZ1": "dA1 * (1 - A1**2)",
        "dW1": "x.T @ dZ1",
        "db1": "sum(dZ1, axis=0)",
        "dx": "dZ1 @ W1.T",
    },
}
PRELU: dict[str, Any] = {
    "name": "prelu",
    "dtype": "float64",
    "inputs": {"x": ["N", 3]},
    "targets": {"t": ["N", 2]},
    "parameters": {"a": {"axes": [], "init": 0.25}},
    "functions": {"prelu(x, a)": "where(x > 0, x, a * x)"},
    "equations": {"h": "prelu(dense(x, 5), a)", "y": "dense(h, 2)"},
    "loss": "mse(y, t)",
    "manual": {
        "dy": "2 * (y - t) / (2 * N)",
        "dh": "dy @ y_W.T",
        "da": "sum(where(h_Z > 0, 0, h_Z) * dh)",
        "dh_W": "x.T @ (where(h_Z > 0, 1, a) * dh)",
    },
}
HINGE: dict[str, Any] = {
    **LMS,
    "name": "hinge",
    "loss": "mean(hinge(p, y, reduction=none)) + 0.1 * sum(abs(w))",
    "manual": {"dp": "where(1 - y * p > 0, -y, 0) / N", "dw": "x.T @ dp + 0.1 * sign(w)"},
}
GRAPH: dict[str, Any] = {
    "name": "graph",
    "dtype": "float64",
    "inputs": {"x": [], "y": [], "z": []},
    "equations": {"q": "x + y", "f": "q * z"},
    "loss": "f",
    "gradients": ["x", "y", "z"],
    "manual": {"dq": "z", "dx": "dq", "dy": "dq", "dz": "q", "df": "1"},
}
PLANES: dict[str, Any] = {
    "name": "planes",
    "inputs": {"X": ["N", 4], "M": [4, 4]},
    "parameters": {"W": [4, 4]},
    "equations": {"Z": "tanh(X @ W)"},
    "loss": "mean(Z**2)",
    "manual": {"dZ": "2 * Z / (4 * N)", "dW": "X.T @ (dZ * (1 - Z**2))"},
}
RIGHT = (LMS, PERCEPTRON, SOFTMAX, MLP, PRELU, HINGE, GRAPH, PLANES)


def changed(spec: dict[str, Any], **manual: str | None) -> dict[str, Any]:
    """The spec with other manual formulas; None takes one out."""
    formulas = {**spec["manual"], **manual}
    return {**spec, "manual": {name: text for name, text in formulas.items() if text is not None}}
