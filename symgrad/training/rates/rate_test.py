"""What a range test of learning rates says: where the loss falls most steeply, and where it diverges."""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np
from rich import box
from rich.console import Group
from rich.table import Table
from rich.text import Text

from symgrad.displayed import Displayed
from symgrad.errors import ModuleError, how_to_install
from symgrad.plain_text import plain_text
from symgrad.training.rates.rate_picture import rate_figure
from symgrad.training.records.history import finite
from symgrad.training.records.plot import figure_svg, write_figure

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from numpy.typing import NDArray

DIVERGED = 4.0
"""A loss has diverged where it is above the lowest by so many times what it fell, or by all of itself."""
WIDTH = 0.15
"""Losses are smoothed by a bell curve of this standard deviation in powers of ten of the rate."""
LEAST_FALL = 0.02
"""A loss that never falls by this share of the first one is not said to fall."""
_LINES, _BAR = 20, 40


def has_diverged(losses: Sequence[float]) -> bool:
    """Whether the last of these losses, of which the first is that before any step, has gone too far up."""
    first, last, lowest = losses[0], losses[-1], min(losses)
    return not math.isfinite(last) or last > lowest + DIVERGED * max(first - lowest, 0.25 * abs(first))


@dataclass(frozen=True, repr=False)
class RateTest(Displayed):
    """The loss after a step with each of some learning rates, which grow from step to step.

    `first` is the loss before the first of them. With the last one it diverged, where it did.
    """

    spec_name: str
    rates: tuple[float, ...]
    losses: tuple[float, ...]
    first: float

    @property
    def has_diverged(self) -> bool:
        """Whether the largest rates were too large."""
        return has_diverged((self.first, *self.losses))

    @cached_property
    def smoothed(self) -> tuple[float, ...]:
        """The losses without their jitter: each the mean of those around it, up to the one that diverged."""
        losses = np.array(self.losses[:-1] if self.has_diverged else self.losses)
        places = np.log10(self.rates[: len(losses)])
        weights = np.exp(-0.5 * ((places[:, None] - places) / WIDTH) ** 2)
        return tuple((weights @ losses / weights.sum(axis=1)).tolist()) if len(losses) else ()

    @cached_property
    def suggestion(self) -> float | None:
        """The rate at which the smoothed loss falls most steeply, in two digits; None: it never falls."""
        losses = np.array(self.smoothed)
        if len(losses) < 3 or self.first - losses.min() < LEAST_FALL * abs(self.first):
            return None
        places: NDArray[Any] = np.log10(self.rates[: len(losses)])
        until = int(losses.argmin()) + 1
        slopes = np.gradient(losses, places)[:until]
        return float(f"{self.rates[int(slopes.argmin())]:.1e}")

    @property
    def passed(self) -> bool:
        """Whether there is a rate to suggest."""
        return self.suggestion is not None

    @property
    def said(self) -> str:
        """What to do with it."""
        if self.suggestion is None:
            return "the loss falls at none of these rates: look at the first values, the data and the loss"
        return f"suggested: learning_rate = {self.suggestion:g}, where the loss falls most steeply"

    def table(self) -> Group:
        """For a rich console."""
        where = f", diverged at {self.rates[-1]:.2g}" if self.has_diverged else ""
        title = f"{self.spec_name}: {len(self.rates)} steps, each with a larger learning rate{where}"
        table = Table(box=box.SIMPLE_HEAD, pad_edge=False)
        for name in ("learning rate", "loss"):
            table.add_column(name, justify="right")
        table.add_column("")
        losses = self.smoothed
        chosen = np.unique(np.linspace(0, len(losses) - 1, min(_LINES, len(losses))).round().astype(int))
        low, high = (min(losses), max(losses)) if losses else (0.0, 0.0)
        for n in chosen:
            share = (losses[n] - low) / (high - low) if high > low else 0.0
            table.add_row(f"{self.rates[n]:.1e}", f"{losses[n]:.4g}", "▪" * max(1, round(_BAR * share)))
        return Group(Text(title, style="bold"), table, Text(self.said))

    def as_dict(self) -> dict[str, Any]:
        """A dictionary that `json.dumps` takes; not-a-number becomes None."""
        return {
            "spec": self.spec_name,
            "suggestion": self.suggestion,
            "diverged": self.has_diverged,
            "first_loss": self.first,
            "rates": list(self.rates),
            "losses": [finite(loss) for loss in self.losses],
            "smoothed": list(self.smoothed),
        }

    def __str__(self) -> str:
        return plain_text(self.table(), 110)

    def write_picture(self, path: Path) -> None:
        """Draw losses over rates, and the rate suggested; the ending of `path` chooses the format.

        Raises:
            DataError: the file cannot be written, or the format is unknown.
            ModuleError: matplotlib is missing.
        """
        figure = self._figure()
        if figure is None:
            raise ModuleError("matplotlib is missing", remedy=how_to_install("plot"))
        write_figure(figure, path)

    def _picture(self) -> str | None:
        figure = self._figure()
        return None if figure is None else figure_svg(figure)

    def _figure(self) -> Any:
        count, title = len(self.smoothed), f"{self.spec_name}: learning-rate range test"
        return rate_figure(title, self.rates[:count], self.losses[:count], self.smoothed, self.suggestion)
