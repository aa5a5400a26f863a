"""Random models with losses of many kinds, whose Hessians are read as matrices."""

from __future__ import annotations

import re

SIZES = (2, 3, 4, 5)
FREE = {"N": 6, "T": 7}
ACTIVATIONS = ("tanh", "sigmoid", "softplus", "silu", "sin")
OF_VALUES = (
    "mse(z, t)",
    "mean((z - t)**2)",
    "huber(z, t, delta=0.7)",
    "mean(exp(z) - t * z)",
    "mean(log(cosh(z - t)))",
    "sum(sqrt(1 + (z - t)**2))",
    "sum((z - t)**4)",
    "mean(softplus(-t * z))",
    "binary_cross_entropy_with_logits(z, sigmoid(t))",
    "log(1 + sum(z**2))",
    "mean(z * t)**2",
    "mean(exp(z)) - sum(z**2) / 7",
)
OF_ROWS = (
    "softmax_cross_entropy(z, k)",
    "mean(logsumexp(z, axis=-1))",
    "mean(sum(z, axis=-1)**2)",
    "sum(sum(z * t, axis=-1)**2) / 3",
    "mean(sum(softmax(z) * t, axis=-1))",
    "mean(norm(z - t, axis=-1))",
)
KINDS = ("vector", "matrix", "matrix", "hidden", "product", "sequence", "bilinear", "two", "sets")
PENALTIES = ("0.1 * sum({}**2)", "sum({}**4) / 5", "0.3 * sum({})**2")


def hessian_spec(random):
    """The spec, whose loss reads z and at times a parameter."""
    d, k, m = random.sample(SIZES, 3)
    if random.random() < 0.2:
        d, k, m = random.choice(((1, k, m), (d, 1, m), (d, k, 1)))
    kind = random.choice(KINDS)
    inputs, axes = {"x": ["N", d]}, ["N", k]
    act = random.choice(ACTIVATIONS)
    bias = random.random() < 0.5
    parameters, equations = {"W": [d, k]}, {"z": "x @ W"}
    if kind == "vector":
        axes, parameters = ["N"], {"W": [d]}
        equations = {"z": "x @ W"}
    elif kind == "hidden":
        parameters = {"V": [d, m], "W": [m, k]}
        equations = {"h": f"{act}(x @ V)", "z": "h @ W"}
    elif kind == "product":
        parameters = {"V": [d, m], "W": [m, k]}
        equations = {"z": "x @ V @ W"}
    elif kind == "sequence":
        steps = random.choice(("T", m))
        inputs, axes = {"x": ["N", steps, d]}, ["N", steps, k]
    elif kind == "bilinear":
        inputs, axes = {"x": ["N", d], "y": ["N", k]}, ["N"]
        equations = {"z[n]": "sum(x[n,i] * W[i,j] * y[n,j], i, j)"}
    elif kind == "two":
        inputs = {"x": ["N", d], "y": ["N", m]}
        parameters = {"W": [d, k], "V": [m, k]}
        equations = {"z": "x @ W + sin(y @ V)"}
    elif kind == "sets":
        inputs = {"x": ["N", d], "y": ["T", d]}
        parameters = {"V": [d, m], "a": [m], "U": [m, m], "W": [m, k]}
        deep = f"{act}({act}({{}} @ V + a) @ U) @ W"
        equations = {"z": deep.format("x"), "q": deep.format("y")}
    if bias and kind != "bilinear":
        parameters["b"] = axes[-1:] if len(axes) > 1 else []
        equations["z"] += " + b"
    loss = random.choice(OF_VALUES if len(axes) == 1 or axes[-1] == 1 else OF_VALUES + OF_ROWS + OF_ROWS)
    if kind == "sets":
        loss += " + 3 * mean(q**2)"
    if random.random() < 0.25:
        loss += " + " + random.choice(PENALTIES).format("W")
    targets = {"t": axes} if re.search(r"\bt\b", loss) else {}
    if "k)" in loss:
        targets = {"k": {"axes": axes[:-1], "classes": axes[-1]}}
    return {
        "dtype": "float64",
        "inputs": inputs,
        **({"targets": targets} if targets else {}),
        "parameters": parameters,
        "equations": equations,
        "loss": loss,
    }
