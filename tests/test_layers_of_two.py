"""Layers of two tensors, entry by entry in NumPy, slopes by complex steps; PyTorch's where it has one."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from building import interpreted, written
from layer_values import compared, spec_of
from seeds import SEED

from symgrad.errors import SpecError
from symgrad.pipeline import module_text
from symgrad.spec.reader import read

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    Values = Mapping[str, np.ndarray]

RNG = np.random.default_rng(SEED)


def test_every_product_of_two_features_has_a_weight(tmp_path: Path) -> None:
    def meaning(x: np.ndarray, p: Values, z: np.ndarray) -> np.ndarray:
        y = np.zeros_like(x) + p["b"]
        for n, i, j, o in np.ndindex(len(x), x.shape[1], z.shape[1], y.shape[1]):
            y[n, o] += x[n, i] * p["W"][i, j, o] * z[n, j]
        return y

    data = {"x": RNG.normal(size=(3, 4)), "z": RNG.normal(size=(3, 2))}
    compared(spec_of("bilinear(x, z, 4)", (3, 4), z=["n", 2]), data, meaning, tmp_path)


def test_bilinear_is_that_of_pytorch(tmp_path: Path) -> None:
    torch = pytest.importorskip("torch")
    module = interpreted(written(spec_of("bilinear(x, z, 4)", (3, 4), z=["n", 2]), tmp_path))
    p = module.unflatten(RNG.normal(size=module.SIZE))
    x, z, s = RNG.normal(size=(3, 4)), RNG.normal(size=(3, 2)), RNG.normal(size=(3, 4))
    W, b = (torch.tensor(np.array(v), requires_grad=True) for v in (p.y_W, p.y_b))
    y = torch.nn.functional.bilinear(torch.tensor(x), torch.tensor(z), W.permute(2, 0, 1), b)
    (y * torch.tensor(s)).sum().backward()
    np.testing.assert_allclose(module.forward(p, x, z), y.detach(), rtol=1e-12)
    np.testing.assert_allclose(module.loss_and_grad(p, x, z, s)[1].y_W, W.grad, rtol=1e-12)


@pytest.mark.parametrize("of_rows", [True, False])
def test_a_node_takes_from_its_neighbours_and_itself(of_rows: bool, tmp_path: Path) -> None:
    """Every edge by the roots of how many both ends have; an isolated node sees itself alone."""
    edges = np.array([[[0, 1, 0], [1, 0, 2], [0, 2, 0]], [[0, 1, 0], [1, 0, 0], [0, 0, 0]]], dtype=float)

    def meaning(x: np.ndarray, p: Values, **given: np.ndarray) -> np.ndarray:
        y = np.zeros_like(x) + p["b"]
        for n, i, j in np.ndindex(2, 3, 3):
            A = given.get("A", edges)[n if of_rows else 0] + np.eye(3)
            y[n, i] += A[i, j] / np.sqrt(A[i].sum() * A[j].sum()) * (x[n, j] @ p["W"])
        return y

    spec = spec_of("graph_conv(x, A, 2)", (2, 3, 2), **({"A": ["n", 3, 3]} if of_rows else {}))
    spec |= {} if of_rows else {"constants": {"A": edges[0].tolist()}}
    data = {"x": RNG.normal(size=(2, 3, 2)), "A": edges}
    compared(spec, data, meaning, tmp_path)


@pytest.mark.parametrize("bias", [True, False])
def test_users_and_items_go_together_by_products_of_rows(bias: bool, tmp_path: Path) -> None:
    spec: dict[str, Any] = {
        "name": "liking",
        "dtype": "float64",
        "inputs": {"u": {"axes": ["n"], "classes": 4}, "v": {"axes": ["n"], "classes": 3}},
        "targets": {"s": ["n", 1]},
        "equations": {"y": f"factorization(u, v, 2, bias={str(bias).lower()})"},
        "loss": "sum(y*s)",
    }
    module = interpreted(written(spec, tmp_path))
    theta, u, v, s = RNG.normal(size=module.SIZE), [1, 3, 1, 0], [2, 0, 0, 2], RNG.normal(size=(4, 1))

    def loss(theta: np.ndarray) -> complex:
        sizes = (1, 8, 6, 4, 3) if bias else (0, 8, 6)
        m, U, V, *rest = np.split(theta, np.cumsum(sizes)[:-1])
        total: complex = 0
        for n in range(4):
            own = sum(U.reshape(4, 2)[u[n], d] * V.reshape(3, 2)[v[n], d] for d in range(2))
            own += m[0] + rest[0][u[n]] + rest[1][v[n]] if bias else 0
            total += own * s[n, 0]
        return total

    value, grads = module.loss_and_grad(module.unflatten(theta), np.array(u), np.array(v), s)
    assert value == pytest.approx(loss(theta).real, rel=1e-12)
    for at, slope in enumerate(module.flatten(grads)):
        moved = theta.astype(complex)
        moved[at] += 1e-100j
        assert slope == pytest.approx(loss(moved).imag / 1e-100, rel=1e-12, abs=1e-14)


@pytest.mark.parametrize(
    ("call", "problem"),
    [
        ("graph_conv(x, z, 2)", "the adjacency is of 4 nodes, x has 3"),
        ("graph_conv(x, w, 2)", r"graph_conv takes \[..., nodes, nodes\], 'w' is \[n\]"),
        ("bilinear(x, w, 2)", r"bilinear takes \[batch, in\], 'x' is \[n, 3, 5\]"),
        ("factorization(x, w, 2)", "embedding takes integer labels, 'x' has none"),
    ],
)
def test_tensors_that_do_not_go_together_are_refused(call: str, problem: str) -> None:
    inputs = {"x": ["n", 3, 5], "z": ["n", 4, 4], "w": ["n"]}
    with pytest.raises(SpecError, match=problem):
        module_text(read({"inputs": inputs, "equations": {"y": call}, "loss": "sum(y)"}))


def test_cross_entropy_over_places_leaves_ignored_ones_out(tmp_path: Path) -> None:
    spec = {
        "name": "places",
        "dtype": "float64",
        "inputs": {"x": ["n", 3, 2]},
        "targets": {"t": {"axes": ["n", 3], "classes": 4, "ignore": -100}},
        "equations": {"z": "dense(x, 4)"},
        "loss": "softmax_cross_entropy(z, t)",
    }
    module = interpreted(written(spec, tmp_path))
    theta, x = RNG.normal(size=module.SIZE), RNG.normal(size=(2, 3, 2))
    t = np.array([[1, -100, 3], [-100, -100, 0]])

    def loss(theta: np.ndarray) -> complex:
        W, b = theta[:8].reshape(2, 4), theta[8:]
        rows = [(x[at] @ W + b, t[at]) for at in np.ndindex(t.shape) if t[at] != -100]
        return sum(np.log(np.exp(z).sum()) - z[k] for z, k in rows) / len(rows)

    value, grads = module.loss_and_grad(module.unflatten(theta), x, t)
    assert value == pytest.approx(loss(theta).real, rel=1e-12)
    for at, slope in enumerate(module.flatten(grads)):
        moved = theta.astype(complex)
        moved[at] += 1e-100j
        assert slope == pytest.approx(loss(moved).imag / 1e-100, rel=1e-11, abs=1e-14)
