"""Numbers that the constants of a spec come to, where no number of its type can stand for them."""

from __future__ import annotations

from decimal import Decimal
from fractions import Fraction
from typing import TYPE_CHECKING

import sympy as sp

from symgrad.errors import SpecError
from symgrad.spec.language.number_types import LARGEST, SMALLEST

if TYPE_CHECKING:
    from symgrad.calculus.program import Program
    from symgrad.spec.model import Model


def check_magnitudes(model: Model, program: Program) -> None:
    """Refuse numbers that would be 0 or infinite in the module; those written in a formula were read before.

    Raises:
        SpecError: for the first of them, at the equation that it stands in, or that it is the gradient of.
    """
    dtype = model.spec.dtype
    smallest, largest = Fraction(SMALLEST[dtype]), Fraction(LARGEST[dtype])
    places = {equation.name: equation.at for equation in model.equations}
    for equation in program.equations:
        for number in equation.body.atoms(sp.Rational):
            size = abs(Fraction(int(number.p), int(number.q)))
            if size == 0 or smallest <= size <= largest:
                continue
            fault = "is too large for" if size > largest else "cannot be told from 0 in"
            shown = Decimal(int(number.p)) / Decimal(int(number.q))
            raise SpecError(
                f"constants here come to {shown:.3g}, which {fault} {dtype}",
                at=places.get(equation.target, model.spec.at),
                remedy="write dtype: float64, or other numbers"
                if dtype == "float32"
                else "write other numbers",
            )
