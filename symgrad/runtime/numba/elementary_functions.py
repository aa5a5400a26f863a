"""Functions of numbers: without branches, so that loops over them are vectorised."""

import math
from typing import Any

import numpy as np

from symgrad.runtime.numba.float64_numbers import (
    ERF,
    ERFC,
    ERFC_MOST,
    EXP,
    EXP_LEAST,
    EXP_MOST,
    EXPM1_LEAST,
    EXPONENT_BIAS,
    FRACTION_BITS,
    INTEGER,
    LN2,
    LN2_HEAD,
    LN2_REST,
    LOG,
    LOGCOSH,
    NORMAL_LEAST,
    NORMAL_SHIFT,
    PER_LN2,
    REAL,
    ROOT_HALF_BITS,
    SQUARE_MASK,
    TANH,
    WHOLE,
)
from symgrad.runtime.numba.horner import polynomial
from symgrad.runtime.numba.number_bits import accurately, bits, from_bits


@accurately
def _reduced(x: Any, more: Any) -> Any:
    """x + more = n·ln(2) + r, |r| ≤ ln(2)/2: a number whose last bits are n, and exp(r) - 1 in two parts."""
    shifted = x * PER_LN2 + WHOLE
    n = shifted - WHOLE
    part = x - n * LN2_HEAD
    rest = n * LN2_REST - more
    r = part - rest
    return shifted, part, r * r * polynomial(r, EXP) - rest


@accurately
def _exp_of_sum(x: Any, more: Any) -> Any:
    """exp(x + more) = 2ⁿ·exp(r), with 2ⁿ in two factors, as it may overflow."""
    shifted, part, rest = _reduced(x, more)
    exp_r = REAL(1) + (part + rest)
    n = bits(shifted)
    half = n >> 1
    first, second = (half + EXPONENT_BIAS) << FRACTION_BITS, (n - half + EXPONENT_BIAS) << FRACTION_BITS
    return exp_r * from_bits(first) * from_bits(second)


@accurately
def exp(x: Any) -> Any:
    """exp(x), to 0.9 units in the last place."""
    if type(x) is not REAL:
        return np.exp(x)
    return _exp_of_sum(EXP_LEAST if x < EXP_LEAST else EXP_MOST if x > EXP_MOST else x, REAL(0))


@accurately
def expm1(x: Any) -> Any:
    """exp(x) - 1 = 2ⁿ·(exp(r) - 1) + (2ⁿ - 1) with |r| ≤ ln(2)/2, to 1.3 units in the last place."""
    if type(x) is not REAL:
        return np.expm1(x)
    x = EXPM1_LEAST if x < EXPM1_LEAST else EXP_MOST if x > EXP_MOST else x
    shifted, part, rest = _reduced(x, REAL(0))
    power = from_bits((bits(shifted) + (EXPONENT_BIAS - 1)) << FRACTION_BITS)  # 2ⁿ/2, as 2ⁿ may overflow
    value = power - REAL(0.5) + part * power + rest * power
    return part + rest if shifted == WHOLE else value + value


@accurately
def _log_of_bits(u_bits: Any, shift: Any, less: Any) -> Any:
    """log(u·2⁻ˢ) - less = n·ln(2) + log(1 + f) with √½ ≤ 1 + f < √2, by powers of q = f/(2 + f)."""
    n_bits = INTEGER(u_bits - ROOT_HALF_BITS)
    n = REAL(INTEGER(n_bits >> FRACTION_BITS)) - shift
    f = from_bits((n_bits & ((1 << FRACTION_BITS) - 1)) + ROOT_HALF_BITS) - REAL(1)
    q = f / (REAL(2) + f)
    z = q * q
    h = REAL(0.5) * f * f
    return n * LN2_HEAD + (f - (h - (q * (h + z * polynomial(z, LOG)) + (n * LN2_REST - less))))


@accurately
def log(x: Any) -> Any:
    """log(x), to 0.9 units in the last place."""
    if type(x) is not REAL:
        return np.log(x)
    zero, infinite = REAL(0), REAL(np.inf)
    is_tiny = x < NORMAL_LEAST
    u, shift = x * NORMAL_SHIFT if is_tiny else x, REAL(FRACTION_BITS) if is_tiny else zero
    value = _log_of_bits(bits(u), shift, zero)
    value = value if x > zero else (-infinite if x == zero else REAL(np.nan))
    return value if x < infinite else x


@accurately
def log1p(x: Any) -> Any:
    """log(1 + x) = log(u) - c/u, c being what rounding 1 + x to u adds; to 0.9 units in the last place."""
    if type(x) is not REAL:
        return np.log1p(x)
    zero, one, infinite = REAL(0), REAL(1), REAL(np.inf)
    u = one + x
    x_kept = u - one
    c = (u - x_kept) - one - (x - x_kept)
    value = _log_of_bits(bits(u), zero, c / u)
    value = value if u > zero else (-infinite if u == zero else REAL(np.nan))
    return value if x < infinite else x


@accurately
def erfc(x: Any) -> Any:
    """1 - erf(x), from 1 on as exp(-x²) times a polynomial over 1 + 2x; to 4 units in the last place."""
    if type(x) is not REAL:
        return math.erfc(x)
    one, middle = REAL(1), REAL(2.5)
    size = ERFC_MOST if abs(x) > ERFC_MOST else abs(x)
    head = from_bits(bits(size) & SQUARE_MASK)  # half of its bits, so that the square is exact
    exp_of_square = _exp_of_sum(-head * head, (head - size) * (size + head))
    w = (size - middle) / (size + middle)
    far = exp_of_square * (polynomial(w, ERFC) / (one + (size + size)))
    near = one - size - size * polynomial(size * size, ERF)
    value = near if size < one else far
    return value if x >= REAL(0) else REAL(2) - value


@accurately
def erf(x: Any) -> Any:
    """erf(x), below 1 as x + x times a polynomial in x²; to 1.4 units in the last place."""
    if type(x) is not REAL:
        return math.erf(x)
    one = REAL(1)
    size = ERFC_MOST if abs(x) > ERFC_MOST else abs(x)
    value = size + size * polynomial(size * size, ERF) if size < one else one - erfc(size)
    return -value if x < REAL(0) else value


@accurately
def sigmoid(x: Any) -> Any:
    """1/(1 + exp(-x)), to 1.7 units in the last place."""
    one = type(x)(1)
    e = exp(-abs(x))
    other = e / (one + e)
    return e - e * other if x < 0 else one - other


@accurately
def sigmoid_slope(x: Any) -> Any:
    """The slope of sigmoid, from the smaller of its value and 1 less that; to 3 units in the last place."""
    one = type(x)(1)
    e = exp(-abs(x))
    other = e / (one + e)
    return other - other * other


@accurately
def softplus(x: Any) -> Any:
    """log(1 + exp(x)), to 1.6 units in the last place."""
    tail = log1p(exp(-abs(x)))
    return tail if x < 0 else x + tail


@accurately
def tanh(x: Any) -> Any:
    """tanh(x), below 5/8 by a polynomial, above as 1 - 2/(exp(2x) + 1); to 1.5 units in the last place."""
    if type(x) is not REAL:
        return np.tanh(x)
    one, size, z = REAL(1), abs(x), x * x
    e = exp(-size - size)
    value = size + size * z * polynomial(z, TANH) if size < REAL(0.625) else one - (e + e) / (one + e)
    return -value if x < REAL(0) else value


@accurately
def tanh_slope(x: Any) -> Any:
    """The slope of tanh, from how far its value is from 1 or -1; to 3 units in the last place."""
    one = type(x)(1)
    size = abs(x)
    e = exp(-size - size)
    short = (e + e) / (one + e)
    return short + short * (one - short)


@accurately
def logcosh(x: Any) -> Any:
    """log(cosh(x)), below 1 as x² times a polynomial in x²; to 2.2 units in the last place."""
    size, z = abs(x), x * x
    if type(x) is not REAL:
        near = np.log1p(2.0 * np.square(np.sinh(x / 2.0)))
        return near if size < 1 else size + np.log1p(np.exp(-2.0 * size)) - np.log(2.0)
    return z * polynomial(z, LOGCOSH) if size < REAL(1) else size - LN2 + log1p(exp(-size - size))
