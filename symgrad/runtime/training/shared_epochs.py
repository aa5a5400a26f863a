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
from symgrad.runtime.parameter_vectors import _Alone, _check_state, _copy_of_state
from symgrad.runtime.smallest_model import (
    ADDS_UP,
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
        asked = _asked_of_epoch(params, data, batch_size, order, setting)
        is_part = _is_part(comm, state)
    except Exception:
        _agree(comm, -1)
        raise
    arrays, sizes, order, batch_size, theta, setting = asked
    numbers = np.array([batch_size, *sizes.values()])
    same = state[:1] if is_part else state
    _agree(comm, _fingerprint(theta, *same, order, numbers, *map(np.array, (is_part, *setting))))
    with _Alone(theta):
        own = state if is_part else _part_of(comm, state)
        stretch = _Stretch(comm, theta, own)
        value = _shared_steps(stretch, theta, state, setting, arrays, sizes, order, batch_size)
        if not is_part:
            _hand_out_state(comm, state)
    if not np.isfinite(value):
        _demand_finite(comm, data)
    return value


def _demand_finite(comm: Any, data: tuple[Any, ...]) -> None:
    """Raise ValueError on all ranks if one was given an entry that is not finite, and says which."""
    try:
        _given(INPUTS + TARGETS, data)
    except Exception:
        _agree(comm, -1)
        raise
    _agree(comm, 0)


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
    work, grad = _kept("work", _room_for_share((*own.values(), *derived))), _kept("grad", SIZE)
    memory, flat = _memory_for_rows(arrays, most)
    data, extents, total = (flat, memory, work), (*others.values(), *derived), 0.0
    for start in range(0, len(order), batch_size):
        batch = order[start : min(start + batch_size, len(order))]
        point, value = _point(stretch, theta, setting), np.nan
        for counts_rows in (False, True):
            vectors = point, grad, state[0]
            told = stretch.told_by_all(_own_share(stretch, vectors, batch, most, data, extents, counts_rows))
            values, weights, scales = told.T.tolist()
            if any(weights):
                value = sum(values) / sum(weights) if sum(weights) else np.nan
                break  # else nothing counts in this batch, and a mean over nothing is the same for all rows
        if not np.isfinite(value):
            return value
        stretch.make_step(grad, [scale / sum(weights) for scale in scales], setting)
        total += value * (len(batch) / len(order))
    return total


def _own_share(
    stretch: "_Stretch",
    vectors: tuple[np.ndarray, ...],
    batch: np.ndarray,
    most: int,
    data: tuple[Any, ...],
    extents: Sequence[int],
    counts_rows: bool,
) -> tuple[float, float, float]:
    """The loss of this rank's rows of a batch times what they weigh, unless losses add up, that weight, and
    what their gradient is still to be multiplied by; where that is 0, there is none.
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
        times = 1.0 if ADDS_UP else share
        if share and keep:
            _add_weighted(grad, keep, target, times)
        if share:
            value, total, keep = value + times * loss, total + share, 1.0 if keep else times
    return value, total, keep


def _room_for_share(extents: Sequence[int]) -> int:
    """How many numbers the workspace of a share holds."""
    return _work_size(*extents)


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

    def __init__(self, comm: Any, theta: np.ndarray, own_state: State) -> None:
        self.comm, self.theta, self.own_state = comm, theta, tuple(own_state)
        self.rank, self.ranks = int(comm.Get_rank()), int(comm.Get_size())
        self.ends = _ends(self.ranks)
        self.first, last = self.ends[self.rank : self.rank + 2]
        self.own, self.size = theta[self.first : last], last - self.first
        self.before = _kept_before(self.first)
        self.taken = _kept("taken", (self.ranks - 1) * self.size)

    def told_by_all(self, own: Sequence[float]) -> np.ndarray:
        """What every rank tells, a row each."""
        found = np.empty((self.ranks, len(own)))
        self.comm.Allgather(np.array(own), found)
        return found

    def make_step(self, grad: np.ndarray, weights: list[float], setting: tuple[Any, ...]) -> None:
        """The step by the sum of what all ranks have in `grad`, each times its weight."""
        total = self._added_up(grad, weights)
        norm = _norm_over_ranks(self, total)
        _rest_of_step(self.own, total, self.own_state, self.first, self.before, norm, *setting)
        _hand_out(self.comm, self.theta, self.ends)

    def _added_up(self, grad: np.ndarray, weights: list[float]) -> np.ndarray:
        """The sum of all gradients in this stretch, in the order of the ranks; without those of no weight."""
        counts, sizes = _counts(self.ends), [self.size] * self.ranks
        places = [self.size * (n - (n > self.rank)) for n in range(self.ranks)]
        _exchanged(self.comm, (grad, counts, self.ends[:-1]), (self.taken, sizes, places))
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
        others = [self.taken[self.size * n : self.size * (n + 1)] for n in range(self.ranks - 1)]
        return [*others[: self.rank], own, *others[self.rank :]]


def _hand_out(comm: Any, vector: np.ndarray, ends: list[int]) -> None:
    """Let all ranks have of a vector what each has in its part, from one of `ends` to the next."""
    rank, ranks = comm.Get_rank(), comm.Get_size()
    first, last = ends[rank : rank + 2]
    start = last if rank == 0 else 0  # MPI may refuse to take where it sends
    own = vector[first:last], [last - first] * ranks, [0] * ranks
    _exchanged(comm, own, (vector[start:], _counts(ends), [max(end - start, 0) for end in ends[:-1]]))


def _exchanged(
    comm: Any, sent: tuple[np.ndarray, list[int], list[int]], taken: tuple[np.ndarray, list[int], list[int]]
) -> None:
    """Parts of vectors sent and taken, of so many numbers and from where; nothing to this rank itself."""
    rank, messages = comm.Get_rank(), []
    for vector, counts, places in (sent, taken):
        messages.append([vector, ([*counts[:rank], 0, *counts[rank + 1 :]], places)])
    comm.Alltoallv(*messages)


def _ends(ranks: int) -> list[int]:
    """Where the parts of ranks begin in the vector of all parameters, and where the last one ends.

    Each has about as many entries that training changes.
    """
    shares = (_kept_before(SIZE) * n // ranks for n in range(1, ranks))
    return [0, *map(_place_of_kept, shares), SIZE]


def _place_of_kept(entry: int) -> int:
    """Where an entry of a state lies in the vector of all parameters."""
    return next((first + entry - kept for first, size, kept in TRAINED if entry < kept + size), SIZE)


def _counts(ends: list[int]) -> list[int]:
    return [last - first for first, last in pairwise(ends)]


def _kept_before(place: int) -> int:
    """How many entries a state has for those before a place in the vector of all parameters."""
    return sum(min(max(place - first, 0), size) for first, size, _ in TRAINED)


def _part_of(comm: Any, state: State) -> State:
    """This rank's part of a state, as views."""
    first, last = (_kept_before(end) for end in _ends(comm.Get_size())[comm.Get_rank() :][:2])
    return State(state.step, *(vector[first:last] for vector in tuple(state)[1:]))


def _hand_out_state(comm: Any, state: State) -> None:
    """Let all ranks have all of a state of which each has its part."""
    for vector in tuple(state)[1:]:
        _hand_out(comm, vector, [*map(_kept_before, _ends(comm.Get_size()))])


def _is_part(comm: Any, state: Any) -> bool:
    """Whether this is a rank's part of a state, and no whole one. Raises where it is neither."""
    first, last = (_kept_before(end) for end in _ends(comm.Get_size())[comm.Get_rank() :][:2])
    vectors, own = tuple(state)[1:] if isinstance(state, State) else (), last - first
    if vectors and own < _kept_before(SIZE) and all(np.shape(vector) == (own,) for vector in vectors):
        _check_state(state, own)
        return True
    _check_state(state)
    return False


def own_state(state: State, comm: Any) -> State:
    """This rank's part of a whole state, a copy: with it, steps that ranks share need no more of it.

    Its vectors have as many entries as this rank updates. Where all ranks give such parts to `train_step` and
    `train_epoch`, each part is changed in place.
    """
    _check_state(state)
    can_be_divided = _kept_before(SIZE) > 1
    return State(*map(np.copy, _part_of(comm, state) if can_be_divided else state))


def whole_state(state: State, comm: Any) -> State:
    """The whole state, a copy, of which every rank gives its part; all ranks make this call."""
    try:
        is_part = _is_part(comm, state)
    except Exception:
        _agree(comm, -1)
        raise
    _agree(comm, _fingerprint(state.step, np.array(is_part)))
    if not is_part:
        return _copy_of_state(state)
    ends = [*map(_kept_before, _ends(comm.Get_size()))]
    whole = State(np.copy(state.step), *(np.empty(ends[-1], DTYPE) for _ in tuple(state)[1:]))
    for part, vector in zip(_part_of(comm, whole), state, strict=True):
        part[:] = vector
    _hand_out_state(comm, whole)
    return whole


def _point(_: _Stretch, theta: np.ndarray, __: tuple[Any, ...]) -> np.ndarray:
    """Where the gradient of the coming step is taken."""
    return theta


def _norm_over_ranks(*_: Any) -> float:
    """The norm of the whole gradient: nothing asks for it."""
    return 0.0
