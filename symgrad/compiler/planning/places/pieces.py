"""Batches too large for a cache: how many of their rows are computed at once.

Everything between data and gradient has an entry for every row. Where all that does not fit into a cache, it
goes to memory and comes back from there; pieces of the rows, one after another, stay in the cache. Each piece
costs a pass over the gradient of all parameters, so these must be few.

Measured on a core with 1 MiB of second cache, microseconds a point and step for all of 20,000 points at once
and in the pieces chosen here, of networks with the residual of Burgers' equation: 2-20-20-20-1 0.67 and 0.56,
in float64 1.57 and 1.05; 2-50-50-50-50-1 3.62 and 2.58, in float64 9.2 and 5.1. Pieces of half or twice as
many rows were slower, or no more than 9 % faster. Of two sets, 20,000 points of that residual and 2,000
values at a boundary, pieces with the same share of both took 0.73 of the time of all at once, in float64
0.53, on a core with 2 MiB.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from symgrad.compiler.planning.residuals import BYTES

if TYPE_CHECKING:
    from collections.abc import Sequence

    from symgrad.compiler.planning.plan import Plan

WORK_BYTES = 4 << 20
"""The workspace of a piece, at most: not all of it is alive at once, and caches of 1 or 2 MiB are usual."""
PARAMETER_BYTES = 128 << 10
"""The parameters, at most, so that they and their gradient stay in the cache beside a piece."""
LEAST_ROWS = 64
"""Products of fewer rows are slow by themselves."""


def rows_at_once(plan: Plan, rows: Sequence[str], dtype: str) -> int:
    """The rows of a piece, a power of two; 0 where pieces do not pay.

    `rows` is the axis of a batch, or those of several sets, of which a piece has so many rows in all; pieces
    along them add up only where no other axis is free.
    """
    sizes, width = dict(plan.work_units), BYTES[dtype]
    if sizes.keys() - {(), *((axis,) for axis in rows)} or plan.parameter_count * width > PARAMETER_BYTES:
        return 0
    fitting = WORK_BYTES // max(width * max(sizes.get((axis,), 0) for axis in rows), 1)
    found = 1 << (fitting.bit_length() - 1) if fitting else 0
    return found if found >= LEAST_ROWS else 0
