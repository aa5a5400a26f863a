"""Batches of the sets of points beside the first: when all rows were taken, they begin in another order."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING, Literal

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray

SETS_STREAM = 5


@dataclass(frozen=True)
class SetBatches:
    """Which rows of a set of points every step takes: all in one order, then all in another, without end.

    So every batch is of `size` rows, and each row is taken as often as any other. Which ones a step takes is
    known from its number alone: a run that goes on takes those that it would have taken. `place` tells sets
    apart.
    """

    rows: int
    size: int
    seed: int
    place: int
    shuffle: Literal["each_epoch", "once", "never"]

    def of_step(self, step: int) -> NDArray[np.int64]:
        """The rows of a step, counted from 1 over all epochs."""
        places = np.arange((step - 1) * self.size, step * self.size)
        turns = range(places[0] // self.rows, places[-1] // self.rows + 1)
        found = [self._order(turn)[places[places // self.rows == turn] % self.rows] for turn in turns]
        return np.concatenate(found)

    def _order(self, turn: int) -> NDArray[np.int64]:
        if self.shuffle == "never":
            return np.arange(self.rows)
        return _permutation(self.rows, self.seed, self.place, turn if self.shuffle == "each_epoch" else 0)


@lru_cache(maxsize=16)
def _permutation(rows: int, seed: int, place: int, turn: int) -> NDArray[np.int64]:
    return np.random.default_rng([seed, SETS_STREAM, place, turn]).permutation(rows)


def set_batches(
    sizes: Mapping[str, int],
    rows_of: Mapping[str, int],
    seed: int,
    shuffle: Literal["each_epoch", "once", "never"],
) -> dict[str, SetBatches]:
    """Of every set that has fewer rows in a batch than there are."""
    return {
        name: SetBatches(rows, sizes[name], seed, place, shuffle)
        for place, (name, rows) in enumerate(rows_of.items())
        if sizes.get(name, rows) < rows
    }
