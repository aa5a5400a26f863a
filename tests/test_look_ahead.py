"""An optimiser whose gradient is taken elsewhere than at the parameters."""

from __future__ import annotations

from itertools import islice
from typing import TYPE_CHECKING

import numpy as np
import published_optimizers as published
import pytest
from building import interpreted, judged, written
from optimizer_paths import START, X, Y, agree, module_of, path, slope, spec_with

import symgrad as sg
from symgrad.pipeline import module_text

if TYPE_CHECKING:
    from types import ModuleType


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
    "point without the momentum": ("ahead[n] = s0 * v[n] + theta[n]", "ahead[n] = v[n] + theta[n]"),
    "point of the last step": ("    _look_ahead(theta, ahead, state[0]", "    (theta, ahead, state[0]"),
}


@pytest.mark.parametrize("fault", FAULTS)
def test_the_judge_catches_a_wrong_point(fault, tmp_path):
    before, after = FAULTS[fault]

    def planted(text: str) -> str:
        assert before in text
        return text.replace(before, after)

    spec = spec_with("nesterov(0.05, 0.8)")
    report = judged(spec, tmp_path, planted, compiled=False, points=1)
    assert {check.name for check in report.checks if check.verdict == "fail"} >= {"train_step"}


def test_the_judge_passes_the_right_point(tmp_path):
    spec = spec_with("nesterov(0.05, 0.8)", schedule="inverse(decay=0.5)", clip_norm=0.5, clip_value=0.1)
    assert judged(spec, tmp_path, compiled=False, points=1).passed
