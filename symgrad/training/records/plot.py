"""Learning curves, drawn with matplotlib where it is installed."""

from __future__ import annotations

import io
import logging
import math
from typing import TYPE_CHECKING, Any, Protocol

from symgrad.errors import DataError
from symgrad.files import write_whole
from symgrad.training.scores.metrics import SCORE_WORDS

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from symgrad.training.scores.metrics import ScoreName

TRAINING, VALIDATION, QUIET = "#2563a8", "#d1670e", "#777777"
LEGEND: dict[str, Any] = {"loc": "lower left", "bbox_to_anchor": (0, 1), "ncols": 2, "fontsize": 9}
LEGEND |= {"frameon": False, "handlelength": 1.6, "columnspacing": 1.2, "borderaxespad": 0.2}
"""Above the axes, where it covers nothing that is drawn."""
WIDE_RANGE = 50.0
"""Losses that span more than this factor are drawn on a logarithmic axis."""
TOO_LARGE = 1e30

# What matplotlib logs, such as that it builds its font cache, is for the caller's logging, not for stderr.
logging.getLogger("matplotlib").addHandler(logging.NullHandler())


class Drawn(Protocol):
    """What is drawn: a History."""

    @property
    def spec_name(self) -> str: ...
    @property
    def score_name(self) -> ScoreName: ...
    @property
    def records(self) -> Sequence[Any]: ...
    @property
    def best_epoch(self) -> int: ...


def plot_history(history: Drawn, path: Path) -> Path | None:
    """Draw loss and, where measured, score over the epochs; the suffix of `path` chooses the format.

    Returns the path, or None when matplotlib is not installed. Raises DataError for a format that
    matplotlib does not know and for a history without epochs.
    """
    figure = history_figure(history)
    if figure is None:
        return None
    write_figure(figure, path)
    return path


def history_svg(history: Drawn) -> str | None:
    """The same picture as SVG; None when matplotlib is not installed."""
    figure = history_figure(history)
    return None if figure is None else figure_svg(figure)


def history_figure(history: Drawn) -> Any:
    """The figure; None when matplotlib is not installed. Raises DataError for a history without epochs."""
    try:
        from matplotlib.figure import Figure
    except ImportError:
        return None
    if not history.records:
        raise DataError("there are no epochs to plot", at=history.spec_name, remedy="train at least one")
    width = 10.0 if _has_score(history) else 6.0
    figure = Figure(figsize=(width, 4.2))
    _draw(figure, history)
    figure.subplots_adjust(left=0.8 / width, right=1 - 0.15 / width, bottom=0.13, top=0.81, wspace=0.22)
    return figure


def figure_svg(figure: Any) -> str:
    """A figure as an SVG element, for a page that stands around it."""
    picture = io.StringIO()
    figure.savefig(picture, format="svg")
    text = picture.getvalue()
    return text[text.index("<svg") :]


def write_figure(figure: Any, path: Path) -> None:
    """Write a figure whole. Raises DataError for a format that matplotlib does not know."""
    picture = io.BytesIO()
    try:
        figure.savefig(picture, format=path.suffix.removeprefix("."), dpi=150)
    except ValueError as error:
        problem = f"the plot cannot be written: {error}"
        raise DataError(problem, at=str(path), remedy="try .png or .svg") from error
    write_whole(path, picture.getbuffer())


def _draw(figure: Any, history: Drawn) -> None:
    figure.suptitle(f"{history.spec_name}: learning curves", fontsize=13, parse_math=False)
    if not _has_score(history):
        _draw_loss(figure.subplots(), history)
        return
    left, right = figure.subplots(1, 2)
    _draw_loss(left, history)
    _draw_score(right, history)


def _has_score(history: Drawn) -> bool:
    return any(record.score is not None for record in history.records)


def _draw_loss(axes: Any, history: Drawn) -> None:
    training = [record.loss for record in history.records]
    validation = [record.validation_loss for record in history.records]
    _curves(axes, history, training, validation, "loss")
    losses = [loss for loss in map(drawable, (*training, *validation)) if not math.isnan(loss)]
    if spans_a_wide_range(losses):
        axes.set_yscale("log")
        axes.yaxis.set_major_formatter("{x:g}")  # to typeset powers matplotlib first builds a parser
        axes.yaxis.set_minor_formatter("")
    _mark_best(axes, history)
    axes.legend(**LEGEND)


def _draw_score(axes: Any, history: Drawn) -> None:
    training = [record.score for record in history.records]
    validation = [record.validation_score for record in history.records]
    _curves(axes, history, training, validation, SCORE_WORDS[history.score_name])
    _mark_best(axes, history)
    axes.legend(**LEGEND)


def spans_a_wide_range(losses: Sequence[float]) -> bool:
    """Whether their logarithms show more than they do."""
    return bool(losses) and min(losses) > 0 and max(losses) > WIDE_RANGE * min(losses)


def drawable(value: float | None) -> float:
    """The value, or NaN, a gap in the curve, for what was not measured or is beyond all axes."""
    return value if value is not None and abs(value) < TOO_LARGE else math.nan


def _curves(axes: Any, history: Drawn, training: list[Any], validation: list[Any], label: str) -> None:
    epochs = [record.epoch for record in history.records]
    marker = "o" if len(epochs) <= 30 else None
    for values, name, color in ((training, "training", TRAINING), (validation, "held-out", VALIDATION)):
        if any(value is not None for value in values):
            shown = [drawable(value) for value in values]
            axes.plot(epochs, shown, color=color, label=name, marker=marker, markersize=3, linewidth=1.6)
    begun = next((r.epoch for r in history.records if r.iteration is not None), None)
    axes.set_xlabel("epoch" if begun is None else "epoch, then iteration")
    if begun is not None and begun > epochs[0]:
        axes.axvline(
            begun - 0.5, color=QUIET, linestyle=":", linewidth=1, label="iterations from here", zorder=0
        )
    axes.set_ylabel(label)
    axes.grid(alpha=0.25)
    axes.spines[["top", "right"]].set_visible(False)
    axes.xaxis.get_major_locator().set_params(integer=True, min_n_ticks=1)


def _mark_best(axes: Any, history: Drawn) -> None:
    best = history.best_epoch
    iteration = next((r.iteration for r in history.records if r.epoch == best), None)
    label = f"best epoch: {best}" if iteration is None else f"best iteration: {iteration}"
    axes.axvline(best, color=QUIET, linestyle="--", linewidth=1, label=label, zorder=0)
