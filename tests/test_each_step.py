"""Equations of each step, `"h[:, t]": formula`: layers and networks inside recurrences, beside loops."""

from __future__ import annotations

import re
from typing import Any

import numpy as np
import pytest
from fuzz.modules import interpreted

from symgrad.errors import SpecError
from symgrad.pipeline import stages_of
from symgrad.spec.reader import read
from symgrad.verifier.identity.check import identity_of

RUNGE_KUTTA = {
    "k1[:, t]": "f(u[:, t-1]**3)",
    "k2[:, t]": "f((u[:, t-1] + 0.05 * k1[:, t])**3)",
    "k3[:, t]": "f((u[:, t-1] + 0.05 * k2[:, t])**3)",
    "k4[:, t]": "f((u[:, t-1] + 0.1 * k3[:, t])**3)",
    "u[:, t:6]": "u[:, t-1] + 0.1 / 6 * (k1[:, t] + 2 * k2[:, t] + 2 * k3[:, t] + k4[:, t])",
    "u[:, -1]": "x",
}
NETWORK = {"f(v)": ["dense(7, activation=tanh)", "dense(2)"]}
CELL = {
    "z[:, t]": "sigmoid(dense(concat(x[:, t], h[:, t-1]), 5))",
    "q[:, t]": "tanh(dense(concat(x[:, t], z[:, t] * h[:, t-1]), 5))",
    "h[:, t, :5]": "(1 - z[:, t]) * h[:, t-1] + z[:, t] * q[:, t]",
    "h[:, -1]": "0",
}


def stages(equations: dict[str, str], **more: Any) -> Any:
    """The stages of a spec of these equations over x[batch, 2], or what else is said."""
    spec = {
        "name": "steps",
        "dtype": "float64",
        "inputs": {"x": ["batch", 2]},
        "equations": equations,
        "outputs": [[*equations][-1].partition("[")[0]],
        "loss": f"mean({[*equations][-1].partition('[')[0]}**2)",
        **more,
    }
    return stages_of(read(spec))


def answers(found: Any, *inputs: np.ndarray) -> tuple[Any, Any]:
    """Random parameters of a module that is its spec to the judge, and its prediction."""
    assert identity_of(found.model, found.text).state == "identical"
    module = interpreted(found.text)
    params = module.unflatten(np.random.default_rng(0).normal(0, 0.6, module.SIZE))
    return params, module.predict(params, *inputs)


def test_runge_kutta_through_a_network() -> None:
    found, x = stages(RUNGE_KUTTA, networks=NETWORK), np.random.default_rng(1).normal(0, 0.5, (3, 2))
    params, ours = answers(found, x)

    def f(v: np.ndarray) -> np.ndarray:
        return np.asarray(np.tanh(v**3 @ params.f_W1 + params.f_b1) @ params.f_W2 + params.f_b2)

    u, seen = x, []
    for _ in range(6):
        k1 = f(u)
        k2 = f(u + 0.05 * k1)
        k3 = f(u + 0.05 * k2)
        u = u + 0.1 / 6 * (k1 + 2 * k2 + 2 * k3 + f(u + 0.1 * k3))
        seen.append(u)
    np.testing.assert_allclose(ours, np.stack(seen, 1), rtol=1e-12)


def test_a_cell_of_layers_goes_on_step_by_step() -> None:
    inputs = {"x": ["batch", "T", 3]}
    found, x = stages(CELL, inputs=inputs), np.random.default_rng(1).normal(size=(4, 3, 3))
    params, ours = answers(found, x)
    module, carry, h = interpreted(found.text), None, np.zeros((4, 5))
    for step in range(3):
        both = np.concatenate([x[:, step], h], 1)
        z = 1 / (1 + np.exp(-both @ params.z_W - params.z_b))
        q = np.tanh(np.concatenate([x[:, step], z * h], 1) @ params.q_W + params.q_b)
        h = (1 - z) * h + z * q
        np.testing.assert_allclose(ours[:, step], h, rtol=1e-12)
        predicted, carry = module.step(params, carry, x[:, step])
        np.testing.assert_allclose(predicted, h, rtol=1e-12)


def test_a_convolution_steps_through_time() -> None:
    """A partial differential equation with a learned right side: each step is [batch, places, channels]."""
    equations = {
        "u[:, t:4]": "u[:, t-1] + 0.1 * conv1d(u[:, t-1], 1, kernel=3, padding=same, activation=tanh)",
        "u[:, -1]": "x",
    }
    x = np.random.default_rng(1).normal(size=(2, 6, 1))
    params, ours = answers(stages(equations, inputs={"x": ["batch", 6, 1]}), x)
    kernel, u = params.u_W.reshape(3), x[..., 0]
    for step in range(4):
        around = np.pad(u, ((0, 0), (1, 1)))
        windows = np.stack([around[:, k : k + 6] for k in range(3)], -1)
        u = u + 0.1 * np.tanh(windows @ kernel + params.u_b)
        np.testing.assert_allclose(ours[:, step, :, 0], u, rtol=1e-12)


def test_gradients_of_a_networks_parameters_are_products_over_all_steps() -> None:
    """Its parameters are made once; what comes back to them is one product behind the loop for each call."""
    found = stages({"u[:, t:6]": "u[:, t-1] + f(u[:, t-1])", "u[:, -1]": "x"}, networks=NETWORK)
    assert [p.name for p in found.model.parameters] == ["f_W1", "f_b1", "f_W2", "f_b2"]
    derived = {e.target: str(e) for e in found.derived.equations}
    assert derived["df_W2"] == "df_W2[k, j] = sum_{i, n} du[n, i, j]*f_A1[i, n, k]"
    assert "view(f_A1, 0, (6 * batch, 7)).T, view(du, 0, (6 * batch, 2))" in found.text


def test_a_module_is_as_long_whatever_the_number_of_steps() -> None:
    def lines(steps: int) -> int:
        equations = {key.replace("t:6", f"t:{steps}"): formula for key, formula in RUNGE_KUTTA.items()}
        return len(stages(equations, networks=NETWORK).text.splitlines())

    assert lines(4) == lines(400)


INSIDE = {
    "weights that no step changes": "weight_norm(h[:, t-1], 2) + bilinear(h[:, t-1], x, 2)",
    "statistics of the rows": "tanh(batch_norm(h[:, t-1], momentum=false)) + h[:, t-1]",
    "a choice by mode": "tanh(dense(training(h[:, t-1], 0.5 * h[:, t-1]), 2))",
    "chance": "tanh(dense(dropout(h[:, t-1], 0.5), 2) + normal(like=x))",
    "the number of a step": "h[:, t-1] + 0.1 * t * dense(h[:, t-1], 2)",
    "two steps before": "tanh(dense(h[:, t-1], 2) - dense(h[:, t-2], 2))",
}


@pytest.mark.parametrize("kind", INSIDE)
def test_the_judge_agrees_with_what_may_stand_inside(kind: str) -> None:
    starts = {"h[:, -1]": "x"} | ({"h[:, -2]": "0.5"} if kind == "two steps before" else {})
    found = stages({"h[:, t:3]": INSIDE[kind], **starts})
    assert identity_of(found.model, found.text).state == "identical"


def test_what_is_made_at_a_step_by_indices_and_as_a_whole_is_one_recurrence() -> None:
    equations = {
        "z[:, t]": "dense(h[:, t-1], 5)",
        "h[n,t:4,i:5]": "tanh(z[n,t,i] + x[n,0])",
        "h[n,-1,i]": "x[n,1]",
    }
    found = stages(equations)
    assert identity_of(found.model, found.text).state == "identical"


def test_further_derivatives_go_through_layers_at_steps() -> None:
    found = stages({"h[:, t:3]": "tanh(dense(h[:, t-1], 2))", "h[:, -1]": "x"}, derive=["hvp", "per_sample"])
    assert identity_of(found.model, found.text).state == "identical"


STEP = {"h[:, t:3]": "tanh(dense(h[:, t-1], 2))"}
REFUSED = (
    ({"h[:, t:3]": "batch_norm(h[:, t-1])", "h[:, -1]": "x"}, "keeps 'running_mean' from batch to batch"),
    ({"h[:, t:3]": "last(lstm(h[:, t-1], 2))", "h[:, -1]": "x"}, "lstm goes through steps of its own"),
    ({"h[:, t:3]": "dense(h[:, t-1], 3)", "h[:, -1]": "x"}, "'h' is [batch, 3, 3], but [batch, 3, 2]"),
    ({"h[:, t:3, :4]": "dense(h[:, t-1], 3)", "h[:, -1]": "0"}, "'h' is [batch, 3, 3], on its left side"),
    ({"h[:, t]": "dense(h[:, t-1], 2)", "h[:, -1]": "x"}, "the range of index 't' is not known"),
    ({**STEP, "h[:, -1]": "0"}, "nothing says how large a step is"),
    (STEP, "'h' has no start"),
    ({**STEP, "h[n,-1,i]": "x[n,i]"}, "'h[:,t]' gives all of each step, this start does not"),
    ({**STEP, "h[-1]": "0"}, "'h[:,t]' gives all of each step, this start does not"),
    ({**STEP, "h[:, -1, n]": "x[n,0]"}, "has one place in time, and an index for each other axis, or :"),
    ({"h[:, t:3]": "dense(h[:, t+1], 2)", "h[:, -1]": "x"}, "at a step that comes after its own"),
    ({"h[:, t:3]": "dense(h[:, 0], 2)", "h[:, -1]": "x"}, "at no step near its own"),
    ({"k": "dense(h, 2)", "h[:, t:3]": "k[:, t]", "h[:, -1]": "x"}, "which is made of it, as a whole"),
    ({"h[:, t, i]": "x"}, "'h' takes axes whole and has 2 indices"),
    ({"h[:, :]": "x"}, "'h' takes axes whole and has 0 indices"),
    ({"h[:, 1:t]": "x"}, "an index on the left is a name"),
    ({"h[:, :, t:3]": "mean(x)"}, "each step of 'h[:,:,t]' is []; expected 2 axes or more"),
    ({"h[n,t]": "sum(dense(x, 3))"}, "dense cannot stand in index notation"),
)  # fmt: skip


@pytest.mark.parametrize(("equations", "problem"), REFUSED)
def test_what_is_no_equation_of_each_step_is_refused(equations: dict[str, str], problem: str) -> None:
    with pytest.raises(SpecError, match=re.escape(problem)) as refused:
        _ = stages({**equations, "y": "x"}).text
    assert refused.value.remedy
    assert refused.value.at


@pytest.mark.parametrize(
    "body",
    [
        ["lstm(3)", "last"],
        {"equations": {"h": "rnn(u, 3)", "f": "last(h)"}},
        {"equations": {"h[:, t:3, :2]": "dense(u[:, t], 2)", "f": "h"}},
    ],
)
def test_steps_inside_of_a_network_are_refused(body: Any) -> None:
    with pytest.raises(SpecError, match="the network 'f' goes through steps"):
        stages({"y": "f(x)"}, inputs={"x": ["batch", 4, 2]}, networks={"f(u)": body})


def test_prediction_asks_for_the_input_that_says_how_long_an_axis_is() -> None:
    """Of which nothing else is read."""
    equations = {"h[:, t:T]": "tanh(dense(h[:, t-1], 2))", "h[:, -1]": "x"}
    inputs = {"x": ["batch", 2], "times": ["batch", "T"]}
    found = stages(equations, inputs=inputs, targets={"g": ["batch", 2]}, loss="mean(h**2) + mean(g)")
    assert 'PREDICTED_FROM = ("x", "times")' in found.text
