"""Mutations of everything but gradients: each wrong function of a module must be caught and named."""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np
import pytest
from test_verify_faults import failed
from test_verify_standin import Standin, adam, judge


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
        ({"loss": lambda self, params, x, t: len(x) * Standin.loss(self, params, x, t)}, {"loss", "order"}),
        ({"loss": lambda self, params, x, t: np.nan}, {"loss", "order"}),
        ({"loss": lambda self, params, x, t: "one"}, {"loss", "order"}),
        ({"flatten": lambda self, params: Standin.flatten(self, params)[::-1]}, {"parameters"}),
        (
            {"input_gradients": lambda self, p, x, t: SimpleNamespace(x=np.ones_like(x))},
            {"dloss/dx", "order"},
        ),
        ({"input_gradients": lambda self, p, x, t: SimpleNamespace(y=x)}, {"dloss/dx", "order"}),
    ],
)
def test_other_wrong_functions_are_caught(hook, guilty):
    wider = {"far out"}  # a fault in the loss and in what it is made of shows there, too
    assert failed(judge(points=1, **hook)) - wider == guilty


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


def test_constant_first_values_are_checked():
    def init_params(self, seed=0):
        params = Standin.init_params(self, seed)
        params.b2[1] = 0.1
        return params

    report = judge(init_params=init_params)
    assert failed(report) == {"parameters"}
    assert "b2" in report.failures[0]
