"""The order of remainders: loss and gradient that belong together, planted faults, kinks and rounding."""

from __future__ import annotations

import re
from dataclasses import dataclass, field

import numpy as np
import pytest
from building import interpreted, written
from corpus import CORPUS

from symgrad.spec.expand import expand
from symgrad.spec.reader import read
from symgrad.verifier.trials.order import TOLERANCE, decay_of, order_checks
from symgrad.verifier.trials.subject import InProcess
from symgrad.verifier.trials.trial import prepare

STEPS = [2.0**-k for k in range(3, 30, 3)]


@dataclass
class Tampered:
    """A module whose loss, gradients and input gradients pass through functions."""

    module: object
    functions: dict = field(default_factory=dict)

    def __getattr__(self, name):
        original = getattr(self.module, name)
        change = self.functions.get(name)
        return original if change is None else lambda *given: change(original(*given))


def judge(spec, folder, edit=str):
    module = interpreted(written(spec, folder, edit))
    module.DTYPE = np.float64
    return verdict_on(spec, module)


def verdict_on(spec, module, seed=0, **functions):
    door = InProcess(Tampered(module, functions))
    [check] = order_checks(prepare(expand(read(spec)), door, door, 2, seed))
    return check


NETWORK = {
    "inputs": {"x": ["batch", 5]},
    "targets": {"t": ["batch", 3]},
    "layers": ["dense(4, activation=tanh)", "dense(3)"],
    "gradients": ["x"],
    "loss": "mse(Z2, t) + 0.01 * l2(W1)",
}


def graph(equation, loss="mean(y)", **more):
    return {
        "dtype": "float64",
        "inputs": {"x": ["batch", 5]},
        "parameters": {"w": [5], "b": {"axes": []}},
        "equations": {"y": equation},
        "loss": loss,
        **more,
    }


def changed(number, change):
    """Gradients of which one block is not what it was."""

    def apply(answer):
        loss, gradients = answer
        blocks = [np.array(block) for block in gradients]
        change(blocks[number])
        return loss, type(gradients)(*blocks)

    return apply


def scaled(factor):
    def change(block):
        block *= factor

    return change


def one_entry(block):
    block.flat[-1] *= 1 + 1e-4


def dropped(block):
    block.flat[0] = 0.0


@pytest.fixture(scope="module")
def network(tmp_path_factory):
    module = interpreted(written(NETWORK, tmp_path_factory.mktemp("network")))
    module.DTYPE = np.float64
    return module


@pytest.mark.parametrize("block", range(4))
@pytest.mark.parametrize("change", [scaled(1 + 1e-6), scaled(-1), one_entry, dropped])
def test_a_wrong_gradient_leaves_a_remainder_of_order_1(block, change, network):
    found = verdict_on(NETWORK, network, loss_and_grad=changed(block, change))
    assert found.verdict == "fail"
    assert re.search(r"order \d.\d\d, not [23], at", found.message)
    assert ("W1", "b1", "W2", "b2")[block] in found.message


@pytest.mark.parametrize("factor", [1 + 1e-6, 0.5, np.nan])
def test_a_wrong_loss_is_found(factor, network):
    found = verdict_on(NETWORK, network, loss=lambda loss: loss * factor)
    assert found.verdict == "fail"


def test_a_wrong_slope_of_one_branch_is_found(tmp_path):
    spec = {**NETWORK, "layers": ["dense(4, activation=leaky_relu)", "dense(3)"]}
    assert judge(spec, tmp_path).verdict == "pass"
    found = judge(spec, tmp_path, edit=lambda text: text.replace("else real(0.01))", "else real(0.02))"))
    assert found.verdict == "fail"


@pytest.mark.parametrize(
    ("equation", "loss"),
    [
        ("sin(1e6 * (x @ w))", "mean(y)"),
        ("exp(50 * tanh(x @ w + b))", "mean(y)"),
        ("(x @ w + 1e8) - 1e8", "mean(y**2)"),
        ("abs(x @ w)", "mean(y)"),
        ("x @ w", "mean(y)"),
        ("x @ w", "mean(y**2)"),
        ("where(x @ w > 0, 2*b, b)", "mean(y)"),
        ("max(max(x, w), axis=1)", "mean(y)"),
        ("sqrt(sum((x - w)**2, axis=1))", "mean(log(y))"),
        ("1e-9 * (x @ w)", "mean(exp(y))"),
    ],
)
def test_kinks_and_rounding_raise_no_false_alarm(equation, loss, tmp_path):
    spec = graph(equation, loss)
    module = interpreted(written(spec, tmp_path))
    found = [verdict_on(spec, module, seed) for seed in range(3)]
    assert {check.verdict for check in found} <= {"pass", "no evidence"}, found
    assert found[0].verdict == "pass" or "max" in equation


PAIRS = {
    "ranked": ("x @ w + b", "softplus(-(y[n] - y[m])*(t[n] - t[m]))", 77),
    "hinge": ("tanh(x @ w + b)", "relu(0.5 - (y[n] - y[m])*(t[n] - t[m]))", 81),
    "gauss": ("x @ w + b", "exp(-(y[n] - y[m])**2)", 104),
}
"""With seeds at which the remainder of order 3 changes its sign next to one of the steps."""


@pytest.mark.parametrize("name", PAIRS)
def test_a_remainder_that_changes_its_sign_close_by_a_step_raises_no_alarm(name, tmp_path):
    y, pair, seed = PAIRS[name]
    spec = {
        "dtype": "float64",
        "inputs": {"x": ["N", 3]},
        "parameters": {"w": [3], "b": {"axes": []}},
        "equations": {"y": y, "q[n,m]": pair},
        "loss": "mean(q)",
    }
    if "t[" in pair:
        spec["targets"] = {"t": ["N"]}
    module = interpreted(written(spec, tmp_path))
    assert verdict_on(spec, module, seed).verdict == "pass"
    wrong = verdict_on(spec, module, seed, loss_and_grad=changed(0, scaled(1 + 1e-6)))
    assert wrong.verdict == "fail"


def test_a_loss_that_nothing_moves_is_no_evidence(tmp_path):
    found = judge(graph("0 * (x @ w)"), tmp_path)
    assert found.verdict == "no evidence"


@pytest.mark.parametrize("name", [*list(CORPUS)[::12], "extrema"])
def test_rows_of_the_library_keep_their_orders(name, tmp_path):
    found = judge(CORPUS[name], tmp_path)
    assert found.verdict == ("no evidence" if "stop_gradient" in str(CORPUS[name]) else "pass"), found


def test_an_order_is_read_where_remainders_stand_above_rounding():
    rounding = [1e-15] * len(STEPS)
    noisy = [h**2 + (-1) ** n * 9e-16 for n, h in enumerate(STEPS)]
    square = decay_of(STEPS, noisy, rounding)
    assert square is not None
    assert abs(square.order - 2) < 0.05
    linear = decay_of(STEPS, [h**2 + 1e-6 * h for h in STEPS], rounding)
    assert linear is not None
    assert linear.order < 2 - TOLERANCE
    assert decay_of(STEPS, [1e-16] * len(STEPS), rounding) is None
    assert decay_of(STEPS, [np.nan] * len(STEPS), rounding) is None


def test_a_wrong_gradient_of_a_residual_is_seen(tmp_path):
    spec = {
        "dtype": "float64",
        "inputs": {"x": ["N", 1]},
        "equations": {"u": "dense(tanh(dense(x, 2)), 1)", "r": "d(u, x, x) + u"},
        "loss": "mean(r**2)",
    }
    module = interpreted(written(spec, tmp_path))
    assert verdict_on(spec, module).verdict == "pass"
    wrong = verdict_on(spec, module, loss_and_grad=changed(0, scaled(1.001)))
    assert wrong.verdict == "fail"
    assert "shrinks with order" in wrong.message
