"""What all generators draw with."""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeVar

if TYPE_CHECKING:
    from collections.abc import Sequence
    from random import Random

T = TypeVar("T")

PARTED = 0.6
NUMBERS = ("2", "3", "0.5", "1.5", "0.25", "1", "1/3", "4", "0.1", "1e-2", "7", "2.5")


def steps_at_once(random: Random, steps: int) -> dict[str, int]:
    """Settings of training by which recurrences of so many steps are computed in parts, or none.

    Most have few steps. The last part may have fewer; where data decide how many there are, all may be one
    part's.
    """
    size = random.choice((1, 1, 2, random.randint(1, steps + 1)))
    return {"steps_at_once": size} if random.random() < PARTED else {}


class Draw:
    """Choices of one random generator."""

    def __init__(self, random: Random) -> None:
        self.random = random

    def one(self, options: Sequence[T]) -> T:
        return options[self.random.randrange(len(options))]

    def chance(self, probability: float) -> bool:
        return self.random.random() < probability

    def whole(self, least: int, most: int) -> int:
        return self.random.randint(least, most)

    def number(self) -> str:
        """A constant as one writes it."""
        return self.one(NUMBERS)
