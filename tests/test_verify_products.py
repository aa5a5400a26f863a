"""Products of 50-digit matrices against exact fractions, of extended ones against NumPy's where NaN is."""

from __future__ import annotations

from fractions import Fraction
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from symgrad.verifier.interpretation.arithmetic import EXTENDED, FIFTY_DIGITS

MATMUL = FIFTY_DIGITS.library.matmul
HALF_A_UNIT = Fraction(1, 2**160)  # 50 digits are more than 160 bits
numbers = st.floats(allow_nan=False, allow_infinity=False)


def fraction(number: Any) -> Fraction:
    sign, mantissa, exponent, _ = number._mpf_
    return (-1) ** sign * Fraction(int(mantissa)) * Fraction(2) ** exponent


def assert_exact(a: np.ndarray, b: np.ndarray) -> None:
    """Every entry is the sum of the exact products, rounded."""
    left, right = FIFTY_DIGITS.array(a), FIFTY_DIGITS.array(b)
    product = MATMUL(left, right)
    exact = np.matmul(np.frompyfunc(fraction, 1, 1)(left), np.frompyfunc(fraction, 1, 1)(right))
    assert product.shape == exact.shape
    for got, true in zip(product.flat, exact.flat, strict=True):
        assert abs(fraction(got) - true) <= HALF_A_UNIT * abs(true)


@settings(max_examples=60, deadline=None)
@given(st.data(), st.integers(1, 3), st.integers(1, 4), st.integers(1, 3))
def test_a_product_is_exact_but_for_one_rounding(data: st.DataObject, n: int, k: int, m: int) -> None:
    a = data.draw(st.lists(numbers, min_size=n * k, max_size=n * k))
    b = data.draw(st.lists(numbers, min_size=k * m, max_size=k * m))
    assert_exact(np.reshape(a, (n, k)), np.reshape(b, (k, m)))


def test_what_cancels_is_not_lost() -> None:
    assert_exact(np.array([[1e200, 1.0, -1e200]]), np.array([[1.0], [1e-20], [1.0]]))
    assert_exact(np.array([[0.1, -0.1]]), np.array([[3.0], [3.0]]))


def test_numbers_of_any_size_are_multiplied() -> None:
    huge, tiny = FIFTY_DIGITS.functions["exp"](FIFTY_DIGITS.array(np.array([1e6, -1e6])))
    one = FIFTY_DIGITS.array(np.ones((2, 1)))
    assert MATMUL(np.array([[huge, tiny]]), one)[0, 0] == huge + tiny


def test_leading_axes_are_those_of_numpy() -> None:
    rng = np.random.default_rng(0)
    assert_exact(rng.normal(size=(2, 1, 3, 4)), rng.normal(size=(5, 4, 2)))


@pytest.mark.parametrize("special", [np.inf, -np.inf, np.nan])
def test_what_is_not_finite_spreads_as_in_numpy(special: float) -> None:
    a, b = np.array([[special, 1.0], [2.0, 3.0]]), np.array([[1.0], [4.0]])
    with np.errstate(invalid="ignore"):  # as the interpreter computes
        got = MATMUL(FIFTY_DIGITS.array(a), FIFTY_DIGITS.array(b)).astype(float)
    np.testing.assert_array_equal(got, a @ b)


def test_shapes_that_do_not_fit_are_refused_as_by_numpy() -> None:
    with pytest.raises(ValueError, match="mismatch"):
        MATMUL(FIFTY_DIGITS.array(np.ones((2, 3))), FIFTY_DIGITS.array(np.ones((2, 3))))


@pytest.mark.parametrize("number", range(40))
def test_extended_products_are_numpys_where_entries_are_not_finite(number: int) -> None:
    rng = np.random.default_rng(number)
    rows, inner, columns = (int(n) for n in rng.integers(1, 4, 3))
    lead = [(), (2,), (3, 1)][number % 3]
    left = rng.normal(size=(*lead, rows, inner)).astype(np.longdouble)
    right = rng.normal(size=(*lead[: number % 2], inner, columns)).astype(np.longdouble)
    for array in (left, right):
        kind = rng.integers(0, 8, array.shape)
        for which, value in enumerate((np.nan, np.inf, -np.inf, 0)):
            array[kind == which] = value
    with np.errstate(invalid="ignore"):
        found, expected = EXTENDED.library.matmul(left, right), np.matmul(left, right)
    assert found.dtype == expected.dtype
    np.testing.assert_allclose(found, expected, rtol=1e-18, atol=1e-18)
