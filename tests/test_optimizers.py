"""Every optimiser of the library against its published formula, and against PyTorch's trajectories."""

from __future__ import annotations

import json
import os
from itertools import islice
from typing import TYPE_CHECKING, Any

import numpy as np
import published_optimizers as published
import pytest
from building import interpreted, judged, written
from golden import FOLDER
from module_use import line_gradient

import symgrad as sg
from symgrad.compiler.load import load
from symgrad.errors import SpecError
from symgrad.pipeline import module_text
from symgrad.spec import library

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator
    from pathlib import Path
    from types import ModuleType

STEPS = 50
GOLDEN_STEPS = (1, 2, 3, 10, 50)
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


# The published formulas -----------------------------------------------------------------------

PUBLISHED: dict[str, tuple[Callable[..., Iterator[np.ndarray]], dict[str, Any]]] = {
    "sgd(lr=0.1)": (published.sgd, {"eta": 0.1}),
    "sgd(0.1, weight_decay=0.05)": (published.sgd, {"eta": 0.1, "decay": 0.05}),
    "momentum(0.05, 0.8)": (published.torch_momentum, {"eta": 0.05, "mu": 0.8}),
    "momentum(0.05, 0.8, dampening=0.3, weight_decay=0.05)": (
        published.torch_momentum,
        {"eta": 0.05, "mu": 0.8, "tau": 0.3, "decay": 0.05},
    ),
    "classical_momentum(0.05, 0.8, weight_decay=0.1)": (
        published.lecture_momentum,
        {"eta": 0.05, "delta": 0.8, "decay": 0.1},
    ),
    "nesterov(0.05, 0.8)": (published.nesterov, {"eta": 0.05, "delta": 0.8}),
    "nesterov(0.05, 0.8, l2=0.1)": (published.nesterov, {"eta": 0.05, "delta": 0.8, "decay": 0.1}),
    "simplified_nesterov(0.05, 0.8, weight_decay=0.1)": (
        published.simplified_nesterov,
        {"eta": 0.05, "delta": 0.8, "decay": 0.1},
    ),
    "adagrad(0.1, eps=0.01)": (published.adagrad, {"eta": 0.1, "delta": 0.01}),
    "adagrad(0.1, epsilon=0.01, initial_accumulator=0.1, weight_decay=0.1)": (
        published.adagrad,
        {"eta": 0.1, "delta": 0.01, "r": 0.1, "decay": 0.1},
    ),
    "rmsprop(0.003, rho=0.9, eps=0.001, weight_decay=0.1)": (
        published.rmsprop,
        {"eta": 0.003, "rho": 0.9, "delta": 0.001, "inside": False, "decay": 0.1},
    ),
    "rmsprop_eps_inside(0.01, alpha=0.9, eps=0.001, weight_decay=0.1)": (
        published.rmsprop,
        {"eta": 0.01, "rho": 0.9, "delta": 0.001, "inside": True, "decay": 0.1},
    ),
    "adadelta(rho=0.95, eps=1e-3)": (published.adadelta, {"rho": 0.95, "delta": 1e-3}),
    "adadelta(weight_decay=0.1)": (published.adadelta, {"rho": 0.9, "delta": 1e-6, "decay": 0.1}),
    "adam(0.1)": (published.adam, {"eta": 0.1, "rho1": 0.9, "rho2": 0.999, "delta": 1e-8}),
    "adam(0.1, beta1=0.8, beta_2=0.9, eps=0.01, weight_decay=0.1)": (
        published.adam,
        {"eta": 0.1, "rho1": 0.8, "rho2": 0.9, "delta": 0.01, "decay": 0.1},
    ),
    "adamw(0.1, weight_decay=0.2)": (
        published.adam,
        {"eta": 0.1, "rho1": 0.9, "rho2": 0.999, "delta": 1e-8, "decay": 0.2, "decoupled": True},
    ),
    "amsgrad(0.1, b2=0.9, weight_decay=0.1)": (
        published.adam,
        {"eta": 0.1, "rho1": 0.9, "rho2": 0.9, "delta": 1e-8, "decay": 0.1, "largest": True},
    ),
    "nadam(0.02, momentum_decay=0.1, weight_decay=0.1)": (
        published.nadam,
        {"eta": 0.02, "rho1": 0.9, "rho2": 0.999, "delta": 1e-8, "psi": 0.1, "decay": 0.1},
    ),
    "adamax(0.05, b2=0.8, eps=0.01, weight_decay=0.1)": (
        published.adamax,
        {"eta": 0.05, "rho1": 0.9, "rho2": 0.8, "delta": 0.01, "decay": 0.1},
    ),
    "lion(0.02, weight_decay=0.1)": (published.lion, {"eta": 0.02, "rho1": 0.9, "rho2": 0.99, "decay": 0.1}),
    "rprop(0.05, max_step_size=0.3)": (
        published.rprop,
        {"first": 0.05, "down": 0.5, "up": 1.2, "least": 1e-6, "most": 0.3},
    ),
    "delta_bar_delta(0.3, kappa=0.01, phi=0.5)": (
        published.delta_bar_delta,
        {"first": 0.3, "kappa": 0.01, "phi": 0.5, "average": 0.7},
    ),
}


@pytest.mark.parametrize("call", PUBLISHED)
def test_fifty_steps_are_those_of_the_paper(call, tmp_path):
    rule, numbers = PUBLISHED[call]
    agree(path(module_of(call, tmp_path)), rule(START, slope, **numbers))


def test_every_optimizer_has_its_published_formula():
    assert {call.partition("(")[0] for call in PUBLISHED} == set(library.optimizers)


def test_entries_set_each_name_once_and_say_where_they_come_from():
    for entry in library.optimizers.values():
        targets = [name for name, _ in entry.update]
        assert len(set(targets)) == len(targets)
        assert {"theta", *(name for name, _ in entry.state)} <= set(targets)
        assert entry.source


# PyTorch --------------------------------------------------------------------------------------

TORCH: dict[str, tuple[str, dict[str, Any]]] = {
    "sgd(0.1, weight_decay=0.05)": ("SGD", {"lr": 0.1, "weight_decay": 0.05}),
    "momentum(0.05, 0.8, dampening=0.3, weight_decay=0.05)": (
        "SGD",
        {"lr": 0.05, "momentum": 0.8, "dampening": 0.3, "weight_decay": 0.05},
    ),
    "classical_momentum(0.05, 0.8)": ("SGD", {"lr": 0.05, "momentum": 0.8}),
    "simplified_nesterov(0.05, 0.8, weight_decay=0.05)": (
        "SGD",
        {"lr": 0.05, "momentum": 0.8, "nesterov": True, "weight_decay": 0.05},
    ),
    "adagrad": ("Adagrad", {}),
    "adagrad(0.1, initial_accumulator=0.1, weight_decay=0.05)": (
        "Adagrad",
        {"lr": 0.1, "initial_accumulator_value": 0.1, "weight_decay": 0.05},
    ),
    "rmsprop": ("RMSprop", {}),
    "rmsprop(0.05, alpha=0.9, eps=0.01, weight_decay=0.05)": (
        "RMSprop",
        {"lr": 0.05, "alpha": 0.9, "eps": 0.01, "weight_decay": 0.05},
    ),
    "adadelta": ("Adadelta", {}),
    "adadelta(rho=0.95, eps=0.01, weight_decay=0.05)": (
        "Adadelta",
        {"rho": 0.95, "eps": 0.01, "weight_decay": 0.05},
    ),
    "adam": ("Adam", {}),
    "adam(0.1, b1=0.8, b2=0.9, eps=0.01, weight_decay=0.05)": (
        "Adam",
        {"lr": 0.1, "betas": (0.8, 0.9), "eps": 0.01, "weight_decay": 0.05},
    ),
    "adamw": ("AdamW", {}),
    "adamw(0.1, weight_decay=0.2)": ("AdamW", {"lr": 0.1, "weight_decay": 0.2}),
    "amsgrad(0.1, b2=0.9, weight_decay=0.05)": (
        "Adam",
        {"lr": 0.1, "betas": (0.9, 0.9), "weight_decay": 0.05, "amsgrad": True},
    ),
    "nadam": ("NAdam", {}),
    "nadam(0.02, momentum_decay=0.1, weight_decay=0.05)": (
        "NAdam",
        {"lr": 0.02, "momentum_decay": 0.1, "weight_decay": 0.05},
    ),
    "adamax": ("Adamax", {}),
    "adamax(0.05, eps=0.01, weight_decay=0.05)": ("Adamax", {"lr": 0.05, "eps": 0.01, "weight_decay": 0.05}),
    "rprop": ("Rprop", {}),
    "rprop(0.1, eta_plus=1.5, max_step_size=0.3)": (
        "Rprop",
        {"lr": 0.1, "etas": (0.5, 1.5), "step_sizes": (1e-6, 0.3)},
    ),
}


def torch_path(call: str) -> list[np.ndarray]:
    """The parameters after each step of PyTorch's optimiser on the same gradients."""
    torch = pytest.importorskip("torch")
    name, numbers = TORCH[call]
    usual, found = torch.get_default_dtype(), []
    torch.set_default_dtype(torch.float64)  # NAdam keeps its product of momenta in the default type
    try:
        theta = torch.tensor(START, requires_grad=True)
        optimizer = getattr(torch.optim, name)([theta], **numbers)
        for _ in range(STEPS):
            theta.grad = torch.tensor(slope(theta.detach().numpy()))
            optimizer.step()
            found.append(theta.detach().numpy().copy())
    finally:
        torch.set_default_dtype(usual)
    return found


@pytest.fixture(scope="module")
def golden() -> dict[str, dict[str, list[float]]]:
    """PyTorch's parameters after some of the steps; SYMGRAD_UPDATE_GOLDEN=1 asks PyTorch, where it is."""
    file = FOLDER / "pytorch_optimizers.json"
    if os.environ.get("SYMGRAD_UPDATE_GOLDEN") == "1":
        paths = {call: torch_path(call) for call in TORCH}
        kept = {c: {str(n): found[n - 1].tolist() for n in GOLDEN_STEPS} for c, found in paths.items()}
        file.write_text(json.dumps(kept, indent=1) + "\n", encoding="utf-8", newline="\n")
    found: dict[str, dict[str, list[float]]] = json.loads(file.read_text(encoding="utf-8"))
    return found


@pytest.mark.parametrize("call", TORCH)
def test_steps_are_those_pytorch_made(call, golden, tmp_path):
    found = list(path(module_of(call, tmp_path)))
    agree([found[int(step) - 1] for step in golden[call]], golden[call].values())


@pytest.mark.parametrize("call", TORCH)
def test_fifty_steps_are_those_of_the_pytorch_that_is_installed(call, tmp_path):
    agree(path(module_of(call, tmp_path)), torch_path(call))


# Numbers to the last digit --------------------------------------------------------------------


def updates(optimizer: str, start: float, gradients: list[float], folder: Path) -> list[float]:
    """The one parameter after each step on these gradients."""
    spec = {
        "name": "one",
        "dtype": "float64",
        "inputs": {"x": ["n"]},
        "parameters": {"w": {"axes": [], "init": start}},
        "equations": {"y": "w*x"},
        "loss": "sum(y)",
        "train": {"optimizer": optimizer},
    }
    module = interpreted(written(spec, folder))
    params, found = module.init_params(), []
    state = module.init_state(params)
    for gradient in gradients:
        module.train_step(params, state, [gradient])
        found.append(float(params.w))
    return found


@pytest.mark.parametrize(
    ("optimizer", "start", "gradients", "expected"),
    [
        ("adam", 1, [0.1, -0.2, 0.3], [0.9990000001, 0.99936610360388489, 0.99902286253947743]),
        ("adam", 0, [1e-8], [-5e-4]),
        ("adamw(weight_decay=0.1)", 1, [0], [0.9999]),
        ("adam(weight_decay=0.1)", 1, [0], [0.9990000001]),
        ("adadelta(rho=0.95)", 0, [1, 1], [-0.0044720912343, -0.0090011535]),
    ],
)
def test_steps_worked_out_by_hand(optimizer, start, gradients, expected, tmp_path):
    assert updates(optimizer, start, gradients, tmp_path) == pytest.approx(expected, rel=1e-11)


# Looking ahead --------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def nesterov(tmp_path_factory) -> ModuleType:
    return module_of("nesterov(0.05, 0.8)", tmp_path_factory.mktemp("nesterov"))


def test_the_simplified_form_moves_the_point_ahead(nesterov, tmp_path):
    params = nesterov.unflatten(START.copy())
    state = nesterov.init_state(params)
    for theta in path(module_of("simplified_nesterov(0.05, 0.8)", tmp_path), steps=5):
        nesterov.train_step(params, state, X, Y)
        ahead = nesterov.flatten(nesterov.gradient_point(params, state))
        np.testing.assert_allclose(ahead, theta, rtol=1e-12)


def test_update_takes_the_gradients_at_the_point_ahead(nesterov):
    together, apart = (nesterov.unflatten(START.copy()) for _ in range(2))
    states = nesterov.init_state(together), nesterov.init_state(apart)
    for _ in range(3):
        loss = nesterov.train_step(together, states[0], X, Y)
        point = nesterov.gradient_point(apart, states[1])
        expected, grads = nesterov.loss_and_grad(point, X, Y)
        nesterov.update(apart, grads, states[1])
        assert loss == expected
    np.testing.assert_array_equal(nesterov.flatten(together), nesterov.flatten(apart))
    assert nesterov.loss(together, X, Y) != expected


def test_epochs_look_ahead_before_every_batch(nesterov):
    params, by_step = (nesterov.unflatten(START.copy()) for _ in range(2))
    state, other = nesterov.init_state(params), nesterov.init_state(by_step)
    nesterov.train_epoch(params, state, X, Y, batch_size=5)
    for rows in (slice(0, 5), slice(5, 10), slice(10, 12)):
        nesterov.train_step(by_step, other, X[rows], Y[rows])
    np.testing.assert_array_equal(nesterov.flatten(params), nesterov.flatten(by_step))
    _, history = nesterov.fit(X, Y, epochs=20, batch_size=5)
    assert history[-1] < history[0]


def test_micro_batches_look_ahead_too(tmp_path):
    spec = spec_with("nesterov(0.05, 0.8)", batch_size=8, micro_batch_size=3)
    module = interpreted(written(spec, tmp_path))
    agree(path(module, 10), islice(published.nesterov(START, slope, 0.05, 0.8), 10))


def test_a_schedule_and_the_step_reach_the_point_ahead(tmp_path):
    own = {
        "hyper": {"learning_rate": 0.1},
        "state": {"v": 0},
        "gradient_at": "theta + learning_rate * v / t",
        "update": {"v": "g", "theta": "theta - learning_rate * g"},
    }
    module = module_of(own, tmp_path, schedule="learning_rate / (1 + step)")
    theta, v = START, np.zeros_like(START)
    for t, found in enumerate(path(module, 4), start=1):
        rate = 0.1 / t
        v = slope(theta + rate * v / t)
        theta = theta - rate * v
        np.testing.assert_allclose(found, theta, rtol=1e-12)


def test_modules_that_do_not_look_ahead_know_nothing_of_it():
    for call in ("sgd", "adam", "simplified_nesterov", "nadam"):
        text = module_text(sg.read(spec_with(call)))
        assert "ahead" not in text
        assert "gradient_point" not in text


def test_inspect_says_where_the_gradient_is_taken():
    work = sg.derive(sg.read(spec_with("nesterov(0.05, 0.8)")))
    text = str(work)
    assert "  theta is any parameter and g its gradient, taken with all parameters at their ahead.\n" in text
    assert "    ahead ← theta + 0.8·v\n    v ← 0.8·v − 0.05·g\n    theta ← theta + v\n" in text
    assert "    ahead_b1 ← b1 + 0.8·v_b1\n    v_b1 ← 0.8·v_b1 − 0.05·Σ_n dZ1\n    b1 ← b1 + v_b1\n" in text
    assert r"\mathit{ahead} &\leftarrow \theta + 0.8 \, v" in work.latex()
    assert work.as_dict()["update"]["look_ahead"] == ["ahead ← theta + 0.8·v"]


AT_THETA = ("_gradient(ahead, grad", "_gradient(theta, grad")
FAULTS = {
    "gradient taken at theta": AT_THETA,
    "point without the momentum": ("ahead[i] = real(0.8) * v[i] + theta[i]", "ahead[i] = v[i] + theta[i]"),
    "point of the last step": ("    _look_ahead(theta, ahead, state[0]", "    (theta, ahead, state[0]"),
}


@pytest.mark.parametrize("fault", FAULTS)
def test_the_judge_catches_a_wrong_point(fault, tmp_path):
    before, after = FAULTS[fault]

    def planted(text: str) -> str:
        assert text.count(before) == 1
        return text.replace(before, after)

    spec = spec_with("nesterov(0.05, 0.8)")
    report = judged(spec, tmp_path, planted, compiled=False, points=1)
    assert {check.name for check in report.checks if check.verdict == "fail"} >= {"train_step"}


def test_the_judge_passes_the_right_point(tmp_path):
    spec = spec_with("nesterov(0.05, 0.8)", schedule="inverse(decay=0.5)", clip_norm=0.5, clip_value=0.1)
    assert judged(spec, tmp_path, compiled=False, points=1).passed


# Full batches ---------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["rprop", "delta_bar_delta"])
def test_mini_batches_are_refused_with_the_reason(name, tmp_path):
    with pytest.raises(SpecError, match=rf"batch_size.*{name} cannot learn from mini-batches of 8: .*noise"):
        sg.read(spec_with(name, batch_size=8))
    spec = spec_with(name)
    del spec["train"]["batch_size"]
    with pytest.raises(SpecError, match=r"optimizer.* mini-batches of 32, the default: .*batch_size: full"):
        sg.read(spec)
    module = module_of(name, tmp_path)
    params = module.init_params()
    state = module.init_state(params)
    with pytest.raises(ValueError, match=r"batch_size: every step needs all 12 rows; .*noise"):
        module.train_epoch(params, state, X, Y, batch_size=8)
    assert state.step[0] == 0
    module.train_epoch(params, state, X, Y, batch_size=ROWS)
    _, history = module.fit(X, Y, epochs=30)
    assert history[-1] < history[0]


def test_a_schedule_of_a_rate_that_no_step_reads_is_refused():
    spec = sg.read(spec_with("rprop", schedule="inverse"))
    with pytest.raises(SpecError, match=r"a schedule would change nothing: .*learning_rate"):
        module_text(spec)


# Clipping -------------------------------------------------------------------------------------


def test_the_norm_is_clipped_before_the_entries(tmp_path):
    module = module_of("sgd(learning_rate=1)", tmp_path, clip_norm=5, clip_value=3.5)
    params = module.unflatten(np.zeros(8))
    grads = module.unflatten(np.array([6.0, -8, 0, 0, 0, 0, 0, 0]))
    module.update(params, grads, module.init_state(params))
    np.testing.assert_allclose(module.flatten(params)[:3], [-3, 3.5, 0])
    np.testing.assert_array_equal(module.flatten(grads)[:3], [6, -8, 0])


def test_clipping_does_not_hide_a_number_that_is_none(tmp_path):
    module = module_of("sgd", tmp_path, clip_value=1)
    params = module.unflatten(np.zeros(8))
    module.update(params, module.unflatten(np.full(8, np.nan)), module.init_state(params))
    assert np.isnan(module.flatten(params)).all()
    own = {"update": {"theta": "theta - max(-1, min(g, 1))"}}
    module = module_of(own, tmp_path)
    params = module.unflatten(np.zeros(8))
    module.update(params, module.unflatten(np.full(8, np.nan)), module.init_state(params))
    assert np.isnan(module.flatten(params)).all()


def test_a_value_that_is_not_clipped_is_caught(tmp_path):
    clipping = "        g = limit if g > limit else (-limit if g < -limit else g)\n"

    def planted(text: str) -> str:
        assert text.count(clipping) == 1
        return text.replace(clipping, "")

    report = judged(spec_with("sgd", clip_value=0.1), tmp_path, planted, compiled=False, points=1)
    assert {check.name for check in report.checks if check.verdict == "fail"} >= {"update"}


def test_inspect_shows_both_bounds():
    text = str(sg.derive(sg.read(spec_with("sgd", clip_norm=5, clip_value=0.1))))
    assert "    g ← max(−0.1, min(0.1, g·min(1, 5/‖g‖)))\n" in text
    assert "    clip(g) = max(−0.1, min(0.1, g·min(1, 5/‖g‖)))\n" in text
    assert "    b1 ← b1 − 0.01·clip(Σ_n dZ1)\n" in text


# One's own ------------------------------------------------------------------------------------

OWN: dict[str, dict[str, Any]] = {
    "choices in choices": {
        "state": {"v": 0},
        "update": {
            "v": "where(g > 0, min(g, 1), max(g, -1)) * where(t > 2, min(t, 3), 1)",
            "theta": "theta - where(v > 0.5, v / t, 0.01 * v)",
        },
    },
    "names the module uses": {
        "state": {"i": 0, "before": 0.5, "factor_1": 1, "ahead": 0, "limit": 0},
        "gradient_at": "theta + 0.1 * ahead * where(t > 2, 1, 2)",
        "update": {
            "theta": "theta - 0.1 * g * i - factor_1 * 0.1 * g - before * limit",
            "i": "theta - i",
            "factor_1": "factor_1 * 0.9**t",
            "before": "before + g",
            "ahead": "0.3 * ahead + g",
            "limit": "limit / t",
        },
    },
    "quantities of the step": {
        "hyper": {"eta": 0.1},
        "state": {"v": "eta * 2"},
        "update": {
            "rate": "eta / sqrt(t)",
            "step": "-rate * g",
            "g": "g + 0.1 * theta",
            "v": "0.9 * v + g**2",
            "theta": "theta + step - rate * g / (1 + sqrt(v))",
        },
    },
}


@pytest.mark.parametrize("name", OWN)
def test_ones_own_equations_pass_the_judge(name, tmp_path):
    report = judged(spec_with(OWN[name]), tmp_path, compiled=False, points=1)
    assert report.passed, [check for check in report.checks if check.verdict == "fail"]


def test_compiled_steps_are_the_interpreted_ones(tmp_path):
    file = written(spec_with(OWN["names the module uses"], clip_value=0.5), tmp_path)
    agree(path(load(file), 5), path(interpreted(file), 5))


def test_quantities_of_the_step_are_shown_with_their_parameter():
    text = str(sg.derive(sg.read(spec_with(OWN["quantities of the step"]))))
    assert "    rate ← 0.1/√t\n    step ← −rate·g\n    g ← g + 0.1·theta\n" in text
    assert "    step_b1 ← −rate·db1\n    g_b1 ← db1 + 0.1·b1\n    v_b1 ← 0.9·v_b1 + g_b1²\n" in text


def own(update: dict[str, str], **block: Any) -> dict[str, Any]:
    return {"hyper": {"eta": 0.1}, **block, "update": update}


BAD: dict[str, tuple[dict[str, Any], str]] = {
    "misspelt state": (
        own({"velocty": "g", "theta": "theta - velocity"}, state={"velocity": 0}),
        r"update\.velocty.*sets 'velocty', which nothing below it reads; did you mean 'velocity'",
    ),
    "quantity nobody reads": (own({"theta": "theta - g", "w": "g"}), r"sets 'w'.*set theta"),
    "gradient replaced too late": (own({"theta": "theta - g", "g": "2 * g"}), "sets 'g', which nothing"),
    "state that was not declared": (
        own({"v": "0.9 * v - eta * g", "theta": "theta + v"}),
        r"'v' is read before it is set; .*state: \{v: 0\}",
    ),
    "quantity read above": (own({"theta": "theta - w", "w": "g"}), "'w' is read before it is set"),
    "hyper-parameter that is set": (own({"eta": "0.9 * eta", "theta": "theta - eta * g"}), "make it a state"),
    "step that is set": (own({"t": "t + 1", "theta": "theta - g / t"}), "sets t, the number of the step"),
    "quantity that is no name": (own({"a b": "g", "theta": "theta - g"}), "'a b' is not a name"),
    "quantity named like a function": (own({"exp": "g", "theta": "theta - exp(g)"}), "'exp' is a function"),
    "first value from a state": (
        own({"v": "g", "w": "g", "theta": "theta - v - w"}, state={"v": 1, "w": "v"}),
        "unknown name 'v' in a state's first value; it may use eta",
    ),
    "gradient at a gradient": (own({"theta": "theta - g"}, gradient_at="theta + g"), "unknown name 'g'"),
    "gradient nowhere near": (own({"theta": "theta - g"}, gradient_at="1"), "nothing to do with theta"),
    "mini-batches": (own({"theta": "theta - g"}, full_batch=True), "mini-batches of 4: it says full_batch"),
    "full batch in words": (own({"theta": "theta - g"}, full_batch="yes"), "expected true or false"),
}


@pytest.mark.parametrize("name", BAD)
def test_mistakes_are_told_with_their_place(name):
    block, message = BAD[name]
    with pytest.raises(SpecError, match=message):
        sg.read(spec_with(block, batch_size=4))


def test_a_number_of_the_step_keeps_clear_of_the_schedule():
    block = {
        "hyper": {"learning_rate": 1},
        "update": {"step": "1 / t", "theta": "theta - learning_rate * step * g"},
    }
    with pytest.raises(SpecError, match="a number cannot be called 'step'"):
        module_text(sg.read(spec_with(block)))


def test_other_libraries_words_are_understood_where_they_fit():
    assert "rmsprop" in sg.read(spec_with("rmsprop(lr=0.1, rho=0.9)")).train.optimizer.function
    for call, message in {
        "adadelta(lr=1)": "adadelta has no argument 'lr'",
        "sgd(decay=0.1)": "sgd has no argument 'decay'",
        "rmsprop(rho=0.9, alpha=0.9)": "got 'alpha' twice",
    }.items():
        with pytest.raises(SpecError, match=message):
            module_text(sg.read(spec_with(call)))
