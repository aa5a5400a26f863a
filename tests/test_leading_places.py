"""Numbers put into places such as X[j + k]: X[j] reads a part of a longer axis, and is said to."""

from __future__ import annotations

from random import Random
from typing import Any

import pytest
from fuzz.judge import judge

from symgrad.calculus.axes import Axis
from symgrad.calculus.program import Equation, Loop, Tensor, with_places_told
from symgrad.calculus.terms import Entry, index_symbol, leading
from symgrad.spec.language.sizes.size_forms import free_size

FORMS: dict[str, dict[str, str]] = {
    "a delta in a sum": {"y[j:3]": "max(x[j + k]*v[k], k)", "z[j]": "d(y[j], v[0])"},
    "a sum of one term": {"y[j:3]": "sum(x[j + k]*w[k], k)", "z[j]": "d(y[j], w[0])"},
    "an entry of a tangent": {"y[j:3, k]": "tanh(x[j + k]*v[k])", "z[j]": "d(y[j, 0], v[0])*x[j + 1]"},
    "a short tangent": {"y[j:3, k]": "x[j + k]*w[k]", "z[j]": "d(y[j, 0], w[0])*x[j + 1]"},
    "a tangent put into another": {
        "y[j:3, k]": "x[j + k]*v[k]",
        "u[j]": "y[j, 0]*2",
        "z[j]": "d(u[j], v[0])",
    },
}


def spec_of(equations: dict[str, str]) -> dict[str, Any]:
    """The square of z, and every equation as an output."""
    parameters = {name: {"axes": [size], "init": "zeros"} for name, size in {"x": 5, "v": 2, "w": 1}.items()}
    outputs = [key.partition("[")[0] for key in equations]
    about = {"name": "derivatives", "dtype": "float64", "parameters": parameters, "outputs": outputs}
    return {**about, "equations": equations, "loss": "sum(z**2) + sum(w) + sum(v)"}


@pytest.mark.parametrize("form", FORMS)
def test_what_a_number_leaves_of_a_form_reads_a_part_of_an_axis(form: str) -> None:
    found = [judge(spec_of(FORMS[form]), Random(seed), by_rows=False) for seed in range(3)]
    assert {outcome.kind for outcome in found} <= {"right", "unsound"}, found
    assert any(outcome.kind == "right" for outcome in found)


def read(place: Any, runs: Axis, axis: Axis) -> Any:
    """How X is read at a place by an equation that runs over another axis."""
    j = index_symbol("j")
    equation = Equation("y", (j,), (Loop(j, runs),), "none", Entry("X", (place,)))
    tensors = {"X": Tensor("X", (axis,), "input"), "L": Tensor("L", (axis,), "input")}
    return with_places_told(equation, tensors).body


def test_an_index_alone_is_told_where_its_axis_is_surely_the_shorter() -> None:
    j, rows = index_symbol("j"), free_size("n")
    part = Entry("X", (leading(j),))
    assert read(j, Axis(None, 3), Axis(None, 5)) == part
    assert read(j, Axis.of(rows - 2), Axis.of(rows)) == part
    assert read(Entry("L", (j,)), Axis(None, 3), Axis(None, 5)) == Entry("X", (Entry("L", (leading(j),)),))
    for runs, axis in ((5, 5), (5, 3)):
        assert read(j, Axis(None, runs), Axis(None, axis)) == Entry("X", (j,))
    assert read(j, Axis.of(rows), Axis.of(free_size("m"))) == Entry("X", (j,))
