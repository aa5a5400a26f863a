"""The polynomials in a module's text: held to their bounds, certified in balls, told when wrong."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from accuracy.certificate import text_with_all
from accuracy.fitting import PRECISIONS, fits, numbers_text
from accuracy.measure import rows
from golden import compare

from symgrad.errors import ModuleError
from symgrad.runtime.numba import horner
from symgrad.verifier.functions.approximation import horner as by_horner
from symgrad.verifier.functions.polynomials import (
    APPROXIMATIONS,
    BOUNDS,
    bounds_of,
    polynomial_checks,
)

if TYPE_CHECKING:
    from accuracy.fitting import Precision

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
@pytest.mark.parametrize("place", range(4))
def test_a_wrong_coefficient_of_exp_fails(dtype: str, place: int) -> None:
    text = text_with_all(dtype)
    numbers = re.search(r"^EXP = tuple\(map\(REAL, \(\n((?:    .*\n)+?)\)\)\)$", text, re.M)
    assert numbers is not None
    values = numbers[1].split(",")
    epsilon = 2.0**-23 if dtype == "float32" else 2.0**-52
    values[place] = repr(float(values[place]) * (1 + 1000 * epsilon))
    wrong = text.replace(numbers[1], "    " + ", ".join(v.strip() for v in values) + "\n")
    assert "exp" in [c.name for c in polynomial_checks(wrong) if c.verdict == "fail"]


@pytest.mark.parametrize("dtype", DTYPES)
def test_arguments_that_are_reduced_to_larger_ones_fail(dtype: str) -> None:
    wrong = re.sub(r"PER_LN2 = REAL\((.*)\)", r"PER_LN2 = REAL(1.001 * \1)", text_with_all(dtype))
    assert [c.name for c in polynomial_checks(wrong) if c.verdict == "fail"] == ["exp"]


def test_arguments_that_are_not_reduced_are_told() -> None:
    wrong = text_with_all("float64").replace("    return shifted, part, r * r", "    return shifted, r * r")
    with pytest.raises(ModuleError, match=r"^_reduced raised ValueError"):
        list(polynomial_checks(wrong))


@pytest.mark.parametrize("precision", PRECISIONS.values(), ids=PRECISIONS)
def test_the_runtime_holds_the_fitted_numbers(precision: Precision) -> None:
    compare(f"{precision.dtype}_numbers.py", numbers_text(precision), Path(horner.__file__).parent)


def test_every_polynomial_is_judged() -> None:
    assert BOUNDS.keys() == APPROXIMATIONS.keys() == fits(PRECISIONS["float64"]).keys()
    assert by_horner([1, 2, 3], 10) == horner._polynomial(10, (1, 2, 3)) == 321


def test_coefficients_that_are_no_numbers_are_told() -> None:
    text = text_with_all("float64").replace("EXP = tuple(map(REAL, (", "EXP = tuple(map(str, (")
    with pytest.raises(ModuleError, match=r"^EXP: expected the coefficients"):
        list(polynomial_checks(text.replace("0.5, 0.1666666666666667", "None, 0.1666666666666667")))


def test_the_table_measures_value_and_slope(tmp_path: Path) -> None:
    found = list(rows("float32", tmp_path, 8, ("sigmoid", "tanh", "log"), compiled=False))
    assert [row.function for row in found] == ["sigmoid", "tanh", "log"]
    assert all(row.value.units < 2 and row.slope.units < 4 for row in found)
