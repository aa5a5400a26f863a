"""Gradients added to parameters or states: the same steps as with a gradient that is written down."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import published_optimizers as published
import pytest
from building import by_rows, interpreted, judged, written
from fuzz.modules import with_garbage
from optimizer_paths import ROWS, START, agree, path, slope, spec_with

from symgrad.pipeline import module_text
from symgrad.spec.reader import read

if TYPE_CHECKING:
    from pathlib import Path
    from types import ModuleType

NETWORK: dict[str, Any] = {
    "name": "accumulated",
    "dtype": "float64",
    "inputs": {"x": ["rows", 5]},
    "targets": {"t": ["rows", 3]},
    "parameters": {"s": {"axes": [], "init": 1.5}, "unused": {"axes": [2], "init": "normal(std=1)"}},
    "equations": {
        "h": "relu(dense(x, 4))",
        "k": "tanh(dense(h, 4, bias=false)) + h",
        "y": "s * dense(k, 3, activation=prelu)",
    },
    "loss": "mse(y, t) + 0.01*l2(y_W)",
    "gradients": ["x"],
}
OWN: dict[str, Any] = {
    "hyper": {"a": 0.1, "learning_rate": 0.1},
    "state": {"v": 0, "before": 0, "far": 0},
    "update": {
        "v": "a*v/t - learning_rate*g",
        "theta": "theta + v",
        "before": "theta",
        "far": "max(far, abs(theta - before))",
    },
}
CALLS: dict[str, Any] = {
    "sgd(0.2)": {},
    "sgd(0.2, weight_decay=0.1)": {"schedule": "inverse(decay=0.5, k=step)"},
    "momentum(0.1, 0.8)": {"schedule": "cosine"},
    "momentum(0.1, 0.8, dampening=0.3)": {},
    "classical_momentum(0.1, 0.8)": {"schedule": "one_cycle(total=9, k=step)"},
    "nesterov(0.1, 0.8)": {"schedule": "exponential(decay=0.5)"},
}
RNG = np.random.default_rng(7)
X, T = RNG.normal(size=(11, 5)), RNG.normal(size=(11, 3))
ORDER = RNG.permutation(11)


def accumulating(optimizer: Any, folder: Path, **train: Any) -> ModuleType:
    spec = {**NETWORK, "train": {"optimizer": optimizer, **train}}
    with by_rows():
        path = written(spec, folder)
    assert (
        "gemm(scale, x.T, dh_pre, keep, destination_h_W)" in path.read_text()
        or "keep, destination_" in path.read_text()
    )
    return interpreted(path)


def by_updates(module: ModuleType, params: Any, state: Any, rows: Any, epoch: int) -> float:
    """A step by a gradient that is written down, where the optimiser looks for it; the loss before it."""
    point = module.gradient_point(params, state) if hasattr(module, "gradient_point") else params
    loss, grads = module.loss_and_grad(point, X[rows], T[rows])
    module.update(params, grads, state, epoch=epoch)
    return float(loss)


@pytest.mark.parametrize("optimizer", [*CALLS, "own"])
def test_steps_and_epochs_are_those_of_updates(optimizer: str, tmp_path: Path) -> None:
    module = accumulating(OWN if optimizer == "own" else optimizer, tmp_path, **CALLS.get(optimizer, {}))
    params, other = module.init_params(1), module.init_params(1)
    state, other_state = module.init_state(params), module.init_state(other)
    for epoch in range(2):
        value = module.train_epoch(params, state, X, T, batch_size=4, order=ORDER, epoch=epoch)
        batches = np.split(ORDER, [4, 8])
        losses = [by_updates(module, other, other_state, b, epoch) * len(b) for b in batches]
        assert value == pytest.approx(sum(losses) / 11, rel=1e-13)
    value = module.train_step(params, state, X, T, epoch=2)
    assert value == pytest.approx(by_updates(module, other, other_state, slice(None), 2), rel=1e-13)
    assert state.step == other_state.step == 7
    ours, theirs = (module.flatten(params), *state[1:]), (module.flatten(other), *other_state[1:])
    for found, expected in zip(ours, theirs, strict=True):
        np.testing.assert_allclose(found, expected, rtol=1e-11, atol=1e-14)


PUBLISHED = {
    "sgd(0.1, weight_decay=0.05)": published.sgd(START, slope, 0.1, 0.05),
    "momentum(0.05, 0.8, dampening=0.3)": published.torch_momentum(START, slope, 0.05, 0.8, 0.3),
    "classical_momentum(0.05, 0.8)": published.lecture_momentum(START, slope, 0.05, 0.8),
    "nesterov(0.05, 0.8)": published.nesterov(START, slope, 0.05, 0.8),
}


@pytest.mark.parametrize("call", PUBLISHED)
def test_fifty_steps_are_those_of_the_paper(call: str, tmp_path: Path) -> None:
    with by_rows():
        file = written(spec_with(call, batch_size=ROWS), tmp_path)
    assert "keep, destination_W1" in file.read_text()
    agree(path(interpreted(file)), PUBLISHED[call])


@pytest.mark.parametrize("optimizer", CALLS)
def test_a_loss_that_is_not_finite_changes_nothing(optimizer: str, tmp_path: Path) -> None:
    module = accumulating(optimizer, tmp_path, **CALLS[optimizer])
    params = module.init_params(0)
    state = module.init_state(params)
    module.train_step(params, state, X, T)
    params.y_W[:] = 1e200
    before = [module.flatten(params).copy(), *(s.copy() for s in state)]
    with np.errstate(all="ignore"):
        assert not np.isfinite(module.train_step(params, state, X, T))
        assert not np.isfinite(module.train_epoch(params, state, X, T, batch_size=4))
    for found, expected in zip((module.flatten(params), *state), before, strict=True):
        np.testing.assert_array_equal(found, expected)


def test_a_gradient_forgets_what_its_vector_held(tmp_path: Path) -> None:
    module = accumulating("sgd(0.2)", tmp_path)
    params = module.init_params(3)
    loss, expected = module.loss_and_grad(params, X, T)
    module._kept("grad", module.SIZE)[:] = np.nan
    value, found = module.loss_and_grad(params, X, T)
    assert value == loss
    np.testing.assert_array_equal(module.flatten(found), module.flatten(expected))
    module._kept("grad", module.SIZE)[:] = np.nan
    assert np.isfinite(module.input_gradients(params, X, T).x).all()
    assert not found.unused.any()


LOOKED_UP: dict[str, Any] = {
    "name": "looked_up",
    "dtype": "float64",
    "inputs": {"x": {"axes": ["rows", 2], "classes": 30}},
    "targets": {"t": ["rows", 3]},
    "parameters": {"emb": {"axes": [30, 4], "init": "normal(std=1)"}},
    "equations": {"E[n, i, d]": "emb[x[n, i], d]", "y": "dense(sum(E, axis=1), 3)"},
    "loss": "mse(y, t)",
}


FIRST_ALONE = {"E[n, i:1, d]": "emb[x[n, i], d]"}


@pytest.mark.parametrize("lookup", [{}, FIRST_ALONE])
@pytest.mark.parametrize("optimizer", ["sgd(0.2)", "momentum(0.1, 0.8)"])
def test_rows_that_were_looked_up_are_added_once(
    optimizer: str, lookup: dict[str, str], tmp_path: Path
) -> None:
    """Few labels with repetitions, then more than there are rows; the others are not touched by sgd."""
    equations = {**(lookup or {"E[n, i, d]": "emb[x[n, i], d]"}), "y": "dense(sum(E, axis=1), 3)"}
    with by_rows():
        path = written({**LOOKED_UP, "equations": equations, "train": {"optimizer": optimizer}}, tmp_path)
    assert "clear_rows(demb, x)" in path.read_text()
    assert "accumulate_rows(demb, x, destination_emb, keep, scale)" in path.read_text()
    module = with_garbage(interpreted(path), np.nan)
    params, other = module.init_params(1), module.init_params(1)
    state, other_state = module.init_state(params), module.init_state(other)
    for rows in (3, 20):
        x, t = RNG.integers(0, 5, (rows, 2)), RNG.normal(size=(rows, 3))
        module.train_step(params, state, x, t)
        module.update(other, module.loss_and_grad(other, x, t)[1], other_state)
        np.testing.assert_allclose(module.flatten(params), module.flatten(other), rtol=1e-13)
    np.testing.assert_array_equal(params.emb[5:], module.init_params(1).emb[5:])


def test_equal_layers_accumulate_in_a_loop(tmp_path: Path) -> None:
    deep = {**NETWORK, "parameters": {}, "equations": {}, "loss": "mse", "gradients": []}
    deep |= {"layers": [*["dense(5, activation=tanh)"] * 8, "dense(3)"], "train": {"optimizer": "sgd(0.5)"}}
    del deep["parameters"], deep["equations"]
    with by_rows():
        file = written(deep, tmp_path)
    text = file.read_text()
    assert "for layer in range" in text[text.index("def _backward") : text.index("def _gradient")]
    module = interpreted(file)
    params, other = module.init_params(2), module.init_params(2)
    state, other_state = module.init_state(params), module.init_state(other)
    for _ in range(3):
        module.train_step(params, state, X, T)
        by_updates(module, other, other_state, slice(None), 0)
    np.testing.assert_allclose(module.flatten(params), module.flatten(other), rtol=1e-12)


def test_the_judge_passes_what_is_carried(tmp_path: Path) -> None:
    with by_rows():
        report = judged({**NETWORK, "train": {"optimizer": OWN}}, tmp_path, compiled=False)
    assert report.passed, str(report)


def test_where_nothing_is_carried_the_module_says_nothing_of_it() -> None:
    for optimizer in ("adam", "momentum(0.1, weight_decay=0.1)"):
        with by_rows():
            text = module_text(read({**NETWORK, "train": {"optimizer": optimizer}}))
        assert not {"_backward", "_shares", "accumulate"} & set(text.replace("(", " ").split())
