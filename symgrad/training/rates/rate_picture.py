"""A range test of learning rates drawn with matplotlib."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from symgrad.training.records.plot import LEGEND, QUIET, TRAINING, VALIDATION

if TYPE_CHECKING:
    from collections.abc import Sequence


def rate_figure(
    title: str, rates: Sequence[float], losses: Sequence[float], smoothed: Sequence[float], best: float | None
) -> Any:
    """The losses after steps with these rates, and the rate suggested; None where matplotlib is missing."""
    try:
        from matplotlib.figure import Figure
    except ImportError:
        return None
    figure = Figure(figsize=(7, 4.2), layout="constrained")
    axes = figure.subplots()
    figure.suptitle(title, fontsize=13, parse_math=False)
    axes.plot(rates, losses, ".", color=QUIET, markersize=3, label="after each step")
    axes.plot(rates, smoothed, color=TRAINING, linewidth=1.8, label="smoothed")
    if best is not None:
        axes.axvline(best, color=VALIDATION, linestyle="--", linewidth=1.2, label=f"suggested: {best:g}")
    axes.set_xscale("log")
    axes.set_xlabel("learning rate")
    axes.set_ylabel("loss")
    axes.grid(alpha=0.25)
    axes.spines[["top", "right"]].set_visible(False)
    axes.legend(**LEGEND)
    return figure
