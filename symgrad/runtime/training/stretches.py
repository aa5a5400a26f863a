"""What ranks that share batches have each of the vector of all parameters, and what they send each other."""

from collections.abc import Callable, Sequence
from functools import partial
from itertools import pairwise
from typing import Any

import numpy as np

from symgrad.runtime.kept_memory import _kept
from symgrad.runtime.numba.gradients.weighted_gradients import _add_weighted
from symgrad.runtime.parameter_vectors import _check_state
from symgrad.runtime.smallest_model import BUCKETS, DTYPE, SIZE, TRAINED, State, _rest_of_step

PARTS = BUCKETS[-1][0]  # in so many parts a step is made, behind the last of which its gradient is whole


class _Stretch:
    """This rank's stretch of a bucket, and of the state; all ranks have about as long ones.

    A rank adds up what all found of the gradient there, makes the step there, and hands to all what its
    parameters became. So a step's sums and its update are divided among ranks as its rows are.
    """

    def __init__(
        self, comm: Any, theta: np.ndarray, own_state: State, ends: list[int], taken: np.ndarray
    ) -> None:
        self.comm, self.ends, self.taken = comm, ends, taken
        self.own_state = tuple(own_state)  # as it was compiled for: a State would be looked up at each call
        self.rank, self.ranks = comm.Get_rank(), len(ends) - 1
        self.first, last = ends[self.rank : self.rank + 2]
        self.own, self.size = theta[self.first : last], last - self.first
        self.before = _kept_before(self.first)

    def send(self, grad: np.ndarray) -> Callable[[], Any]:
        """Send each rank what this one found of the gradient there; what is given waits for theirs."""
        places = [self.size * (n - (n > self.rank)) for n in range(self.ranks)]
        sent = grad, _counts(self.ends), self.ends[:-1]
        return _exchanged(self.comm, sent, (self.taken, [self.size] * self.ranks, places))

    def added_up(self, grad: np.ndarray, weights: list[float]) -> np.ndarray:
        """The sum of all gradients in this stretch, in the order of the ranks; without those of no weight."""
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


class _Stretches:
    """This rank's stretches of all buckets, in the order in which a step finishes their gradients."""

    def __init__(self, comm: Any, theta: np.ndarray, state: State, is_part: bool) -> None:
        self.comm, self.theta, self.state = comm, theta, state
        self.rank, self.ranks = int(comm.Get_rank()), int(comm.Get_size())
        self.each: list[_Stretch] = []
        all_ends, others = _ends(self.ranks), self.ranks - 1
        taken = _kept("taken", others * sum(_own_size(ends, self.rank) for ends in all_ends))
        for ends, part in zip(all_ends, _parts_of(comm, state, is_part), strict=True):
            own, taken = np.split(taken, [others * _own_size(ends, self.rank)])
            self.each.append(_Stretch(comm, theta, part, ends, own))
        self.sent: list[Callable[[], Any]] = []

    def told_by_all(self, own: Sequence[float]) -> np.ndarray:
        """What every rank tells, a row each."""
        found = np.empty((self.ranks, len(own)))
        self.comm.Allgather(np.array(own), found)
        return found

    def send(self, grad: np.ndarray, part: int) -> None:
        """Send what is finished of a gradient by a part of a step, in which nobody may write from then on."""
        finished = sum(last <= part for last, *_ in BUCKETS)
        self.sent += [stretch.send(grad) for stretch in self.each[len(self.sent) : finished]]

    def drop(self) -> None:
        """Wait for what was sent, which nobody needs."""
        for come in self.sent:
            come()
        self.sent = []

    def make_step(self, grad: np.ndarray, weights: list[float], setting: tuple[Any, ...]) -> None:
        """The step by the sum of what all ranks have sent of `grad`, each times its weight."""
        self.drop()
        totals = [stretch.added_up(grad, weights) for stretch in self.each]
        norm, step, begun = _norm_over_ranks(self, totals), self.state[0].copy(), []
        for stretch, total in zip(self.each, totals, strict=True):
            self.state[0][:] = step  # each would count the step
            _rest_of_step(
                stretch.own, total, stretch.own_state, stretch.first, stretch.before, norm, *setting
            )
            begun.append(_handed_out(self.comm, self.theta, stretch.ends))
        for come in begun:
            come()


def _norm_over_ranks(*_: Any) -> float:
    """The norm of the whole gradient: nothing asks for it."""
    return 0.0


def _hand_out(comm: Any, vector: np.ndarray, ends: list[list[int]]) -> None:
    """Let all ranks have of a vector what each has in its stretches."""
    for come in [_handed_out(comm, vector, each) for each in ends]:
        come()


def _handed_out(comm: Any, vector: np.ndarray, ends: list[int]) -> Callable[[], Any]:
    """Begin to hand out what each rank has, from one of `ends` to the next."""
    rank, ranks = comm.Get_rank(), comm.Get_size()
    first, last = ends[rank : rank + 2]
    start = last if first == ends[0] else ends[0]  # MPI may refuse to take where it sends
    own = vector[first:last], [last - first] * ranks, [0] * ranks
    taken = vector[start : ends[-1]], _counts(ends), [max(end - start, 0) for end in ends[:-1]]
    return _exchanged(comm, own, taken)


def _exchanged(
    comm: Any, sent: tuple[np.ndarray, list[int], list[int]], taken: tuple[np.ndarray, list[int], list[int]]
) -> Callable[[], Any]:
    """Begin to send and take parts of vectors, of so many numbers and from where, but for this rank's own.

    What is given waits until that is done.
    """
    rank, messages = comm.Get_rank(), []
    for vector, counts, places in (sent, taken):
        messages.append([vector, ([*counts[:rank], 0, *counts[rank + 1 :]], places)])
    if hasattr(comm, "Ialltoallv"):
        wait: Callable[[], Any] = comm.Ialltoallv(*messages).Wait
        return wait
    return partial(comm.Alltoallv, *messages)


def _ends(ranks: int) -> list[list[int]]:
    """Where the stretches of ranks begin in each bucket, and where the last one ends.

    Each has about as many entries that training changes.
    """
    found = []
    for _, first, last in BUCKETS:
        before, count = _kept_before(first), _kept_before(last) - _kept_before(first)
        places = (_place_of_kept(before + count * n // ranks) for n in range(1, ranks))
        found.append([first, *(min(max(place, first), last) for place in places), last])
    return found


def _place_of_kept(entry: int) -> int:
    """Where an entry of a state lies in the vector of all parameters."""
    return next((first + entry - kept for first, size, kept in TRAINED if entry < kept + size), SIZE)


def _counts(ends: list[int]) -> list[int]:
    return [last - first for first, last in pairwise(ends)]


def _kept_before(place: int) -> int:
    """How many entries a state has for those before a place in the vector of all parameters."""
    return sum(min(max(place - first, 0), size) for first, size, _ in TRAINED)


def _ends_in_state(ranks: int) -> list[list[int]]:
    """The same in a state."""
    return [[*map(_kept_before, ends)] for ends in _ends(ranks)]


def _own_size(ends: list[int], rank: int) -> int:
    return ends[rank + 1] - ends[rank]


def _parts_of(comm: Any, state: State, is_part: bool) -> list[State]:
    """This rank's part of a state for each bucket, as views: of a whole one, or of all its parts in a row."""
    rank, found, start = comm.Get_rank(), [], 0
    for ends in _ends_in_state(comm.Get_size()):
        size = _own_size(ends, rank)
        place = start if is_part else ends[rank]
        found.append(State(state.step, *(vector[place : place + size] for vector in tuple(state)[1:])))
        start += size
    return found


def _hand_out_state(comm: Any, state: State) -> None:
    """Let all ranks have all of a state of which each has its part."""
    for vector in tuple(state)[1:]:
        _hand_out(comm, vector, _ends_in_state(comm.Get_size()))


def _is_part(comm: Any, state: Any) -> bool:
    """Whether this is a rank's part of a state, and no whole one. Raises where it is neither."""
    own = sum(_own_size(ends, comm.Get_rank()) for ends in _ends_in_state(comm.Get_size()))
    vectors = tuple(state)[1:] if isinstance(state, State) else ()
    if vectors and own < _kept_before(SIZE) and all(np.shape(vector) == (own,) for vector in vectors):
        _check_state(state, own)
        return True
    _check_state(state)
    return False
