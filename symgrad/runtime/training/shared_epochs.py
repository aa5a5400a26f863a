"""An epoch whose batches are shared by processes: ranks of a communicator such as mpi4py's."""

import zlib
from collections.abc import Sequence
from typing import Any

import numpy as np

from symgrad.runtime.given_arrays import _given, _in_memory
from symgrad.runtime.kept_memory import _kept
from symgrad.runtime.parameter_vectors import _Alone
from symgrad.runtime.smallest_model import (
    AXES,
    BATCH_AXIS,
    DTYPE,
    INPUTS,
    MICRO_BATCH_SIZE,
    SIZE,
    STEP_MEMORY,
    TARGETS,
    Params,
    State,
    _rest_of_step,
    _share_of_step,
    _sizes,
    _work_size,
)
from symgrad.runtime.training.row_epochs import _asked_of_epoch


def _shared_epoch(
    params: Params,
    state: State,
    data: tuple[Any, ...],
    batch_size: Any,
    order: Any,
    setting: tuple[Any, ...],
    comm: Any,
) -> float:
    try:
        asked = _asked_of_epoch(params, state, data, batch_size, order, setting)
    except Exception:
        _agree(comm, -1)
        raise
    arrays, sizes, order, batch_size, theta, setting = asked
    numbers = np.array([batch_size, *sizes.values()])
    _agree(comm, _fingerprint(theta, *state, order, numbers, *map(np.array, setting)))
    with _Alone(theta):
        value = _shared_steps(comm, theta, state, setting, arrays, sizes, order, batch_size)
    if not np.isfinite(value):
        _given(INPUTS + TARGETS, data)  # of all ranks each tells of an entry that is not finite
    return value


def _fingerprint(*arrays: np.ndarray) -> int:
    found = 0
    for array in arrays:
        found = zlib.crc32(np.ascontiguousarray(array).view(np.uint8).data, found)
    return found


def _agree(comm: Any, digest: int) -> None:
    """Raise ValueError unless all ranks go on from the same; -1 says that this one does not."""
    found = np.empty(comm.Get_size(), np.int64)
    comm.Allgather(np.array([digest], np.int64), found)
    if digest == -1:
        return
    if -1 in found:
        raise ValueError(f"comm: rank {int(np.argmin(found))} refused what it was given, and says why")
    if (found != found[0]).any():
        rank = int(np.argmax(found != found[0]))
        raise ValueError(
            f"comm: rank {rank} has other parameters, state, rows, order or settings than rank 0; expected "
            "the same call on every rank"
        )


def _shared_steps(
    comm: Any,
    theta: np.ndarray,
    state: State,
    setting: tuple[Any, ...],
    arrays: Sequence[np.ndarray],
    sizes: dict[str, int],
    order: np.ndarray,
    batch_size: int,
) -> float:
    """The mean loss per row, as of an epoch that is not shared."""
    sums, mean, total = _SumOverRanks(comm), _kept("total", SIZE), 0.0
    for start in range(0, len(order), batch_size):
        batch = order[start : min(start + batch_size, len(order))]
        value = np.nan
        for counts_rows in (False, True):
            share = _own_share(comm, sums.own_grad, theta, state, setting, arrays, sizes, batch, counts_rows)
            value, weight, most = sums.added(mean, *share)
            if weight or most:
                break  # else nothing counts in this batch, and a mean over nothing is the same for all rows
        if not np.isfinite(value):
            return value
        _rest_of_step(theta, mean, tuple(state), *setting)
        total += value * len(batch)
    return total / len(order)


def _own_share(
    comm: Any,
    share_of_grad: np.ndarray,
    theta: np.ndarray,
    state: State,
    setting: tuple[Any, ...],
    arrays: Sequence[np.ndarray],
    sizes: dict[str, int],
    batch: np.ndarray,
    counts_rows: bool,
) -> tuple[float, float]:
    """Loss and weight of this rank's rows; their gradient goes into `share_of_grad`, times their weight."""
    rank, ranks = comm.Get_rank(), comm.Get_size()
    first, last = len(batch) * rank // ranks, len(batch) * (rank + 1) // ranks
    most = min(MICRO_BATCH_SIZE or last - first, last - first)
    vectors = [_kept(name, SIZE) for name in STEP_MEMORY if name not in ("grad", "piece")]
    grad, value, total = _kept("grad", SIZE), 0.0, 0.0
    if first == last:
        share_of_grad[:] = 0
    for start in range(first, last, max(most, 1)):
        rows = batch[start : min(start + most, last)]
        own, extents = _rows_in_memory(arrays, sizes, rows)
        if not all(np.isfinite(array).all() for array in own):
            return np.nan, 1.0
        work = _kept("work", _work_size(*extents))
        loss, weight = _share_of_step(
            theta, grad, *vectors, tuple(state), *setting, start, *own, work, *extents
        )
        share = (len(rows) if counts_rows else weight) / len(batch)
        target = share_of_grad if start == first else grad
        np.multiply(grad, DTYPE(share), out=target)
        if target is grad:
            share_of_grad += grad
        value, total = value + share * loss if share else value, total + share
    return float(value), float(total)


def _rows_in_memory(
    arrays: Sequence[np.ndarray], sizes: dict[str, int], rows: np.ndarray
) -> tuple[list[np.ndarray], Sequence[int]]:
    """The data of some rows, and the sizes that they decide."""
    named = zip(INPUTS + TARGETS, arrays, strict=True)
    found = [array[rows] if AXES[name][:1] == (BATCH_AXIS,) else array for name, array in named]
    own = [_in_memory(name, array) for name, array in zip(INPUTS + TARGETS, found, strict=True)]
    return own, _sizes(*{**sizes, BATCH_AXIS: len(rows)}.values())


class _SumOverRanks:
    """Adds up the gradients of all ranks, in the order of these: whatever the communicator, to the same bits.

    Each rank adds up a stretch of the vector and hands it to all; beside it lie its loss and its weight.
    """

    def __init__(self, comm: Any) -> None:
        self.comm, ranks = comm, comm.Get_size()
        self.size = -(-SIZE // ranks)
        beside = 2 * np.dtype(np.float64).itemsize // np.dtype(DTYPE).itemsize
        self.sent, self.taken = (np.zeros((ranks, self.size), DTYPE) for _ in range(2))
        self.own, self.every = (np.zeros((n, self.size + beside), DTYPE) for n in (1, ranks))
        self.own_grad = self.sent.reshape(-1)[:SIZE]

    def added(self, mean: np.ndarray, value: float, weight: float) -> tuple[float, float, float]:
        """The mean loss, the sum of weights, the largest of them; the mean gradient goes into `mean`."""
        self.comm.Alltoall(self.sent, self.taken)
        stretch = self.own[0, : self.size]
        stretch[:] = self.taken[0]
        for taken in self.taken[1:]:
            stretch += taken
        self.own[0, self.size :] = np.array([value, weight]).view(DTYPE)
        self.comm.Allgather(self.own, self.every)
        values, weights = self.every[:, self.size :].copy().view(np.float64).T.tolist()
        total, largest = sum(weights), max(map(abs, weights))
        if not total:
            return np.nan, total, largest
        for rank, summed in enumerate(self.every):
            target = mean[rank * self.size : min((rank + 1) * self.size, SIZE)]
            np.divide(summed[: len(target)], DTYPE(total), out=target)
        return sum(values) / total, total, largest
