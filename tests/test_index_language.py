"""What index notation may say: ranges of indices, given in the text or solved for."""

from __future__ import annotations

import re

import numpy as np
import pytest

from symgrad.errors import SpecError
from symgrad.pipeline import stages_of
from symgrad.spec.expansion.network_hash import network_sha256
from symgrad.spec.reader import read
from symgrad.verifier.interpretation.arithmetic import DOUBLE
from symgrad.verifier.interpretation.interpreter import interpret

X = np.random.default_rng(0).normal(size=(3, 9, 2))
ROW, COLUMN = np.arange(9)[:, None], np.arange(2)


def spec(equations, **changes):
    given = {"axes": {"J": 4}, "inputs": {"x": ["batch", 9, 2]}, "parameters": {"W": [3, 2]}}
    return read({**given, "equations": equations, "loss": "mean(p) * sum(W)", "outputs": ["p"], **changes})


def value(equations, **changes):
    """The value of p, to the verifier; the compiler must take the spec too."""
    stages = stages_of(spec(equations, **changes))
    assert stages.derived.gradients
    return interpret(stages.model, {"x": X, "W": np.ones((3, 2))}, DOUBLE).outputs[0]


def windows(size, stride, count):
    return np.stack([X[:, stride * j : stride * j + size] for j in range(count)], axis=1)


@pytest.mark.parametrize(
    ("equation", "formula", "expected"),
    [
        ("p[n, j:J, c]", "max(x[n, 2*j + k, c], k=2)", lambda: windows(2, 2, 4).max(axis=2)),
        ("p[n, j:J - 1, c]", "max(x[n, 2*j + k, c], k=3)", lambda: windows(3, 2, 3).max(axis=2)),
        ("p[n, j, c]", "max(x[n, 2*j + k, c], k=2)", lambda: windows(2, 2, 4).max(axis=2)),
        ("p[n, j, c]", "mean(x[n, 3*j + k, c], k=J - 1)", lambda: windows(3, 3, 3).mean(axis=2)),
        ("p[n, j:2]", "sum(x[n, 3*j + k, c], c, k=3)", lambda: windows(3, 3, 2).sum(axis=(2, 3))),
        ("p[n, i:8, c]", "x[n, i + 1, c] - x[n, i, c]", lambda: np.diff(X, axis=1)),
        ("p[n]", "sum(x[n, i, 0] * x[n, i + 1, 0], i=8)", lambda: (X[:, :-1, 0] * X[:, 1:, 0]).sum(axis=1)),
        ("p[n, i:5]", "x[n, 0, 1]", lambda: np.repeat(X[:, 0, 1:], 5, axis=1)),
        ("p[n, i:2, j:J]", "x[n, J*i + j, J - 3]", lambda: X[:, :8, 1].reshape(3, 2, 4)),
        ("p[n, j:J]", "sum(x[n, J*k + j, 0], k=2)", lambda: X[:, :8, 0].reshape(3, 2, 4).sum(axis=1)),
        ("p[n, J]", "x[n, J, 0]", lambda: X[..., 0]),
        ("p[n:batch, m]", "x[m, 0, 0]", lambda: np.repeat(X[None, :, 0, 0], 3, axis=0)),
    ],
)
def test_an_index_runs_over_its_range(equation, formula, expected):
    np.testing.assert_allclose(value({equation: formula}), expected(), rtol=1e-14)


@pytest.mark.parametrize(
    ("written", "named"),
    [
        ("p[n, :J]", "p[n, j:J]"),
        ("p[:J, n]", "p[j:J, n]"),
        ("p[n, :]", "p[n, j]"),
        ("p[n, :J - 1]", "p[n, j:J - 1]"),
    ],
)
def test_an_axis_taken_whole_that_its_formula_counts_is_told_its_index(written, named):
    """What the error names is accepted, and is what was meant."""
    with pytest.raises(SpecError, match=f"has no index 'j'.*; write {re.escape(named)} on the left"):
        assert stages_of(spec({written: "x[n, j, 0]"})).derived
    found = value({named: "x[n, j, 0]"})
    expected = X[:, : {"j": 9, "j:J": 4, "j:J - 1": 3}[named[2:-1].replace("n", "").strip(", ")], 0]
    np.testing.assert_array_equal(found, expected.T if named.endswith("n]") else expected)


@pytest.mark.parametrize(
    ("written", "message"),
    [
        ("p[:J, :2]", r"or give each axis an index: p\[i:J, j:2\]"),
        ("p[n, i, :2]", r"or give each axis an index: p\[n, i, j:2\]"),
    ],
)
def test_axes_taken_whole_without_an_index_of_steps_are_told_their_indices(written, message):
    with pytest.raises(SpecError, match=message):
        spec({written: "x[n, 0, 0]"})


def test_a_formula_of_a_whole_tensor_has_no_index_of_steps():
    with pytest.raises(SpecError, match=r"write the name alone, p, .*, or give its range: p\[n:batch, :J\]"):
        assert stages_of(spec({"p[n, :J]": "x * 2"})).derived


PICK = {"inputs": {"x": ["batch", 9, 2]}, "parameters": {"W": [5, 2]}, "outputs": ["p"], "loss": "sum(p)"}


def test_numbers_of_a_constant_are_no_indices_and_what_the_error_names_is():
    given = {**PICK, "constants": {"c": [2, 0, 2]}, "equations": {"p[i, d]": "W[c[i], d]"}}
    with pytest.raises(
        SpecError, match=r"write sum\(C\[i, k\] \* w\[k\], k\).* such as \[0, 0, 1, 0, ...\]"
    ) as told:
        assert stages_of(read(given)).derived
    assert "or give the numbers as an input with classes: 5" in str(told.value)
    rows = [[0, 0, 1, 0, 0], [1, 0, 0, 0, 0], [0, 0, 1, 0, 0]]
    data = {"x": X, "W": np.random.default_rng(1).normal(size=(5, 2))}
    first = {**given, "constants": {"C": rows}, "equations": {"p[i, d]": "sum(C[i, k] * W[k, d], k)"}}
    second = {
        **{key: value for key, value in given.items() if key != "constants"},
        "inputs": {**PICK["inputs"], "c": {"axes": [3], "classes": 5}},
    }
    for followed, also in ((first, {}), (second, {"c": np.array([2, 0, 2])})):
        found = interpret(stages_of(read(followed)).model, {**data, **also}, DOUBLE).outputs[0]
        np.testing.assert_array_equal(found, data["W"][[2, 0, 2]])


@pytest.mark.parametrize(
    ("equation", "formula", "message"),
    [
        ("p[n, j, c]", "einsum('njc->njc', x)", "the range of index 'n' .* write the name alone, p, where"),
        ("p[n, j, c]", "max(x[n, 2*j + k, c], k)", r"range of index 'j' is not known.*p\[n, j:10, c\]"),
        (
            "p[n, c]",
            "max(x[n, 2*j + k, c], j, k)",
            r"range of index 'j' is not known.*max\(..., j=10, k=10\)",
        ),
        ("p[n, j:Q]", "x[n, j, 0]", "'Q' is no size; write a whole number, or axes: {Q: 10}"),
        ("p[n, j:x]", "x[n, j, 0]", "'x' is no size"),
        ("p[n, j:J / 2]", "x[n, j, 0]", "is no whole number; write a number, a size by name or a formula"),
        ("p[n, j:1.5]", "x[n, j, 0]", "is no whole number"),
        ("p[n, j:J - 4]", "x[n, j, 0]", "has 0 values; expected from 1 to 1,000,000"),
        ("p[n, j:1000001]", "x[n, 0, 0]", "has 1,000,001 values"),
        ("p[n, j:10]", "x[n, j, 0]", "'j' runs over 10 and over 9 in 'x'; give it a range no longer"),
        ("p[n, j:batch]", "x[n, j, 0]", "'j' runs over batch and over 9 in 'x'"),
        ("p[n:3, j:J]", "x[n, j, 0]", "'n' runs over 3 and over batch in 'x'"),
        ("p[n, j:5, c]", "max(x[n, 2*j + k, c], k=2)", "it runs from 0 to 9; expected one from 0 to 8"),
        ("p[n, i, c]", "x[n, i + 1, c] - x[n, i, c]", r"runs from 1 to 9.*Y\[n, i:3\]"),
        ("p[n, j:]", "x[n, j, 0]", "an index on the left is a name"),
        ("p[n, :J]", "x[n, 0, 0]", r"each step of 'p\[n\]' is \[\]; expected 1 axis or more"),
        ("p[n, j:4:2]", "x[n, j, 0]", "an index on the left is a name"),
        ("p[n, 2*j]", "x[n, j, 0]", "an index on the left is a name"),
        ("p[n, j:J, j:J]", "x[n, j, 0]", "the index 'j' stands twice on the left"),
        ("p[n]", "sum(x[n, k, c], c, k=2, axis=0)", "reduces over index names or over axis=, not over"),
        ("p[n, k]", "sum(x[n, k, 0], k=2)", "'k' is already in use around this reduction"),
        ("p[n, j:J]", "sum(x[n, j, 0], j=2)", "index 'j' is given the ranges J and 2"),
        ("p[n]", "sum(x[n, k, 0], k=2) + sum(W[k, 0], k)", "a range in one reduction and none in this one"),
        ("p[n]", "sum(x[n, k, 0], k=2) + sum(W[k, 0], k=3)", "index 'k' is given the ranges 2 and 3"),
        ("p[n]", "sum(x[n, 0, 0], k=2)", "sum has no argument 'k'"),
        ("p[n]", "x[n, 2*J + 1, 0]", "leaves the axis 9 of 'x': it is 9"),
        ("p[n]", "sum(x[n, J, 0], J=2)", "'J' is a name with a value"),
        ("p", "x:2", "':' is not in the language"),
    ],
)
def test_a_wrong_range_is_refused_where_it_stands(equation, formula, message):
    with pytest.raises(SpecError, match=message) as refused:
        assert stages_of(spec({equation: formula})).derived
    assert refused.value.at is not None
    assert refused.value.remedy


def test_a_range_is_a_part_of_the_network():
    hashes = {network_sha256(stages_of(spec({f"p[n, j:{n}]": "x[n, j, 0]"})).model) for n in (3, 4, "J")}
    assert len(hashes) == 3


def test_an_axis_that_only_a_range_names_is_used():
    with np.testing.assert_no_warnings():
        assert spec({"p[n, j:J]": "x[n, j, 0]"})


SEVEN = np.random.default_rng(1).normal(size=(3, 7, 2))


def placed(formula):
    """The value of p over x [batch, 9, 2] and s [batch, 7, 2], to the verifier; derived too."""
    stages = stages_of(spec({"p": formula}, inputs={"x": ["batch", 9, 2], "s": ["batch", 7, 2]}))
    assert stages.derived.gradients
    return interpret(stages.model, {"x": X, "s": SEVEN, "W": np.ones((3, 2))}, DOUBLE).outputs[0]


@pytest.mark.parametrize(
    ("formula", "expected"),
    [
        ("pad(x, 1, 2)", lambda: np.pad(X, ((0, 0), (2, 2), (0, 0)))),
        ("pad(x, -1, 0, J)", lambda: np.pad(X, ((0, 0), (0, 0), (0, 4)))),
        ("pad(x, axis=1, before=J - 1, after=0)", lambda: np.pad(X, ((0, 0), (3, 0), (0, 0)))),
        ("pad(x, 1, 0)", lambda: X),
        ("pad(x, 1, 0, value=3)", lambda: X),
        ("pad(x, 1, 0, 2, value=-1e9)", lambda: np.pad(X, ((0, 0), (0, 2), (0, 0)), constant_values=-1e9)),
        ("pad(x, -1, 1, value=sum(W))", lambda: np.pad(X, ((0, 0), (0, 0), (1, 1)), constant_values=6)),
        ("concat(x, s, axis=1)", lambda: np.concatenate([X, SEVEN], 1)),
        ("concat(x, 2 * x, x)", lambda: np.concatenate([X, 2 * X, X], -1)),
        ("stack(x, x + 1)", lambda: np.stack([X, X + 1])),
        ("stack(x, -x, axis=-1)", lambda: np.stack([X, -X], -1)),
        ("flatten(x)", lambda: X.reshape(3, 18)),
        ("flatten(stack(x, x, axis=2), 1, 2)", lambda: np.repeat(X, 2, axis=1)),
        ("flatten(x, start=2)", lambda: X),
    ],
)
def test_tensors_are_put_into_a_new_one_as_by_numpy(formula, expected):
    np.testing.assert_array_equal(placed(formula), expected())


@pytest.mark.parametrize(
    ("formula", "message"),
    [
        ("pad(x, 1)", r"pad lacks 'before'; write pad\(x, 1, 2\)"),
        ("pad(x, 1, -1)", "pad: before is -1; expected 0 or more zeros"),
        ("pad(x, 1, 1.5)", "pad: before is no whole number"),
        ("pad(x, 1, Q)", "pad: before: 'Q' is no size"),
        ("pad(x, 3, 1)", "pad: there is no axis 3; axes count from -3 to 2"),
        ("pad(x, 0, 1)", "pad along the rows 'batch'; put together what one row holds"),
        ("pad(x, 1, 1, mode=2)", "pad has no argument 'mode'"),
        ("pad(x, 1, 1, value=W)", r"pad: value is \[3, 2\]; expected one number"),
        ("concat(x, x, value=2)", "concat has no argument 'value'"),
        ("pad(x, 1, 1, 1, 1)", "pad has another number of arguments"),
        ("pad(x, 1, 1000000000)", "entries, more than memory holds"),
        ("concat(axis=1)", "concat has another number of arguments"),
        ("concat(x, s)", r"concat cannot join \[batch, 9, 2\] and \[batch, 7, 2\]; all axes but the one"),
        ("concat(x, W)", r"concat cannot join \[batch, 9, 2\] and \[3, 2\]"),
        ("concat(x, x, axis=0)", "concat along the rows 'batch'"),
        ("concat(x, x, axis=x)", "concat: axis: 'x' is no size"),
        ("stack(x, s)", "stack cannot join"),
        ("flatten(x, 0)", "flatten along the rows 'batch'"),
        ("flatten(x, 2, 1)", "flatten: start 2 comes after end 1"),
        ("flatten(x, 1, 5)", "flatten: there is no end 5"),
        ("flatten(sum(x))", "there is no start 1; a scalar has no axes"),
    ],
)
def test_what_cannot_be_put_together_is_refused(formula, message):
    with pytest.raises(SpecError, match=message) as refused:
        placed(formula)
    assert refused.value.at is not None
    assert refused.value.remedy


def test_parts_of_index_notation_are_put_together_for_every_index():
    row = "stack(stack(x[n, i, 1] * W[0, 0], 1))"
    found = value({"p[n, i]": f"sum(pad(x[n, i, 0] * W, 0, 1, 0) * concat(W, {row}, axis=0))"})
    np.testing.assert_allclose(found, X[:, :, 0] * (5 + X[:, :, 1]), rtol=1e-14)


@pytest.mark.parametrize(
    ("equation", "formula", "expected"),
    [
        ("p[n, i, c]", "where(c <= i, x[n, i, c], -1e9)", lambda: np.where(COLUMN <= ROW, X, -1e9)),
        ("p[n, i, c]", "where(2*i - 3 == c, 0, x[n, i, c])", lambda: np.where(2 * ROW - 3 == COLUMN, 0, X)),
        (
            "p[n, i:9]",
            "sum(where(j != i, x[n, j, 0] * j, 1), j)",
            lambda: 1 + (X[..., 0] * ROW.T) @ (1 - np.eye(9)),
        ),
        ("p[n, i]", "x[n, i, 0] * sin(i / 4) + i**2", lambda: X[..., 0] * np.sin(ROW.T / 4) + ROW.T**2),
        ("p[i:5, k:J]", "i / 10 + k + W[0, 0]", lambda: np.arange(5)[:, None] / 10 + np.arange(4) + 1),
        ("p[n]", "x[n, 0, 0] * sum(k**2, k=J)", lambda: X[:, 0, 0] * 14),
        ("p[n, i, c]", "x[n, i, c] * min(i, c)", lambda: X * np.minimum(ROW, COLUMN)),
        ("p[n, i, c:2]", "max(x[n, i, 0] * 9, c)", lambda: np.maximum(X[..., :1] * 9, COLUMN)),
    ],
)
def test_an_index_is_a_number(equation, formula, expected):
    np.testing.assert_allclose(value({equation: formula}), expected(), rtol=1e-14)


@pytest.mark.parametrize(
    ("equation", "formula", "expected"),
    [
        ("p[n, i:18]", "x[n, i // 2, i % 2]", lambda: X.reshape(3, 18)),
        ("p[n, i, c]", "x[n, i // 3, c]", lambda: np.repeat(X, 3, axis=1)),
        ("p[n, i:12]", "x[n, i // 4 + 2*(i % 2), i // 2 % 2]", lambda: digits(12, 4, 2)),
        ("p[n]", "sum(x[n, i // 2, i % 2] * i, i=18)", lambda: X.reshape(3, 18) @ np.arange(18)),
        (
            "p[n, i, c]",
            "where(i % 3 == c, x[n, i, c], -(i // 3))",
            lambda: np.where(ROW % 3 == COLUMN, X, -(ROW // 3)),
        ),
        (
            "p[n, i:8]",
            "x[n, i // J, 0] * x[n, i % J, 1]",
            lambda: X[:, [0, 1], 0].repeat(4, 1) * np.tile(X[:, :4, 1], 2),
        ),
        (
            "p[n, i:2]",
            "sum(x[n, i + k // 2, k % 2], k=4)",
            lambda: np.stack([X[:, i : i + 2].sum((1, 2)) for i in (0, 1)], 1),
        ),
        ("p[n, i:1]", "x[n, i // 2, i % 2]", lambda: X[:, :1, 0]),
    ],
)
def test_quotients_and_remainders_are_indices(equation, formula, expected):
    np.testing.assert_allclose(value({equation: formula}), expected(), rtol=1e-14)


def digits(count, stride, size):
    places = np.arange(count)
    return X[:, places // stride + 2 * (places % 2), places // 2 % size]


@pytest.mark.parametrize(
    ("equation", "formula", "message"),
    [
        ("p[n, i:7]", "x[n, i // 2, 0]", r"2 does not divide the range 7 of 'i'; give it .*Y\[n, i:6\]"),
        ("p[n, i:18]", "x[n, i // 2, i % 3]", "2 and 3, by which 'i' is divided, do not divide one another"),
        ("p[n, i:18]", "x[n, i // 6 % 2, i % 4]", "do not divide one another|does not divide"),
        ("p[n, i:18]", "x[n, (i + 1) // 2, 0]", "'//' of more than the index 'i'"),
        ("p[n, i:18]", "x[n, i // 0, 0]", "a division by zero"),
        ("p[n, i:18]", "x[n, i // -2, 0]", "the divisor of 'i' is -2; expected a whole number above 0"),
        ("p[n, i:18]", "x[n, i // 1.5, 0]", "this index is not in the language"),
        ("p[n, c]", "x[n // 2, 0, c]", "range of index 'n'|only the data decides"),
        ("p[n, i:18]", "x[n, i // 2, i // 2]", "leaves the axis 2 of 'x': it runs from 0 to 8"),
        ("p[n, c]", "x[n, 0, c] // 2", "'//' of more than the index"),
    ],
)
def test_digits_that_an_index_does_not_have_are_refused(equation, formula, message):
    with pytest.raises(SpecError, match=message) as refused:
        assert stages_of(spec({equation: formula})).derived
    assert refused.value.at is not None
    assert refused.value.remedy


def test_a_quotient_computes_what_two_indices_do():
    split = {"q[n, a:9, b:2]": "x[n, a, b] * W[0, 0]", "p": "flatten(q)"}
    one, two = (
        str(stages_of(spec(e)).derived) for e in ({"p[n, i:18]": "x[n, i // 2, i % 2] * W[0, 0]"}, split)
    )
    assert one.splitlines()[0] == "p[n, 2*i + j] += sum_{n, i, j} W[0, 0]*x[n, i, j]"
    assert len(one.splitlines()) < len(two.splitlines())


@pytest.mark.parametrize("formula", ["max(x[n, 0, 0], W[1, 1], 0)", "min(x[n, 0, 0], 1, W[0, 0], 2)"])
def test_largest_of_three_is_the_largest_of_two_of_two(formula):
    """What the message says to write is accepted, and is meant."""
    with pytest.raises(SpecError, match="not over formulas") as refused:
        value({"p[n]": formula})
    got = value({"p[n]": refused.value.remedy.removeprefix("write ")})
    x = X[:, 0, 0]
    np.testing.assert_allclose(got, np.maximum(x, 1) if formula.startswith("max") else np.minimum(x, 1))
