"""Three arithmetics with one interface: 50 decimal digits, extended precision and double precision.

A function means here what mpmath, NumPy and Python say of its name, or a formula where they have none.
Array operators are NumPy's own, on arrays of the arithmetic's element type; another array library can
take its place. Nothing here raises: what has no value is nan or infinite, as it is for floats.
"""

from __future__ import annotations

import math
import operator
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, TypeAlias

import mpmath
import numpy as np
from mpmath import libmp

from symgrad.errors import InternalError
from symgrad.spec.language.builtins import SCALAR_FUNCTIONS, STEPWISE_FUNCTIONS
from symgrad.spec.language.definitions import defined
from symgrad.spec.scalars import SCALARS, ScalarFunction
from symgrad.verifier.interpretation.array_library import NUMPY, Array, ArrayLibrary
from symgrad.verifier.interpretation.products import matmul_in

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from fractions import Fraction

_LANGUAGE = SCALAR_FUNCTIONS | STEPWISE_FUNCTIONS
DIGITS = 50
_mp = mpmath.mp.clone()
_mp.dps = DIGITS
LongNumber = _mp.mpf
"""The type of numbers of 50 digits, which is of this context alone."""
_NAN, _INFINITY = _mp.mpf("nan"), _mp.mpf("inf")
_LARGEST_EXPONENT, _LEAST_EXPONENT = _mp.mpf(1e15), _mp.mpf(-1e15)


@dataclass(frozen=True)
class Arithmetic:
    """How numbers are held and computed with.

    `steps` are the distances to try for differences, the best one first where nothing stands in the way;
    `extrapolate` says whether truncation matters, so that differences must be extrapolated to step 0;
    `infinity` is what stands for inf in a formula.
    """

    name: str
    epsilon: float
    dtype: Any
    convert: Callable[[Any], Array]
    number: Callable[[Fraction], Any]
    divide: Callable[[Array, Array], Array]
    power: Callable[[Array, Array], Array]
    functions: Mapping[str, Callable[[Array], Array]]
    steps: tuple[float, ...]
    extrapolate: bool
    library: ArrayLibrary = NUMPY
    infinity: Any = math.inf

    def array(self, values: Any) -> Array:
        """The values as an array of this arithmetic's numbers, exactly."""
        given = values if isinstance(values, self.library.kind) else np.asarray(values)
        return given if given.dtype == self.dtype else self.convert(given)


def _real(function: Callable[..., Any]) -> Callable[..., Any]:
    """The function where its value is real, nan elsewhere."""

    def evaluate(*arguments: Any) -> Any:
        try:
            value = function(*arguments)
        except (ZeroDivisionError, ValueError, OverflowError):
            return _NAN
        return value if isinstance(value, _mp.mpf) else _NAN

    return evaluate


def _total(operation: Callable[[Any, Any], Any], by_zero: Callable[[Any], Any]) -> Callable[[Any, Any], Any]:
    """An operator of mpmath's numbers that has the value which floats have, where mpmath has none."""

    def apply(a: Any, b: Any) -> Any:
        try:
            value = operation(a, b)
        except ZeroDivisionError:
            return by_zero(a)
        return value if value is NotImplemented or isinstance(value, _mp.mpf) else _NAN

    return apply


def _over_zero(a: Any) -> Any:
    return _NAN if a == 0 or a != a else (_INFINITY if a > 0 else -_INFINITY)


_Operator: TypeAlias = "Callable[[Any, Any], Any]"


def _of_two(operation: Callable[..., Any], otherwise: _Operator) -> _Operator:
    """An operator of two of mpmath's numbers; to find out that they are takes mpmath half of the time."""
    new, precision = object.__new__, _mp.prec

    def apply(a: Any, b: Any) -> Any:
        if type(b) is not LongNumber:
            return otherwise(a, b)
        result = new(LongNumber)
        result._mpf_ = operation(a._mpf_, b._mpf_, precision, "n")
        return result

    return apply


def _comparison(compare: Callable[..., bool], otherwise: _Operator) -> _Operator:
    """The same for a comparison."""

    def apply(a: Any, b: Any) -> Any:
        return compare(a._mpf_, b._mpf_) if type(b) is LongNumber else otherwise(a, b)

    return apply


_mp.mpf.__truediv__ = _total(_mp.mpf.__truediv__, _over_zero)
_mp.mpf.__rtruediv__ = lambda b, a: _mp.mpf(a) / b
_mp.mpf.__pow__ = _total(_mp.mpf.__pow__, lambda _: _INFINITY)
for _name, _operation in {"add": libmp.mpf_add, "sub": libmp.mpf_sub, "mul": libmp.mpf_mul}.items():
    setattr(_mp.mpf, f"__{_name}__", _of_two(_operation, getattr(_mp.mpf, f"__{_name}__")))
for _name in ("eq", "lt", "le", "gt", "ge"):
    _known = getattr(_mp.mpf, f"__{_name}__")
    setattr(_mp.mpf, f"__{_name}__", _comparison(getattr(libmp, f"mpf_{_name}"), _known))
# The numbers of a context are of a type of its own: mpmath's other numbers stay as they are.


def product(a: Any, b: Any) -> Any:
    """The product of arrays, in which 0·log(0) is 0, its limit: 0 times anything that is infinite."""
    result = a * b
    if not isinstance(result, np.ndarray):
        return result
    undefined = result != result
    if not np.any(undefined):
        return result
    zero = result.dtype.type(0) if result.dtype != object else _mp.zero
    return np.where(undefined & (a == a) & (b == b), zero, result)


def _exponential(x: Any) -> Any:
    if x > _LARGEST_EXPONENT:
        return _INFINITY
    return _mp.zero if x < _LEAST_EXPONENT else _mp.exp(x)


def _elementwise(function: Callable[..., Any], arity: int = 1) -> Callable[..., Array]:
    ufunc = np.frompyfunc(function, arity, 1)

    def apply(*arguments: Array) -> Array:
        return np.asarray(ufunc(*arguments), dtype=object)

    return apply


def with_formulas(
    functions: Mapping[str, Callable[[Any], Any]], number: Callable[[Fraction], Any]
) -> dict[str, Callable[[Any], Any]]:
    """All functions of the language: those given, and others by the formulas that define them.

    Raises:
        InternalError: a function is not given and has no formula.
    """
    found = dict(functions)

    def by_formula(row: ScalarFunction) -> Callable[[Any], Any]:
        if not row.formula:
            raise InternalError(f"the row of '{row.name}' needs a formula: a library lacks the function")
        meaning = defined(row.formula, number, found.__getitem__)
        return lambda x: meaning({"x": x})

    for name in sorted(_LANGUAGE - found.keys()):
        found[name] = by_formula(SCALARS[name])
    return found


def extended(value: Any) -> np.longdouble:
    """A 50-digit number rounded to extended precision."""
    high = float(value)
    return np.longdouble(high) + np.longdouble(float(value - high) if math.isfinite(high) else 0.0)


def fifty_digits(value: np.longdouble) -> Any:
    """An extended number, exactly; mpmath itself takes floats only."""
    high = float(value)
    return _mp.mpf(high) + (float(value - np.longdouble(high)) if math.isfinite(high) else 0.0)


def _digits_number(q: Fraction) -> Any:
    return _mp.mpf(q.numerator) / q.denominator


_OF_DIGITS = {
    **{name: found for name in _LANGUAGE if (found := SCALARS[name].of(_mp)) is not None},
    "exp": _exponential,
    "expm1": lambda x: _mp.expm1(x) if abs(x) < 1 else _exponential(x) - 1,
    "abs": abs,
}
_DIGITS_FUNCTIONS = {name: _elementwise(_real(function)) for name, function in _OF_DIGITS.items()}
_NUMPY_FUNCTIONS = {row.name: getattr(np, row.numpy) for row in SCALARS.values() if row.numpy}


def _extended(name: str) -> Callable[[Array], Array]:
    """A function that NumPy lacks, by its 50 digits."""
    entry = np.frompyfunc(lambda v: extended(_OF_DIGITS[name](fifty_digits(v))), 1, 1)
    return lambda x: np.asarray(entry(x), dtype=np.longdouble)


def _double(name: str) -> Callable[[Array], Array]:
    """A function that NumPy lacks, by Python's, or else by its 50 digits."""
    entry = np.frompyfunc(getattr(math, name, lambda v: float(_OF_DIGITS[name](_mp.mpf(v)))), 1, 1)
    return lambda x: np.asarray(entry(x), dtype=np.float64)


def _extremum(choose: Callable[..., Array]) -> Callable[[Array, tuple[int, ...]], Array]:
    """NumPy's largest or smallest entry, but NaN where one is among them, which objects would hide."""

    def apply(array: Array, over: tuple[int, ...]) -> Array:
        undefined = np.any(np.asarray(array != array, dtype=bool), over)
        return np.asarray(np.where(undefined, _NAN, choose(array, over)), dtype=object)

    return apply


def _extended_matmul(a: Array, b: Array) -> Array:
    """Rows of both side by side: four times as fast as NumPy's own loop for this type.

    What is no number in one place is none in a whole row, and is left out: machines are a hundred times
    slower at it in this type.
    """
    columns = np.ascontiguousarray(b.swapaxes(-1, -2))
    lost_rows, lost_columns = (np.asarray(np.isnan(rows).any(-1)) for rows in (a, columns))
    if not (lost_rows.any() or lost_columns.any()):
        return np.asarray(np.einsum("...ik,...jk->...ij", a, columns))
    known = (np.where(lost[..., None], 0, rows) for lost, rows in ((lost_rows, a), (lost_columns, columns)))
    lost = lost_rows[..., :, None] | lost_columns[..., None, :]
    return np.where(lost, np.nan, np.einsum("...ik,...jk->...ij", *known))


_LACKING = _OF_DIGITS.keys() - _NUMPY_FUNCTIONS.keys()


FIFTY_DIGITS = Arithmetic(
    name="50 digits",
    epsilon=10.0**-DIGITS,
    dtype=np.dtype(object),
    convert=lambda values: np.asarray(np.frompyfunc(_mp.mpf, 1, 1)(values), dtype=object),
    number=_digits_number,
    divide=_elementwise(operator.truediv, 2),
    power=_elementwise(_real(operator.pow), 2),
    functions=with_formulas(_DIGITS_FUNCTIONS, _digits_number),
    steps=(2.0**-50, 2.0**-75),
    extrapolate=False,
    library=replace(NUMPY, matmul=matmul_in(_mp), max=_extremum(np.max), min=_extremum(np.min)),
    infinity=_INFINITY,
)

EXTENDED = Arithmetic(
    name="extended precision",
    epsilon=float(np.finfo(np.longdouble).eps),
    dtype=np.dtype(np.longdouble),
    convert=lambda values: values.astype(np.longdouble),
    number=lambda q: extended(_mp.mpf(q.numerator) / q.denominator),
    divide=np.divide,
    power=np.power,
    functions=with_formulas(_NUMPY_FUNCTIONS | {name: _extended(name) for name in _LACKING}, float),
    steps=(2.0**-14, 2.0**-18, 2.0**-22, 2.0**-26),
    extrapolate=True,
    library=replace(NUMPY, matmul=_extended_matmul),
)

DOUBLE = Arithmetic(
    name="double precision",
    epsilon=float(np.finfo(np.float64).eps),
    dtype=np.dtype(np.float64),
    convert=lambda values: values.astype(np.float64),
    number=float,
    divide=np.divide,
    power=np.power,
    functions=with_formulas(_NUMPY_FUNCTIONS | {name: _double(name) for name in _LACKING}, float),
    steps=(2.0**-10, 2.0**-14, 2.0**-18),
    extrapolate=True,
)

SINGLE = replace(
    DOUBLE,
    name="single precision",
    epsilon=float(np.finfo(np.float32).eps),
    dtype=np.dtype(np.float32),
    convert=lambda values: values.astype(np.float32),
)

AFFORDABLE = 3e5

NATIVE = EXTENDED if EXTENDED.epsilon < DOUBLE.epsilon else DOUBLE
"""The most exact arithmetic that the machine itself has."""


def choose(work: float) -> Arithmetic:
    """The most exact arithmetic in which `work` scalar operations take about a second."""
    return FIFTY_DIGITS if work <= AFFORDABLE else NATIVE
