"""A training while it runs, as notebooks show it: a bar, the numbers of the last epoch, the loss so far."""

from __future__ import annotations

import math
from dataclasses import dataclass
from html import escape
from typing import TYPE_CHECKING, Any

from symgrad.training.records.plot import TRAINING, VALIDATION, drawable, spans_a_wide_range

if TYPE_CHECKING:
    from collections.abc import Sequence

    from symgrad.training.records.history import EpochRecord

WIDTH, HEIGHT, LEFT, BOTTOM = 480, 150, 56, 18
POINTS = 400
"""Of more epochs every second, third, ... is drawn."""


def place_of(record: EpochRecord, epochs: int, iterations: int) -> str:
    """Which of `epochs` a record is of; or which of the last of them, which are `iterations`."""
    if record.iteration is None:
        return f"epoch {record.epoch}/{epochs - iterations}"
    return f"iteration {record.iteration}/{iterations}"


@dataclass(frozen=True)
class LiveCurve:
    """What is known after some of `epochs` epochs, the last of which are `iterations`; `said` are the numbers
    of the last one."""

    epochs: int
    records: Sequence[EpochRecord]
    said: str
    iterations: int = 0

    def __str__(self) -> str:
        return f"{place_of(self.records[-1], self.epochs, self.iterations)}  {self.said}"

    def _repr_mimebundle_(self, **_: Any) -> dict[str, str]:
        return {"text/plain": str(self), "text/html": self.html()}

    def html(self) -> str:
        """The bar over the curve, in the colours of the page around them."""
        done = self.records[-1].epoch
        bar = f'<progress value="{done}" max="{self.epochs}" style="width:14em"></progress>'
        return f'<div style="white-space:pre-wrap">{bar} {escape(str(self))}</div>{self.svg()}'

    def svg(self) -> str:
        """The losses over the epochs; nothing before two epochs are done."""
        records = self.records[:: len(self.records) // POINTS + 1]
        curves = {
            "training": (TRAINING, [drawable(record.loss) for record in records]),
            "held-out": (VALIDATION, [drawable(record.validation_loss) for record in records]),
        }
        values = [value for _, found in curves.values() for value in found if not math.isnan(value)]
        if len(records) < 2 or not values:
            return ""
        scale = _Scale.over(records[0].epoch, self.epochs, values)
        drawn = [scale.line(records, found, colour) for colour, found in curves.values()]
        named = [
            f'<tspan fill="{colour}">{name}&#160;&#160;</tspan>'
            for name, (colour, found) in curves.items()
            if not all(map(math.isnan, found))
        ]
        size = f'width="{WIDTH}" height="{HEIGHT}" viewBox="0 0 {WIDTH} {HEIGHT}"'
        style = 'style="max-width:100%;font:11px sans-serif" fill="currentColor"'
        legend = f'<text x="{WIDTH}" y="10" text-anchor="end">loss: {"".join(named)}</text>'
        return f"<svg {size} {style}>{scale.axes()}{''.join(drawn)}{legend}</svg>"


@dataclass(frozen=True)
class _Scale:
    """Where epochs and losses lie in the picture; losses of several magnitudes by their logarithms."""

    first: int
    last: int
    least: float
    most: float
    is_logarithmic: bool

    @classmethod
    def over(cls, first: int, last: int, values: Sequence[float]) -> _Scale:
        return cls(first, max(last, first + 1), min(values), max(values), spans_a_wide_range(values))

    def x(self, epoch: int) -> float:
        return LEFT + (WIDTH - LEFT - 4) * (epoch - self.first) / (self.last - self.first)

    def y(self, value: float) -> float:
        least, most, place = (self._place(v) for v in (self.least, self.most, value))
        share = (place - least) / (most - least) if most > least else 0.5
        return HEIGHT - BOTTOM - (HEIGHT - BOTTOM - 18) * share

    def _place(self, value: float) -> float:
        return math.log(value) if self.is_logarithmic else value

    def line(self, records: Sequence[EpochRecord], values: Sequence[float], colour: str) -> str:
        """A curve, with gaps where there is no number."""
        steps, joined = [], False
        for record, value in zip(records, values, strict=True):
            if not math.isnan(value):
                steps.append(f"{'L' if joined else 'M'}{self.x(record.epoch):.1f} {self.y(value):.1f}")
            joined = not math.isnan(value)
        return f'<path d="{"".join(steps)}" fill="none" stroke="{colour}" stroke-width="1.6"/>'

    def axes(self) -> str:
        """The ends of both axes, with their numbers."""
        low, right = HEIGHT - BOTTOM, WIDTH - 4
        lines = f'<path d="M{LEFT} 14V{low}H{right}" fill="none" stroke="currentColor" opacity="0.4"/>'
        losses = [(self.y(value), value) for value in dict.fromkeys((self.least, self.most))]
        numbers = [
            f'<text x="{LEFT - 5}" y="{y + 4:.1f}" text-anchor="end">{value:.3g}</text>'
            for y, value in losses
        ]
        ends = (
            f'<text x="{LEFT}" y="{HEIGHT - 4}">epoch {self.first}</text>'
            f'<text x="{right}" y="{HEIGHT - 4}" text-anchor="end">{self.last}</text>'
        )
        return f"{lines}{''.join(numbers)}{ends}"
