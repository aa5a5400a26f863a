"""Which values the trials of a sweep have: those of a grid one after the other, or drawn at random.

What a trial has follows from the seed and its number alone, whichever trials have ended.
"""

from __future__ import annotations

import math
import random
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Literal, Protocol, TypeAlias, get_args

import numpy as np

from symgrad.errors import SpecError
from symgrad.sweeping.varied.sweep_axes import ListedValues, shown

if TYPE_CHECKING:
    from collections.abc import Sequence

    from symgrad.sweeping.varied.sweep_axes import SweepAxis, Values
    from symgrad.sweeping.working.sweep_trial import TrialRow

SamplerName: TypeAlias = Literal["grid", "random", "tpe"]
SAMPLERS: tuple[SamplerName, ...] = get_args(SamplerName)
TRIALS_STREAM = 7
MOST_TRIALS = 1_000_000


class Sampler(Protocol):
    """Says what each trial has, and is told what came of it."""

    def values(self, number: int) -> Values: ...
    def learn(self, row: TrialRow) -> None: ...


@dataclass(frozen=True)
class GridSampler:
    """Every combination of listed values, the last axis changing fastest."""

    axes: Sequence[SweepAxis]

    def values(self, number: int) -> Values:
        """The values of a trial, counted from 0."""
        return at_place(_listed(self.axes), number)

    def learn(self, row: TrialRow) -> None:
        """A grid does not depend on what was found."""


@dataclass(frozen=True)
class RandomSampler:
    """Values drawn evenly; where all are listed, no combination twice."""

    axes: Sequence[SweepAxis]
    trials: int
    seed: int

    @cached_property
    def places(self) -> list[int] | None:
        """The places in the grid, where there is one; those of fewer trials are the first of these."""
        total = combinations(self.axes)
        if total is None:
            return None
        generator = random.Random(self.seed)  # noqa: S311  # whole numbers of any size, for no secret
        found: dict[int, None] = {}
        while len(found) < self.trials:
            found[generator.randrange(total)] = None
        return list(found)

    def values(self, number: int) -> Values:
        """The values of a trial, counted from 0."""
        if self.places is not None:
            return at_place(_listed(self.axes), self.places[number])
        generator = np.random.default_rng([self.seed, TRIALS_STREAM, number])
        return {axis.path: axis.at(float(generator.random())) for axis in self.axes}

    def learn(self, row: TrialRow) -> None:
        """Draws do not depend on what was found."""


def _listed(axes: Sequence[SweepAxis]) -> list[ListedValues]:
    return [axis for axis in axes if isinstance(axis, ListedValues)]


def combinations(axes: Sequence[SweepAxis]) -> int | None:
    """How many there are; None where an axis is a range without points."""
    sizes = [axis.size for axis in axes]
    return None if None in sizes else math.prod(size for size in sizes if size is not None)


def at_place(axes: Sequence[ListedValues], place: int) -> Values:
    """The combination at a place in the grid."""
    found = {}
    for axis in reversed(axes):
        place, own = divmod(place, axis.size)
        found[axis.path] = axis.values[own]
    return {axis.path: found[axis.path] for axis in axes}


def number_of_trials(axes: Sequence[SweepAxis], sampler: SamplerName, asked: int | None) -> int:
    """How many trials a sweep has.

    Raises:
        SpecError: a grid has a range without points, or a number was asked for that it does not have; other
            samplers were not told how many, or more than there are different ones.
    """
    total = combinations(axes)
    if sampler == "grid":
        return _of_grid(axes, total, asked)
    if asked is None:
        raise SpecError(f"how many trials? {sampler} has no end", at="trials", remedy="say --trials 50")
    if asked > MOST_TRIALS:
        raise SpecError(f"{asked:,} trials", at="trials", remedy=f"expected at most {MOST_TRIALS:,}")
    if sampler == "random" and total is not None and asked > total:
        problem = f"{asked:,} trials, and only {total:,} different ones"
        raise SpecError(problem, at="trials", remedy="leave --sampler and --trials out: a grid makes all")
    return asked


def _of_grid(axes: Sequence[SweepAxis], total: int | None, asked: int | None) -> int:
    for axis in axes:
        if not isinstance(axis, ListedValues):
            ends = f"{shown(axis.ends[0])}..{shown(axis.ends[1])}"
            remedy = f"write {ends}:{'log' if axis.log else 'linear'}:10, or take --sampler random"
            raise SpecError("a grid needs a number of points", at=axis.path, remedy=remedy)
    if asked is not None:
        remedy = "leave --trials out, or say --sampler random"
        raise SpecError(f"a grid makes all {total:,} trials", at="trials", remedy=remedy)
    if total is None or total > MOST_TRIALS:
        remedy = "give fewer points, or take --sampler random"
        raise SpecError(f"a grid of {total:,} trials", at="over", remedy=remedy)
    return total
