"""Intervals of real numbers, written as in `[0, 1)`."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping


@dataclass(frozen=True)
class Interval:
    """From `least` to `most`; an open end does not belong to it."""

    least: float
    most: float
    open_least: bool = False
    open_most: bool = False

    def holds(self, value: float) -> bool:
        """Whether a number lies in it; NaN lies in none."""
        above = self.least < value if self.open_least else self.least <= value
        return above and (value < self.most if self.open_most else value <= self.most)

    def within(self, other: Interval) -> bool:
        """Whether every number of this interval lies in the other."""
        least = self.least > other.least or (
            self.least == other.least and (self.open_least or not other.open_least)
        )
        most = self.most < other.most or (self.most == other.most and (self.open_most or not other.open_most))
        return least and most

    @property
    def is_positive(self) -> bool:
        """Whether every number of it is above 0."""
        return self.least > 0 or (self.least == 0 and self.open_least)

    def __str__(self) -> str:
        least = f"{'above' if self.open_least else 'from'} {self.least:g}" if self.least > -math.inf else ""
        if self.most == math.inf:
            return f"{least} on" if least.startswith("from") else least or "of any size"
        most = f"{'below' if self.open_most else 'at most'} {self.most:g}"
        if not least.startswith("from"):
            return f"{least} and {most}" if least else most
        return f"{least} to {'below ' if self.open_most else ''}{self.most:g}"


EVERYTHING = Interval(-math.inf, math.inf, True, True)


def interval(text: str, values: Mapping[str, float] | None = None) -> Interval:
    """Read `[0, 1)`; an end that is an argument without a known value is no bound."""
    least, most = (part.strip() for part in text[1:-1].split(","))
    return Interval(
        _end(least, values or {}, -math.inf),
        _end(most, values or {}, math.inf),
        text[0] == "(",
        text[-1] == ")",
    )


def _end(text: str, values: Mapping[str, float], unknown: float) -> float:
    return values.get(text, unknown) if text.isidentifier() and text != "inf" else float(text)
