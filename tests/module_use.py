"""What the tests of emitted modules share: small specs, their data, and NumPy's answer for a dense layer."""

from __future__ import annotations

import ast
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from types import ModuleType

MLP: dict[str, Any] = {
    "name": "mlp",
    "dtype": "float64",
    "inputs": {"x": ["batch", 3]},
    "targets": {"t": {"axes": ["batch"], "classes": 4}},
    "layers": ["dense(5, activation=tanh)", "dense(4)"],
    "loss": "softmax_cross_entropy",
    "train": {"optimizer": "adam(learning_rate=0.05)"},
}
LINE: dict[str, Any] = {
    "name": "line",
    "inputs": {"x": ["batch", 3]},
    "targets": {"y": ["batch", 2]},
    "layers": ["dense(2)"],
    "loss": "mse",
    "train": {"optimizer": "sgd(learning_rate=0.1)"},
}
Data = tuple[np.ndarray, np.ndarray]


def mlp_data(rows: int = 23) -> Data:
    """Points and labels that a small network can tell apart."""
    rng = np.random.default_rng(5)
    x = rng.normal(size=(rows, 3))
    return x, (x[:, 0] > 0) * 2 + (x[:, 1] > 0).astype(np.int64)


def line_data(rows: int = 8) -> Data:
    """Two linear functions of three numbers, with noise."""
    rng = np.random.default_rng(6)
    x = rng.normal(size=(rows, 3))
    y = x @ rng.normal(size=(3, 2)) + 0.1 * rng.normal(size=(rows, 2))
    return x.astype(np.float32), y.astype(np.float32)


def line_gradient(params: Any, x: np.ndarray, y: np.ndarray) -> tuple[float, np.ndarray, np.ndarray]:
    """The mean squared error of a dense layer and its two gradients, by hand."""
    residual = x.astype(float) @ params[0] + params[1] - y
    slope = 2 * residual / residual.size
    return float((residual**2).mean()), x.T @ slope, slope.sum(axis=0)


def mlp_loss(params: Any, x: np.ndarray, t: np.ndarray) -> float:
    """The cross-entropy of the two-layer network, by hand."""
    z = np.tanh(x @ params[0] + params[1]) @ params[2] + params[3]
    p = np.exp(z) / np.exp(z).sum(axis=1, keepdims=True)
    return float(-np.log(p[np.arange(len(t)), t]).mean())


def flat_copy(module: ModuleType, params: Any) -> np.ndarray:
    """All parameters' numbers, to compare later."""
    vector: np.ndarray = module.flatten(params).copy()
    return vector


TABLES = ("KERNELS", "DRIVERS", "DRIVER_SECTIONS", "UPDATES")


def compiled_functions(tree: ast.Module, tables: tuple[str, ...] = TABLES) -> set[str]:
    """The functions that a module has compiled: those in its tables."""
    found: set[str] = set()
    for node in tree.body:
        if isinstance(node, ast.Assign) and isinstance(node.value, ast.Tuple):
            (target,) = node.targets
            if isinstance(target, ast.Name) and target.id in tables:
                found |= {name.id for name in node.value.elts if isinstance(name, ast.Name)}
    return found
