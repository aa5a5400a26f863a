"""The reductions, a row each: what each makes of entries and of their number, every name and sign it has.

A new one is a row, if formulas say what it is: `total` over x, which is what the primitive `kind` makes of
`each` entry, and over n, their number. The primitives are what is differentiated and what kernels compute.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal, TypeAlias

Primitive: TypeAlias = Literal["sum", "max", "min", "logsumexp"]
"""What an equation may do over its bound indices."""


@dataclass(frozen=True)
class ReductionRow:
    """A number made of many.

    `also` is what other libraries call it; `sign` stands for it in text and pictures, `latex` in LaTeX, else
    its name. It may be `linear`, or `within` its entries: between the least and the largest. In code, a
    primitive starts from `start`; what it has so far is `joined` with the next entry by a function of two, or
    by +. Two numbers may be so joined in a formula, too: max(a, b).
    """

    name: str
    kind: Primitive
    each: str = "x"
    total: str = "x"
    also: str = ""
    sign: str = ""
    latex: str = ""
    start: float = 0
    joined: str = ""
    linear: bool = False
    within: bool = False

    @property
    def written(self) -> str:
        """What stands for it in text."""
        return self.sign or self.name


_ROWS = (
    ReductionRow("sum", "sum", also="reduce_sum add total", sign="Σ", latex=r"\sum", linear=True),
    ReductionRow("mean", "sum", total="x / n", also="average avg reduce_mean", linear=True, within=True),
    ReductionRow(
        *("max", "max"),
        also="maximum fmax amax",
        latex=r"\max",
        start=-math.inf,
        joined="maximum",
        within=True,
    ),
    ReductionRow(
        *("min", "min"),
        also="minimum fmin amin",
        latex=r"\min",
        start=math.inf,
        joined="minimum",
        within=True,
    ),
    ReductionRow("logsumexp", "logsumexp", also="reduce_logsumexp log_sum_exp lse"),
)
REDUCTIONS = {row.name: row for row in _ROWS}
EXTREMA = tuple(row.name for row in _ROWS if row.joined)
"""Those that choose one of their entries, and of two numbers: max(a, b)."""
