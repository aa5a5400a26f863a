"""A text written on by a network that says which byte may come next."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from symgrad.errors import DataError

if TYPE_CHECKING:
    from types import ModuleType

    from symgrad.training.checkpoint import Checkpoint

MOST = 1_000_000


def continued_text(
    trained: Checkpoint, start: bytes, length: int, temperature: float = 1.0, seed: int = 0
) -> bytes:
    """`start` with `length` bytes more, each drawn by the chances that the network gives it after the others.

    A temperature below 1 makes what is likely more so; 0 takes the likeliest byte.

    Raises:
        DataError: the network is none of bytes that looks back only, or an argument is out of range.
    """
    module = trained.module
    classes = _labels(module)
    if not start or max(start) >= classes:
        remedy = f"expected a start of bytes below {classes}"
        raise DataError(f"{start!r} cannot be written on", at=module.SPEC_NAME, remedy=remedy)
    if not 0 <= length <= MOST or not 0 <= temperature < np.inf:
        remedy = f"expected up to {MOST:,} bytes, and a temperature from 0 on"
        raise DataError("so no text can be written", at=module.SPEC_NAME, remedy=remedy)
    try:
        return bytes(module.sample(trained.fitted, start, length, temperature, seed=seed))
    except ValueError as refused:
        raise DataError(str(refused), at=module.SPEC_NAME) from None


def _labels(module: ModuleType) -> int:
    """How many bytes the network knows."""
    classes = module.CLASSES.get(module.INPUTS[0], 257) if module.INPUTS else 257
    if not hasattr(module, "sample") or classes > 256:
        problem = "this network takes no sequence of bytes, or says nothing of the next"
        remedy = "expected one input [batch, T] with at most 256 classes, and a loss of classes"
        raise DataError(problem, at=module.SPEC_NAME, remedy=remedy)
    return int(classes)
