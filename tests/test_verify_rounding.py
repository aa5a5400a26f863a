"""Rounding is told apart from error: formulas that amplify it pass, a fault beside them does not.

The modules compute in plain double precision, by the spec's own formulas.
"""

from __future__ import annotations

import numpy as np
import pytest
from building import interpreted, written
from test_verify_specs import Oracle

from symgrad.spec.expand import expand
from symgrad.spec.expansion.hyper_parameters import with_hyper
from symgrad.spec.reader import read
from symgrad.verifier.gradients.reference import slopes_of
from symgrad.verifier.interpretation.arithmetic import DOUBLE
from symgrad.verifier.steps.epochs import SAME, scheduled
from symgrad.verifier.trials.subject import InProcess
from symgrad.verifier.trials.trial import prepare
from symgrad.verifier.verdict import verify


class Plain(Oracle):
    """A module in double precision; `spoilt` changes its gradients, by name."""

    def __init__(self, model, spoilt=lambda grads: None):
        super().__init__(model)
        self.spoilt = spoilt

    def _at(self, params, data, names, wanted=()):
        return slopes_of(self.model, self._arrays(params, data, names), tuple(wanted), DOUBLE)

    def forward(self, params, *inputs):
        return self._at(params, inputs, self.inputs).outputs[0]

    def predict(self, params, *inputs):
        return self._at(params, inputs, self.inputs).prediction[0]

    def loss(self, params, *data):
        return float(self._at(params, data, self.names).loss)

    def loss_and_grad(self, params, *data):
        found = self._at(params, data, self.names, self.shapes)
        grads = {name: np.array(g) for name, g in found.gradients.items()}
        self.spoilt(grads)
        return float(found.loss), self.Params(**grads)


HEAD = "name: q\ndtype: float64\ninputs: {x: [batch, 4]}\ntargets: {t: [batch, 2]}\n"
SPECS = {
    "many turns": HEAD + "equations: {h: 'dense(x, 2)', y: 'sin(1e6*h)'}\nloss: mse(y, t)\n",
    "steep": HEAD + "equations: {h: 'dense(x, 2)', y: 'exp(50*h)'}\nloss: mean(y)\n",
    "steeper": HEAD + "equations: {h: 'dense(x, 2)', y: 'exp(exp(3*h))'}\nloss: mean(y)\n",
    "batch norm": HEAD
    + """
parameters: {gamma: {axes: [5], init: 1}, beta: {axes: [5], init: 0}}
equations:
  z: dense(x, 5)
  m: mean(z, axis=0)
  n: relu(gamma * (z - m) / sqrt(mean((z - m)**2, axis=0) + 1e-5) + beta)
  y: dense(n, 2)
loss: mse(y, t)
""",
    "one class": "name: q\ndtype: float64\ninputs: {x: [batch, 4]}\nequations: {h: 'dense(x, 1)'}\n"
    "loss: mean(logsumexp(h, axis=1) - sum(h, axis=1))\n",
    "runs away": HEAD
    + """
parameters: {c: {axes: [6, 4], init: normal(std=1)}, g: {axes: [6], init: 0.1}}
equations:
  "K[n,m]": "exp(-g[m] * sum((x[n,d] - c[m,d])**2, d))"
  y: dense(K, 2)
loss: mse(y, t)
train: {optimizer: sgd(learning_rate=0.5)}
""",
    "deep": HEAD + "layers: [" + "'dense(5, activation=tanh)', " * 12 + "dense(2)]\nloss: mse\n",
}


def verdict(name, spoilt=lambda grads: None):
    model = expand(read(SPECS[name]))
    return verify(model, Plain(model, spoilt).module())


@pytest.mark.parametrize("name", SPECS)
def test_rounding_is_no_fault(name):
    report = verdict(name)
    assert report.passed, str(report)


def times(name, factor):
    """Spoils the largest entry of one gradient."""

    def spoilt(grads):
        grads[name].flat[np.argmax(np.abs(grads[name]))] *= factor

    return spoilt


@pytest.mark.parametrize(
    ("spec", "name", "factor"),
    [
        ("steep", "h_W", 1 + 1e-7),
        ("batch norm", "gamma", 1 + 1e-6),
        ("batch norm", "y_W", 1 - 1e-6),
        ("many turns", "h_W", 1.01),
        ("runs away", "c", 1 + 1e-6),
        ("deep", "W7", 1 + 1e-5),
    ],
)
def test_faults_beside_it_are_seen(spec, name, factor):
    report = verdict(spec, times(name, factor))
    assert [p.name for p in report.parameters if p.verdict == "fail"] == [name]


def test_a_bias_before_batch_norm_has_no_slope():
    def spoilt(grads):
        grads["z_b"] = grads["z_b"] + 1e-9

    report = verdict("batch norm", spoilt)
    assert [p.name for p in report.parameters if p.verdict == "fail"] == ["z_b"]


def test_what_rounding_hides_is_no_evidence():
    report = verdict("one class")
    assert {p.verdict for p in report.parameters} == {"no evidence"}
    assert {"h_W", "h_b"} <= {note.partition(":")[0] for note in report.notes}


BIAS_BEFORE_NORM = """
dtype: float64
inputs: {x: [batch, 9, 3]}
targets: {t: [batch, 2]}
equations:
  a: batch_norm1d(dense(x, 8), momentum=false)
  y: dense(global_avg_pool(relu(a)), 2)
loss: 20 * mse(y, t)
train: {optimizer: adam(learning_rate=0.003)}
"""


def test_a_gradient_that_is_rounding_alone_leads_an_epoch_astray_and_a_wrong_rate_is_seen(tmp_path) -> None:
    """Adam divides the noise in the gradient of a bias before a normalisation by its own size."""
    model = expand(read(BIAS_BEFORE_NORM))
    door = InProcess(interpreted(written(BIAS_BEFORE_NORM, tmp_path)))
    trial = prepare(model, door, door, 1, seed=0)
    hyper = {"eps": 1e-9, "learning_rate": 0.004}
    assert scheduled(trial, with_hyper(model, hyper), 2, hyper=hyper)[0] <= SAME
    assert scheduled(trial, with_hyper(model, hyper), 2, hyper=hyper | {"learning_rate": 0.00401})[0] > 1e-3
