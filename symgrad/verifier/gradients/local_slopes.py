"""Slopes of the scalar functions themselves, from their values alone.

Where NumPy evaluates a function at complex numbers, an imaginary step carries its slope to full accuracy
(Squire and Trapp, 1998); for others, such as the error function, a difference in 50 digits does.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from symgrad.spec.scalars import SCALARS
from symgrad.verifier.interpretation.arithmetic import FIFTY_DIGITS, Arithmetic, extended, fifty_digits

if TYPE_CHECKING:
    from symgrad.verifier.gradients.tape import Slope
    from symgrad.verifier.interpretation.array_library import Array

_STEPS = 2.0**-300, 2.0**-320
_DIFFERENCE = FIFTY_DIGITS.steps[0]
_STEEP = 2.0**100
"""A slope above this that grows as the step shrinks is none: where a root or a logarithm begins."""


def slopes_in(arithmetic: Arithmetic) -> Slope:
    """The slopes of the functions of a real arithmetic of NumPy's numbers; nan where there is none."""

    def slope(name: str, x: Array) -> Array:
        if SCALARS[name].flat:
            return arithmetic.array(np.zeros(x.shape))
        if name == "abs":
            return arithmetic.array(arithmetic.functions["sign"](x))
        with np.errstate(all="ignore"):
            by = _by_complex_step if _is_complex(name) else _by_difference
            found = by(arithmetic, name, x)
        return arithmetic.array(found)

    return slope


def _by_complex_step(arithmetic: Arithmetic, name: str, x: Array) -> Array:
    wide = x.astype(np.result_type(x.dtype, np.float64))  # single precision does not hold the step
    function, number = arithmetic.functions[name], wide.dtype.type
    first, second = (function(wide + 1j * number(step)).imag / number(step) for step in _STEPS)
    has_slope = (np.abs(first) < _STEEP) | np.isclose(first, second, rtol=1e-6, atol=0)
    return np.asarray(np.where(np.isnan(function(wide)) | ~has_slope, np.nan, first))


def _is_complex(name: str) -> bool:
    """Whether NumPy has it for complex numbers."""
    ufunc = getattr(np, SCALARS[name].numpy, None) if SCALARS[name].numpy else None
    return "D->D" in getattr(ufunc, "types", ())


def _by_difference(_: Arithmetic, name: str, x: Array) -> Array:
    function = FIFTY_DIGITS.functions[name]
    middle = np.asarray(np.frompyfunc(fifty_digits, 1, 1)(x), dtype=object)
    difference = function(middle + _DIFFERENCE) - function(middle - _DIFFERENCE)
    slopes = np.frompyfunc(extended, 1, 1)(np.asarray(difference / (2 * _DIFFERENCE)))
    return np.asarray(slopes, dtype=np.longdouble)
