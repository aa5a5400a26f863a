"""Progress: a bar on stderr for people at a terminal, a curve in a notebook, a few plain lines for logs."""

from __future__ import annotations

from contextlib import contextmanager
from time import monotonic
from typing import TYPE_CHECKING, Any

from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn

from symgrad.displayed import notebook_display
from symgrad.training.records.epoch_pace import SOON, EpochPace
from symgrad.training.records.live_curve import LiveCurve, place_of
from symgrad.training.scores.metrics import SCORE_WORDS, ScoreName

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from symgrad.training.records.history import EpochRecord

SECONDS_BETWEEN_PICTURES = 0.2
LINES_IN_A_LOG = 10
LONGEST_SILENCE = 60.0
"""Seconds of training after which a log gets a line in any case."""


@contextmanager
def shown_progress(
    epochs: int, score: ScoreName, iterations: int = 0, *, console: Console | None = None
) -> Iterator[Callable[[EpochRecord], None]]:
    """A callable that reports each epoch, in the cell of a notebook or on stderr.

    A notebook gets a bar and the curve of the loss. A terminal gets a bar; a pipe, or a terminal that cannot
    move its cursor, gets about ten lines, one a minute where epochs are long, and always the last epoch.
    The last of the epochs are `iterations`. `NO_COLOR` is respected. `console` replaces notebook and stderr.
    """
    display = notebook_display() if console is None else None
    if display is not None:
        with _in_notebook(display, epochs, score, iterations) as report:
            yield report
        return
    console = console or Console(stderr=True)
    lines = _bar if console.is_terminal and not console.is_dumb_terminal else _plain_lines
    with lines(console, epochs, score, iterations) as report:
        yield report


@contextmanager
def _in_notebook(
    display: Callable[..., Any], epochs: int, score: ScoreName, iterations: int
) -> Iterator[Callable[[EpochRecord], None]]:
    """One output of the cell, which changes some times a second, and is at last what the last epoch left."""
    records: list[EpochRecord] = []
    pace = EpochPace(epochs)
    shown, due = None, 0.0

    def show() -> None:
        nonlocal shown, due
        said = "  ".join(filter(None, (summary(records[-1], score), str(pace))))
        curve = LiveCurve(epochs, tuple(records), said, iterations)
        if shown is None:
            shown = display(curve, display_id=True)
        else:
            shown.update(curve)
        due = monotonic() + SECONDS_BETWEEN_PICTURES

    def report(record: EpochRecord) -> None:
        records.append(record)
        pace.note(record.epoch)
        if monotonic() >= due:
            show()

    try:
        yield report
    finally:
        if records:
            show()


@contextmanager
def _bar(
    console: Console, epochs: int, score: ScoreName, iterations: int
) -> Iterator[Callable[[EpochRecord], None]]:
    columns = (
        TextColumn("{task.fields[place]}"),
        BarColumn(bar_width=24),
        TextColumn("{task.fields[summary]}", markup=False),
        TextColumn("{task.fields[pace]}", markup=False, style="progress.remaining"),
    )
    pace = EpochPace(epochs)
    with Progress(*columns, console=console) as progress:
        task = progress.add_task(
            "", total=epochs, place=f"epoch 0/{epochs - iterations}", summary="", pace=""
        )

        def report(record: EpochRecord) -> None:
            pace.note(record.epoch)
            said: dict[str, Any] = {
                "place": place_of(record, epochs, iterations),
                "summary": summary(record, score),
                "pace": str(pace),
            }
            progress.update(task, completed=record.epoch, **said)

        yield report


@contextmanager
def _plain_lines(
    console: Console, epochs: int, score: ScoreName, iterations: int
) -> Iterator[Callable[[EpochRecord], None]]:
    every = max(epochs // LINES_IN_A_LOG, 1)
    unprinted: list[EpochRecord] = []
    silent, pace = 0.0, EpochPace(epochs)

    def show(record: EpochRecord) -> None:
        text = f"{place_of(record, epochs, iterations)}  {summary(record, score)}"
        if (pace.seconds_left or 0.0) >= SOON:
            text += f"  ({pace})"
        console.print(text, highlight=False, markup=False, soft_wrap=True)

    def report(record: EpochRecord) -> None:
        nonlocal silent
        pace.note(record.epoch)
        unprinted[:] = [record]
        silent += record.seconds
        if record.epoch == 1 or record.epoch % every == 0 or silent > LONGEST_SILENCE:
            show(unprinted.pop())
            silent = 0.0

    try:
        yield report
    finally:
        for record in unprinted:
            show(record)


def summary(record: EpochRecord, score: ScoreName) -> str:
    """The measured numbers of an epoch in one short line."""
    measured = {
        "loss": record.loss,
        SCORE_WORDS[score]: record.score,
        "held-out loss": record.validation_loss,
        f"held-out {SCORE_WORDS[score]}": record.validation_score,
    }
    measured |= {f"held-out {name}": value for name, value in record.metrics}
    return "  ".join(f"{name} {value:.4g}" for name, value in measured.items() if value is not None)
