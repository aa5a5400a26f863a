"""Slopes of the scalar functions themselves, from their values alone.

Where NumPy evaluates a function at complex numbers, an imaginary step carries its slope to full accuracy
(Squire and Trapp, 1998); for the error function a difference in 50 digits does.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from symgrad.verifier.arithmetic import FIFTY_DIGITS, extended, fifty_digits

if TYPE_CHECKING:
    from symgrad.verifier.arithmetic import Arithmetic, Array
    from symgrad.verifier.tape import Slope

_STEP = 2.0**-300
_DIFFERENCE = FIFTY_DIGITS.steps[0]
_STEEPEST = 2.0**100
"""A slope that grows with the step's inverse is none: where a root or a logarithm begins."""

_FLAT = ("sign", "floor")


def slopes_in(arithmetic: Arithmetic) -> Slope:
    """The slopes of the functions of a real arithmetic of NumPy's numbers; nan where there is none."""

    def slope(name: str, x: Array) -> Array:
        if name in _FLAT:
            return arithmetic.array(np.zeros(x.shape))
        if name == "abs":
            return arithmetic.array(arithmetic.functions["sign"](x))
        with np.errstate(all="ignore"):
            found = _by_difference(name, x) if name == "erf" else _by_complex_step(arithmetic, name, x)
            return arithmetic.array(np.where(np.abs(found) < _STEEPEST, found, np.nan))

    return slope


def _by_complex_step(arithmetic: Arithmetic, name: str, x: Array) -> Array:
    wide = x.astype(np.result_type(x.dtype, np.float64))  # single precision does not hold the step
    step = wide.dtype.type(_STEP)
    moved = arithmetic.functions[name](wide + 1j * step)
    real = arithmetic.functions[name](wide)
    return np.asarray(np.where(np.isnan(real), np.nan, moved.imag / step))


def _by_difference(name: str, x: Array) -> Array:
    function = FIFTY_DIGITS.functions[name]
    middle = np.asarray(np.frompyfunc(fifty_digits, 1, 1)(x), dtype=object)
    difference = function(middle + _DIFFERENCE) - function(middle - _DIFFERENCE)
    slopes = np.frompyfunc(extended, 1, 1)(np.asarray(difference / (2 * _DIFFERENCE)))
    return np.asarray(slopes, dtype=np.longdouble)
