"""Whole models under the interpreter: shapes of parameters, every equation, branches at kinks."""

from __future__ import annotations

import numpy as np
import pytest

from symgrad.errors import ShapeError, SpecError
from symgrad.spec.expand import expand
from symgrad.spec.reader import read
from symgrad.verifier.interpretation.arithmetic import DOUBLE
from symgrad.verifier.interpretation.interpreter import interpret, parameter_shapes

RNG = np.random.default_rng(3)


def close(got, expected, digits):
    return np.allclose(np.asarray(got, dtype=float), expected, rtol=10.0**-digits, atol=0)


MODEL = """
name: chain
inputs: {x: [batch, 3]}
targets: {t: [batch, 1]}
layers:
  - dense(4, activation=sigmoid)
  - dense(1)
loss: mse
"""


def test_parameters_of_a_chain_get_their_shapes():
    model = expand(read(MODEL))
    shapes = parameter_shapes(model, {"x": np.zeros((5, 3))})
    assert shapes == {"W1": (3, 4), "b1": (4,), "W2": (4, 1), "b2": (1,)}


def test_every_equation_and_both_ends_of_a_chain():
    model = expand(read(MODEL))
    arrays = {"x": RNG.normal(size=(5, 3)), "t": RNG.normal(size=(5, 1))}
    shapes = parameter_shapes(model, arrays)
    arrays |= {name: RNG.normal(size=shape) for name, shape in shapes.items()}
    found = interpret(model, arrays, DOUBLE)
    hidden = 1 / (1 + np.exp(-(arrays["x"] @ arrays["W1"] + arrays["b1"])))
    y = hidden @ arrays["W2"] + arrays["b2"]
    assert close(found.tensors["A1"], hidden, 13)
    assert close(found.outputs[0], y, 12)
    assert close(found.prediction[0], y, 12)
    assert close(found.loss, np.mean((y - arrays["t"]) ** 2), 12)
    moved = interpret(model, arrays, DOUBLE, {"A1": np.ones((5, 4))})
    assert close(moved.outputs[0], (hidden + 1) @ arrays["W2"] + arrays["b2"], 12)


def test_arrays_that_do_not_fit_are_refused():
    model = expand(read(MODEL))
    with pytest.raises(ShapeError, match="'x' has shape"):
        parameter_shapes(model, {"x": np.zeros((5, 2))})
    with pytest.raises(SpecError, match="no array for parameter 'W1'"):
        interpret(model, {"x": np.zeros((5, 3))})


@pytest.mark.parametrize(
    ("formula", "x", "same"),
    [
        ("relu(x)", 0.5, True),
        ("relu(x)", 0.0, False),
        ("where(x > 1, x, 2*x)", 1.0, False),
        ("abs(x)", 0.0, False),
        ("max(x, 1 - x)", 0.5, False),
        ("sign(x - 2)", 0.0, True),
    ],
)
def test_branches_tell_kinks(formula, x, same):
    model = expand(read(f'name: k\ninputs: {{x: []}}\nequations: {{y: "{formula}"}}\n'))
    sides = [interpret(model, {"x": np.asarray(x + h)}).branches for h in (-1e-9, 1e-9)]
    assert (sides[0] == sides[1]) is same
