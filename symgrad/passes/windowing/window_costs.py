"""What products of matrices take, and copies of windows: by this it is chosen which windows are copied.

The numbers were measured on one core of an AMD EPYC (family 25) with OpenBLAS in float32, in products of 64
to 1024 rows, 4 to 128 terms and 6 to 64 columns, where the formula was off by 15 % on average; what counts is
how they stand to each other. An entry of a result costs what its terms do and a little more, as it is read
and written; columns that do not fill a vector register cost each row a turn of its own.
"""

from __future__ import annotations

from math import prod
from typing import TYPE_CHECKING

from symgrad.calculus.contraction import as_product, as_stacked_product, is_worth_a_call

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable

    import sympy as sp

    from symgrad.calculus.program import Equation, Loop

LONG = 64
"""As many as an axis without a size has for the comparison."""
CALL, TERM, ENTRY, RAGGED_ROW = 200.0, 0.0165, 0.05, 8.0
"""Nanoseconds of a call, of a multiplication in it, of an entry of its result, of a row beside registers."""
REGISTER = 16
COPIED, RUN = 0.15, 0.6
"""Nanoseconds to copy a number and to read it again, and of a run of numbers that lie side by side."""


def cost_of_products(equation: Equation) -> float | None:
    """Nanoseconds for a sum of products of matrices; None where an equation is none, or of too small ones."""
    whole = as_product(equation)
    if whole is not None:
        rows, inner, columns = (_amount(equation, g) for g in (whole.rows, whole.inner, whole.columns))
        return _cost(rows, inner, columns)
    found = as_stacked_product(equation)
    if found is None or not is_worth_a_call(equation, found):
        return None
    turns = size_of(loop for loop in equation.loops if loop.index not in found.matrix)
    rows, inner, columns = (_amount(equation, g) for g in (found.rows, found.inner, found.columns))
    return turns * _cost(rows, inner, columns)


def cost_of_copy(loops: tuple[Loop, ...]) -> float:
    """Nanoseconds for a copy over these loops, which is read once."""
    return size_of(loops) * (COPIED + RUN / size_of(loops[-1:]))


def size_of(loops: Iterable[Loop]) -> int:
    """How often the body of loops runs."""
    return prod(loop.axis.size or LONG for loop in loops)


def _amount(equation: Equation, indices: Collection[sp.Symbol]) -> int:
    return size_of(loop for loop in equation.loops if loop.index in indices)


def _cost(rows: int, inner: int, columns: int) -> float:
    ragged = RAGGED_ROW if columns % REGISTER else 0.0
    return CALL + rows * (columns * (inner * TERM + ENTRY) + ragged)
