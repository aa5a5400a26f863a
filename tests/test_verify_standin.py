"""A hand-written NumPy module with correct gradients: accepted as it is, rejected once tampered with."""

from __future__ import annotations

from collections import namedtuple
from types import SimpleNamespace

import numpy as np
import pytest

from symgrad.errors import ModuleError
from symgrad.spec.expand import expand
from symgrad.spec.reader import read
from symgrad.verifier.verdict import verify

HYPER = {"learning_rate": 0.001, "b1": 0.9, "b2": 0.999, "eps": 1e-8}


def spec_text(sizes=(4, 5, 3), dtype="float64", weight="", train="optimizer: adam", activation="tanh"):
    """A two-layer network with softmax cross-entropy; `weight` puts an L2 term on both matrices."""
    d, h, k = sizes
    penalty = f" + {weight} * (l2(W1) + l2(W2))" if weight else ""
    return f"""
name: standin
dtype: {dtype}
inputs: {{x: [batch, {d}]}}
targets: {{t: {{axes: [batch], classes: {k}}}}}
parameters:
  W1: {{axes: [{d}, {h}], init: glorot_uniform}}
  b1: {{axes: [{h}], init: zeros}}
  W2: {{axes: [{h}, {k}], init: glorot_uniform}}
  b2: {{axes: [{k}], init: zeros}}
equations:
  z: x @ W1 + b1
  a: {activation}(z)
  y: a @ W2 + b2
loss: softmax_cross_entropy(y, t){penalty}
gradients: [x]
train: {{{train}}}
"""


def model_of(**options):
    return expand(read(spec_text(**options)))


class Standin:
    """Builds the module's functions; every hook replaces one part of the right computation."""

    def __init__(self, model, dtype=None, sizes=(4, 5, 3), weight=0.0, **hooks):
        self.model, self.weight = model, weight
        self.dtype = np.dtype(dtype or model.spec.dtype)
        d, h, k = sizes
        self.shapes = {"W1": (d, h), "b1": (h,), "W2": (h, k), "b2": (k,)}
        self.Params = namedtuple("Params", self.shapes)
        self.corrupt = hooks.pop("corrupt", lambda grads, cache: None)
        self.adam = hooks.pop("adam", adam)
        self.hooks = hooks

    def module(self):
        names = (
            "Params init_params forward predict loss loss_and_grad input_gradients init_state update "
            "train_step train_epoch flatten unflatten"
        )
        module = SimpleNamespace(**{name: getattr(self, name) for name in names.split()})
        module.DTYPE, module.SPEC_SHA256 = self.dtype, self.model.spec.sha256
        module.INPUTS, module.TARGETS = ("x",), ("t",)
        vars(module).update({n: v.__get__(self) for n, v in self.hooks.items()})
        return module

    def unflatten(self, vector):
        ends = np.cumsum([int(np.prod(s)) for s in self.shapes.values()])
        parts = np.split(vector, ends[:-1])
        return self.Params(*(p.reshape(s) for p, s in zip(parts, self.shapes.values(), strict=True)))

    def flatten(self, params):
        return np.concatenate([np.ravel(p) for p in params])

    def init_params(self, seed=0):
        rng = np.random.default_rng(seed)
        params = self.unflatten(np.zeros(sum(int(np.prod(s)) for s in self.shapes.values()), self.dtype))
        for block in (params.W1, params.W2):
            limit = np.sqrt(6 / sum(block.shape))
            block[...] = rng.uniform(-limit, limit, block.shape)
        return params

    def _cache(self, params, x, t=None):
        z = x @ params.W1 + params.b1
        a = np.tanh(z)
        y = a @ params.W2 + params.b2
        e = np.exp(y - y.max(axis=1, keepdims=True))
        return SimpleNamespace(params=params, x=x, t=t, z=z, a=a, y=y, p=e / e.sum(axis=1, keepdims=True))

    def forward(self, params, x):
        return self._cache(params, x).y

    def predict(self, params, x):
        return self._cache(params, x).p

    def loss(self, params, x, t):
        y = self._cache(params, x).y
        top = y.max(axis=1)
        scores = np.log(np.exp(y - top[:, None]).sum(axis=1)) + top
        data = np.mean(scores - y[np.arange(len(t)), t])
        return float(data + self.weight * ((params.W1**2).sum() + (params.W2**2).sum()))

    def backward(self, c):
        dy = (c.p - np.eye(c.p.shape[1], dtype=self.dtype)[c.t]) / len(c.t)
        dz = (dy @ c.params.W2.T) * (1 - c.a) * (1 + c.a)
        c.dy, c.dz = dy, dz
        w = self.weight
        grads = {
            "W1": c.x.T @ dz + 2 * w * c.params.W1,
            "b1": dz.sum(axis=0),
            "W2": c.a.T @ dy + 2 * w * c.params.W2,
            "b2": dy.sum(axis=0),
        }
        return grads, dz @ c.params.W1.T

    def loss_and_grad(self, params, x, t):
        cache = self._cache(params, x, t)
        grads, _ = self.backward(cache)
        self.corrupt(grads, cache)
        return self.loss(params, x, t), self.unflatten(self.flatten(grads.values()).astype(self.dtype))

    def input_gradients(self, params, x, t):
        return namedtuple("Gradients", ["x"])(self.backward(self._cache(params, x, t))[1])

    def init_state(self, params):
        flat = self.flatten(params)
        return SimpleNamespace(m=np.zeros_like(flat), v=np.zeros_like(flat), t=0)

    def update(self, params, grads, state, rate=HYPER["learning_rate"]):
        g = self.flatten(grads)
        clip = self.model.spec.train.clip_norm
        if clip is not None:
            g = g * min(1.0, clip / (np.abs(g).max() * np.linalg.norm(g / np.abs(g).max())))
        state.t += 1
        delta = self.unflatten(self.adam(g, state, rate))
        for p, d in zip(params, delta, strict=True):
            p -= d

    def train_step(self, params, state, x, t, rate=HYPER["learning_rate"]):
        loss, grads = self.loss_and_grad(params, x, t)
        self.update(params, grads, state, rate)
        return loss

    def train_epoch(self, params, state, x, t, *, batch_size, order=None, epoch=0):
        order = np.arange(len(x)) if order is None else order
        batches = [order[n : n + batch_size] for n in range(0, len(x), batch_size)]
        losses = [self.train_step(params, state, x[rows], t[rows]) for rows in batches]
        return float(np.average(losses, weights=[len(rows) for rows in batches]))


def adam(g, state, rate, b1=HYPER["b1"], b2=HYPER["b2"], corrected=True):
    """The step of Adam; it is subtracted from the parameters."""
    state.m[...] = b1 * state.m + (1 - b1) * g
    state.v[...] = b2 * state.v + (1 - b2) * g**2
    m = state.m / (1 - b1**state.t) if corrected else state.m
    v = state.v / (1 - b2**state.t) if corrected else state.v
    return rate * m / (np.sqrt(v) + HYPER["eps"])


def judge(sizes=(4, 5, 3), weight="", train="optimizer: adam", seed=0, points=3, **hooks):
    """The verdict on a stand-in with the given hooks."""
    model = model_of(sizes=sizes, weight=weight, train=train)
    module = Standin(model, sizes=sizes, weight=float(weight or 0), **hooks).module()
    return verify(model, module, seed=seed, points=points)


@pytest.mark.parametrize("seed", range(3))
def test_a_right_module_passes(seed):
    report = judge(seed=seed)
    assert report.passed, str(report)
    assert not report.notes
    assert [p.name for p in report.parameters] == ["W1", "b1", "W2", "b2"]
    assert {p.verdict for p in report.parameters} == {"pass"}


@pytest.mark.parametrize(
    "options",
    [
        {"sizes": (4, 4, 4)},
        {"weight": "0.1"},
        {"train": "optimizer: adam, clip_norm: 0.01"},
        {"sizes": (20, 30, 7)},
    ],
)
def test_right_modules_of_other_kinds_pass(options):
    report = judge(**options)
    assert report.passed, str(report)


def test_a_float32_module_is_held_against_its_twin():
    model = model_of(dtype="float32")
    module, twin = (Standin(model, dtype=d).module() for d in ("float32", "float64"))
    report = verify(model, module, twin=twin)
    assert report.passed, str(report)
    assert {"float32 forward", "float32 gradients", "float32 update"} <= {c.name for c in report.checks}


def test_a_float32_module_with_a_fault_of_its_own_is_caught():
    def corrupt(grads, cache):
        grads["b1"] = grads["b1"] * np.float32(1.001)

    model = model_of(dtype="float32")
    module = Standin(model, dtype="float32", corrupt=corrupt).module()
    report = verify(model, module, twin=Standin(model, dtype="float64").module())
    assert [c.name for c in report.checks if c.verdict == "fail"] == ["float32 gradients"]
    assert "b1" in report.failures[0]


def test_a_module_without_a_stable_name_is_refused():
    model = model_of()
    module = Standin(model).module()
    del module.train_epoch, module.predict
    with pytest.raises(ModuleError, match="lacks predict, train_epoch"):
        verify(model, module)


def test_another_spec_is_noted():
    model = model_of()
    module = Standin(model).module()
    module.SPEC_SHA256 = "0" * 64
    report = verify(model, module)
    assert report.passed
    assert "SPEC_SHA256" in report.notes[0]


def test_a_learning_rate_schedule_is_checked():
    def train_epoch(self, params, state, x, t, *, batch_size, order=None, epoch=0):
        rate = 0.001 * np.exp(-0.5 * epoch)
        batches = [order[n : n + batch_size] for n in range(0, len(x), batch_size)]
        losses = [self.train_step(params, state, x[rows], t[rows], rate) for rows in batches]
        return float(np.average(losses, weights=[len(rows) for rows in batches]))

    train = "optimizer: adam, schedule: exponential(decay=0.5)"
    right, wrong = judge(train=train, train_epoch=train_epoch), judge(train=train)
    assert right.passed, str(right)
    assert [c.name for c in wrong.checks if c.verdict == "fail"] == ["schedule"]


def test_a_float32_module_needs_its_twin():
    model = model_of(dtype="float32")
    with pytest.raises(ModuleError, match="float64 twin"):
        verify(model, Standin(model).module())
