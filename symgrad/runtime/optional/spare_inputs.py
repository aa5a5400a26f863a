"""Inputs that are left out, as nothing predicted depends on them."""

from typing import Any

import numpy as np

from symgrad.runtime.given_arrays import _checked
from symgrad.runtime.smallest_model import AXES, CLASSES, DTYPE, INPUTS, LEAST_SIZES, PREDICTED_FROM


def _with_spare(inputs: tuple[Any, ...]) -> Any:
    """The inputs, with ones for those left out."""
    left_out = [name for name, value in zip(INPUTS, inputs, strict=True) if value is None]
    if not left_out:
        return inputs
    for name in PREDICTED_FROM:
        if name in left_out:
            asked = ", ".join(f"{n}=..." for n in PREDICTED_FROM)
            raise TypeError(f"{name}: missing, and what is computed depends on it; expected {asked}")
    extents: dict[str, int] = {}
    for name, value in zip(INPUTS, inputs, strict=True):
        if value is not None:
            _checked(name, value, extents, DTYPE)
    sizes = {**LEAST_SIZES, **extents}
    return [
        np.full(
            [axis if isinstance(axis, int) else sizes.get(axis, 1) for axis in AXES[name]],
            name not in CLASSES,
        )
        if value is None
        else value
        for name, value in zip(INPUTS, inputs, strict=True)
    ]
