"""What a wrong gradient looks like, in words: where it is wrong, and which common fault would make it so."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Sequence

    from symgrad.verifier.gradients.probes import ClaimedGradient, Probe

_TELLING = 1e-3
"""Entries below this part of the largest one do not speak for a fault."""


def explain(worst: Probe, probes: Sequence[Probe], block: ClaimedGradient) -> str:
    """The worst entry or direction, and a guess at the fault."""
    place = "the slope along a random direction" if worst.index is None else f"entry {list(worst.index)}"
    value = f"{place} is {worst.claimed:.6g}, the spec's derivative is {worst.true:.6g} {block.point}"
    if worst.slope.is_kink:
        value += f" (a kink: any slope from {worst.slope.low:.6g} to {worst.slope.high:.6g} would do)"
    hint = _hint(probes, block)
    return f"{value} ({hint}?)" if hint else value


def _hint(probes: Sequence[Probe], block: ClaimedGradient) -> str:
    """A guess at a common fault, where every entry looked at speaks for it."""
    largest = max((abs(p.true) for p in probes), default=0.0)
    telling = [p for p in probes if abs(p.true) > _TELLING * largest]
    if len(telling) < 2 and block.gradient.size > 1:
        return ""
    ratios = np.array([p.claimed / p.true for p in telling]) if largest > 0 else np.zeros(0)
    if not ratios.size:
        return ""
    if not ratios.any():
        return "the gradient is lost"
    if np.allclose(ratios, ratios[0], rtol=1e-6, atol=0) and not math.isclose(ratios[0], 1, rel_tol=1e-6):
        return _factor(float(ratios[0]), block.batch)
    flipped = [block.gradient[p.index[::-1]] for p in telling if p.index is not None and _is_square(block)]
    if flipped and np.allclose(flipped, [p.true for p in telling], rtol=1e-6, atol=0):
        return "transposed"
    return ""


def _is_square(block: ClaimedGradient) -> bool:
    shape = block.gradient.shape
    return len(shape) == 2 and shape[0] == shape[1]


def _factor(ratio: float, batch: int) -> str:
    if math.isclose(ratio, -1, rel_tol=1e-6):
        return "opposite sign"
    if batch > 1 and math.isclose(ratio, batch, rel_tol=1e-6):
        return f"a factor 1/{batch}, the batch size, is missing"
    if batch > 1 and math.isclose(ratio, 1 / batch, rel_tol=1e-6):
        return f"divided once too often by the batch size {batch}"
    return f"every entry is {ratio:.6g} times what it should be"
