"""What a shared step takes: computing as it was measured here, and what ranks send each other.

A rank computes the gradient of its rows, which was timed here, and waits for the slowest. Then each gets
one stretch of all gradients, makes the step there and hands to all what its parameters became. Each tells all
of its loss, and of sums over rows that rows read: in log2(ranks) rounds, as Thakur, Rabenseifner & Gropp
(2005), "Optimization of collective communication operations in MPICH", say of short messages.
Between machines messages go through TCP, which takes processors that compute; what that takes was timed here.
There buckets of the gradient go one after another as they are finished, while the rest of it is computed.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from symgrad.ranks.sent_behind import AT_ONCE

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence


@dataclass(frozen=True)
class Link:
    """What lies between machines: seconds on the way of a message, bytes a second in either direction."""

    latency: float
    bandwidth: float


@dataclass(frozen=True)
class Tcp:
    """What it takes to send through TCP: seconds of a message, of an exchange of two ranks beside its bytes,
    and of each byte of a core that sends it and takes one.
    """

    message: float
    exchange: float
    byte: float


@dataclass(frozen=True)
class SentBucket:
    """So large a share of the gradient, finished where such a share of the computing is still to be done."""

    share: float
    rest: float


AT_THE_END = (SentBucket(1.0, 0.0),)


@dataclass(frozen=True)
class TimedMachine:
    """This machine, as it was measured with one spec.

    `side_by_side` has, by the number of ranks, the seconds of a step by the rows that each has, without what
    takes longer where more bytes are sent; `bandwidth` the bytes a second that as many send each other, and
    `tcp` what it takes to send them to other machines.
    `memory` is the bytes of a process by its rows, beside all data; `plain` a step of one process that shares
    nothing.
    """

    plain: float
    side_by_side: Mapping[int, Mapping[int, float]]
    bandwidth: Mapping[int, float]
    tcp: Tcp
    memory: Mapping[int, float]

    def computing(self, rows: float, ranks: int) -> float:
        """Seconds for so many rows where so many ranks compute on this machine, and wait for each other."""
        return _between(ranks, {n: _between(rows, times) for n, times in self.side_by_side.items()})

    def sending(self, ranks: int, moved: float) -> float:
        """Seconds of so many bytes among so many ranks of this machine."""
        return moved / _between(ranks, self.bandwidth)

    def bytes_of(self, rows: float) -> float:
        """Memory of a rank that computes so many rows."""
        return _between(rows, self.memory)


def _between(number: float, measured: Mapping[int, float]) -> float:
    counts = sorted(measured)
    return float(np.interp(number, counts, [measured[count] for count in counts]))


@dataclass(frozen=True)
class Cluster:
    """So many ranks on each machine, and what lies between machines."""

    ranks_per_machine: int
    network: Link


@dataclass(frozen=True)
class Between:
    """So many ranks, so many `here` on each machine, and what they send each other between machines."""

    ranks: int
    here: int
    tcp: Tcp
    network: Link

    def told(self, size: int) -> float:
        """Seconds until all know so many bytes of each."""
        rounds, carried = math.ceil(math.log2(self.ranks)), self._carried(size * (self.ranks - self.here))
        return rounds * (self.tcp.message + self.network.latency) + carried

    def exchanged(self, moved: float) -> float:
        """Seconds of an exchange: each rank sends so many bytes to other machines, and takes as many."""
        waits = math.ceil((self.ranks - 1) / AT_ONCE) * self.network.latency
        return self.tcp.exchange + (self.ranks - 2) * self.tcp.message + waits + self._carried(moved)

    def behind(self, moved: float, computing: float, buckets: Sequence[SentBucket]) -> float:
        """By how many seconds computing is longer for what is exchanged meanwhile: a core copies it."""
        over = 0.0
        for bucket in buckets:
            over = max(over, computing * (1 - bucket.rest)) + self.exchanged(moved * bucket.share)
        return max(over - computing, moved * self.tcp.byte)

    def _carried(self, moved: float) -> float:
        """A core copies while what it copied before is under way."""
        return max(moved * self.here / self.network.bandwidth, moved * self.tcp.byte)


@dataclass(frozen=True)
class PredictedStep:
    """A step of so many ranks on a batch: seconds of computing and of sending, bytes of memory of a rank."""

    ranks: int
    machines: int
    batch: int
    rows: int
    computing: float
    sending: float
    memory: float

    @property
    def seconds(self) -> float:
        """How long it takes."""
        return self.computing + self.sending

    @property
    def rows_a_second(self) -> float:
        """How many rows all ranks learn from in a second."""
        return self.batch / self.seconds


def predicted(
    machine: TimedMachine,
    cluster: Cluster,
    ranks: int,
    batch: int,
    vector: int,
    divided: int = 0,
    data: int = 0,
    told: Sequence[int] = (),
    buckets: Sequence[SentBucket] = AT_THE_END,
) -> PredictedStep:
    """A step on a batch of so many rows, whose gradient has so many bytes, and states that ranks divide.

    What each rank tells all others, so many bytes each time as `told` says, is timed here with a step;
    between machines it is sent besides, and the gradient in `buckets`.

    A rank has memory for its part of the gradients of all others, and of what is divided for its own alone;
    the bytes of all data are on each machine once, a part of the memory of each rank there.
    """
    here = min(ranks, cluster.ranks_per_machine)
    rows = math.ceil(batch / ranks)
    if ranks == 1:
        memory = _memory(machine.bytes_of(batch), data)
        return PredictedStep(1, 1, batch, batch, machine.plain, 0.0, memory)
    computing = machine.computing(rows, here)
    sending = 2 * machine.sending(here, vector * here * (here - 1) / ranks)
    if here < ranks:
        between, moved = Between(ranks, here, machine.tcp, cluster.network), vector * (ranks - here) / ranks
        sending += between.behind(moved, computing, buckets) + sum(map(between.told, told))
        sending += sum(between.exchanged(moved * bucket.share) for bucket in buckets)
    return PredictedStep(
        ranks=ranks,
        machines=math.ceil(ranks / here),
        batch=batch,
        rows=rows,
        computing=computing,
        sending=sending,
        memory=_memory(machine.bytes_of(rows), (vector - divided) * (ranks - 1) / ranks + data / here),
    )


def _memory(measured: float, more: float) -> float:
    """That of a rank beside others; 0 where it is unknown."""
    return max(measured + more, 0.0) if measured else 0.0
