"""Mutations: wrong modules that a careless check would accept. Each must be caught, and where it is wrong."""

from __future__ import annotations

import json

import numpy as np
import pytest
from building import judged
from test_verify_standin import Standin, judge

SQUARE = (4, 4, 4)


def failed(report):
    """The names of all failed rows."""
    return {r.name for r in (*report.parameters, *report.checks) if r.verdict == "fail"}


def gradient_faults(report):
    return {p.name for p in report.parameters if p.verdict == "fail"}


def message(report, name):
    return next(p.message for p in report.parameters if p.name == name)


def judge_gradient(change, sizes=(4, 5, 3), **options):
    """The verdict when `change(grads, cache)` tampers with the gradients."""
    return judge(sizes=sizes, corrupt=change, **options)


def transposed_weight(grads, c):
    da = c.dy @ c.params.W2  # W2 for its transpose: only square matrices let this pass unnoticed
    dz = da * (1 - c.a**2)
    grads["W1"], grads["b1"] = c.x.T @ dz, dz.sum(axis=0)


def stale_activation(grads, c):
    dz = (c.dy @ c.params.W2.T) * (1 - c.z**2)
    grads["W1"], grads["b1"] = c.x.T @ dz, dz.sum(axis=0)


def permuted_units(grads, c):
    order = np.roll(np.arange(c.a.shape[1]), 1)
    grads["W1"], grads["b1"], grads["W2"] = grads["W1"][:, order], grads["b1"][order], grads["W2"][order]


def saturated_slopes_are_zero(grads, c):
    dz = np.where(np.abs(c.z) > 7, 0.0, c.dz)  # tanh'(7.5) = 1.2e-6, as small as sigmoid'(-14)
    grads["W1"], grads["b1"] = c.x.T @ dz, dz.sum(axis=0)


def sum_for_mean(grads, c):
    for name in grads:
        grads[name] = grads[name] * len(c.t)


def set_entry(name, index, change):
    def corrupt(grads, c):
        grads[name] = grads[name].copy()
        grads[name][index] = change(grads[name][index])

    return corrupt


def replaced(name, change):
    def corrupt(grads, c):
        grads[name] = np.array(change(grads[name], c))

    return corrupt


@pytest.mark.parametrize(
    ("change", "sizes", "guilty"),
    [
        (transposed_weight, SQUARE, {"W1", "b1"}),
        (stale_activation, (4, 5, 3), {"W1", "b1"}),
        (permuted_units, (4, 5, 3), {"W1", "b1", "W2"}),
        (saturated_slopes_are_zero, (4, 5, 3), {"W1", "b1"}),
        (saturated_slopes_are_zero, (20, 30, 7), {"W1", "b1"}),
        (sum_for_mean, (4, 5, 3), {"W1", "b1", "W2", "b2"}),
        (replaced("W2", lambda g, c: g.T), SQUARE, {"W2"}),
        (replaced("b1", lambda g, c: c.dz[0]), (4, 5, 3), {"b1"}),
        (replaced("b2", lambda g, c: -g), (4, 5, 3), {"b2"}),
        (replaced("W1", lambda g, c: 0 * g), (4, 5, 3), {"W1"}),
        (replaced("W1", lambda g, c: g * len(c.t)), (4, 5, 3), {"W1"}),
        (replaced("W1", lambda g, c: g * (1 + 1e-6)), (4, 5, 3), {"W1"}),
        (set_entry("W2", (3, 1), lambda v: -v), (4, 5, 3), {"W2"}),
        (set_entry("W1", (2, 4), lambda v: v * 1.0001), (4, 5, 3), {"W1"}),
        (set_entry("W1", (1, 1), lambda v: np.nan), (4, 5, 3), {"W1"}),
        (set_entry("b2", (0,), lambda v: np.inf), (4, 5, 3), {"b2"}),
    ],
)
def test_wrong_gradients_are_caught(change, sizes, guilty):
    report = judge_gradient(change, sizes, points=2)
    assert not report.passed
    assert gradient_faults(report) == guilty, str(report)


@pytest.mark.parametrize(
    ("change", "sizes", "name", "words"),
    [
        (replaced("b2", lambda g, c: -g), (4, 5, 3), "b2", "opposite sign"),
        (replaced("W1", lambda g, c: 0 * g), (4, 5, 3), "W1", "the gradient is lost"),
        (replaced("W2", lambda g, c: g.T), SQUARE, "W2", "transposed"),
        (sum_for_mean, (4, 5, 3), "W1", "the batch size, is missing"),
        (replaced("W1", lambda g, c: g / len(c.t)), (4, 5, 3), "W1", "once too often"),
        (replaced("W1", lambda g, c: 2 * g), (4, 5, 3), "W1", "2 times what it should be"),
        (set_entry("W2", (3, 1), lambda v: -v), (4, 5, 3), "W2", "entry [3, 1] is"),
        (set_entry("W1", (1, 1), lambda v: np.nan), (4, 5, 3), "W1", "entry [1, 1] is nan"),
    ],
)
def test_a_failure_says_where_and_what_it_looks_like(change, sizes, name, words):
    assert words in message(judge_gradient(change, sizes, points=1), name)


def test_a_missing_data_gradient_hides_behind_no_regulariser():
    def dropped(grads, c):
        grads["W1"] = 2 * 1000.0 * c.params.W1

    report = judge_gradient(dropped, weight="1000")
    assert gradient_faults(report) == {"W1"}


def test_one_wrong_entry_of_a_large_block_is_found_and_named():
    report = judge_gradient(set_entry("W1", (37, 21), lambda v: v * 1.01), sizes=(60, 50, 3))
    assert gradient_faults(report) == {"W1"}
    where = next(p.where for p in report.parameters if p.name == "W1")
    assert where.index == (37, 21)
    assert where.module == pytest.approx(1.01 * where.spec)


def test_a_fault_at_batches_of_one_only_is_caught():
    def corrupt(grads, c):
        if len(c.t) == 1:
            grads["b1"] = np.zeros_like(grads["b1"])

    assert gradient_faults(judge_gradient(corrupt)) == {"b1"}


def test_a_fault_that_training_brings_out_is_caught():
    def corrupt(grads, c):
        if not (c.params.W1.astype(np.float32) == c.params.W1).all():  # drawn points are float32
            grads["W2"] = grads["W2"] * 1.1

    assert "W2" in gradient_faults(judge_gradient(corrupt))


def test_a_wrong_shape_names_the_parameter():
    def loss_and_grad(self, params, x, t):
        loss, grads = Standin.loss_and_grad(self, params, x, t)
        return loss, grads._replace(b1=grads.b1[:, None])

    report = judge(loss_and_grad=loss_and_grad)
    assert gradient_faults(report) == {"b1"}
    assert "b1 has shape (5, 1), expected (5,)" in message(report, "b1")


def test_a_report_prints_and_serialises():
    report = judge_gradient(set_entry("W2", (3, 1), lambda v: np.nan))
    text = str(report)
    assert "FAILED" in text
    assert "W2: entry [3, 1] is nan" in text
    record = json.loads(json.dumps(report.as_dict()))
    assert record["passed"] is False
    entry = next(p for p in record["parameters"] if p["name"] == "W2")
    assert entry["error"] is None
    assert entry["where"]["index"] == [3, 1]


def test_a_largest_number_of_too_few_is_caught(tmp_path):
    """What it keeps from overflowing is as before while scores are small: neither loss nor identity tells."""
    spec = {
        "dtype": "float64",
        "inputs": {"x": ["batch", 3]},
        "targets": {"t": ["batch", 2]},
        "layers": ["dense(4, activation=softmax)", "dense(2)"],
        "loss": "mse",
    }
    largest = "for i in range({}):\n            acc_max_Z1"

    def fewer(text):
        assert largest.format(4) in text
        return text.replace(largest.format(4), largest.format(3))

    report = judged(spec, tmp_path, fewer, compiled=False)
    assert failed(report) == {"far out"}, str(report)
