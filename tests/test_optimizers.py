"""Every optimiser of the library against its published formula."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import published_optimizers as published
import pytest
from building import interpreted, written
from optimizer_paths import START, agree, module_of, path, slope, spec_with

import symgrad as sg
from symgrad.errors import SpecError
from symgrad.pipeline import module_text
from symgrad.spec import library

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    import numpy as np

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
    "lazy_adam(0.1, b2=0.9)": (published.lazy_adam, {"eta": 0.1, "rho1": 0.9, "rho2": 0.9, "delta": 1e-8}),
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


def test_other_libraries_words_are_understood_where_they_fit():
    assert "rmsprop" in sg.read(spec_with("rmsprop(lr=0.1, rho=0.9)")).train.optimizer.function
    for call, message in {
        "adadelta(lr=1)": "adadelta has no argument 'lr'",
        "sgd(decay=0.1)": "sgd has no argument 'decay'",
        "rmsprop(rho=0.9, alpha=0.9)": "got 'alpha' twice",
    }.items():
        with pytest.raises(SpecError, match=message):
            module_text(sg.read(spec_with(call)))
