"""Ranks of a communicator that share a module's batches: they make the steps of one process alone.

The ranks are threads here, and a communicator hands over what they send, over garbage.
"""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np

from symgrad.verifier.behaviour.training.epoch import row_count, trained
from symgrad.verifier.behaviour.workbench import Bench, first_line, refusal, same

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from symgrad.verifier.interpretation.array_library import Array

_PATIENCE = 60.0
_BATCH = 3
_ROUNDING = 1e-5


class ThreadRank:
    """As much of a communicator as a module asks for, of one of some threads."""

    def __init__(self, rank: int, board: list[Any], barrier: threading.Barrier) -> None:
        self.rank, self.board, self.barrier = rank, board, barrier

    def Get_rank(self) -> int:
        """Which one this is, from 0."""
        return self.rank

    def Get_size(self) -> int:
        """How many there are."""
        return len(self.board)

    def Allgather(self, sent: Array, taken: Array) -> None:
        """What all sent, in their order."""
        taken.reshape(-1).view(np.uint8)[:] = 0xFF
        there = self._met(sent)
        taken.reshape(len(there), -1)[:] = [np.ravel(each) for each in there]
        self.barrier.wait(_PATIENCE)

    def Alltoallv(self, sent: Sequence[Any], taken: Sequence[Any]) -> None:
        """What each sent to this one: a vector, with how many numbers go to each rank, and from where."""
        parts = _parts(taken)
        for part in parts:
            part.view(np.uint8)[:] = 0xFF
        for part, (theirs, (counts, places)) in zip(parts, self._met(sent), strict=True):
            count, place = counts[self.rank], places[self.rank]
            if len(part) != count or part.dtype != theirs.dtype or place + count > len(theirs):
                raise ValueError(f"rank {self.rank} takes {len(part)} {part.dtype}, {count} were sent")
            part[:] = theirs[place : place + count]
        self.barrier.wait(_PATIENCE)

    def Ialltoallv(self, sent: Sequence[Any], taken: Sequence[Any]) -> _Begun:
        """Begin the same, which is made when this rank waits for it."""
        return _Begun(self, sent, taken)

    def _met(self, sent: Any) -> list[Any]:
        self.board[self.rank] = sent
        self.barrier.wait(_PATIENCE)
        return list(self.board)


class _Begun:
    """An exchange that was begun: until its end nobody writes into what is sent, or reads what is taken."""

    def __init__(self, comm: ThreadRank, sent: Sequence[Any], taken: Sequence[Any]) -> None:
        self.comm, self.sent, self.taken = comm, sent, taken
        for part in _parts(taken):
            part.view(np.uint8)[:] = 0xFF
        self.before = [part.tobytes() for part in _parts(sent)]

    def Wait(self) -> None:
        """Make it."""
        if [part.tobytes() for part in _parts(self.sent)] != self.before:
            raise ValueError(f"rank {self.comm.rank} wrote into what it was sending")
        self.comm.Alltoallv(self.sent, self.taken)


def _parts(message: Sequence[Any]) -> list[Array]:
    """What of a vector is each rank's."""
    vector, (counts, places) = message
    return [vector[place : place + count] for count, place in zip(counts, places, strict=True)]


def on_ranks(count: int, work: Callable[[ThreadRank], Any]) -> list[Any]:
    """What each of some ranks makes of a call, or the error that it raised."""
    board, barrier = [np.empty(0)] * count, threading.Barrier(count)

    def run(rank: int) -> Any:
        try:
            with np.errstate(all="ignore"):
                return work(ThreadRank(rank, board, barrier))
        except Exception as error:  # noqa: BLE001  # whatever it raises is what is asked for
            barrier.abort()
            return error

    with ThreadPoolExecutor(count) as pool:
        return list(pool.map(run, range(count)))


def ranks(bench: Bench) -> Iterator[str]:
    """Ranks that share batches end where one process ends, all with the same bits; others are told."""
    if bench.module.COUPLED:
        for name in ("train_step", "train_epoch", "fit"):
            yield from _refused(bench, name)
        return
    rows = row_count(bench)
    size = rows if bench.case.full_batch else _BATCH
    alone = trained(bench, batch_size=size)
    for count in (1, 2, 3, size + 1):
        found = on_ranks(count, lambda comm: trained(bench, batch_size=size, comm=comm))
        yield from _told(found, alone, f"train_epoch on {count} ranks with batch_size={size}")
    for count in (2, 3):
        found = on_ranks(count, lambda comm: _divided(bench, size, comm))
        yield from _told(found, alone, f"train_epoch on {count} ranks, each with its part of the state")
    yield from _stepped(bench)
    yield from _otherwise(bench)
    yield from _late(bench)


def _told(found: list[Any], alone: tuple[Any, Any, float], what: str) -> Iterator[str]:
    wrong = [each for each in found if isinstance(each, Exception)]
    own = [each for each in wrong if not isinstance(each, threading.BrokenBarrierError)]
    if wrong:
        error = (own or wrong)[0]
        yield f"{what} raised {type(error).__name__}: {first_line(error)}"
        return
    if any(not same(each[:2], found[0][:2], 0.0) or each[2] != found[0][2] for each in found[1:]):
        yield f"{what}: they do not end with the same numbers"
    if not same(found[0][:2], alone[:2], _ROUNDING):
        yield f"{what}: they do not end where one process does"
    elif not abs(found[0][2] - alone[2]) <= _ROUNDING * max(abs(alone[2]), 1e-30):
        yield f"{what} gives {found[0][2]:.6g}, and alone {alone[2]:.6g}"


def _divided(bench: Bench, size: int, comm: ThreadRank) -> tuple[Any, Any, float]:
    own = bench.module.own_state(bench.state(), comm)
    params, state, loss = trained(bench, own, batch_size=size, comm=comm)
    return params, bench.module.whole_state(state, comm), loss


def _stepped(bench: Bench) -> Iterator[str]:
    def step(**options: Any) -> tuple[Any, Any, float]:
        params, state = bench.params(), bench.state()
        return params, state, bench.module.train_step(params, state, *bench.data(), **options)

    yield from _told(on_ranks(2, lambda comm: step(comm=comm)), step(), "train_step on 2 ranks")


def _otherwise(bench: Bench) -> Iterator[str]:
    """Where a rank has other parameters, or is given what it refuses, all are told before a step is made."""

    def of_rank(comm: ThreadRank, moved: float, batch_size: Any) -> Any:
        params, state = bench.params(), bench.state()
        if comm.rank == 1:
            bench.module.flatten(params)[...] += moved
        size = batch_size if comm.rank == 1 else "full"
        before = bench.module.flatten(params).copy()
        try:
            bench.module.train_epoch(params, state, *bench.data(), batch_size=size, comm=comm)
        except ValueError as error:
            return str(error) if same(bench.module.flatten(params), before) else "it had made steps"
        return "it was taken"

    for what, moved, size, word in (
        ("other parameters", 1.0, "full", "has other"),
        ("a batch_size of 0", 0.0, 0, "refused"),
    ):
        found = on_ranks(3, partial(of_rank, moved=moved, batch_size=size))
        told = [each for each in found if isinstance(each, str)]
        expected = [text for text in told if text.startswith(f"comm: rank 1 {word}")]
        own = [text for text in told if text.startswith("batch_size:")]
        broken = [each for each in found if isinstance(each, threading.BrokenBarrierError)]
        if not expected or len(expected) + len(own) + len(broken) < len(found) or (size == 0) != bool(own):
            yield f"train_epoch on 3 ranks of which one has {what}: {first_line(next(iter(found)))}"


def _late(bench: Bench) -> Iterator[str]:
    """A row that is not finite is told by all ranks as by one process, after the steps before it."""
    data = bench.data()
    axis, tensors = bench.case.batch, bench.case.tensors
    numbers = (n for n, t in enumerate(tensors) if t.axes[:1] == (axis,) and data[n].dtype == bench.dtype)
    place = next(numbers, None)
    if place is None or bench.case.full_batch:
        return
    data[place][-1] = np.nan

    def train(**options: Any) -> tuple[str, Any]:
        params, state = bench.params(), bench.state()
        try:
            bench.module.train_epoch(params, state, *data, batch_size=_BATCH, **options)
        except ValueError as error:
            return str(error), (params, state)
        return "it was taken", (params, state)

    said, left = train()
    for found in on_ranks(2, lambda comm: train(comm=comm)):
        if isinstance(found, Exception) or found[0] != said:
            yield f"train_epoch on 2 ranks: a row that is not finite is not told as by one process: {found}"
        elif not same(found[1], left, _ROUNDING):
            yield "train_epoch on 2 ranks: steps before a row that is not finite are not one process's"


def _refused(bench: Bench, name: str) -> Iterator[str]:
    data, options = bench.data(), {"train_epoch": {"batch_size": "full"}}.get(name, {})
    first = () if name == "fit" else (bench.params(), bench.state())
    call = partial(getattr(bench.module, name), *first, *data, **options)
    (wrong,) = on_ranks(1, lambda comm: refusal(ValueError, "comm:", partial(call, comm=comm)))
    if wrong:
        yield f"{name} with comm, though rows know of each other, {wrong}"
