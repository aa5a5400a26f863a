"""Identity at exact zeros and ties: conditions that only they decide, and slopes of either side of 0."""

from __future__ import annotations

import pytest

from symgrad.pipeline import module_text
from symgrad.spec.expand import expand
from symgrad.spec.reader import read
from symgrad.verifier.identity.check import identity_of
from symgrad.verifier.identity.exact_constants import is_doubtful
from symgrad.verifier.interpretation.arithmetic import FIFTY_DIGITS


def graph(equation, loss="sum(y)", **more):
    return {
        "dtype": "float64",
        "inputs": {"x": ["batch", 4]},
        "parameters": {"w": {"axes": [4], "init": 1}},
        "equations": {"y": equation},
        "loss": loss,
        "gradients": ["x"],
        **more,
    }


NORM = graph("sqrt(sum((x * w)**2, axis=-1))")
RELU = {**graph("relu(dense(x, 3))"), "gradients": []}
CHOICE = graph("relu(w) * x")
ONE_SIDE = {
    "dtype": "float64",
    "inputs": {"x": []},
    "equations": {"f": "where(x > 0, sin(x), 3 * x)"},
    "loss": "f",
    "gradients": ["x"],
}


def planted(spec, old, new):
    text = module_text(read(spec))
    assert old in text, text
    model = expand(read(spec))
    return identity_of(model, text), identity_of(model, text.replace(old, new))


@pytest.mark.parametrize(
    ("spec", "old", "new"),
    [
        (NORM, "(w[i] == real(0)) or (x[n, i] == real(0))", "(w[i] == real(0)) or (x[n, 0] == real(0))"),
        (CHOICE, "<= real(0)", "== real(0)"),
        (CHOICE, "x[n, i] * (real(0)", "x[n, i] * (real(2)"),
        (RELU, "dy_Z[i, n] = (real(0) if y[i, n] <= real(0)", "dy_Z[i, n] = (real(2) if y[i, n] == real(0)"),
        (RELU, "(real(0) if y_Z <= real(0)", "(real(1) if y_Z == real(0)"),
    ],
)
def test_a_wrong_condition_is_found(spec, old, new):
    right, wrong = planted(spec, old, new)
    assert right.state == "identical", right
    assert "zeros" in right.detail
    assert wrong.state == "differs"


def test_a_slope_of_either_side_is_right_at_a_kink():
    right, other = planted(
        CHOICE, "(real(0) if w[i] <= real(0) else real(1))", "(real(0) if w[i] < real(0) else real(1))"
    )
    assert (right.state, other.state) == ("identical", "identical")


@pytest.mark.parametrize(("old", "new"), [("cos(", "sin("), ("real(3)", "real(4)")])
def test_a_number_goes_both_ways_of_a_choice(old, new):
    right, wrong = planted(ONE_SIDE, old, new)
    assert right.state == "identical"
    assert wrong.state == "differs"


def test_distances_that_are_0_are_compared():
    spec = {
        "dtype": "float64",
        "inputs": {"x": ["n", 4]},
        "targets": {"t": ["n", 2]},
        "equations": {"h": "dense(x, 2)", "A[i,j]": "sqrt(sum((h[i,k] - h[j,k])**2, k))"},
        "loss": "mean(A) + mse(h, t)",
    }
    assert identity_of(expand(read(spec)), module_text(read(spec))).state == "agrees"


def test_numbers_of_50_digits_divide_by_0_as_floats_do():
    number = FIFTY_DIGITS.number
    one, zero = number(1), number(0)
    infinite = one / zero
    assert infinite > 10**30
    assert 1 / zero == infinite == zero**-1 == -(-one / zero)
    for none in (zero / zero, 0 / zero, (-one) ** (one / 2), infinite - infinite):
        assert none != none


def test_digits_that_end_by_chance_are_no_decimal_for_sure():
    assert is_doubtful(0.123456789012345)
    assert not is_doubtful(0.1)


@pytest.mark.parametrize(
    "equation", ["max(min(x * w, v), x)", "max(x * w, min(x, x * v))", "min(max(v, x), w)"]
)
def test_ties_within_ties_have_the_slopes_that_are_promised(equation):
    """The chain rule of halves leaves the slopes to either side, where several choices tie at once."""
    model = expand(read(graph(equation, parameters={"w": [4], "v": [4]}, gradients=["x"])))
    text = module_text(read(model.spec))
    assert identity_of(model, text).state in ("identical", "agrees")
    assert "real(0.5)" in text
    assert identity_of(model, text.replace("real(0.5)", "real(0.25)")).state == "differs"


@pytest.mark.parametrize("choice", ["max(x, w)", "where(x < w, x, w)"])
def test_a_choice_times_its_sign_is_its_size_where_it_is_0(choice):
    spec = graph(f"sign({choice}) * ({choice})")
    text = module_text(read(spec))
    assert "/ x" not in text
    assert identity_of(expand(read(spec)), text).state == "identical"
