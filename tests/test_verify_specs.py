"""The judge on specs of every kind, with modules that answer from its tape: no false alarms.

Such a module shares the interpreter with its judge, so it says nothing about compilers; it shows that a
right module passes whatever the spec looks like, and that a wrong sign never does.
"""

from __future__ import annotations

import time
from collections import namedtuple
from types import SimpleNamespace

import numpy as np
import pytest
from seeds import one_in

from symgrad.errors import SymgradError
from symgrad.spec.expand import expand
from symgrad.spec.reader import read
from symgrad.verifier.gradients.reference import slopes_of
from symgrad.verifier.interpretation.arithmetic import DOUBLE, FIFTY_DIGITS
from symgrad.verifier.interpretation.interpreter import interpret, parameter_shapes
from symgrad.verifier.interpretation.optimizer_meaning import start, step
from symgrad.verifier.sampling.samples import draw
from symgrad.verifier.sampling.spec_fans import scale_of
from symgrad.verifier.verdict import verify


class Oracle:
    """A module made of the interpreter; `wrong` maps a parameter to a factor on its gradient."""

    def __init__(self, model, wrong=None):
        self.model, self.wrong = model, wrong or {}
        self.names = [t.name for t in (*model.spec.inputs, *model.spec.targets)]
        self.inputs = [t.name for t in model.spec.inputs]
        self.shapes = parameter_shapes(model, draw(model, "", 0).inputs)
        self.Params = namedtuple("Params", self.shapes)

    def module(self):
        names = (
            "Params init_params forward predict loss loss_and_grad input_gradients init_state update "
            "train_step train_epoch flatten unflatten"
        )
        known = {name: getattr(self, name) for name in names.split()}
        sha = self.model.spec.sha256
        return SimpleNamespace(DTYPE=np.float64, SPEC_SHA256=sha, INPUTS=(), TARGETS=(), **known)

    def unflatten(self, vector):
        ends = np.cumsum([int(np.prod(s)) for s in self.shapes.values()])[:-1]
        parts = np.split(vector, ends) if self.shapes else []
        return self.Params(*(p.reshape(s) for p, s in zip(parts, self.shapes.values(), strict=True)))

    def flatten(self, params):
        return np.concatenate([np.ravel(p) for p in params]) if params else np.zeros(0)

    def init_params(self, seed=0):
        rng = np.random.default_rng(seed)
        return self.Params(*(self._first(p, self.shapes[p.name], rng) for p in self.model.parameters))

    def _first(self, decl, shape, rng):
        scale = scale_of(self.model, decl, shape)
        scale = 0.1 if scale is None else scale
        match decl.init.distribution:
            case "constant":
                return np.full(shape, scale)
            case "normal":
                return rng.normal(0.0, scale, shape)
        return rng.uniform(-scale, scale, shape)

    def _arrays(self, params, data, names):
        return {**params._asdict(), **dict(zip(names, data, strict=True))}

    def _evaluate(self, params, data, names):
        return interpret(self.model, self._arrays(params, data, names), FIFTY_DIGITS)

    def forward(self, params, *inputs):
        outputs = tuple(np.asarray(o, float) for o in self._evaluate(params, inputs, self.inputs).outputs)
        return outputs if len(outputs) > 1 else outputs[0]

    def predict(self, params, *inputs):
        found = tuple(np.asarray(o, float) for o in self._evaluate(params, inputs, self.inputs).prediction)
        return found if len(found) > 1 else found[0]

    def loss(self, params, *data):
        return float(self._evaluate(params, data, self.names).loss)

    def _slopes(self, params, data, names):
        slopes = slopes_of(self.model, self._arrays(params, data, self.names), tuple(names))
        blocks = [np.asarray(g, float) * self.wrong.get(n, 1.0) for n, g in slopes.gradients.items()]
        return float(slopes.loss), blocks

    def loss_and_grad(self, params, *data):
        loss, blocks = self._slopes(params, data, self.shapes)
        return loss, self.Params(*blocks)

    def input_gradients(self, params, *data):
        names = self.model.spec.gradients
        return namedtuple("Gradients", names)(*self._slopes(params, data, names)[1])

    def init_state(self, params):
        return SimpleNamespace(progress=start(self.model, self.flatten(params), DOUBLE))

    def update(self, params, grads, state, epoch=0):
        state.progress = step(self.model, state.progress, self.flatten(grads), epoch, DOUBLE)
        for p, new in zip(params, self.unflatten(state.progress.theta), strict=True):
            p[...] = new

    def train_step(self, params, state, *data, epoch=0):
        loss, grads = self.loss_and_grad(params, *data)
        self.update(params, grads, state, epoch)
        return loss

    def train_epoch(self, params, state, *data, batch_size, order=None, epoch=0):
        losses, sizes = [], []
        for n in range(0, len(order), batch_size):
            rows = order[n : n + batch_size]
            batch = [d[rows] if len(d) == len(order) else d for d in data]
            losses.append(self.train_step(params, state, *batch, epoch=epoch))
            sizes.append(len(rows))
        return float(np.average(losses, weights=sizes))


def graph(equations, loss="", parameters="", inputs="{x: [batch, 3]}", targets="", rest=""):
    lines = ["name: some", "dtype: float64", f"inputs: {inputs}"]
    lines += [f"targets: {targets}"] if targets else []
    lines += ["parameters:", *(f"  {p}" for p in parameters.split("; "))] if parameters else []
    lines += ["equations:", *(f"  {e}" for e in equations.split("; "))]
    lines += [f"loss: {loss}"] if loss else []
    return "\n".join([*lines, rest, ""])


ONE = "{t: [batch, 1]}"
SPECS = {
    "linear": graph("y: x @ w + b", "mse(y, t)", "w: {axes: [3, 1]}; b: {axes: [1]}", targets=ONE),
    "relu": graph("y: relu(dense(x, 4)) @ V", "mse", "V: {axes: [4, 2]}", targets="{t: [batch, 2]}"),
    "logistic": graph("y: dense(x, 1)", "binary_cross_entropy_with_logits", targets=ONE),
    "probability": graph("p: sigmoid(dense(x, 1))", "binary_cross_entropy", targets=ONE),
    "hinge": graph("y: dense(x, 1)", "hinge(y, t) + 0.01 * l1(y_W)", targets=ONE),
    "huber": graph("y: dense(x, 2)", "huber(y, t, delta=0.5)", targets="{t: [batch, 2]}"),
    "soft targets": graph("y: dense(x, 4)", "softmax_cross_entropy", targets="{t: [batch, 4]}"),
    "scalar parameter": graph("y: x * sigmoid(a * x)", "mean(y**2)", "a: {axes: [], init: 0.25}"),
    "two outputs": graph("h: dense(x, 2); y: sum(h, axis=1)", "mean(y) + sum(h**2)", rest="outputs: [y, h]"),
    "no loss": graph("y: tanh(dense(x, 2))"),
    "no parameters": graph("y: sum(x**2, axis=1)", "mean(y)", rest="gradients: [x, y]"),
    "logarithm": graph("y: log(x @ w)", "mean(y**2)", "w: {axes: [3], init: 1}"),
    "unused": graph("y: x @ w", "mean(y**2)", "w: {axes: [3]}; u: {axes: [2]}"),
    "two free axes": graph(
        '"y[n,i]": "sum(x[n, i + u] * k[u], u)"', "mean(y**2)", "k: {axes: [4]}", "{x: [n, m]}"
    ),
    "attention": graph(
        "s: q @ k.T; y: softmax(s) @ v",
        "mean((y @ W)**2)",
        "W: {axes: [2, 3]}",
        "{q: [n, 3], k: [m, 3], v: [m, 2]}",
    ),
    "labels in": graph(
        '"y[n]": "E[c[n], 0] + E[c[n], 1]**2"',
        "mean(y**2)",
        "E: {axes: [4, 2]}",
        "{c: {axes: [batch], classes: 4}}",
    ),
    "maximum": graph("h: dense(x, 4); y: max(h, axis=1) - min(h, axis=1)", "mean(y**2)"),
    "schedule": graph(
        "y: dense(x, 1)",
        "mse",
        targets=ONE,
        rest="train: {optimizer: momentum, schedule: learning_rate / (1 + step + epoch), clip_norm: 0.1}",
    ),
    "fixed batch": graph("y: x @ w", "mean(y**2)", "w: {axes: [3]}", "{x: [6, 3]}"),
    "l2 only": graph("y: x @ w", "sum(w**2)", "w: {axes: [3]}"),
}


@pytest.mark.parametrize("name", one_in(2, SPECS))
def test_right_modules_pass(name):
    model = expand(read(SPECS[name]))
    begin = time.process_time()
    report = verify(model, Oracle(model).module())
    assert report.passed, str(report)
    assert time.process_time() - begin < 30
    zero = {p.name for p in report.parameters if p.verdict == "no evidence"}
    assert zero == ({"u"} if name == "unused" else set())
    assert bool(zero) == any("zero at every point" in note for note in report.notes)


def test_an_input_without_a_slope_is_noted():
    model = expand(read(graph("y: sign(x) @ w", "mean(y**2)", "w: {axes: [3]}", rest="gradients: [x]")))
    report = verify(model, Oracle(model).module(), points=1)
    assert report.passed, str(report)
    [note] = report.notes
    assert note.startswith("dloss/dx: the gradient is zero at every point")


@pytest.mark.parametrize("name", ["linear", "hinge", "scalar parameter", "attention", "labels in"])
def test_wrong_signs_fail(name):
    model = expand(read(SPECS[name]))
    guilty = model.parameters[0].name
    report = verify(model, Oracle(model, {guilty: -1.0}).module(), points=1)
    assert {p.name for p in report.parameters if p.verdict == "fail"} == {guilty}
    assert "opposite sign" in report.failures[0]


def test_wrong_input_gradients_fail():
    model = expand(read(SPECS["no parameters"]))
    report = verify(model, Oracle(model, {"x": 2.0}).module())
    assert [c.name for c in report.checks if c.verdict == "fail"] == ["dloss/dx", "order"]


def test_a_gradient_where_there_is_none_fails():
    model = expand(read(SPECS["unused"]))
    module = Oracle(model).module()
    right = module.loss_and_grad

    def loss_and_grad(params, *data):
        loss, grads = right(params, *data)
        return loss, grads._replace(u=np.full(2, 1e-9))

    module.loss_and_grad = loss_and_grad
    report = verify(model, module, points=1)
    assert {p.name for p in report.parameters if p.verdict == "fail"} == {"u"}


def test_a_loss_that_is_never_finite_is_refused():
    model = expand(read(graph("y: x @ w", "mean(log(-1 - y**2))", "w: {axes: [3]}")))
    names = (
        "DTYPE SPEC_SHA256 INPUTS TARGETS Params init_params forward predict flatten unflatten "
        "loss loss_and_grad init_state update train_step train_epoch"
    )
    with pytest.raises(SymgradError, match="no random point was found"):
        verify(model, SimpleNamespace(**dict.fromkeys(names.split())))
