"""`size(x, 1)`: in ranges, indices, placements, functions, values and axes of parameters."""

from __future__ import annotations

import numpy as np
import pytest

from symgrad.errors import Position, SpecError
from symgrad.pipeline import stages_of
from symgrad.spec.language.formula import parse_formula
from symgrad.spec.language.unparse import unparse
from symgrad.spec.reader import read
from symgrad.verifier.interpretation.arithmetic import DOUBLE
from symgrad.verifier.interpretation.interpreter import interpret, parameter_shapes

X = np.random.default_rng(0).normal(size=(3, 7, 2))


def spec(equations, **changes):
    given = {"axes": {"T": 7}, "inputs": {"x": ["batch", "T", 2]}, "loss": "mean(p)"}
    return read({**given, "equations": equations, "gradients": ["x"], "outputs": ["p"], **changes})


def value(equations, **changes):
    """The value of p, to the verifier and to the compiler, whose shapes must agree."""
    stages = stages_of(spec(equations, **changes))
    found = interpret(stages.model, {"x": X}, DOUBLE).outputs[0]
    axes = stages.formulas.tensor["p"].axes
    assert tuple(axis.size or 3 for axis in axes) == np.shape(found)
    return found


@pytest.mark.parametrize(
    ("equations", "expected"),
    [
        ({"p[n, j:size(x, 1) // 2, c]": "max(x[n, 2*j + k, c], k=2)"}, X[:, :6].reshape(3, 3, 2, 2).max(2)),
        ({"p[n, i:size(x, 1), c]": "x[n, i, c]"}, X),
        ({"p[n:size(x, 0), c]": "x[n, size(x, 1) - 1, c]"}, X[:, -1]),
        ({"p[n, i:T, c]": "x[n, size(x, 1) - 1 - i, c]"}, X[:, ::-1]),
        ({"p[n, i:4, c]": "x[n, i + (size(x, 1) - 4) % 2 + size(x, -1), c]"}, X[:, 3:]),
        ({"p[n]": "sum(x[n, 2*k, 0], k=max(size(x, 1) // 2, size(x, 2)))"}, X[:, :6:2, 0].sum(1)),
        ({"p": "pad(x, 1, size(x, 2) - 1)"}, np.pad(X, ((0, 0), (1, 1), (0, 0)))),
        ({"p": "sum(x, axis=1) / size(x, axis=1)"}, X.mean(1)),
        ({"p": "sum(x, axis=0) / size(x, 0)"}, X.mean(0)),
    ],
)
def test_a_size_is_a_number(equations, expected):
    np.testing.assert_allclose(value(equations), expected, rtol=1e-14)


def test_a_function_takes_the_sizes_of_its_arguments():
    functions = {"average(a)": "sum(a, axis=-1) / size(a, -1)", "twice(a)": "average(pad(a, 1, size(a, -1)))"}
    np.testing.assert_allclose(
        value({"p": "twice(x)"}, functions=functions), np.pad(X.mean(-1), ((0, 0), (2, 2)))
    )


def test_a_parameter_takes_sizes_of_what_is_computed():
    equations = {"h": "concat(x, x, x)", "p": "h @ W"}
    parameters = {"W": {"axes": ["size(h, -1)", "size(x, 1) // 2 + T"]}, "V": {"axes": ["size(x, 1)"]}}
    stages = stages_of(spec(equations, parameters=parameters))
    assert [str(axis) for axis in stages.formulas.tensor["W"].axes] == ["6", "10"]
    assert [str(axis) for axis in stages.formulas.tensor["V"].axes] == ["T"]
    assert parameter_shapes(stages.model, {"x": X}) == {"W": (6, 10), "V": (7,)}


@pytest.mark.parametrize(
    ("equations", "message"),
    [
        ({"p": "x * size(y, 1)"}, "unknown name 'y'"),
        ({"p": "x * size(x, 3)"}, "'x' has no axis 3; its axes count from -3 to 2"),
        ({"p": "x * size(x, 0.5)"}, r"size takes a tensor and one of its axes; write size\(x, 1\)"),
        ({"p": "x * size(x)"}, "size takes a tensor and one of its axes"),
        ({"p": "x * size(x + 1, 0)"}, "size takes a tensor and one of its axes"),
        ({"p": "x * size(T, 0)"}, "'T' has no axis 0; a scalar has no axes"),
        ({"p": "pad(x, 1, size(x, 0))"}, r"before: size\(x, 0\) is known only with the data"),
        ({"p[n, i:size(x, 1) // 0]": "x[n, i, 0]"}, "a division by 0"),
        ({"p[n, i:size(x, 1) // (T - 7)]": "x[n, i, 0]"}, "a division by 0"),
        ({"p[n, i:size(x, 2) - 2]": "x[n, i, 0]"}, "'i' has 0 values"),
        ({"p": "mean(x, axis=(1, 2))"}, "axis must be a whole number"),
        ({"p": "tanh(x, a=(1, 2))"}, "tanh"),
        ({"p": "x // 2"}, r"'//' is of whole numbers; it stands in sizes"),
        ({"p": "x * (T % 2)"}, "'%' is of whole numbers"),
        ({"p": "2 * x"}, "'W' takes a size of 'h', which is not defined"),
        ({"h": "sum(x)", "p": "x * size(h, 0)"}, "'h' has no axis 0"),
    ],
)
def test_a_wrong_size_is_refused(equations, message):
    parameters = {"W": {"axes": ["size(h, 0) - 1"]}} if "2 * x" in equations.values() else {}
    with pytest.raises(SpecError, match=message):
        _ = stages_of(spec(equations, parameters=parameters)).formulas


@pytest.mark.parametrize(
    "text", ["a // b % c * d", "a // (b % c)", "-a // b", "-(a // b)", "(a + b) % c // 2"]
)
def test_whole_divisions_are_written_as_they_are_read(text):
    assert unparse(parse_formula(text, Position("<test>", 1, 1))) == text
