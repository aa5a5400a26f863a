"""What is varied in a sweep: places in the spec, and the values that each may have."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeAlias

import numpy as np

from symgrad.sweeping.varied.dotted_entries import Scalar

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

Values: TypeAlias = "Mapping[str, Scalar]"
"""A value for each path."""
DIGITS = 6
"""Numbers between the ends of a range are rounded to so many digits, so that they can be written down."""


@dataclass(frozen=True)
class ListedValues:
    """These values, one after the other."""

    path: str
    values: tuple[Scalar, ...]

    @property
    def size(self) -> int:
        """How many there are."""
        return len(self.values)

    def at(self, place: float) -> Scalar:
        """The value at a place from 0 to 1, 1 not included."""
        return self.values[int(place * len(self.values))]

    @property
    def ends(self) -> tuple[Scalar, ...]:
        """Those that are tried before a sweep starts: all."""
        return self.values

    def __str__(self) -> str:
        return f"{self.path}={','.join(map(shown, self.values))}"


@dataclass(frozen=True)
class ValueRange:
    """All numbers from `least` to `most`, or all whole ones; of `log`, the logarithms are spread evenly."""

    path: str
    least: float
    most: float
    log: bool
    whole: bool

    size = None
    """There is no number of them that a grid would have."""

    def at(self, place: float) -> float | int:
        """The number at a place from 0 to 1, 1 not included."""
        if self.whole:
            low, high = self.least - 0.5, self.most + 0.5
            found = low * (high / low) ** place if self.log else low + (high - low) * place
            return min(max(round(found), int(self.least)), int(self.most))
        found = (
            math.exp(math.log(self.least) + (math.log(self.most) - math.log(self.least)) * place)
            if self.log
            else self.least + (self.most - self.least) * place
        )
        return min(max(rounded(found), self.least), self.most)

    @property
    def ends(self) -> tuple[Scalar, ...]:
        """Those that are tried before a sweep starts: the least and the most."""
        return (int(self.least), int(self.most)) if self.whole else (self.least, self.most)

    def __str__(self) -> str:
        ends = f"{shown(self.ends[0])}..{shown(self.ends[1])}"
        return f"{self.path}={ends}:{'log' if self.log else 'linear'}"


SweepAxis: TypeAlias = ListedValues | ValueRange


def varied(axes: Sequence[SweepAxis]) -> tuple[SweepAxis, ...]:
    """Those of several values; the first where all have one."""
    return tuple(axis for axis in axes if axis.size != 1) or tuple(axes[:1])


def short_names(axes: Sequence[SweepAxis]) -> tuple[str, ...]:
    """The shortest end of each path that begins with a word, where no other path ends so."""
    found = {axis.path: [*_ends(axis.path)] for axis in axes}
    told = [{end for other in found if other != path for end in found[other]} for path in found]
    return tuple(
        next((end for end in ends if end not in others and not end[:1].isdecimal()), path)
        for (path, ends), others in zip(found.items(), told, strict=True)
    )


def _ends(path: str) -> Iterator[str]:
    """What a path ends with, from its last part to all of it."""
    parts = path.split(".")
    return (".".join(parts[first:]) for first in reversed(range(len(parts))))


def rounded(value: float) -> float:
    """The number in few digits."""
    return float(f"{value:.{DIGITS}g}")


def points_between(least: float, most: float, number: int, *, log: bool, whole: bool) -> tuple[Scalar, ...]:
    """So many numbers from the least to the most, evenly spread; whole ones that coincide are there once.

    Where rounding would make two of them one, none is rounded.
    """
    spread = np.geomspace(least, most, number) if log else np.linspace(least, most, number)
    if whole:
        return tuple(dict.fromkeys(int(value) for value in np.rint(spread)))
    inner = [rounded(value) for value in spread[1:-1]]
    found = (least, *inner, most) if number > 1 else (least,)
    return found if len(set(found)) == number else tuple(map(float, spread))


def shown(value: Scalar) -> str:
    """A value as people and YAML write it."""
    if isinstance(value, list):
        return f"[{', '.join(map(shown, value))}]"
    if value is None or isinstance(value, bool):
        return {None: "null", True: "true", False: "false"}[value]
    return f"{value:g}" if isinstance(value, float) and float(f"{value:g}") == value else str(value)
