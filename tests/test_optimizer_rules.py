"""What holds for all optimisers: full batches, clipping, and equations of one's own."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from building import interpreted, judged, written
from optimizer_paths import ROWS, X, Y, agree, module_of, path, spec_with

import symgrad as sg
from symgrad.compiler.loading.load import load
from symgrad.errors import SpecError

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
    with pytest.raises(SpecError, match=r"a schedule would change nothing: .*learning_rate"):
        sg.read(spec_with("rprop", schedule="inverse"))


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
    clipping = "maximum(s0, minimum(s1, grad[n]))"

    def planted(text: str) -> str:
        assert text.count(clipping) == 1
        return text.replace(clipping, "grad[n]")

    report = judged(spec_with("sgd", clip_value=0.1), tmp_path, planted, compiled=False, points=1)
    assert {check.name for check in report.checks if check.verdict == "fail"} >= {"update"}


def test_inspect_shows_both_bounds():
    text = str(sg.derive(sg.read(spec_with("sgd", clip_norm=5, clip_value=0.1))))
    assert "    g ← max(−0.1, min(0.1, (5/max(5, ‖g‖))·g))\n" in text
    assert "    clip(g) = max(−0.1, min(0.1, (5/max(5, ‖g‖))·g))\n" in text
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
        "state": {"n": 0, "before": 0.5, "s0": 1, "ahead": 0, "real": 0},
        "gradient_at": "theta + 0.1 * ahead * where(t > 2, 1, 2)",
        "update": {
            "theta": "theta - 0.1 * g * n - s0 * 0.1 * g - before * real",
            "n": "theta - n",
            "s0": "s0 * 0.9**t",
            "before": "before + g",
            "ahead": "0.3 * ahead + g",
            "real": "real / t",
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


def test_a_quantity_named_like_the_time_of_a_schedule_keeps_clear_of_it(tmp_path):
    block = {
        "hyper": {"learning_rate": 1},
        "update": {"step": "1 / (t + 3)", "theta": "theta - learning_rate * step * g"},
    }
    spec = spec_with(block, schedule="inverse(decay=0.5, k=step)")
    report = judged(spec, tmp_path, compiled=False, points=1)
    assert report.passed, [check for check in report.checks if check.verdict == "fail"]


def test_the_module_counts_its_steps_by_the_name_of_a_state():
    with pytest.raises(SpecError, match=r"state.step.*a state cannot be called 'step'"):
        sg.read(spec_with(own({"step": "g", "theta": "theta - step"}, state={"step": 0})))
