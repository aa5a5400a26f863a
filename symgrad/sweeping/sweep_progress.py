"""What is said while a sweep runs, on stderr: a bar for people at a terminal, a line a trial for logs."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn

from symgrad.sweeping.best_run import is_before
from symgrad.sweeping.varied.sweep_axes import shown

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from symgrad.sweeping.sweep_metrics import SweepMetric
    from symgrad.sweeping.working.sweep_trial import TrialRow


@contextmanager
def shown_trials(
    metric: SweepMetric, trials: int, made: int, best: TrialRow | None, *, console: Console | None = None
) -> Iterator[Callable[[TrialRow], None]]:
    """A callable that reports each trial, of so many of which some are made. `console` replaces stderr."""
    console = console or Console(stderr=True)
    is_moving = console.is_terminal and not console.is_dumb_terminal
    with (_bar if is_moving else _lines)(console, trials, made) as show:
        so_far = best

        def report(row: TrialRow) -> None:
            nonlocal so_far
            so_far = row if is_before(row, so_far, metric) else so_far
            show(row, so_far)

        yield report


@contextmanager
def _bar(console: Console, trials: int, made: int) -> Iterator[Callable[[TrialRow, TrialRow | None], None]]:
    columns = (
        TextColumn("trials"),
        MofNCompleteColumn(),
        BarColumn(bar_width=24),
        TextColumn("{task.fields[best]}", markup=False),
    )
    with Progress(*columns, console=console) as progress:
        task = progress.add_task("", total=trials, completed=made, best="")

        def show(_: TrialRow, best: TrialRow | None) -> None:
            progress.update(task, advance=1, best="" if best is None else f"best {summary(best)}")

        yield show


@contextmanager
def _lines(console: Console, trials: int, made: int) -> Iterator[Callable[[TrialRow, TrialRow | None], None]]:
    count = made

    def show(row: TrialRow, best: TrialRow | None) -> None:
        nonlocal count
        count += 1
        so_far = "" if best is None or best.value is None else f"  (best {best.value:.4g})"
        text = f"{count}/{trials} trials  {summary(row)}{so_far}"
        console.print(text, highlight=False, markup=False, soft_wrap=True)

    yield show


def summary(row: TrialRow) -> str:
    """`learning_rate=0.01 seed=3: 0.9722`, or what went wrong, in one line."""
    values = " ".join(f"{path}={shown(value)}" for path, value in row.values.items())
    found = f"{row.value:.4g}" if row.value is not None else f"{row.state}: {row.reason}".partition("\n")[0]
    return f"{values}: {found}"
