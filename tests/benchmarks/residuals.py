"""Residuals of differential equations as losses, of networks u(x, t) with tanh layers."""

from __future__ import annotations

from typing import Any

Spec = dict[str, Any]

_EQUATIONS = {
    "burgers": "d(u, t) + u * d(u, x) - 0.01 * d(u, x, x)",
    "poisson": "d(u, x, x) + d(u, t, t) + sin(3 * x) * sin(3 * t)",
}


def residual(equation: str, depth: int, width: int) -> Spec:
    """The mean square of what is left of an equation, for a network of so many hidden layers."""
    parameters: Spec = {"Wx": [1, width], "Wt": [1, width], "b1": [width]}
    equations = {"A1": "tanh(x @ Wx + t @ Wt + b1)"}
    for number in range(2, depth + 1):
        parameters |= {f"W{number}": [width, width], f"b{number}": [width]}
        equations[f"A{number}"] = f"tanh(A{number - 1} @ W{number} + b{number})"
    return {
        "inputs": {"x": ["batch", 1], "t": ["batch", 1]},
        "parameters": parameters | {"W": [width, 1], "b": [1]},
        "equations": {**equations, "u": f"A{depth} @ W + b", "r": _EQUATIONS[equation]},
        "outputs": ["u"],
        "loss": "mean(r**2)",
    }


RESIDUALS: dict[str, Spec] = {
    f"{equation} {depth}x{width}": residual(equation, depth, width)
    for equation in _EQUATIONS
    for depth, width in ((3, 20), (4, 50))
}
"""By the names that problems and peers know them by."""
