"""How large the gradient of a batch is, parameter by parameter."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from types import ModuleType

    from symgrad.training.dataset.data import Dataset


def gradient_norms(module: ModuleType, params: Any, batch: Dataset) -> tuple[tuple[str, float], ...]:
    """The Euclidean norm of each trained parameter's part of the gradient, in double precision."""
    _, gradient = module.loss_and_grad(params, *batch.arrays)
    frozen = getattr(module, "FROZEN", ())
    return tuple((name, _norm(values)) for name, values in gradient._asdict().items() if name not in frozen)


def _norm(values: Any) -> float:
    """The root of the sum of squares, formed in units of the largest entry, so that nothing overflows."""
    numbers = np.abs(np.asarray(values, np.float64)).ravel()
    largest = float(numbers.max(initial=0.0))
    if not largest > 0 or not np.isfinite(largest):
        return largest
    return largest * float(np.linalg.norm(numbers / largest))
