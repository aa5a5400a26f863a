"""An epoch whose batches are shared by processes: ranks of a communicator such as mpi4py's."""

import math
import zlib
from collections.abc import Sequence
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
    Params,
    State,
    _share_of_step,
    _sizes,
    _work_size,
)
from symgrad.runtime.training.row_epochs import _asked_of_epoch, _memory_for_rows
from symgrad.runtime.training.stretches import (
    PARTS,
    _hand_out_state,
    _is_part,
    _kept_before,
    _parts_of,
    _Stretches,
)


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
        stretches = _Stretches(comm, theta, state, is_part)
        value = _shared_steps(stretches, theta, state, setting, arrays, sizes, order, batch_size)
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
    stretches: _Stretches,
    theta: np.ndarray,
    state: State,
    setting: tuple[Any, ...],
    arrays: Sequence[np.ndarray],
    sizes: dict[str, int],
    order: np.ndarray,
    batch_size: int,
) -> float:
    """The mean loss per row, as of an epoch that is not shared."""
    derived, most = _sizes(*sizes.values())[len(FREE_AXES) :], _most_rows(stretches, batch_size)
    own, others = dict(sizes.items()), dict(sizes.items())
    own[BATCH_AXIS] = most
    del others[BATCH_AXIS]
    work, grad = _kept("work", _room_for_share((*own.values(), *derived))), _kept("grad", SIZE)
    memory, flat = _memory_for_rows(arrays, most)
    data, extents, total = (flat, memory, work), (*others.values(), *derived), 0.0
    for start in range(0, len(order), batch_size):
        batch = order[start : min(start + batch_size, len(order))]
        point, value = _point(stretches, theta, setting), np.nan
        for counts_rows in (False, True):
            vectors = point, grad, state[0]
            own_share = _own_share(stretches, vectors, batch, most, data, extents, counts_rows)
            values, weights, scales = stretches.told_by_all(own_share).T.tolist()
            if any(weights):
                value = sum(values) / sum(weights) if sum(weights) else np.nan
                break  # else nothing counts in this batch, and a mean over nothing is the same for all rows
            stretches.drop()
        if not np.isfinite(value):
            stretches.drop()
            return value
        stretches.make_step(grad, [scale / sum(weights) for scale in scales], setting)
        total += value * (len(batch) / len(order))
    return total


def _own_share(
    stretches: _Stretches,
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
    rows, before = _own_rows(stretches, batch), len(batch) * stretches.rank // stretches.ranks
    value = total = keep = 0.0
    for start in range(0, len(rows), most):
        count = min(most, len(rows) - start)
        target = _kept("piece", SIZE) if keep else grad
        given = point, target, step, before + start, *flat, rows, start, count, memory, work, *extents
        loss, weight = _share_of_step(*given, 1)
        for part in range(2, PARTS + 1 if np.isfinite(loss) else 0):
            if count == len(rows):
                stretches.send(grad, part - 1)
            _share_of_step(*given, part)
        share = (count if counts_rows else weight) / len(batch)
        times = 1.0 if ADDS_UP else share
        if share and keep:
            _add_weighted(grad, keep, target, times)
        if share:
            value, total, keep = value + times * loss, total + share, 1.0 if keep else times
    stretches.send(grad, PARTS)
    return value, total, keep


def _room_for_share(extents: Sequence[int]) -> int:
    """How many numbers the workspace of a share holds."""
    return _work_size(*extents)


def _most_rows(stretches: _Stretches, batch_size: int) -> int:
    """How many rows of a batch this rank computes at once at most."""
    own = math.ceil(batch_size / stretches.ranks)
    return min(MICRO_BATCH_SIZE or own, own)


def _own_rows(stretches: _Stretches, batch: np.ndarray) -> np.ndarray:
    """This rank's rows of a batch."""
    first, last = (len(batch) * rank // stretches.ranks for rank in (stretches.rank, stretches.rank + 1))
    return batch[first:last]


def own_state(state: State, comm: Any) -> State:
    """This rank's part of a whole state, a copy: with it, steps that ranks share need no more of it.

    Its vectors have as many entries as this rank updates. Where all ranks give such parts to `train_step` and
    `train_epoch`, each part is changed in place.
    """
    _check_state(state)
    if _kept_before(SIZE) <= 1:
        return _copy_of_state(state)
    parts = [tuple(part)[1:] for part in _parts_of(comm, state, is_part=False)]
    return State(np.copy(state.step), *map(np.concatenate, zip(*parts, strict=True)))


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
    vectors = (np.empty(_kept_before(SIZE), DTYPE) for _ in tuple(state)[1:])
    whole = State(np.copy(state.step), *vectors)
    places = (_parts_of(comm, each, is_part=each is state) for each in (whole, state))
    for part, own in zip(*places, strict=True):
        for vector, given in zip(part, own, strict=True):
            vector[:] = given
    _hand_out_state(comm, whole)
    return whole


def _point(_: _Stretches, theta: np.ndarray, __: tuple[Any, ...]) -> np.ndarray:
    """Where the gradient of the coming step is taken."""
    return theta
