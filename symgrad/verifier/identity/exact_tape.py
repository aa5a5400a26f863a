"""The verifier's tape over exact numbers, with the slopes of the language's own functions from SymPy's.

A power keeps the form it has: x**1.5 as sqrt(x)·x would rest on sqrt(x)² = x, which only squares of a finite
field fulfil.
"""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any

from symgrad.verifier.gradients.tape import Tape
from symgrad.verifier.interpretation.slopes.slope_formulas import slope, slope_of_power

if TYPE_CHECKING:
    from symgrad.verifier.gradients.tape import Recorded
    from symgrad.verifier.interpretation.arithmetic import Arithmetic
    from symgrad.verifier.interpretation.array_library import Array


class ExactTape(Tape):
    """Records what is computed with an arithmetic whose numbers SymPy's formulas can be evaluated with."""

    def __init__(self, base: Arithmetic) -> None:
        super().__init__(base, partial(slope, base))

    def total(self, array: Recorded) -> Recorded:
        """The sum of all entries."""
        found: Recorded = self._library_sum(array, tuple(range(array.ndim)))
        return found

    def _power(self, a: Any, b: Any) -> Any:
        base, exponent = self.of(a), self.of(b)
        value = self.base.power(base.array, exponent.array)

        def to_base(cotangent: Array) -> Array:
            return self._times(cotangent, slope_of_power(self.base, base.array, exponent.array))

        def to_exponent(cotangent: Array) -> Array:
            return self._times(cotangent, value * self.base.functions["log"](base.array))

        return self.record(value, [(base, to_base), (exponent, to_exponent)])
