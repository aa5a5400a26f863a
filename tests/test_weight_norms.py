"""Weights by their own norms, and averages of weights as states: beside PyTorch and NumPy, step by step."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from fuzz.modules import interpreted

from symgrad.errors import SpecError
from symgrad.pipeline import stages_of
from symgrad.spec.reader import read
from symgrad.verifier.identity.check import identity_of

RATE, STEPS = 0.2, 3


def module_of(equations: dict[str, str], **more: Any) -> Any:
    spec = {
        "name": "norms",
        "dtype": "float64",
        "inputs": {"x": ["batch", 4]},
        "targets": {"t": ["batch", 3]},
        "equations": equations,
        "outputs": ["y"],
        "loss": "mse(y, t)",
        "train": {"optimizer": f"sgd(learning_rate={RATE})", "epochs": 1},
        **more,
    }
    stages = stages_of(read(spec))
    assert identity_of(stages.model, stages.text).state == "identical"
    return interpreted(stages.text)


def begun(module: Any) -> tuple[Any, Any, Any]:
    """Parameters, and data."""
    rng = np.random.default_rng(3)
    params = module.init_params(seed=1)
    for name, array in params._asdict().items():
        if not name.endswith(("_u", "_v")):
            array[...] = rng.normal(0, 0.7, array.shape)
    return params, rng.normal(size=(5, 4)), rng.normal(size=(5, 3))


def slopes(loss: Any, arrays: list[Any]) -> list[Any]:
    """The slopes of a loss by every entry, by steps into the complex plane."""
    found = [np.empty_like(array) for array in arrays]
    for number, array in enumerate(arrays):
        for place in np.ndindex(array.shape):
            moved = [a.astype(complex) for a in arrays]
            moved[number][place] += 1e-30j
            found[number][place] = loss(*moved).imag / 1e-30
    return found


def test_weight_norm_learns_length_and_direction_apart() -> None:
    module = module_of({"y": "weight_norm(x, 3)"})
    params, x, t = begun(module)
    mine = [params.y_V.copy(), params.y_g.copy(), params.y_b.copy()]

    def loss(V: Any, g: Any, b: Any) -> Any:
        return ((x @ (g * V / np.sqrt((V * V).sum(0))) + b - t) ** 2).mean()

    state = module.init_state(params)
    for _ in range(STEPS):
        assert module.train_step(params, state, x, t) == pytest.approx(loss(*mine), rel=1e-13)
        mine = [a - RATE * slope for a, slope in zip(mine, slopes(loss, mine), strict=True)]
        for ours, right in zip((params.y_V, params.y_g, params.y_b), mine, strict=True):
            np.testing.assert_allclose(ours, right, rtol=1e-11)


def test_spectral_norm_iterates_in_training_alone() -> None:
    """Training makes a step of power iteration first, inference none; no slope goes through its vectors."""
    module = module_of({"y": "spectral_norm(x, 3)"})
    params, x, t = begun(module)
    W, b, u, v = params.y_W.copy(), params.y_b.copy(), np.ones(3), np.ones(4)
    state = module.init_state(params)
    for _ in range(STEPS):
        inference = x @ W / (v @ W @ u) + b
        np.testing.assert_allclose(module.predict(params, x), inference, rtol=1e-11)
        u = W.T @ v / np.linalg.norm(W.T @ v)
        v = W @ u / np.linalg.norm(W @ u)

        def loss(W: Any, b: Any, u: Any = u, v: Any = v) -> Any:
            return ((x @ W / (v @ W @ u) + b - t) ** 2).mean()

        assert module.train_step(params, state, x, t) == pytest.approx(loss(W, b), rel=1e-12)
        W, b = (a - RATE * slope for a, slope in zip((W, b), slopes(loss, [W, b]), strict=True))
        pairs = ((params.y_W, W), (params.y_b, b), (params.y_u, u), (params.y_v, v))
        for ours, right in pairs:
            np.testing.assert_allclose(ours, right, rtol=1e-10)


@pytest.mark.parametrize("kind", ["weight_norm", "spectral_norm"])
def test_they_are_pytorchs(kind: str) -> None:
    torch = pytest.importorskip("torch")
    module = module_of({"y": f"{kind}(x, 3)"})
    params, x, t = begun(module)
    linear = torch.nn.Linear(4, 3, dtype=torch.float64)
    theirs = getattr(torch.nn.utils.parametrizations, kind)(linear)
    inside = theirs.parametrizations.weight
    with torch.no_grad():
        theirs.bias[:] = torch.tensor(params.y_b.copy())
        if kind == "weight_norm":
            inside.original0[:] = torch.tensor(params.y_g.copy())[:, None]
            inside.original1[:] = torch.tensor(params.y_V.T.copy())
        else:
            inside.original[:] = torch.tensor(params.y_W.T.copy())
            inside[0]._u[:], inside[0]._v[:] = 1, 1
    optimizer, state = torch.optim.SGD(theirs.parameters(), lr=RATE), module.init_state(params)
    for _ in range(STEPS):
        loss = ((theirs(torch.tensor(x)) - torch.tensor(t)) ** 2).mean()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        assert module.train_step(params, state, x, t) == pytest.approx(loss.item(), rel=1e-11)
    theirs.eval()
    predicted = theirs(torch.tensor(x)).detach().numpy()
    np.testing.assert_allclose(module.predict(params, x), predicted, rtol=1e-9)


def test_a_teacher_is_an_average_of_weights() -> None:
    """Its weights are a state, moved towards those that a step finds; the loss learns from it, not it."""
    module = module_of(
        {"z": "x @ W", "teacher": "x @ A", "y": "z"},
        parameters={"W": [4, 3]},
        state={"A": {"axes": [4, 3], "init": 0, "next": "0.9 * A + 0.1 * W"}},
        loss="mse(y, t) + mse(y, teacher)",
    )
    params, x, t = begun(module)
    params.A[:] = 0
    W, A, state = params.W.copy(), np.zeros((4, 3)), module.init_state(params)
    for _ in range(STEPS):
        module.train_step(params, state, x, t)
        gradient = x.T @ (2 * (x @ W - t) + 2 * (x @ W - x @ A)) / 15
        W, A = W - RATE * gradient, 0.9 * A + 0.1 * W
        np.testing.assert_allclose(params.W, W, rtol=1e-12)
        np.testing.assert_allclose(params.A, A, rtol=1e-12)


STATE = {"equations": {"y": "spectral_norm(x, 3)"}, "networks": {}}
OWN = {
    "equations": {"y": "dense(x, 3) + c"},
    "networks": {},
    "state": {"c": {"axes": [3], "init": 0, "next": "0.9 * c"}},
}


@pytest.mark.parametrize(
    ("changes", "problem", "remedy"),
    [
        ({}, "'u1' lives on once", "write weight_norm, which keeps no state, or the layers in"),
        (
            {"networks": {"u(z)": ["batch_norm1d", "dense(1)"]}},
            "lives on once",
            "write batch_norm1d(momentum=false), which",
        ),
        (
            STATE | {"train": {"micro_batch_size": 2}},
            "in pieces",
            "out, or the state: write weight_norm, which",
        ),
        (
            STATE | {"train": {"finish": "lbfgs()"}},
            "lbfgs makes no steps",
            "out, or the state: write weight_norm",
        ),
        (OWN | {"derive": ["hvp"]}, "'hvp' is not derived", "leave it out, or the state 'c'"),
    ],
)
def test_where_no_state_may_be_the_layer_is_named_that_keeps_none(
    changes: dict[str, Any], problem: str, remedy: str
) -> None:
    spec = {
        "inputs": {"x": ["batch", 4]},
        "networks": {"u(z)": ["spectral_norm(3)", "dense(1)"]},
        "equations": {"y": "u(x)"},
        "loss": "mean(y**2)",
    }
    with pytest.raises(SpecError) as refused:
        stages_of(read(spec | changes)).text  # noqa: B018  # what refuses is a property
    assert problem in refused.value.problem
    assert remedy in (refused.value.remedy or "")
