"""What the tests of optimisers share: a small problem, its modules, and the steps they make on it."""

from __future__ import annotations

from itertools import islice
from typing import TYPE_CHECKING, Any

import numpy as np
from building import interpreted, written
from module_use import line_gradient

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from pathlib import Path
    from types import ModuleType

STEPS = 50
ROWS = 12


def problem() -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Rows, targets and first parameters of a linear least-squares problem, badly scaled."""
    rng = np.random.default_rng(11)
    x = rng.normal(size=(ROWS, 3)) * np.array([2.0, 0.7, 0.1])
    return x, rng.normal(size=(ROWS, 2)), rng.normal(size=8)


X, Y, START = problem()


def slope(theta: np.ndarray) -> np.ndarray:
    """The gradient of the mean squared error, by hand."""
    _, by_weight, by_bias = line_gradient((theta[:6].reshape(3, 2), theta[6:]), X, Y)
    return np.concatenate([by_weight.ravel(), by_bias])


def spec_with(optimizer: Any, **train: Any) -> dict[str, Any]:
    return {
        "name": "line",
        "dtype": "float64",
        "inputs": {"x": ["batch", 3]},
        "targets": {"y": ["batch", 2]},
        "layers": ["dense(2)"],
        "loss": "mse",
        "train": {"batch_size": "full", "optimizer": optimizer, **train},
    }


def module_of(optimizer: Any, folder: Path, **train: Any) -> ModuleType:
    return interpreted(written(spec_with(optimizer, **train), folder))


def path(module: ModuleType, steps: int = STEPS) -> Iterator[np.ndarray]:
    """The parameters after each training step on all rows."""
    params = module.unflatten(START.copy())
    state = module.init_state(params)
    for _ in range(steps):
        module.train_step(params, state, X, Y)
        yield module.flatten(params).copy()


def agree(found: Iterable[np.ndarray], expected: Iterable[np.ndarray]) -> None:
    """Each step's parameters, to 1e-12 of the largest of them."""
    for ours, theirs in zip(found, islice(expected, STEPS), strict=True):
        np.testing.assert_allclose(ours, theirs, rtol=0, atol=1e-12 * np.max(np.abs(theirs)))
