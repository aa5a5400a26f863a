"""Mutations: wrong modules that a careless check would accept. Each must be caught, and where it is wrong."""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np
import pytest
from test_verify_standin import Standin, adam, judge

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
    report = judge_gradient(change, sizes)
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


@pytest.mark.parametrize(
    ("hook", "guilty"),
    [
        ({"adam": lambda g, s, r: adam(g, s, r, corrected=False)}, {"update"}),
        ({"adam": lambda g, s, r: adam(g, s, r, b1=0.999, b2=0.9)}, {"update"}),
        ({"adam": lambda g, s, r: -adam(g, s, r)}, {"update"}),
        ({"adam": lambda g, s, r: adam(g, SimpleNamespace(m=s.m, v=s.v, t=1), r)}, {"update"}),
        ({"init_state": lambda self, params: None}, {"update", "train_step", "train_epoch"}),
    ],
)
def test_wrong_updates_are_caught(hook, guilty):
    assert guilty <= failed(judge(points=1, **hook))


def test_a_norm_that_is_not_clipped_is_caught():
    def update(self, params, grads, state, rate=0.001):
        state.t += 1
        for p, d in zip(params, self.unflatten(self.adam(self.flatten(grads), state, rate)), strict=True):
            p -= d

    assert failed(judge(train="optimizer: adam, clip_norm: 0.01", points=1, update=update)) >= {"update"}


def skip_last(self, params, state, x, t, *, batch_size, order=None, epoch=0):
    whole = len(x) // batch_size * batch_size
    losses = []
    for n in range(0, whole, batch_size):
        rows = order[n : n + batch_size]
        losses.append(self.train_step(params, state, x[rows], t[rows]))
    return float(np.mean(losses))


def ignore_order(self, params, state, x, t, *, batch_size, order=None, epoch=0):
    return Standin.train_epoch(self, params, state, x, t, batch_size=batch_size)


def summed_loss(self, params, state, x, t, *, batch_size, order=None, epoch=0):
    return 8 * Standin.train_epoch(self, params, state, x, t, batch_size=batch_size, order=order)


def stale_step(self, params, state, x, t, rate=0.001):
    loss, grads = self.loss_and_grad(params, x, t)
    self.update(params, self.unflatten(self.flatten(grads) * (1.0 if state.t == 0 else 0.5)), state, rate)
    return loss


@pytest.mark.parametrize(
    ("hook", "guilty"),
    [
        ({"train_epoch": skip_last}, {"train_epoch"}),
        ({"train_epoch": ignore_order}, {"train_epoch"}),
        ({"train_epoch": summed_loss}, {"train_epoch"}),
        ({"train_step": stale_step}, {"train_step", "train_epoch"}),
        ({"forward": lambda self, params, x: 1.0001 * Standin.forward(self, params, x)}, {"forward"}),
        ({"forward": lambda self, params, x: Standin.forward(self, params, x).T}, {"forward"}),
        ({"predict": lambda self, params, x: Standin.forward(self, params, x)}, {"predict"}),
        ({"loss": lambda self, params, x, t: len(x) * Standin.loss(self, params, x, t)}, {"loss"}),
        ({"loss": lambda self, params, x, t: np.nan}, {"loss"}),
        ({"loss": lambda self, params, x, t: "one"}, {"loss"}),
        ({"flatten": lambda self, params: Standin.flatten(self, params)[::-1]}, {"parameters"}),
        ({"input_gradients": lambda self, p, x, t: SimpleNamespace(x=np.ones_like(x))}, {"dloss/dx"}),
        ({"input_gradients": lambda self, p, x, t: SimpleNamespace(y=x)}, {"dloss/dx"}),
    ],
)
def test_other_wrong_functions_are_caught(hook, guilty):
    assert failed(judge(points=1, **hook)) == guilty


def refuse(self, *arguments, **keywords):
    raise RuntimeError("no such thing\nand more")


@pytest.mark.parametrize(
    "name",
    [
        *("forward", "predict", "loss", "loss_and_grad", "input_gradients", "init_params"),
        *("flatten", "unflatten", "init_state", "update", "train_step", "train_epoch"),
    ],
)
def test_a_function_that_raises_is_a_failed_row(name):
    report = judge(points=1, **{name: refuse})
    assert not report.passed
    assert any(f"{name} raised RuntimeError: no such thing" in line for line in report.failures)


@pytest.mark.parametrize(
    "answer",
    [None, 3.0, (1.0,), (1.0, None), (1.0, SimpleNamespace(W1=0, b1=0, W2=0, b2=0))],
)
def test_a_loss_and_grad_of_the_wrong_kind_is_a_failed_row(answer):
    report = judge(points=1, loss_and_grad=lambda self, params, x, t: answer)
    assert "loss_and_grad" in report.failures[0]


def test_a_wrong_shape_names_the_parameter():
    def loss_and_grad(self, params, x, t):
        loss, grads = Standin.loss_and_grad(self, params, x, t)
        return loss, grads._replace(b1=grads.b1[:, None])

    report = judge(loss_and_grad=loss_and_grad)
    assert gradient_faults(report) == {"b1"}
    assert "b1 has shape (5, 1), expected (5,)" in message(report, "b1")


def test_constant_first_values_are_checked():
    def init_params(self, seed=0):
        params = Standin.init_params(self, seed)
        params.b2[1] = 0.1
        return params

    report = judge(init_params=init_params)
    assert failed(report) == {"parameters"}
    assert "b2" in report.failures[0]


def test_a_report_prints_and_serialises():
    report = judge_gradient(set_entry("W2", (3, 1), lambda v: np.nan))
    text = str(report)
    assert "FAILED" in text
    assert "W2: entry [3, 1] is nan" in text
    record = report.as_dict()
    assert record["passed"] is False
    entry = next(p for p in record["parameters"] if p["name"] == "W2")
    assert entry["error"] is None
    assert entry["where"]["index"] == [3, 1]
