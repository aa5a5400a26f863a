"""How a spec's training would scale: for people a table and a picture, for machines a dict."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from itertools import pairwise
from typing import TYPE_CHECKING, Any

from rich import box
from rich.console import Group
from rich.table import Table
from rich.text import Text

from symgrad.benchmark.units import amount, duration
from symgrad.displayed import Displayed
from symgrad.errors import ModuleError, how_to_install
from symgrad.plain_text import plain_text
from symgrad.scaling.scaling_picture import scaling_figure
from symgrad.training.records.plot import figure_svg, write_figure

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

    from symgrad.scaling.step_model import Link, PredictedStep

HALF = 0.5
"""The efficiency above which scaling is said to hold."""
FAR = 0.25
"""The part of a real step's time by which a plan is said to miss it, or steps of fewer rows to be slower."""


@dataclass(frozen=True, repr=False)
class ScalingPlan(Displayed):
    """Predicted steps by their number of ranks, beginning with one; `measured` has seconds of real ones.

    `is_weak` says that every rank keeps the rows of one; else they share the rows of a batch.
    """

    name: str
    batch: int
    is_weak: bool
    parameters: int
    vector_bytes: int
    cpu: str
    cores: int
    ranks_per_machine: int
    network: Link
    steps: tuple[PredictedStep, ...]
    measured: Mapping[int, float]

    @property
    def passed(self) -> bool:
        """A plan is made or refused."""
        return True

    def speed_up(self, step: PredictedStep) -> float:
        """Rows a second, beside those of one process."""
        return step.rows_a_second / self.steps[0].rows_a_second

    def efficiency(self, step: PredictedStep) -> float:
        """The speed-up for each rank."""
        return self.speed_up(step) / step.ranks

    @property
    def fastest(self) -> PredictedStep:
        """Where most rows are learnt from in a second."""
        return max(self.steps, key=self.speed_up)

    @property
    def last_efficient(self) -> PredictedStep:
        """The most ranks of which each does at least half of what one alone does."""
        return max((s for s in self.steps if self.efficiency(s) >= HALF), key=lambda s: s.ranks)

    def table(self) -> Group:
        """For a rich console."""
        rows = f"{self.batch:,} rows {'a rank' if self.is_weak else 'a step'}"
        title = (
            f"{self.name}: {rows}, {self.parameters:,} parameters, a gradient of {amount(self.vector_bytes)}B"
        )
        cores = "1 core" if self.cores == 1 else f"{self.cores} cores"
        return Group(
            Text(title, style="bold"),
            Text(f"timed on {cores} of {self.cpu}; {self._between()}"),
            self._rows(),
            *map(Text, self._conclusions()),
        )

    def _between(self) -> str:
        rate, latency = f"{amount(self.network.bandwidth)}B/s", duration(self.network.latency)
        here = "1 rank" if self.ranks_per_machine == 1 else f"{self.ranks_per_machine} ranks"
        return f"{here} on each such machine, {rate} and {latency} between them"

    def _rows(self) -> Table:
        table = Table(box=box.SIMPLE_HEAD, pad_edge=False, collapse_padding=True)
        titles = (
            "ranks",
            "machines",
            "rows each",
            "step",
            "sending",
            "speed-up",
            "efficiency",
            "memory each",
        )
        for title in (*titles, *(("measured",) if self.measured else ())):
            table.add_column(title, justify="right", no_wrap=True)
        for step in self.steps:
            real = self.measured.get(step.ranks)
            table.add_row(
                str(step.ranks),
                str(step.machines),
                str(step.rows),
                duration(step.seconds),
                f"{step.sending / step.seconds:.0%}",
                f"{self.speed_up(step):.3g}×",
                f"{self.efficiency(step):.0%}",
                f"{amount(step.memory)}B" if step.memory else "unknown",
                *([_beside(step.seconds, real)] if self.measured else []),
            )
        return table

    def _conclusions(self) -> tuple[str, ...]:
        fastest, last = self.fastest, self.last_efficient
        where = "the most that was asked for" if fastest.ranks == self.steps[-1].ranks else "more are slower"
        on = "one rank alone" if fastest.ranks == 1 else f"{fastest.ranks} ranks"
        again = "where this machine had other work to do, time them again when it has none"
        return (
            f"fastest on {on} ({self.speed_up(fastest):.3g}×; {where}); "
            f"each rank does at least half of what one alone does up to {last.ranks}",
            *(f"{doubt}: {again}" for doubt in self._doubts()),
        )

    def _doubts(self) -> Iterator[str]:
        missed = [str(step.ranks) for step in self.steps if self._misses(step)]
        if missed:
            yield f"real steps took other times on {', '.join(missed)}"
        for many, few in self._slower():
            yield f"steps of {few.rows} rows took longer than of {many.rows}"

    def _slower(self) -> list[tuple[PredictedStep, PredictedStep]]:
        """Steps that several ranks compute of more rows in less time: what was timed was held up."""
        of_several = pairwise(step for step in self.steps if step.ranks > 1)
        return [
            (many, few)
            for many, few in of_several
            if few.rows < many.rows and few.computing > (1 + FAR) * many.computing
        ]

    def _misses(self, step: PredictedStep) -> bool:
        real = self.measured.get(step.ranks)
        return real is not None and abs(step.seconds - real) > FAR * real

    def as_dict(self) -> dict[str, Any]:
        """The plan as JSON can hold it."""
        return {
            "name": self.name,
            "batch": self.batch,
            "scaling": "weak" if self.is_weak else "strong",
            "parameters": self.parameters,
            "gradient_bytes": self.vector_bytes,
            "machine": {"cpu": self.cpu, "cores": self.cores, "ranks": self.ranks_per_machine},
            "network": asdict(self.network),
            "steps": [self._step(step) for step in self.steps],
            "fastest": self.fastest.ranks,
            "last_efficient": self.last_efficient.ranks,
        }

    def _step(self, step: PredictedStep) -> dict[str, Any]:
        found = {
            "seconds": step.seconds,
            "speed_up": self.speed_up(step),
            "efficiency": self.efficiency(step),
        }
        return {**asdict(step), **found, "measured_seconds": self.measured.get(step.ranks)}

    def write_picture(self, path: Path) -> None:
        """Draw speed-up and the parts of a step; the ending of `path` chooses the format.

        Raises:
            DataError: the file cannot be written, or the format is unknown.
            ModuleError: matplotlib is missing.
        """
        figure = scaling_figure(self)
        if figure is None:
            raise ModuleError("matplotlib is missing", remedy=how_to_install("plot"))
        write_figure(figure, path)

    def _picture(self) -> str | None:
        figure = scaling_figure(self)
        return None if figure is None else figure_svg(figure)

    def __str__(self) -> str:
        return plain_text(self.table(), 110)


def _beside(predicted: float, real: float | None) -> str:
    return "" if real is None else f"{duration(real)} ({predicted / real - 1:+.0%})"
