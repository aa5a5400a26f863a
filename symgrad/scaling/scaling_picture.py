"""How training scales, drawn with matplotlib."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Protocol

from symgrad.training.records.plot import LEGEND, QUIET, TRAINING, VALIDATION

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from symgrad.scaling.step_model import PredictedStep


class Scaled(Protocol):
    """What is drawn: a plan."""

    @property
    def name(self) -> str: ...
    @property
    def steps(self) -> Sequence[PredictedStep]: ...
    @property
    def measured(self) -> Mapping[int, float]: ...
    def speed_up(self, step: PredictedStep) -> float: ...


def scaling_figure(plan: Scaled) -> Any:
    """The speed-up over the ranks, and what a step is spent on; None where matplotlib is missing."""
    try:
        from matplotlib.figure import Figure
    except ImportError:
        return None
    figure = Figure(figsize=(10, 4.2), layout="constrained")
    left, right = figure.subplots(1, 2)
    figure.suptitle(f"{plan.name}: scaling", fontsize=13, parse_math=False)
    _draw_speed(left, plan)
    _draw_parts(right, plan)
    for axes in (left, right):
        axes.set_xscale("log", base=2)
        axes.set_xticks([step.ranks for step in plan.steps])
        axes.xaxis.set_major_formatter("{x:g}")
        axes.yaxis.set_major_formatter("{x:.4g}")
        axes.yaxis.set_minor_formatter("")
        axes.set_xlabel("ranks")
        axes.grid(alpha=0.25)
        axes.spines[["top", "right"]].set_visible(False)
        axes.legend(**LEGEND)
    return figure


def _draw_speed(axes: Any, plan: Scaled) -> None:
    ranks = [step.ranks for step in plan.steps]
    axes.plot(ranks, ranks, color=QUIET, linestyle="--", linewidth=1, label="as many times as ranks")
    axes.plot(
        ranks, [plan.speed_up(s) for s in plan.steps], "o-", color=TRAINING, markersize=4, label="predicted"
    )
    real = [s for s in plan.steps if s.ranks in plan.measured]
    if real:
        speeds = [plan.speed_up(s) * s.seconds / plan.measured[s.ranks] for s in real]
        axes.plot([s.ranks for s in real], speeds, "x", color=VALIDATION, markersize=8, label="measured here")
    axes.set_yscale("log", base=2)
    axes.set_ylabel("speed-up")


def _draw_parts(axes: Any, plan: Scaled) -> None:
    ranks = [step.ranks for step in plan.steps]
    computing, sending = ([1e3 * getattr(s, part) for s in plan.steps] for part in ("computing", "sending"))
    axes.plot(ranks, computing, "o-", color=TRAINING, markersize=4, label="computing")
    if any(sending):
        axes.plot(ranks[1:], sending[1:], "o-", color=VALIDATION, markersize=4, label="sending")
    axes.set_yscale("log")
    axes.set_ylabel("milliseconds of a step")
