"""Random specs of every kind against an oracle of their own: values, outputs, gradients, training steps.

SYMGRAD_FUZZ_SEED draws others, or the same again; `python tests/fuzz` draws more of them.
"""

from __future__ import annotations

import re
from itertools import count
from random import Random

import mpmath
import numpy as np
import pytest
from fuzz.arithmetic import Arithmetic
from fuzz.command import KINDS, run
from fuzz.gradients import has_large_exponent
from fuzz.judge import judge
from fuzz.modules import Checked, OutOfBoundsError
from fuzz.shrink import smaller_formulas
from planting import planted
from seeds import SEED

import symgrad.pipeline
from symgrad.spec.reader import read

DRAWN = {
    "scalars": 16, "tensors": 16, "indexed": 16, "chain": 6, "graph": 4, "sequence": 4, "optimizer": 12,
    "free_axes": 4, "layered": 3, "repeated": 2, "kinks": 16, "extremes": 8, "magnitudes": 16,
    "derivatives": 4, "derived": 4, "recurrent": 2, "whole_steps": 3, "lengths": 3, "called_networks": 6,
    "slope_networks": 1, "modes": 3, "chance": 3, "shared": 4, "coupled": 4, "some_rows": 6,
    "fixed_points": 4, "resampled": 4, "handed_over": 6,
}  # fmt: skip
"""How many specs of each kind; two seconds are needed for each kind."""
MOST_WITHOUT_ANSWER = 10
ENOUGH = 600.0
"""Seconds that end the drawing where all specs have become slow, which fails."""


@pytest.mark.parametrize("kind", DRAWN)
def test_random_specs_are_right(kind: str) -> None:
    print(f"SYMGRAD_FUZZ_SEED={SEED}")  # pytest shows it where the test fails
    for first in count(0, DRAWN[kind]):  # some have no answer that could be told: not all, nor mostly
        tally = run(ENOUGH, SEED, [kind], range(first, first + DRAWN[kind]), compiled_each=10**9)
        assert not tally.failures, "\n".join(f"{f.number}: {f.outcome}\n{f.spec}" for f in tally.failures)
        assert tally.counts.total() == DRAWN[kind]
        if tally.counts[kind, "right"]:
            break
        assert first < MOST_WITHOUT_ANSWER


def test_a_random_spec_is_right_compiled() -> None:
    print(f"SYMGRAD_FUZZ_SEED={SEED}")
    kind = ("tensors", "chain", "graph", "sequence")[SEED % 4]
    tally = run(ENOUGH, SEED, [kind], numbers=range(1), compiled_each=1)
    assert not tally.failures, "\n".join(f"{f.number}: {f.outcome}\n{f.spec}" for f in tally.failures)


FUNCTIONS = {
    "exp": (-2, 2), "log": (0.1, 3), "log1p": (-0.9, 3), "expm1": (-2, 2), "sqrt": (0.1, 3), "sin": (-3, 3),
    "cos": (-3, 3), "tan": (-1, 1), "sinh": (-2, 2), "cosh": (-2, 2), "tanh": (-3, 3), "asin": (-0.9, 0.9),
    "acos": (-0.9, 0.9), "atan": (-3, 3), "erf": (-2, 2), "abs": (-2, 2), "sign": (-2, 2),
}  # fmt: skip


@pytest.mark.parametrize("name", FUNCTIONS)
@pytest.mark.parametrize(("kind", "good"), [(np.clongdouble, 1e-14), (np.complex128, 1e-13)])
def test_the_oracles_functions_have_the_value_and_slope_of_mpmath(name, kind, good):
    arithmetic, (least, most) = Arithmetic(kind), FUNCTIONS[name]
    points = np.random.default_rng(0).uniform(least, most, 20)
    found = arithmetic.function(name, arithmetic.number(points) + 1j * arithmetic.step)
    exact = {"abs": abs, "log1p": lambda x: mpmath.log(1 + x)}.get(name) or getattr(mpmath, name)
    with mpmath.workdps(30):
        np.testing.assert_allclose(
            found.real.astype(float), [float(exact(mpmath.mpf(x))) for x in points], good
        )
        slopes = [float(mpmath.diff(exact, mpmath.mpf(x))) for x in points]
    np.testing.assert_allclose((found.imag / arithmetic.step).astype(float), slopes, 10 * good, good)


@pytest.mark.parametrize("power", [2, -3, 0.5, 1.5])
def test_the_oracles_powers_are_those_of_mpmath(power):
    arithmetic = Arithmetic()
    points = np.array([0.3, 1.7, -1.2])
    base = arithmetic.number(points) + 1j * arithmetic.step
    found = arithmetic.power(base, arithmetic.number([power]))
    for x, y in zip(points, found, strict=True):
        if x < 0 and power != int(power):
            assert np.isnan(y)
        else:
            assert float(y.real) == pytest.approx(float(mpmath.mpf(x) ** power), rel=1e-15)
            slope = float(mpmath.diff(lambda v: v**power, mpmath.mpf(x)))
            assert float(y.imag / arithmetic.step) == pytest.approx(slope, rel=1e-14)


@pytest.mark.parametrize("power", [np.inf, -np.inf, np.nan, 65, -65, 1e30])
def test_the_oracles_powers_know_every_exponent(power):
    """Also those that an equation before gave: e**log(log(1)) is 0."""
    arithmetic = Arithmetic()
    points = np.array([0.3, 1.7])
    with np.errstate(all="ignore"):
        found = arithmetic.power(arithmetic.number(points), arithmetic.number([power]))
        expected = points.astype(np.longdouble) ** np.longdouble(power)
    np.testing.assert_allclose(found.real, expected, 1e-15)


PLANTED = {
    "a sign": (r" \+= (?=.*\*)", " -= ", "wrong loss"),
    "memory that was never set": (r"(    d\w+\[\w+(, \w+)?\]) = (?=.*acc)", r"\1 += ", "wrong gradient"),
    "a loop that runs too far": (r"range\(3\)", "range(4)", "OutOfBoundsError"),
    "an index below 0": (r"(\w)\[(\w), (\w)\]", r"\1[\2 - 1, \3]", "OutOfBoundsError"),
    "a factor": (r"(return value)\n", r"\1 * 1.0000001\n", "wrong loss"),
}
"""What is searched in the emitted text, what its first place becomes, and what must be said of it."""


@pytest.mark.parametrize("fault", PLANTED)
def test_planted_faults_are_found(fault, monkeypatch):
    spec = {
        "name": "planted",
        "dtype": "float64",
        "inputs": {"x": ["n", 2]},
        "targets": {"t": ["n", 2]},
        "equations": {"h": "tanh(dense(x, 3))", "y": "dense(h, 2)"},
        "loss": "mse(y, t)",
    }
    assert judge(spec, Random(0)).kind == "right"
    pattern, after, kind = PLANTED[fault]
    text_of = symgrad.pipeline.module_text

    def edited(given):
        text, count = re.subn(pattern, after, text_of(given), count=1)
        assert count == 1
        return text

    monkeypatch.setattr("fuzz.gradients.module_text", edited)
    assert judge(spec, Random(0)).kind.startswith(kind)


def test_a_slope_lost_far_out_is_found(monkeypatch):
    spec = {"name": "extremes", "dtype": "float64", "inputs": {"x": ["n"]}, "equations": {"f": "sigmoid(x)"}}
    spec |= {"loss": "sum(f)", "gradients": ["x"]}
    assert judge(spec, Random(0)).kind == "right"
    text = symgrad.pipeline.module_text(read(spec))
    edited = planted(text, "f_slope[{i}] = sigmoid_slope(x[{i}])", "f_slope[{i}] = f[{i}] * (1 - f[{i}])")
    monkeypatch.setattr("fuzz.gradients.module_text", lambda _: edited)
    assert judge(spec, Random(0)).kind == "lost slope"


@pytest.mark.parametrize("formula", ["x**2000", "pow(x, e**7)", "x**(-10**4)"])
def test_an_exponent_beyond_the_limit_is_refused_rightly(formula):
    assert has_large_exponent(formula)
    spec = {"name": "none", "inputs": {"x": []}, "equations": {"f": formula}, "loss": "f", "gradients": ["x"]}
    assert judge(spec, Random(0)).kind == "unsound"


@pytest.mark.parametrize("formula", ["1e9 * x**3", "x**x", "pow(x, e**6)", "2000 ** x"])
def test_other_powers_must_not_be_refused(formula):
    assert not has_large_exponent(formula)


def test_a_traceback_a_hang_and_a_refusal_are_failures(monkeypatch):
    spec = {"name": "none", "inputs": {"x": []}, "equations": {"f": "x"}, "loss": "f", "gradients": ["x"]}
    assert judge({**spec, "loss": "unknown(f)"}, Random(0)).failed
    monkeypatch.setattr("fuzz.gradients.module_text", lambda _: 1 // 0)
    assert judge(spec, Random(0)).kind.startswith("ZeroDivisionError")
    endless = compile("while True: pass", "<emitted>", "exec")
    monkeypatch.setattr("fuzz.gradients.module_text", lambda _: exec(endless))
    assert judge(spec, Random(0), limit=0.2).kind == "hang"
    monkeypatch.setattr("fuzz.gradients.module_text", lambda _: all(number >= 0 for number in count()))
    assert judge(spec, Random(0), limit=0.2).kind == "unsound", "the oracle takes long"


def test_checked_arrays_have_neither_negative_places_nor_any_past_the_end():
    array = np.zeros((2, 3)).view(Checked)
    assert array[1, 2] == 0
    for key in ((-1, 0), (0, -1), (2, 0), slice(0, 3), slice(-1, 2)):
        with pytest.raises(OutOfBoundsError):
            array[key]


def test_every_kind_draws_the_same_spec_again():
    for draw in KINDS.values():
        assert draw(Random("1")) == draw(Random("1")) != draw(Random("2"))


def test_formulas_are_made_smaller_part_by_part():
    assert {*smaller_formulas("a + f(b)")} == {"a", "f(b)", "1", "a + b", "a + 1", "f + f(b)"} - {"f + f(b)"}
