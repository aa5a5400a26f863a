"""Learning curves, drawn with matplotlib where it is installed."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from symgrad.errors import DataError

if TYPE_CHECKING:
    from pathlib import Path

    from symgrad.training.history import History

TRAINING, VALIDATION, QUIET = "#2563a8", "#d1670e", "#777777"
WIDE_RANGE = 50.0
"""Losses that span more than this factor are drawn on a logarithmic axis."""


def plot_history(history: History, path: Path) -> Path | None:
    """Draw loss and, where measured, accuracy over the epochs; the suffix of `path` chooses the format.

    Returns the path, or None when matplotlib is not installed. Raises DataError for a format that
    matplotlib does not know and for a history without epochs.
    """
    try:
        from matplotlib.figure import Figure
    except ImportError:
        return None
    if not history.records:
        raise DataError("there are no epochs to plot", at=history.spec_name)
    figure = Figure(figsize=(10, 4.2) if _has_accuracy(history) else (6, 4.2), layout="constrained")
    _draw(figure, history)
    try:
        figure.savefig(path, dpi=150)
    except (ValueError, OSError) as error:
        raise DataError(
            f"the plot cannot be written: {error}", at=str(path), remedy="try .png or .svg"
        ) from error
    return path


def _draw(figure: Any, history: History) -> None:
    figure.suptitle(f"{history.spec_name}: learning curves", fontsize=13, parse_math=False)
    if not _has_accuracy(history):
        _draw_loss(figure.subplots(), history)
        return
    left, right = figure.subplots(1, 2)
    _draw_loss(left, history)
    _draw_accuracy(right, history)


def _has_accuracy(history: History) -> bool:
    return history.records[0].accuracy is not None


def _draw_loss(axes: Any, history: History) -> None:
    training = [record.loss for record in history.records]
    validation = [record.validation_loss for record in history.records]
    _curves(axes, history, training, validation, "loss")
    losses = [loss for loss in (*training, *validation) if loss is not None]
    if min(losses) > 0 and max(losses) > WIDE_RANGE * min(losses):
        axes.set_yscale("log")
    _mark_best(axes, history)
    axes.legend(frameon=False)


def _draw_accuracy(axes: Any, history: History) -> None:
    training = [_percent(record.accuracy) for record in history.records]
    validation = [_percent(record.validation_accuracy) for record in history.records]
    _curves(axes, history, training, validation, "accuracy in %")
    _mark_best(axes, history)
    axes.legend(frameon=False, loc="lower right")


def _percent(fraction: float | None) -> float | None:
    return None if fraction is None else 100 * fraction


def _curves(axes: Any, history: History, training: list[Any], validation: list[Any], label: str) -> None:
    epochs = [record.epoch for record in history.records]
    marker = "o" if len(epochs) <= 30 else None
    for values, name, color in ((training, "training", TRAINING), (validation, "validation", VALIDATION)):
        if values[0] is not None:
            axes.plot(epochs, values, color=color, label=name, marker=marker, markersize=3, linewidth=1.6)
    axes.set_xlabel("epoch")
    axes.set_ylabel(label)
    axes.grid(alpha=0.25)
    axes.spines[["top", "right"]].set_visible(False)
    axes.xaxis.get_major_locator().set_params(integer=True)


def _mark_best(axes: Any, history: History) -> None:
    best = history.best_epoch
    axes.axvline(best, color=QUIET, linestyle="--", linewidth=1, label=f"best epoch: {best}", zorder=0)
