"""Time per step of all peers on a problem, interleaved: every round gives every peer a turn."""

from __future__ import annotations

import statistics
from dataclasses import asdict, dataclass
from math import ceil
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from benchmarks.problems import Problem
    from benchmarks.processes import Process

REFERENCE = "symgrad"
AGREEMENT = 1e-4
"""How far the loss after the run may be from symgrad's, relative to it."""
BEGINNING = 1e-5
"""How far the loss of a network's first epoch may be from symgrad's; a peer with another is refused."""
COMPARED = 31
"""The last epoch whose loss is compared: over the millions of steps of short epochs rounding grows."""


@dataclass(frozen=True)
class Pace:
    """How long to measure: at most so many rounds, fewer for peers that would take longer than `seconds`.

    A turn is one epoch, or several where one is so short that finding the caches cold would be a part of its
    time: then so many as take `turn` seconds, after a first one that is not timed.
    """

    rounds: int = 31
    least: int = 5
    seconds: float = 0.5
    turn: float = 0.01

    def epochs(self, seconds: float) -> int:
        """How many epochs a turn has, if one takes so many seconds."""
        return 1 if seconds >= self.turn else 1 + ceil(self.turn / seconds)


@dataclass(frozen=True)
class Lap:
    """What one peer needs for a step, in seconds: the quartiles over its epochs.

    `losses` are of the first and the last epoch that is compared, `difference` says how far the last one
    is from the reference's loss of the same epoch, relative to it; without a reference there is none.
    """

    peer: str
    variant: str
    quartiles: tuple[float, float, float]
    epochs: int
    losses: tuple[float, float]
    difference: float | None

    @property
    def median(self) -> float:
        """The number that the tables show."""
        return self.quartiles[1]

    @property
    def agrees(self) -> bool:
        """Whether it computed what symgrad computed."""
        return self.difference is not None and self.difference <= AGREEMENT


@dataclass(frozen=True)
class Race:
    """The laps of a problem, and why the other peers have none."""

    problem: str
    laps: tuple[Lap, ...]
    missing: tuple[tuple[str, str], ...]

    def lap(self, peer: str) -> Lap | None:
        """That of a peer, if it took part."""
        return next((lap for lap in self.laps if lap.peer == peer), None)


def race(problem: Problem, processes: Sequence[Process], pace: Pace) -> Race:
    """Let all peers train on a problem, each for as many epochs as the pace allows, spread evenly."""
    missing, variants, counts, epochs, begun = {}, {}, {}, {}, {}
    for process in processes:
        name, answer = process.peer.name, process.ask("prepare", problem=asdict(problem))
        if "missing" not in answer:
            begun[name] = answer["loss"]
        if "missing" in answer:
            missing[name] = answer["missing"]
        elif problem.is_compared_at_first and _begins_elsewhere(begun[name], begun.get(REFERENCE)):
            missing[name] = f"its first loss is {begun[name]:.7g}, not {begun[REFERENCE]:.7g}"
        else:
            counts[name] = min(pace.rounds, max(pace.least, int(pace.seconds / answer["seconds"])))
            epochs[name] = pace.epochs(answer["seconds"])
            variants[name] = answer["variant"]
    times: dict[str, list[float]] = {name: [] for name in variants}
    losses: dict[str, list[float]] = {name: [] for name in variants}
    for process in _turns([p for p in processes if p.peer.name in variants], counts, pace.rounds):
        if (name := process.peer.name) not in missing:
            answer = process.ask("turn", epochs=epochs[name])
            if "missing" in answer:
                missing[name] = answer["missing"]
                continue
            timed = answer["seconds"][1:] or answer["seconds"]
            times[name] += [seconds / problem.steps for seconds in timed]
            losses[name] += answer["losses"]
    laps = (
        Lap(
            peer=name,
            variant=variant,
            quartiles=quartiles(times[name]),
            epochs=len(times[name]),
            losses=(losses[name][0], losses[name][:COMPARED][-1]),
            difference=_difference(losses[name], losses.get(REFERENCE, [])),
        )
        for name, variant in variants.items()
        if name not in missing
    )
    return Race(problem.name, tuple(laps), tuple(missing.items()))


def _begins_elsewhere(loss: float, reference: float | None) -> bool:
    return reference is not None and not abs(loss - reference) <= BEGINNING * abs(reference)


def _turns(processes: Sequence[Process], counts: dict[str, int], rounds: int) -> Iterable[Process]:
    """Who runs next: a peer with fewer epochs than rounds sits some of them out, evenly."""
    for number in range(rounds):
        for process in processes:
            count = counts[process.peer.name]
            if (number + 1) * count // rounds > number * count // rounds:
                yield process


def quartiles(values: Sequence[float]) -> tuple[float, float, float]:
    """The quarter, the half and three quarters of the values lie below these."""
    if len(values) == 1:
        return (values[0],) * 3
    first, second, third = statistics.quantiles(values, n=4, method="inclusive")
    return first, second, third


def _difference(losses: Sequence[float], reference: Sequence[float]) -> float | None:
    """How far the last loss that both have is from the reference's."""
    common = min(len(losses), len(reference), COMPARED)
    if not common:
        return None
    mine, other = losses[common - 1], reference[common - 1]
    return abs(mine - other) / abs(other)
