"""The trials of a sweep drawn with matplotlib.

One axis: a curve. Two of numbers: a map, whose colours are the metric. Else parallel coordinates: a line for
each trial, through its values on an upright axis for each path, with the metric as the last.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Protocol

import numpy as np

from symgrad.sweeping.varied.sweep_axes import ListedValues, ValueRange, short_names, shown, varied
from symgrad.training.records.plot import LEGEND, QUIET, TRAINING, VALIDATION, spans_a_wide_range

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from symgrad.sweeping.sweep_metrics import SweepMetric
    from symgrad.sweeping.varied.sweep_axes import SweepAxis
    from symgrad.sweeping.working.sweep_trial import TrialRow

MOST_LINES = 2_000
"""So many of the best trials are drawn as lines."""
_LONGEST = 22
"""Longer words are cut."""
_FEW_CELLS = 120
"""A map of no more cells bears their numbers."""


class DrawnSweep(Protocol):
    """What is drawn: a Sweep."""

    @property
    def spec_name(self) -> str: ...
    @property
    def axes(self) -> tuple[SweepAxis, ...]: ...
    @property
    def metric(self) -> SweepMetric: ...
    @property
    def rows(self) -> tuple[TrialRow, ...]: ...


def sweep_figure(sweep: DrawnSweep) -> Any:
    """The figure; None where matplotlib is missing."""
    try:
        from matplotlib.figure import Figure
    except ImportError:
        return None
    rows = [row for row in sweep.rows if row.value is not None]
    axes = varied(sweep.axes)
    scales = [_Scale(axis, name, rows) for axis, name in zip(axes, short_names(axes), strict=True)]
    figure = Figure(figsize=(max(7.0, 1.9 * len(scales) + 2), 4.4), layout="constrained")
    figure.suptitle(f"{sweep.spec_name}: {sweep.metric.name}", fontsize=13, parse_math=False)
    if not rows:
        figure.text(0.5, 0.5, "no trial has a value", ha="center")
    elif len(scales) == 1:
        _draw_curve(figure.subplots(), scales[0], sweep.metric, rows)
    elif len(scales) == 2 and all(scale.is_numeric for scale in scales):
        _draw_map(figure, scales, sweep.metric, rows)
    else:
        _draw_lines(figure, scales, sweep.metric, rows)
    return figure


class _Scale:
    """An axis of the sweep as one of a picture: where its values stand, and how these places are labelled."""

    def __init__(self, axis: SweepAxis, name: str, rows: Sequence[TrialRow]) -> None:
        self.path, self.name = axis.path, name
        self.found = [row.values[axis.path] for row in rows]
        self.is_listed = isinstance(axis, ListedValues)
        values = list(axis.values) if isinstance(axis, ListedValues) else [*axis.ends, *self.found]
        numbers = [v for v in values if isinstance(v, int | float) and not isinstance(v, bool)]
        self.is_numeric = len(numbers) == len(values) and len(set(numbers)) > 1
        self.values: list[Any] = sorted(set(numbers)) if self.is_numeric else values
        self.is_log = (
            axis.log if isinstance(axis, ValueRange) else self.is_numeric and _is_geometric(self.values)
        )

    def places(self) -> NDArray[Any]:
        """Where the values of all trials stand: the numbers themselves, or the numbers of words."""
        if self.is_numeric:
            return np.array(self.found, dtype=float)
        return np.array([self.values.index(value) for value in self.found], dtype=float)

    def share(self) -> NDArray[Any]:
        """The same from 0 to 1."""
        places = np.log(self.places()) if self.is_log else self.places()
        ends = self.values if self.is_numeric else range(len(self.values))
        low, high = (float(f(ends)) for f in (min, max))
        if self.is_log:
            low, high = np.log(low), np.log(high)
        shares: NDArray[Any] = (places - low) / (high - low) if high > low else np.full(len(places), 0.5)
        return shares

    def labels(self) -> list[tuple[float, str]]:
        """Some places from 0 to 1 and what stands there."""
        count = len(self.values)
        chosen = sorted({round(k) for k in np.linspace(0, count - 1, min(count, 7))})
        where = _Scale.share(self._only(chosen))
        return [(float(at), _label(self.values[k])) for at, k in zip(where, chosen, strict=True)]

    def _only(self, chosen: Sequence[int]) -> _Scale:
        other = object.__new__(_Scale)
        other.__dict__ = {**self.__dict__, "found": [self.values[k] for k in chosen]}
        return other


def _is_geometric(values: Sequence[Any]) -> bool:
    """Whether the steps between numbers are more alike as factors."""
    if len(values) < 3 or values[0] <= 0:
        return False
    steps, factors = np.diff(values), np.diff(np.log(values))
    return bool(factors.std() / factors.mean() < steps.std() / steps.mean())


def _is_log(values: NDArray[Any]) -> bool:
    """Whether the metric is drawn by its logarithms."""
    return spans_a_wide_range(values.tolist())


def _label(value: Any) -> str:
    """A value in few characters, none of which is mathematics to matplotlib."""
    text = f"{value:.3g}" if isinstance(value, float) else shown(value)
    text = text if len(text) <= _LONGEST else f"{text[: _LONGEST - 1]}…"
    return text.replace("$", r"\$")


def _draw_curve(axes: Any, scale: _Scale, metric: SweepMetric, rows: Sequence[TrialRow]) -> None:
    values = np.array([row.value for row in rows])
    places, order = scale.places(), np.argsort(scale.places())
    axes.plot(
        places[order],
        values[order],
        "o-" if scale.is_numeric else "o",
        color=TRAINING,
        markersize=4,
        linewidth=1.6,
    )
    axes.plot(
        places[0], values[0], "o", color=VALIDATION, markersize=8, label=f"best: {_label(scale.found[0])}"
    )
    if scale.is_log:
        axes.set_xscale("log")
    elif not scale.is_numeric:
        axes.set_xticks(range(len(scale.values)), list(map(_label, scale.values)))
    if _is_log(values):
        axes.set_yscale("log")
    axes.set_xlabel(scale.path, parse_math=False)
    axes.set_ylabel(metric.name, parse_math=False)
    axes.grid(alpha=0.25)
    axes.spines[["top", "right"]].set_visible(False)
    axes.legend(**LEGEND)


def _draw_map(figure: Any, scales: Sequence[_Scale], metric: SweepMetric, rows: Sequence[TrialRow]) -> None:
    """Cells where both axes are listed, dots else; the best one has a frame."""
    from matplotlib.colors import LogNorm
    from matplotlib.patches import Rectangle

    axes = figure.subplots()
    values = np.array([row.value for row in rows])
    colours = "viridis" if metric.direction == "maximize" else "viridis_r"
    x, y = scales
    norm = LogNorm() if _is_log(values) else None
    if x.is_listed and y.is_listed:
        cells = np.full((len(y.values), len(x.values)), np.nan)
        for row, value in zip(rows, values, strict=True):
            cells[y.values.index(row.values[y.path]), x.values.index(row.values[x.path])] = value
        drawn = axes.imshow(cells, origin="lower", aspect="auto", cmap=colours, norm=norm)
        _label_cells(axes, scales)
        if cells.size <= _FEW_CELLS:
            _write_cells(axes, cells, drawn)
        corner = x.values.index(x.found[0]) - 0.5, y.values.index(y.found[0]) - 0.5
        axes.add_patch(Rectangle(corner, 1, 1, fill=False, edgecolor=VALIDATION, linewidth=2.5))
    else:
        drawn = axes.scatter(x.places(), y.places(), c=values, cmap=colours, norm=norm, s=36)
        axes.plot(
            x.places()[0], y.places()[0], "o", markersize=12, markerfacecolor="none",
            markeredgecolor=VALIDATION, markeredgewidth=2,
        )  # fmt: skip
        if x.is_log:
            axes.set_xscale("log")
        if y.is_log:
            axes.set_yscale("log")
    axes.set_xlabel(x.path, parse_math=False)
    axes.set_ylabel(y.path, parse_math=False)
    figure.colorbar(drawn, label=metric.name)


def _label_cells(axes: Any, scales: Sequence[_Scale]) -> None:
    for scale, ticks in zip(scales, (axes.set_xticks, axes.set_yticks), strict=True):
        count = len(scale.values)
        chosen = sorted({round(k) for k in np.linspace(0, count - 1, min(count, 8))})
        ticks(chosen, [_label(scale.values[k]) for k in chosen])


def _write_cells(axes: Any, cells: NDArray[Any], drawn: Any) -> None:
    for (row, column), value in np.ndenumerate(cells):
        if not np.isnan(value):
            share = float(drawn.norm(value))
            light = share > 0.6 if not drawn.get_cmap().name.endswith("_r") else share < 0.4
            axes.text(
                column, row, f"{value:.3g}", ha="center", va="center", fontsize=7,
                color="black" if light else "white",
            )  # fmt: skip


def _draw_lines(figure: Any, scales: Sequence[_Scale], metric: SweepMetric, rows: Sequence[TrialRow]) -> None:
    from matplotlib.collections import LineCollection

    axes = figure.subplots()
    values = np.array([row.value for row in rows])
    low, high = values.min(), values.max()
    ends = np.array([low, high])
    heights, ends = (np.log(values), np.log(ends)) if _is_log(values) else (values, ends)
    last = (heights - ends[0]) / (ends[1] - ends[0]) if high > low else values * 0 + 0.5
    shares = np.column_stack([*(scale.share() for scale in scales), last])
    shares = shares[:MOST_LINES][::-1]  # the best last, above the others
    places = np.arange(shares.shape[1])
    lines = [np.column_stack([places, line]) for line in shares]
    goodness = 1 - shares[:, -1] if metric.direction == "minimize" else shares[:, -1]
    drawn = LineCollection(lines, array=goodness, cmap="viridis", linewidths=1.1, alpha=0.75)
    axes.add_collection(drawn)
    axes.plot(places, shares[-1], color=VALIDATION, linewidth=2.2)
    behind = {"facecolor": "white", "edgecolor": "none", "alpha": 0.7, "pad": 0.8}
    beside: dict[str, Any] = {"textcoords": "offset points", "va": "center", "fontsize": 8}
    for place, scale in zip(places, scales, strict=False):
        for at, label in scale.labels():
            axes.annotate(label, (place, at), xytext=(-4, 0), ha="right", bbox=behind, **beside)
    for share in np.linspace(0, 1, 5):
        height = ends[0] + share * (ends[1] - ends[0])
        text = f"{np.exp(height) if _is_log(values) else height:.3g}"
        axes.annotate(text, (places[-1], share), xytext=(5, 0), **beside)
    for place in places:
        axes.axvline(place, color=QUIET, linewidth=1)
    names = [*(scale.name for scale in scales), metric.name]
    axes.set_xticks(places, names)
    axes.set_xlim(-0.45, len(names) - 0.6)
    axes.set_ylim(-0.05, 1.05)
    axes.set_yticks([])
    axes.spines[["top", "right", "left", "bottom"]].set_visible(False)
