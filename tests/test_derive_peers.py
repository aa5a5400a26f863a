"""Derivatives beyond the gradient beside those of PyTorch and of JAX, where these are installed."""

from __future__ import annotations

import warnings
from importlib import import_module
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from building import interpreted, written

if TYPE_CHECKING:
    from types import ModuleType

DERIVED = ["hvp", "gauss_newton", "per_sample", "jacobian(y, x)", "hessian(y_W1)"]
SPEC: dict[str, Any] = {
    "name": "beside",
    "dtype": "float64",
    "inputs": {"x": ["batch", 3]},
    "targets": {"t": {"axes": ["batch"], "classes": 4}},
    "equations": {"y": "dense(dense(x, 5, activation=tanh), 4)"},
    "loss": "softmax_cross_entropy(y, t)",
    "derive": DERIVED,
}
RESIDUAL: dict[str, Any] = {
    **SPEC,
    "inputs": {"x": ["batch", 1], "s": ["batch", 1]},
    "targets": {},
    "networks": {"u(x, s)": ["dense(5, activation=tanh)", "dense(1)"]},
    "equations": {"y": "u(x, s)", "r": "d(y, s) + y * d(y, x) - 0.3 * d(y, x, x)"},
    "loss": "mean(r**2)",
    "derive": ["hvp", "per_sample", "jacobian(y, x)"],
}
RNG = np.random.default_rng(4)


@pytest.fixture(scope="module")
def modules(tmp_path_factory: pytest.TempPathFactory) -> dict[str, ModuleType]:
    return {
        name: interpreted(written(spec, tmp_path_factory.mktemp(name)))
        for name, spec in (("classes", SPEC), ("residual", RESIDUAL))
    }


def _data(name: str) -> list[np.ndarray]:
    if name == "classes":
        return [RNG.normal(size=(6, 3)), RNG.integers(0, 4, 6)]
    return [RNG.normal(size=(6, 1)), RNG.normal(size=(6, 1))]


def _layers(params: Any, x: Any, tanh: Any) -> Any:
    w, b, v, c = params
    return tanh(x @ w + b) @ v + c


def _with_torch(name: str, data: list[np.ndarray], params: Any, vector: Any) -> dict[str, Any]:
    torch = pytest.importorskip("torch")
    func = pytest.importorskip("torch.func")
    given = tuple(torch.tensor(p) for p in params)
    along = tuple(torch.tensor(v) for v in vector)
    arrays = [torch.tensor(a) for a in data]

    def network(p: Any, *rows: Any) -> Any:
        x = rows[0] if name == "classes" else torch.cat(rows)
        return _layers(p, x, torch.tanh)

    def loss(p: Any, *rows: Any) -> Any:
        """Of one row."""
        if name == "classes":
            return torch.nn.functional.cross_entropy(network(p, rows[0]), rows[1])
        y = network(p, *rows)[0]
        slope = func.grad(lambda x, s: network(p, x, s)[0], argnums=(0, 1))
        second = func.grad(lambda x: slope(x, rows[1])[0][0])(rows[0])[0]
        by_x, by_s = slope(*rows)
        return (by_s[0] + y * by_x[0] - 0.3 * second) ** 2

    rows = (None, *(0 for _ in arrays))

    def whole(p: Any) -> Any:
        return func.vmap(loss, in_dims=rows)(p, *arrays).mean()

    inputs = arrays[:1] if name == "classes" else arrays
    found = {
        "hvp": func.jvp(func.grad(whole), (given,), (along,))[1],
        "per_sample": func.vmap(func.grad(loss), in_dims=rows)(given, *arrays),
        "jacobian": func.vmap(func.jacrev(network, argnums=1), in_dims=(None, *(0 for _ in inputs)))(
            given, *inputs
        ),
    }
    if name == "classes":
        found["hessian"] = func.hessian(lambda w: whole((w, *given[1:])))(given[0])
        scores, push = func.jvp(lambda p: network(p, arrays[0]), (given,), (along,))
        curved = func.jvp(
            func.grad(lambda y: torch.nn.functional.cross_entropy(y, arrays[1])), (scores,), (push,)
        )[1]
        found["gauss_newton"] = func.vjp(lambda p: network(p, arrays[0]), given)[1](curved)[0]
    return found


def _with_jax(name: str, data: list[np.ndarray], params: Any, vector: Any) -> dict[str, Any]:
    jax = pytest.importorskip("jax")
    home = jax if hasattr(jax, "enable_x64") else import_module("jax.experimental")
    with home.enable_x64(True):
        return _by_jax(jax, name, data, params, vector)


def _by_jax(jax: Any, name: str, data: list[np.ndarray], params: Any, vector: Any) -> dict[str, Any]:
    jnp = jax.numpy

    def network(p: Any, *rows: Any) -> Any:
        x = rows[0] if name == "classes" else jnp.concatenate(rows)
        return _layers(p, x, jnp.tanh)

    def of_scores(y: Any, t: Any) -> Any:
        return jax.nn.logsumexp(y) - y[t]

    def loss(p: Any, *rows: Any) -> Any:
        """Of one row."""
        if name == "classes":
            return of_scores(network(p, rows[0]), rows[1])
        y = network(p, *rows)[0]
        slope = jax.grad(lambda x, s: network(p, x, s)[0], argnums=(0, 1))
        second = jax.grad(lambda x: slope(x, rows[1])[0][0])(rows[0])[0]
        by_x, by_s = slope(*rows)
        return (by_s[0] + y * by_x[0] - 0.3 * second) ** 2

    arrays, rows = [jnp.asarray(a) for a in data], (None, *(0 for _ in data))
    given, along = tuple(map(jnp.asarray, params)), tuple(map(jnp.asarray, vector))

    def whole(p: Any) -> Any:
        return jax.vmap(loss, rows)(p, *arrays).mean()

    inputs = arrays[:1] if name == "classes" else arrays
    found = {
        "hvp": jax.jvp(jax.grad(whole), (given,), (along,))[1],
        "per_sample": jax.vmap(jax.grad(loss), rows)(given, *arrays),
        "jacobian": jax.vmap(jax.jacrev(network, 1), (None, *(0 for _ in inputs)))(given, *inputs),
    }
    if name == "classes":
        found["hessian"] = jax.hessian(lambda w: whole((w, *given[1:])))(given[0])
        scores, push = jax.jvp(lambda p: network(p, arrays[0]), (given,), (along,))
        mean = jax.grad(lambda y: jax.vmap(of_scores)(y, arrays[1]).mean())
        curved = jax.jvp(mean, (scores,), (push,))[1]
        found["gauss_newton"] = jax.vjp(lambda p: network(p, arrays[0]), given)[1](curved)[0]
    return found


@pytest.mark.parametrize("name", ["classes", "residual"])
@pytest.mark.parametrize("peer", [_with_torch, _with_jax], ids=["PyTorch", "JAX"])
def test_derivatives_are_theirs(peer: Any, name: str, modules: dict[str, ModuleType]) -> None:
    module, data = modules[name], _data(name)
    params = module.init_params(seed=1)
    vector = module.unflatten(RNG.normal(size=module.SIZE))
    inputs = data[: len(module.INPUTS)]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # theirs
        right = peer(name, data, params, vector)
    found = {
        "hvp": module.hvp(params, vector, *data),
        "per_sample": module.per_sample_grad(params, *data),
        "jacobian": module.jacobian(params, *inputs),
    }
    if name == "classes":
        found["hessian"] = module.hessian(params, *data)
        found["gauss_newton"] = module.gauss_newton(params, vector, *data)
    assert found.keys() == right.keys()
    for what, ours in found.items():
        pairs = zip(ours, right[what], strict=True) if isinstance(ours, tuple) else [(ours, right[what])]
        for a, b in pairs:
            np.testing.assert_allclose(a, np.asarray(b), rtol=1e-9, atol=1e-12, err_msg=what)
