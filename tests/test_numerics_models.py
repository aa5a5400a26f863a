"""Losses that SymPy's matrix calculus differentiates wrongly, against NumPy; and how NaN travels."""

from __future__ import annotations

import itertools
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from building import interpreted, written

from symgrad.compiler.loading.load import load
from symgrad.errors import SpecError
from symgrad.spec.expand import expand
from symgrad.spec.reader import read

if TYPE_CHECKING:
    from types import ModuleType

RNG = np.random.default_rng(8)
X, Y = RNG.normal(size=(6, 3)), RNG.normal(size=(6, 2))
W, V = RNG.normal(size=(3, 2)), RNG.normal(size=(2, 2))
ONE_HOT = np.eye(2)[RNG.integers(0, 2, 6)]
BASE: dict[str, Any] = {
    "name": "wrong_in_sympy",
    "dtype": "float64",
    "inputs": {"X": ["N", 3]},
    "targets": {"Y": ["N", 2]},
    "parameters": {"W": [3, 2], "V": [2, 2]},
}


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Any:
    """New folders for modules."""
    numbers = itertools.count()
    return lambda: tmp_path_factory.mktemp(f"models{next(numbers)}")


def sigmoid(z: np.ndarray) -> np.ndarray:
    return np.asarray(1 / (1 + np.exp(-z)))


def softmax(z: np.ndarray) -> np.ndarray:
    weights = np.exp(z)
    return np.asarray(weights / weights.sum(axis=1, keepdims=True))


def hidden(slope: np.ndarray, other: np.ndarray) -> np.ndarray:
    return np.asarray(X.T @ (slope * other))


Z = X @ W
LEAST = 2 / 6 * X.T @ (Z - Y) + 2 * 0.3 * W
CASES: dict[str, tuple[dict[str, str], str, np.ndarray, np.ndarray]] = {
    "a ridge regression": ({"R": "X @ W - Y"}, "sum(R**2)/N + 0.3*sum(W**2)", Y, LEAST),
    "the same as traces": (
        {"R": "X @ W - Y", "G": "R.T @ R", "H": "W.T @ W", "a[i]": "G[i,i]", "b[i]": "H[i,i]"},
        "sum(a)/N + 0.3*sum(b)",
        Y,
        LEAST,
    ),
    "the exponential of a trace": (
        {"G": "W.T @ W", "d[i]": "G[i,i]"},
        "exp(sum(d)/4) + 0*sum(X) + 0*sum(Y)",
        Y,
        np.exp(np.sum(W**2) / 4) * W / 2,
    ),
    "softmax and cross-entropy": (
        {"Z": "X @ W", "P[n,k]": "exp(Z[n,k])/sum(exp(Z[n,j]), j)"},
        "-sum(Y*log(P))/N",
        ONE_HOT,
        X.T @ (softmax(Z) - ONE_HOT) / 6,
    ),
    "a binary cross-entropy of two terms": (
        {"P": "1/(1 + exp(-X @ W))"},
        "-mean(Y*log(P) + (1 - Y)*log(1 - P))",
        ONE_HOT,
        X.T @ (sigmoid(Z) - ONE_HOT) / 12,
    ),
    "the first of two layers": (
        {"A": "tanh(X @ W)", "B": "A @ V"},
        "mean((B - Y)**2)",
        Y,
        hidden(2 * (np.tanh(Z) @ V - Y) / 12 @ V.T, 1 - np.tanh(Z) ** 2),
    ),
    "the first of two layers with relu": (
        {"A": "relu(X @ W)", "B": "A @ V"},
        "mean((B - Y)**2)",
        Y,
        hidden(2 * (np.maximum(Z, 0) @ V - Y) / 12 @ V.T, Z > 0),
    ),
    "a norm of a product by entries": ({"Z": "X @ W"}, "sum((Z*Y)**2)", Y, hidden(2 * Z, Y**2)),
    "an activation times its argument": (
        {"Z": "X @ W"},
        "sum(sigmoid(Z)*Z) + 0*sum(Y)",
        Y,
        hidden(sigmoid(Z), 1 + Z * (1 - sigmoid(Z))),
    ),
}


@pytest.mark.parametrize(("equations", "loss", "target", "expected"), CASES.values(), ids=CASES)
def test_gradients_that_sympy_gets_wrong(
    equations: dict[str, str], loss: str, target: np.ndarray, expected: np.ndarray, folder: Any
) -> None:
    module = interpreted(written({**BASE, "equations": equations, "loss": loss}, folder()))
    params = module.unflatten(np.concatenate([W.ravel(), V.ravel()]))
    _, grads = module.loss_and_grad(params, X, target)
    assert np.abs(expected).max() > 0.01
    np.testing.assert_allclose(grads.W, expected, rtol=1e-12, atol=1e-15)


@pytest.mark.parametrize("function", ["det", "inv"])
def test_functions_of_whole_matrices_are_refused(function: str) -> None:
    with pytest.raises(SpecError, match=f"unknown function '{function}'"):
        expand(read({**BASE, "equations": {"y": f"{function}(V)"}}))


@pytest.fixture(scope="module")
def flowing(folder: Any) -> ModuleType:
    """Functions of a layer, compiled: fast arithmetic must not forget NaN."""
    functions = {"r": "relu(z)", "m": "max(z, axis=1)", "s": "softmax(z)", "h": "tanh(z)", "a": "max(z, 0)"}
    spec = {
        "name": "flowing",
        "inputs": {"x": ["n", 3]},
        "parameters": {"w": {"axes": [3], "init": 1}},
        "equations": {"z": "x*w", **functions, "l": "logsumexp(z, axis=1)"},
        "loss": "sum(r) + sum(m) + sum(s) + sum(h) + sum(a) + sum(l)",
        "outputs": [*functions, "l"],
    }
    return load(written(spec, folder()))


def test_nan_and_infinity_are_not_swallowed(flowing: ModuleType) -> None:
    params, x = flowing.init_params(), np.ones((2, 3), np.float32)
    params.w[2] = np.nan
    r, m, s, h, a, total = flowing.forward(params, x)
    for array in (r, h, a):
        assert np.isnan(array[:, 2]).all()
        assert np.isfinite(array[:, :2]).all()
    for array in (m, total, s):
        assert np.isnan(array).all()
    value, grads = flowing.loss_and_grad(params, x)
    assert np.isnan(value)
    assert np.isnan(grads.w[2])
    before = params.w.copy()
    assert np.isnan(flowing.train_step(params, flowing.init_state(params), x))
    np.testing.assert_array_equal(params.w, before)
    params.w[:] = 1, np.inf, 1
    assert flowing.forward(params, x)[0][:, 1].tolist() == [np.inf, np.inf]
