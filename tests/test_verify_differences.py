"""Slopes by differences against known derivatives, at kinks, and the points they are taken at."""

from __future__ import annotations

import math

import numpy as np
import pytest

from symgrad.spec.expand import expand
from symgrad.spec.reader import read
from symgrad.verifier.gradients.differences import Differences
from symgrad.verifier.gradients.gradient_blocks import NOISE, TOLERANCE, Effort, compare_block
from symgrad.verifier.gradients.probes import ClaimedGradient
from symgrad.verifier.interpretation.arithmetic import DOUBLE, EXTENDED, FIFTY_DIGITS
from symgrad.verifier.interpretation.interpreter import interpret, parameter_shapes
from symgrad.verifier.sampling.samples import draw

ACCURACY = {FIFTY_DIGITS.name: 1e-15, EXTENDED.name: 1e-13, DOUBLE.name: 1e-11}


def model_of(loss, shape=(), targets=""):
    text = f"name: one\ninputs: {{x: {list(shape)}}}\n{targets}equations: {{y: x}}\nloss: {loss}\n"
    return expand(read(text))


def slope(loss, x, arithmetic=FIFTY_DIGITS, direction=None):
    x = np.asarray(x, dtype=float)
    differences = Differences(model_of(loss, x.shape), {"x": x}, arithmetic)
    return differences.slope("x", np.ones(x.shape) if direction is None else np.asarray(direction))


@pytest.mark.parametrize("arithmetic", [FIFTY_DIGITS, EXTENDED, DOUBLE], ids=lambda a: a.name)
@pytest.mark.parametrize(
    ("loss", "x", "expected"),
    [
        ("x**3", 2.0, 12.0),
        ("exp(x)", 1.0, math.e),
        ("silu(x)", 0.5, 0.7399611873026518),
        ("7 * 3 * x", 2.0, 21.0),
        ("where(x > 2, log(x) / log(2), 2 * x)", 3.0, 0.4808983469629878),
        ("softplus(x)", 100.0, 1.0),
        ("binary_cross_entropy_with_logits(x, 0 * x)", 0.0, 0.5),
    ],
)
def test_slopes_are_right_and_say_how_far(loss, x, expected, arithmetic):
    found = slope(loss, x, arithmetic)
    assert not found.is_kink
    assert abs(found.low - expected) <= found.uncertainty + ACCURACY[arithmetic.name] * abs(expected)
    assert found.uncertainty <= 1e3 * ACCURACY[arithmetic.name] * max(1.0, x)


def test_slopes_too_small_for_floats_are_seen():
    assert slope("silu(x)", -400.0).low == pytest.approx(-7.6415266908888827e-172, rel=1e-12)


def test_gradients_that_a_matrix_calculus_loses():
    x = np.array([[1.0, 2.0], [3.0, -1.0]])
    unit = np.array([[0.0, 1.0], [0.0, 0.0]])
    assert slope("sum(x**2) / 2", x, direction=unit).low == 2
    rate = slope("mean(softmax_cross_entropy(x, 0 * x + 0.5, reduction=none))", x, direction=unit)
    p = np.exp(x[0]) / np.exp(x[0]).sum()
    assert rate.low == pytest.approx((p[1] - 0.5) / 2)


@pytest.mark.parametrize("arithmetic", [FIFTY_DIGITS, EXTENDED], ids=lambda a: a.name)
@pytest.mark.parametrize(
    ("loss", "x", "low", "high"),
    [
        ("relu(x)", 0.0, 0, 1),
        ("max(x, 0)", 0.0, 0, 1),
        ("where(x > 0, x, 0)", 0.0, 0, 1),
        ("(x + abs(x)) / 2", 0.0, 0, 1),
        ("abs(x)", 0.0, -1, 1),
        ("max(x)", [1.0, 1.0], 0, 1),
    ],
)
def test_a_kink_has_two_slopes(loss, x, low, high, arithmetic):
    direction = np.array([1.0, 0.0]) if np.shape(x) else None
    found = slope(loss, x, arithmetic, direction)
    assert found.is_kink
    assert (found.low, found.high) == pytest.approx((low, high), abs=1e-6)
    assert found.nearest(0.5) == pytest.approx(0.5)
    assert found.nearest(7.0) == pytest.approx(high)


def test_a_kink_near_by_is_stepped_around():
    found = slope("abs(x)", 1e-12)
    assert not found.is_kink
    assert found.low == 1


@pytest.mark.parametrize(("claimed", "passes"), [(0.0, True), (1.0, True), (0.3, True), (1.1, False)])
def test_at_a_kink_any_slope_between_will_do(claimed, passes):
    differences = Differences(model_of("relu(x) + 1"), {"x": np.asarray(0.0)}, FIFTY_DIGITS)
    block = ClaimedGradient(differences, "x", np.asarray(claimed), "here", 1)
    found = compare_block(block, NOISE, np.random.default_rng(0), Effort())
    assert (found.error <= TOLERANCE) is passes
    assert found.kinks == 1


def test_one_wrong_entry_among_many_shows_in_every_direction():
    x = np.random.default_rng(0).normal(size=(300, 300))
    differences = Differences(model_of("sum(x**2) / 2", x.shape), {"x": x}, EXTENDED)
    rng = np.random.default_rng(1)
    right = compare_block(ClaimedGradient(differences, "x", x, "here", 1), NOISE, rng, Effort())
    assert right.error <= TOLERANCE
    wrong = x.copy()
    wrong[123, 45] *= 1.001
    found = compare_block(ClaimedGradient(differences, "x", wrong, "here", 1), NOISE, rng, Effort())
    assert not found.error <= TOLERANCE
    assert found.where.index == (123, 45)


CLASSES = """
name: points
inputs: {x: [batch, 5], c: {axes: [batch], classes: 3}, w: [m, 2]}
targets: {t: {axes: [batch], classes: 4}}
parameters:
  g: {axes: [5], init: 1}
  W: {axes: [5, 4], init: glorot_uniform}
equations:
  y: (x * g) @ W
loss: softmax_cross_entropy(y, t)
"""


def test_points_are_nothing_special():
    model = expand(read(CLASSES))
    sample = draw(model, "here", 3)
    batch, m = sample.inputs["x"].shape[0], sample.inputs["w"].shape[0]
    assert len({batch, m, 5, 2}) == 4
    assert batch >= 3
    assert set(sample.inputs["c"]) == {0, 1, 2}
    assert sample.inputs["c"].dtype.kind == sample.targets["t"].dtype.kind == "i"
    assert len(set(sample.targets["t"])) == min(batch, 4)
    for values in sample.parameters.values():
        assert len(np.unique(values)) == values.size
        assert (values.astype(np.float32) == values).all()
    assert np.abs(sample.parameters["g"] - 1).max() < 2
    assert model.batch_axis == "batch"
    assert draw(model, "here", 3, batch=7).inputs["x"].shape == (7, 5)
    again = draw(model, "here", 3)
    assert all((again.arrays[name] == values).all() for name, values in sample.arrays.items())
    assert not (draw(model, "here", 4).inputs["x"] == sample.inputs["x"]).any()


def test_large_points_reach_into_saturation():
    text = CLASSES.replace("(x * g) @ W", "tanh((x * g) @ W)")
    model = expand(read(text))
    sample = draw(model, "here", 0, large=True)
    z = (sample.inputs["x"] * sample.parameters["g"]) @ sample.parameters["W"]
    assert np.abs(z).max() > 8
    assert math.isfinite(float(interpret(model, sample.arrays, DOUBLE).loss))


@pytest.mark.parametrize(
    ("task", "allowed"),
    [("binary_cross_entropy(sigmoid(x), t)", {0.0, 1.0}), ("hinge(x, t)", {-1.0, 1.0})],
)
def test_targets_suit_the_task(task, allowed):
    model = model_of(task, ("batch", 1), "targets: {t: [batch, 1]}\n")
    assert set(np.ravel(draw(model, "here", 0).targets["t"])) == allowed


def test_soft_targets_are_probabilities():
    model = model_of("softmax_cross_entropy(x, t)", ("batch", 4), "targets: {t: [batch, 4]}\n")
    rows = draw(model, "here", 0).targets["t"]
    assert np.allclose(rows.sum(axis=1), 1, atol=1e-6)
    assert (rows > 0).all()


@pytest.mark.parametrize(
    "loss", ["mean(log(x))", "mean(sqrt(x) + sqrt(1 - x))", "mean(x**0.5 / log(1 + x))", "mean(log(x - 100))"]
)
def test_points_are_moved_where_the_loss_is_finite(loss):
    model = model_of(loss, ("batch", 4))
    sample = draw(model, "here", 0)
    assert math.isfinite(float(interpret(model, sample.arrays).loss))


def test_free_axes_grow_until_indices_fit():
    text = "name: long\ninputs: {x: [n, m]}\nparameters:\n  k: {axes: [12]}\n"
    text += 'equations:\n  "y[n,i]": "sum(x[n, i + u] * k[u], u)"\nloss: mean(y**2)\n'
    model = expand(read(text))
    sample = draw(model, "here", 0)
    assert sample.inputs["x"].shape[1] >= 12
    assert parameter_shapes(model, sample.inputs) == {"k": (12,)}
