"""Chances of labels, as a network says them."""

from typing import Any

import numpy as np


def _as_chances(predicted: Any) -> np.ndarray:
    """What the network predicts, if these are chances."""
    found = np.asarray(predicted, np.float64)
    if not np.isfinite(found).all():
        raise ValueError("params: what the network predicts with them is not finite")
    if found.min() < 0 or np.abs(found.sum(-1) - 1).max() > 1e-3:
        raise ValueError("sample: what this network predicts are no chances that add up to 1")
    return found
