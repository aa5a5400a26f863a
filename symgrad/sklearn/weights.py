"""Weights of rows. A row of weight 0 is left out, as if it were not there."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from sklearn.utils import check_array

if TYPE_CHECKING:
    from numpy.typing import NDArray


def weights_of_rows(sample_weight: Any, rows: int) -> NDArray[np.float64]:
    """Checked weights, of 1 where none are given.

    Raises ValueError unless they are one number from 0 for each row, and not all 0.
    """
    if sample_weight is None:
        return np.ones(rows)
    weights: NDArray[np.float64] = check_array(
        sample_weight, ensure_2d=False, dtype=np.float64, input_name="sample_weight"
    )
    if weights.shape != (rows,):
        raise ValueError(f"sample_weight.shape == {weights.shape}, expected {(rows,)}!")
    if (weights < 0).any():
        raise ValueError(f"sample_weight: Negative values in data: {weights.min()}; expected numbers from 0")
    if not weights.any():
        raise ValueError("sample_weight: all weights are zero, so that there is no row to learn from")
    return weights


def counting(weights: NDArray[np.float64], *arrays: Any) -> tuple[Any, ...]:
    """Of all arrays the rows whose weight is not 0, and their weights, or None where all are 1."""
    kept = weights > 0
    if not kept.all():
        weights, arrays = weights[kept], tuple(array[kept] for array in arrays)
    return *arrays, None if (weights == 1).all() else weights
