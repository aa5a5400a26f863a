"""An epoch whose batches are shared by processes: ranks of a communicator such as mpi4py's."""

import math
import zlib
from collections.abc import Sequence
from itertools import pairwise
from typing import Any

import numpy as np

from symgrad.runtime.given_arrays import _given
from symgrad.runtime.kept_memory import _kept
from symgrad.runtime.numba.gradients.weighted_gradients import _add_weighted
from symgrad.runtime.parameter_vectors import _Alone
from symgrad.runtime.smallest_model import (
    BATCH_AXIS,
    DTYPE,
    FREE_AXES,
    INPUTS,
    MICRO_BATCH_SIZE,
    SIZE,
    TARGETS,
    TRAINED,
    Params,
    State,
    _rest_of_step,
    _share_of_step,
    _sizes,
    _work_size,
)
from symgrad.runtime.training.row_epochs import _asked_of_epoch, _memory_for_rows


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
        stretch = _Stretch(comm, theta, state)
        value = _shared_steps(stretch, theta, state, setting, arrays, sizes, order, batch_size)
        for vector in tuple(state)[1:]:
            stretch.hand_out(vector, stretch.ends_of_state)
    if not np.isfinite(value):
        _given(INPUTS + TARGETS, data)  # of all ranks each tells of an entry that is not finite
    return value


COLUMNS = 1021


def _fingerprint(*arrays: np.ndarray) -> int:
    """A number that other arrays hardly share: of long ones, that of the sums of their columns in a table."""
    found = 0
    for array in arrays:
        bits = np.ascontiguousarray(array).reshape(-1).view(np.uint8)
        whole = len(bits) - len(bits) % (8 * COLUMNS)
        sums = bits[:whole].view(np.uint64).reshape(-1, COLUMNS).sum(axis=0)
        found = zlib.crc32(bits[whole:].data, zlib.crc32(sums.view(np.uint8).data, found))
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
    stretch: "_Stretch",
    theta: np.ndarray,
    state: State,
    setting: tuple[Any, ...],
    arrays: Sequence[np.ndarray],
    sizes: dict[str, int],
    order: np.ndarray,
    batch_size: int,
) -> float:
    """The mean loss per row, as of an epoch that is not shared."""
    derived, most = _sizes(*sizes.values())[len(FREE_AXES) :], _most_rows(stretch, batch_size)
    own, others = dict(sizes.items()), dict(sizes.items())
    own[BATCH_AXIS] = most
    del others[BATCH_AXIS]
    work, grad = _kept("work", _work_size(*own.values(), *derived)), _kept("grad", SIZE)
    memory, flat = _memory_for_rows(arrays, most)
    data, extents, total = (flat, memory, work), (*others.values(), *derived), 0.0
    for start in range(0, len(order), batch_size):
        batch = order[start : min(start + batch_size, len(order))]
        point, value = _point(stretch, theta, setting), np.nan
        for counts_rows in (False, True):
            vectors = point, grad, state[0]
            told = stretch.told_by_all(_own_share(stretch, vectors, batch, most, data, extents, counts_rows))
            weight = float(sum(told[:, 1]))
            if told[:, 1].any():
                value = float(sum(told[:, 0])) / weight if weight else np.nan
                break  # else nothing counts in this batch, and a mean over nothing is the same for all rows
        if not np.isfinite(value):
            return value
        stretch.make_step(grad, told[:, 2] / weight, setting)
        total += value * len(batch)
    return total / len(order)


def _own_share(
    stretch: "_Stretch",
    vectors: tuple[np.ndarray, ...],
    batch: np.ndarray,
    most: int,
    data: tuple[Any, ...],
    extents: Sequence[int],
    counts_rows: bool,
) -> tuple[float, float, float]:
    """The loss of this rank's rows of a batch times what they weigh, that weight, and what their gradient is
    still to be multiplied by; where that is 0, there is none.
    """
    (point, grad, step), (flat, memory, work) = vectors, data
    rows, before = _own_rows(stretch, batch), len(batch) * stretch.rank // stretch.ranks
    value = total = keep = 0.0
    for start in range(0, len(rows), most):
        count = min(most, len(rows) - start)
        target = _kept("piece", SIZE) if keep else grad
        loss, weight = _share_of_step(
            point, target, step, before + start, *flat, rows, start, count, memory, work, *extents
        )
        share = (count if counts_rows else weight) / len(batch)
        if share and keep:
            _add_weighted(grad, keep, target, share)
        if share:
            value, total, keep = value + share * loss, total + share, 1.0 if keep else share
    return value, total, keep


def _most_rows(stretch: "_Stretch", batch_size: int) -> int:
    """How many rows of a batch this rank computes at once at most."""
    own = math.ceil(batch_size / stretch.ranks)
    return min(MICRO_BATCH_SIZE or own, own)


def _own_rows(stretch: "_Stretch", batch: np.ndarray) -> np.ndarray:
    """This rank's rows of a batch."""
    first, last = (len(batch) * rank // stretch.ranks for rank in (stretch.rank, stretch.rank + 1))
    return batch[first:last]


class _Stretch:
    """This rank's stretch of the vector of all parameters, and of the state; all are about as long.

    A rank adds up what all found of the gradient there, makes the step there, and hands to all what its
    parameters became. So a step's sums and its update are divided among ranks as its rows are.
    """

    def __init__(self, comm: Any, theta: np.ndarray, state: State) -> None:
        self.comm = comm
        self.rank, self.ranks = int(comm.Get_rank()), int(comm.Get_size())
        self.ends = [SIZE * n // self.ranks for n in range(self.ranks + 1)]
        self.ends_of_state = [*map(_trained_before, self.ends)]
        self.theta, self.state = theta, state
        self.first, last = self.ends[self.rank : self.rank + 2]
        self.before, last_of_state = self.ends_of_state[self.rank : self.rank + 2]
        self.own, self.size = theta[self.first : last], last - self.first
        own = slice(self.before, last_of_state)
        self.own_state = (state[0], *(vector[own] for vector in tuple(state)[1:]))
        self.taken = _kept("taken", (self.ranks - 1) * self.size)

    def told_by_all(self, own: Sequence[float]) -> np.ndarray:
        """What every rank tells, a row each."""
        found = np.empty((self.ranks, len(own)))
        self.comm.Allgather(np.array(own), found)
        return found

    def make_step(self, grad: np.ndarray, weights: np.ndarray, setting: tuple[Any, ...]) -> None:
        """The step by the sum of what all ranks have in `grad`, each times its weight."""
        total = self._added_up(grad, weights.tolist())
        norm = _norm_over_ranks(self, total)
        _rest_of_step(self.own, total, self.own_state, self.first, self.before, norm, *setting)
        self.hand_out(self.theta, self.ends)

    def _added_up(self, grad: np.ndarray, weights: list[float]) -> np.ndarray:
        """The sum of all gradients in this stretch, in the order of the ranks; without those of no weight."""
        counts = self._of_others([b - a for a, b in pairwise(self.ends)])
        slots = [self.size * (n - (n > self.rank)) for n in range(self.ranks)]
        taken = self.taken, (self._of_others([self.size] * self.ranks), self._of_others(slots))
        self.comm.Alltoallv([grad, (counts, self.ends[:-1])], [*taken])
        total, *others = self._in_order(grad[self.first : self.first + self.size])
        keep, *rest = weights
        if not keep:
            total[:] = 0
        for vector, weight in zip(others, rest, strict=True):
            if weight:
                _add_weighted(total, keep or 1.0, vector, weight)
                keep = 1.0
        if keep not in (0.0, 1.0):
            total *= DTYPE(keep)
        return total

    def _in_order(self, own: np.ndarray) -> list[np.ndarray]:
        """Own numbers and those that others sent, in the order of the ranks."""
        others = [*self.taken.reshape(self.ranks - 1, self.size)]
        return [*others[: self.rank], own, *others[self.rank :]]

    def _of_others(self, numbers: list[int]) -> list[int]:
        """The same with 0 for this rank, which sends itself nothing."""
        return [*numbers[: self.rank], 0, *numbers[self.rank + 1 :]]

    def hand_out(self, vector: np.ndarray, ends: list[int]) -> None:
        """Let all have of a vector what each has in its stretch, which ends at one of `ends` and begins at
        the one before.
        """
        first, last = ends[self.rank : self.rank + 2]
        start = last if self.rank == 0 else 0  # MPI may refuse to take where it sends
        sent = self._of_others([last - first] * self.ranks), [0] * self.ranks
        taken = self._of_others([b - a for a, b in pairwise(ends)]), [max(a - start, 0) for a in ends[:-1]]
        self.comm.Alltoallv([vector[first:last], sent], [vector[start:], taken])


def _trained_before(place: int) -> int:
    """How many entries that training changes lie before a place in the vector of all."""
    return sum(min(max(place - first, 0), size) for first, size, _ in TRAINED)


def _point(_: _Stretch, theta: np.ndarray, __: tuple[Any, ...]) -> np.ndarray:
    """Where the gradient of the coming step is taken."""
    return theta


def _norm_over_ranks(*_: Any) -> float:
    """The norm of the whole gradient: nothing asks for it."""
    return 0.0
