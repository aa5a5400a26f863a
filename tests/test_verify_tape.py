"""The tape's slopes against differences in 50 digits: functions, whole models, and what rounding may move."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from corpus import CORPUS, EXAMPLES, TRIED
from seeds import one_in

from symgrad.spec.expand import expand
from symgrad.spec.language.builtins import SCALAR_FUNCTIONS
from symgrad.spec.reader import read
from symgrad.verifier.gradients.differences import Differences
from symgrad.verifier.gradients.local_slopes import slopes_in
from symgrad.verifier.gradients.reference import SpecReference, slopes_of
from symgrad.verifier.interpretation.arithmetic import DOUBLE, EXTENDED, FIFTY_DIGITS
from symgrad.verifier.sampling.samples import draw

POSITIVE = ("log", "sqrt")
WITHIN_ONE = ("asin", "acos")


def arguments_of(function):
    rng = np.random.default_rng(len(function))
    if function in WITHIN_ONE:
        return rng.uniform(-0.99, 0.99, size=12)
    x = np.concatenate([rng.normal(size=6), 10 * rng.normal(size=6)])
    return np.abs(x) if function in POSITIVE else np.where(x < -0.9, -x, x) if function == "log1p" else x


@pytest.mark.parametrize("arithmetic", [EXTENDED, DOUBLE], ids=lambda a: a.name)
@pytest.mark.parametrize("function", sorted(SCALAR_FUNCTIONS))
def test_functions_have_the_slopes_of_their_values(function, arithmetic):
    x, step = arguments_of(function), FIFTY_DIGITS.steps[0]
    exact = FIFTY_DIGITS.array(x)
    apart = [FIFTY_DIGITS.functions[function](exact + sign * step) for sign in (1, -1)]
    expected = ((apart[0] - apart[1]) / (2 * step)).astype(float)
    found = slopes_in(arithmetic)(function, arithmetic.array(x))
    # A function of a rounded argument is as far off as its argument is steep.
    np.testing.assert_allclose(found.astype(float), expected, rtol=64 * arithmetic.epsilon * 2**9, atol=0)


def test_there_is_no_slope_where_a_root_begins():
    assert np.isnan(slopes_in(EXTENDED)("sqrt", EXTENDED.array([0.0, -1.0]))).all()


@pytest.mark.parametrize("name", one_in(2, [*TRIED, *(path.name for path in EXAMPLES)]))
def test_every_slope_is_that_of_differences(name):
    source = CORPUS.get(name) or next(path for path in EXAMPLES if path.name == name)
    model = expand(read(source))
    sample = draw(model, "", 5)
    names = (*(p.name for p in model.parameters), *model.spec.gradients)
    if model.loss is None:
        return
    slopes = SpecReference(model, sample.arrays, names).slopes
    differences = Differences(model, sample.arrays, FIFTY_DIGITS)
    assert float(slopes.loss) == pytest.approx(differences.loss, rel=1e-15)
    rng = np.random.default_rng(1)
    for tensor, gradient in slopes.gradients.items():
        direction = rng.choice([-1.0, 1.0], size=gradient.shape)
        true = differences.slope(tensor, direction)
        claimed = float((gradient * direction).sum())
        size = float(np.linalg.norm(gradient.astype(float)))
        assert abs(claimed - true.nearest(claimed)) <= 1e-15 * (size + abs(differences.loss))


def gradient(loss, x, arithmetic=EXTENDED):
    text = f"name: one\ninputs: {{x: {list(np.shape(x))}}}\nequations: {{y: x}}\nloss: {loss}\n"
    model = expand(read(text))
    found = slopes_of(model, {"x": np.asarray(x, dtype=float)}, ("x",), arithmetic=arithmetic)
    return found.gradients["x"].astype(float)


@pytest.mark.parametrize(
    ("loss", "x", "expected"),
    [
        ("sum(where(x > 0, sqrt(x), x))", [-1.0, -4.0], [1.0, 1.0]),
        ("sum(x**3 + x**-2)", [2.0, -1.0], [12 - 0.25, 3 + 2]),
        ("sum(x**1.5)", [4.0, 9.0], [3.0, 4.5]),
        ("sum(2**x)", [3.0, 0.0], [8 * np.log(2), np.log(2)]),
        ("sum(x**0.3)", [1.0, 1.0], [0.3, 0.3]),
        ("max(x) * 3", [1.0, 5.0], [0.0, 3.0]),
        ("max(x)", [2.0, 2.0], [0.5, 0.5]),
        ("logsumexp(x)", [1e8, 1e8], [0.5, 0.5]),
        ("sum(abs(x) * sign(x))", [-3.0, 2.0], [1.0, 1.0]),
    ],
)
def test_choices_and_powers(loss, x, expected):
    np.testing.assert_allclose(gradient(loss, x), expected, rtol=1e-15)


def reference(loss, x):
    model = expand(
        read(f"name: one\ninputs: {{x: {list(np.shape(x))}}}\nequations: {{y: x}}\nloss: {loss}\n")
    )
    return SpecReference(model, {"x": np.asarray(x, dtype=float)}, ("x",))


@pytest.mark.parametrize(
    ("loss", "largest", "smallest"),
    [
        ("sum(x**2)", 1e-13, 1e-17),
        ("sum(sin(1e6 * x))", 1e-2, 1e-5),  # the phase of 1e6 is off by 1e-10, its slope by 1e6 times that
        ("sum((x - mean(x)) / sqrt((x - mean(x))**2 + 1e-20))", 1e2, 1e-8),
    ],
)
def test_rounding_is_seen_where_a_formula_amplifies_it(loss, largest, smallest):
    moved = reference(loss, [1.1]).double.gradients["x"]
    assert smallest < moved[0] < largest


def test_steep_slopes_are_slopes():
    found = slopes_in(DOUBLE)("exp", DOUBLE.array([700.0, -800.0]))
    np.testing.assert_allclose(found, [np.exp(700.0), 0.0], rtol=1e-14)


def test_directions_of_all_entries_confirm_the_tape():
    model = expand(read(EXAMPLES[0]))
    found = SpecReference(model, draw(model, "", 0).arrays, tuple(p.name for p in model.parameters))
    assert found.is_confirmed
    wrong = {name: np.array(g) for name, g in found.slopes.gradients.items()}
    next(iter(wrong.values())).flat[0] *= 1 + 1e-6
    broken = SpecReference(found.model, found.arrays, found.names)
    vars(broken)["slopes"] = replace(found.slopes, gradients=wrong)
    assert not broken.is_confirmed
