"""The largest and the smallest numbers that the types of a spec hold (IEEE 754)."""

from __future__ import annotations

import math
import struct
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

_BITS = {"float32": (23, 127), "float64": (52, 1023)}
"""The bits of the fraction, and the largest exponent."""

LARGEST: Mapping[str, float] = {
    dtype: (2 - 2.0**-fraction) * 2.0**exponent for dtype, (fraction, exponent) in _BITS.items()
}
SMALLEST: Mapping[str, float] = {
    dtype: 2.0 ** (1 - exponent - fraction) for dtype, (fraction, exponent) in _BITS.items()
}
"""Above 0: what is less than half of it is 0."""
SMALLEST_NORMAL: Mapping[str, float] = {
    dtype: 2.0 ** (1 - exponent) for dtype, (_, exponent) in _BITS.items()
}
"""Above 0, of those with all digits."""


def held(value: float, dtype: str) -> float:
    """What a type holds in place of a number: 0 or an infinity where it is beyond it."""
    if abs(value) > LARGEST[dtype]:
        return math.copysign(math.inf, value)
    return float(struct.unpack("f", struct.pack("f", value))[0]) if dtype == "float32" else value
