"""The polynomials in a module's text: held to their bounds, certified in balls, told when wrong."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import pytest
from accuracy.certificate import text_with_all
from accuracy.measure import rows

from symgrad.verifier.functions.polynomials import (
    APPROXIMATIONS,
    BOUNDS,
    bounds_of,
    horner,
    polynomial_checks,
)

if TYPE_CHECKING:
    from pathlib import Path

DTYPES = ("float32", "float64")


@pytest.mark.parametrize("dtype", DTYPES)
def test_every_polynomial_keeps_its_bound(dtype: str) -> None:
    found = list(polynomial_checks(text_with_all(dtype)))
    assert {c.name for c in found} == BOUNDS.keys()
    assert all(c.verdict == "pass" for c in found), found


@pytest.mark.parametrize("dtype", DTYPES)
def test_the_bounds_are_certified(dtype: str) -> None:
    pytest.importorskip("flint")
    text = text_with_all(dtype)
    text = text.replace("def erfc(", "def _erfc(")  # that takes many seconds: tests/accuracy certifies it
    sampled = {b.function: b for b in bounds_of(text)}
    for bound in bounds_of(text, certify=True):
        assert sampled[bound.function].error <= bound.error
        assert bound.units <= BOUNDS[bound.function][dtype]


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("place", range(7, 11))
def test_a_wrong_coefficient_of_exp_fails(dtype: str, place: int) -> None:
    text = text_with_all(dtype)
    numbers = re.search(r"^EXP = \(.*\n((?:    .*\n)+?)\)$", text, re.M)
    assert numbers is not None
    values = numbers[1].split(",")
    epsilon = 2.0**-23 if dtype == "float32" else 2.0**-52
    values[place] = repr(float(values[place]) * (1 + 1000 * epsilon))
    wrong = text.replace(numbers[1], "    " + ", ".join(v.strip() for v in values) + "\n")
    assert "exp" in [c.name for c in polynomial_checks(wrong) if c.verdict == "fail"]


def test_expm1_and_log1p_have_the_polynomials_of_exp_and_log() -> None:
    assert BOUNDS.keys() - APPROXIMATIONS.keys() == {"expm1", "log1p"}
    assert horner([1, 2, 3], 10) == 321


def test_the_table_measures_value_and_slope(tmp_path: Path) -> None:
    found = list(rows("float32", tmp_path, 8, ("sigmoid", "tanh", "log"), compiled=False))
    assert [row.function for row in found] == ["sigmoid", "tanh", "log"]
    assert all(row.value.units < 2 and row.slope.units < 4 for row in found)
