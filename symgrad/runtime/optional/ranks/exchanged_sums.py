"""A rank's share of a step whose rows know of each other; in place of one that stands by itself."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from symgrad.runtime.smallest_model import _share_of_step, _share_work_size, _told_sums
from symgrad.runtime.training.shared_epochs import _own_rows
from symgrad.runtime.training.stretches import PARTS, _Stretches


def _room_for_share(extents: Sequence[int]) -> int:
    return _share_work_size(*extents)


def _own_share(
    stretches: _Stretches,
    vectors: tuple[np.ndarray, ...],
    batch: np.ndarray,
    most: int,
    data: tuple[Any, ...],
    extents: Sequence[int],
    _: bool,
) -> tuple[float, float, float]:
    """The same in parts: behind each but the last, ranks tell each other what they summed over rows."""
    (point, grad, step), (flat, memory, work), value = vectors, data, 0.0
    rows, before = _own_rows(stretches, batch), len(batch) * stretches.rank // stretches.ranks
    count = min(most, len(rows))  # all of them: there are no pieces
    told = _told_sums(grad, work, count, *extents)
    given = point, grad, step, before, *flat, rows, 0, count, memory, work, *extents, len(batch)
    for part in range(1, PARTS + 1):
        if count and np.isfinite(value):
            value = _share_of_step(*given, part)
        stretches.send(grad, part)
        sums = told[part - 1] if part < PARTS else ()
        if sums and not _are_told(stretches, sums, len(batch), value):
            return np.nan, 1.0, 1.0
    return (value, count / len(batch), 1.0) if count else (0.0, 0.0, 0.0)


def _are_told(stretches: _Stretches, told: Sequence[Any], count: int, value: float) -> bool:
    """Let every rank go on with what all have; false where some rank's `value` is not finite."""
    sent = [np.array([value]), *(array.reshape(-1) for _, array in told)]
    found = stretches.told_by_all(np.concatenate(sent, dtype=np.float64).tolist())
    if not np.isfinite(found[:, 0]).all():
        return False
    ends = [count * rank // stretches.ranks for rank in range(stretches.ranks + 1)]
    found, start = found[np.diff(ends) > 0, 1:], 0  # of ranks that have rows
    joined = {"sum": np.add, "max": np.maximum, "min": np.minimum}
    for reduction, array in told:
        own = found[:, start : start + array.size]
        array[...] = joined[reduction].reduce(own).reshape(array.shape)
        start += array.size
    return True
