"""ONNX Runtime's answers beside the spec's own."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

MOST_DIFFERENCE = 1e-4
"""Of a value of about 1: rounding in single precision stays below, another network does not."""
TYPES: dict[str, Any] = {
    "tensor(int32)": np.int32,
    "tensor(int64)": np.int64,
    "tensor(float)": np.float32,
    "tensor(double)": np.float64,
}
"""The types of inputs, as ONNX Runtime calls them."""


def distance(answer: NDArray[Any], right: NDArray[Any]) -> float:
    """The largest difference, in units of 1 plus the size of what is right.

    Not a number where only one of two entries is one.
    """
    same = np.isnan(answer) & np.isnan(right) | (answer == right)
    with np.errstate(invalid="ignore"):
        return float(np.max(np.where(same, 0.0, np.abs(answer - right) / (1 + np.abs(right))), initial=0.0))
