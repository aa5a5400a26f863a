"""An evaluation drawn: what classes were taken for and how sure that was, or how far values are off."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Protocol

import numpy as np

from symgrad.errors import DataError, ModuleError, how_to_install
from symgrad.training.records.plot import LEGEND, figure_svg, write_figure

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from symgrad.prediction.calibration import Calibration
    from symgrad.training.scores.metrics import Metrics, ScoredEntries

_MOST_WRITTEN = 20
"""In a matrix of more classes the counts are colours alone."""
_MOST_POINTS = 5000


class DrawnEvaluation(Protocol):
    """What is drawn: an EvaluationReport."""

    @property
    def name(self) -> str: ...
    @property
    def metrics(self) -> Metrics: ...
    @property
    def classes(self) -> Sequence[Any]: ...
    @property
    def confusion(self) -> Sequence[Sequence[int]]: ...
    @property
    def calibration(self) -> Calibration | None: ...
    @property
    def values(self) -> ScoredEntries | None: ...


def draw_evaluation(evaluation: DrawnEvaluation, path: Path) -> None:
    """Draw the confusion matrix, and the calibration of probabilities, or values beside their targets and
    what is left between them; the ending chooses the format.

    Raises:
        DataError: nothing of it can be drawn, or the file cannot be written.
        ModuleError: matplotlib is missing.
    """
    if not _can_be_drawn(evaluation):
        problem = "there is nothing to draw: predictions and one target cannot be compared"
        raise DataError(problem, at=evaluation.name, remedy="leave the picture out")
    figure = _figure(evaluation)
    if figure is None:
        raise ModuleError("matplotlib is missing", remedy=how_to_install("plot"))
    write_figure(figure, path)


def evaluation_svg(evaluation: DrawnEvaluation) -> str | None:
    """The same as SVG; None where there is nothing to draw, or matplotlib is not installed."""
    figure = _figure(evaluation) if _can_be_drawn(evaluation) else None
    return None if figure is None else figure_svg(figure)


def _can_be_drawn(evaluation: DrawnEvaluation) -> bool:
    return bool(evaluation.classes) or evaluation.values is not None


def _figure(evaluation: DrawnEvaluation) -> Any:
    try:
        from matplotlib.figure import Figure
    except ImportError:
        return None
    calibration, values = evaluation.calibration, evaluation.values
    is_double = values is not None or calibration is not None
    figure = Figure(figsize=(11 if is_double else 6, 5), layout="constrained")
    figure.suptitle(f"{evaluation.name}: {evaluation.metrics.rows:,} rows", fontsize=13, parse_math=False)
    axes = figure.subplots(1, 2 if is_double else 1, squeeze=False)[0]
    if values is not None:
        _draw_values(axes, values)
        return figure
    _draw_confusion(axes[0], evaluation)
    if calibration is not None:
        _draw_calibration(axes[1], calibration)
    return figure


def _draw_values(axes: Any, values: ScoredEntries) -> None:
    """Predictions against targets, with the line where they are equal, and residuals against predictions."""
    target, prediction = (
        np.asarray(array, np.float64).ravel() for array in (values.target, values.prediction)
    )
    good = np.flatnonzero(np.isfinite(target) & np.isfinite(prediction))
    shown = good[:: -(-len(good) // _MOST_POINTS)] if len(good) else good
    target, prediction = target[shown], prediction[shown]
    style = {"s": 12, "alpha": 0.6, "color": "#2563a8", "linewidths": 0}
    axes[0].scatter(target, prediction, **style)
    axes[1].scatter(prediction, target - prediction, **style)
    if len(shown):
        ends = [min(target.min(), prediction.min()), max(target.max(), prediction.max())]
        axes[0].plot(ends, ends, color="#777777", linestyle="--", linewidth=1)
    axes[1].axhline(0, color="#777777", linestyle="--", linewidth=1)
    axes[0].set(xlabel="target", ylabel="prediction")
    axes[1].set(xlabel="prediction", ylabel="residual: target less prediction")
    for one in axes:
        one.grid(alpha=0.25)
        one.spines[["top", "right"]].set_visible(False)


def _draw_confusion(axes: Any, evaluation: DrawnEvaluation) -> None:
    counts = np.array(evaluation.confusion)
    names = [scores.name for scores in evaluation.classes]
    shares = counts / np.maximum(counts.sum(axis=1, keepdims=True), 1)
    axes.imshow(shares, cmap="Blues", vmin=0, vmax=1)
    axes.set_xlabel("taken for")
    axes.set_ylabel("is")
    if len(names) > _MOST_WRITTEN:
        return
    axes.set_xticks(
        range(len(names)), names, rotation=90 if max(map(len, names)) > 3 else 0, parse_math=False
    )
    axes.set_yticks(range(len(names)), names, parse_math=False)
    for (row, column), count in np.ndenumerate(counts):
        if count:
            color = "white" if shares[row, column] > 0.5 else "black"
            axes.text(column, row, f"{count}", ha="center", va="center", color=color, fontsize=8)


def _draw_calibration(axes: Any, calibration: Calibration) -> None:
    bins = calibration.bins
    axes.plot([0, 1], [0, 1], color="#777777", linestyle="--", linewidth=1, label="as it should be")
    probabilities, shares = [b.probability for b in bins], [b.share_right for b in bins]
    axes.plot(
        probabilities, shares, marker="o", color="#2563a8", label=f"calibration error {calibration.error:.3f}"
    )
    for found in bins:
        place = (found.probability, found.share_right)
        away, side = (-4, "right") if found.probability > 0.9 else (4, "left")
        move = (away, 5 if found.share_right < 0.1 else -11)
        axes.annotate(f"{found.count}", place, xytext=move, textcoords="offset points", ha=side, fontsize=8)
    axes.set(xlim=(0, 1.02), ylim=(0, 1.02), xlabel="probability of the likeliest class (at points: rows)")
    axes.set_ylabel("share of rows where it is right")
    axes.grid(alpha=0.25)
    axes.spines[["top", "right"]].set_visible(False)
    axes.legend(**LEGEND)
