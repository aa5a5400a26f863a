"""An evaluation drawn: what each class was taken for, and how often probabilities come true."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from symgrad.errors import DataError, ModuleError
from symgrad.training.records.plot import figure_svg, write_figure

if TYPE_CHECKING:
    from pathlib import Path

    from symgrad.prediction.calibration import Calibration
    from symgrad.prediction.evaluation import EvaluationReport

_MOST_WRITTEN = 20
"""In a matrix of more classes the counts are colours alone."""


def draw_evaluation(evaluation: EvaluationReport, path: Path) -> None:
    """Draw the confusion matrix, and the calibration of probabilities; the ending chooses the format.

    Raises:
        DataError: nothing of it can be drawn, or the file cannot be written.
        ModuleError: matplotlib is missing.
    """
    if not evaluation.classes:
        problem = "values have no confusion matrix to draw"
        raise DataError(problem, at=evaluation.name, remedy="leave the picture out")
    figure = _figure(evaluation)
    if figure is None:
        raise ModuleError("matplotlib is missing", remedy='pip install "symgrad[plot]"')
    write_figure(figure, path)


def evaluation_svg(evaluation: EvaluationReport) -> str | None:
    """The same as SVG; None where there is nothing to draw, or matplotlib is not installed."""
    figure = _figure(evaluation) if evaluation.classes else None
    return None if figure is None else figure_svg(figure)


def _figure(evaluation: EvaluationReport) -> Any:
    try:
        from matplotlib.figure import Figure
    except ImportError:
        return None
    calibration = evaluation.calibration
    figure = Figure(figsize=(11 if calibration else 6, 5), layout="constrained")
    figure.suptitle(f"{evaluation.name}: {evaluation.metrics.rows:,} rows", fontsize=13, parse_math=False)
    axes = figure.subplots(1, 2 if calibration else 1, squeeze=False)[0]
    _draw_confusion(axes[0], evaluation)
    if calibration is not None:
        _draw_calibration(axes[1], calibration)
    return figure


def _draw_confusion(axes: Any, evaluation: EvaluationReport) -> None:
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
    axes.legend(loc="best", edgecolor="none")
