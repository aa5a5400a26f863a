"""What a shared step takes: computing as it was measured here, and what ranks send each other.

A rank computes the gradient of its rows, which was timed here, and waits for the slowest. Then each gets
one stretch of all gradients (all-to-all), makes the step there and hands to all what its parameters became
(all-gather). All-gathers are also what each tells of its loss, and of sums over rows that rows read.
Such exchanges cost what Thakur, Rabenseifner & Gropp (2005), "Optimization of collective communication
operations in MPICH", say: long messages go one after the other, short ones in log2(ranks) rounds.
Between machines messages go through TCP, which takes processors that compute; what that takes was timed here.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence


@dataclass(frozen=True)
class Link:
    """What lies between machines: seconds on the way of a message, bytes a second in either direction."""

    latency: float
    bandwidth: float


@dataclass(frozen=True)
class Tcp:
    """What it takes of a machine to send through TCP: seconds of a message, and of each byte of a rank's core
    that sends it and takes one.
    """

    message: float
    byte: float


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

    @property
    def meeting(self) -> float:
        """Seconds until all know that all have come."""
        return self._rounds * self._message

    def exchange(self, moved: float) -> float:
        """Seconds of an exchange in which each rank sends so many bytes to other machines, and takes as many.

        A core copies while what it copied before is under way. In each round a rank hands on half of all.
        """
        carried = max(moved * self.here / self.network.bandwidth, moved * self.tcp.byte)
        one_by_one = (self.ranks - 1) * self._message + carried
        handed_on = self._rounds * self.ranks / 2 / (self.ranks - 1)
        return min(one_by_one, self.meeting + carried * handed_on)

    @property
    def _message(self) -> float:
        return self.tcp.message + self.network.latency

    @property
    def _rounds(self) -> int:
        return math.ceil(math.log2(self.ranks))


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
) -> PredictedStep:
    """A step on a batch of so many rows, whose gradient has so many bytes, and states that ranks divide.

    What each rank tells all others, so many bytes each time as `told` says, is timed here with a step;
    between machines it is sent besides.

    A rank has memory for its part of the gradients of all others, and of what is divided for its own alone;
    the bytes of all data are on each machine once, a part of the memory of each rank there.
    """
    here = min(ranks, cluster.ranks_per_machine)
    rows = math.ceil(batch / ranks)
    if ranks == 1:
        memory = _memory(machine.bytes_of(batch), data)
        return PredictedStep(1, 1, batch, batch, machine.plain, 0.0, memory)
    sending = 2 * machine.sending(here, vector * here * (here - 1) / ranks)
    if here < ranks:
        between = Between(ranks, here, machine.tcp, cluster.network)
        sending += 2 * (between.meeting + between.exchange(vector * (ranks - here) / ranks))
        sending += sum(between.exchange(size * (ranks - here)) for size in told)
    return PredictedStep(
        ranks=ranks,
        machines=math.ceil(ranks / here),
        batch=batch,
        rows=rows,
        computing=machine.computing(rows, here),
        sending=sending,
        memory=_memory(machine.bytes_of(rows), (vector - divided) * (ranks - 1) / ranks + data / here),
    )


def _memory(measured: float, more: float) -> float:
    """That of a rank beside others; 0 where it is unknown."""
    return max(measured + more, 0.0) if measured else 0.0
