"""Points that are drawn anew for every epoch: which they are is known from the seed and the epoch alone."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from symgrad.training.dataset.data import loaded

if TYPE_CHECKING:
    from collections.abc import Iterator

    from symgrad.spec.model import DataSpec, Spec
    from symgrad.training.dataset.data import Dataset


def resamples(spec: Spec) -> bool:
    """Whether a spec has points drawn anew for every epoch."""
    return any(True for _ in _drawn(spec))


def resampled(spec: Spec, training: Dataset, epoch: int) -> Dataset:
    """The training rows with the points of an epoch, counted from 1, in place of those that are drawn anew:
    as many of them, not standardised yet. In the first epoch they are the spec's, as they stand.
    """
    if epoch == 1:
        return training
    found = training
    for name, data in _drawn(spec):
        found = _with_points(spec, found, name, data, epoch)
    return found


def _drawn(spec: Spec) -> Iterator[tuple[str, DataSpec]]:
    """The data of every set whose points are drawn anew; without a name, of the only set."""
    data = spec.train.data
    for name, own in (*data.sets, ("", data)) if data else ():
        if own.points is not None and own.points.resample:
            yield name, own


def _with_points(spec: Spec, training: Dataset, name: str, data: DataSpec, epoch: int) -> Dataset:
    """The rows with others in one set."""
    own = {n for n in (*training.inputs, *training.targets) if training.sets.get(n, "") == name}
    of_set = replace(
        spec,
        inputs=tuple(t for t in spec.inputs if t.name in own),
        targets=tuple(t for t in spec.targets if t.name in own),
    )
    points = data.points.of_epoch(epoch, training.rows_of[name]) if data.points else None
    drawn = loaded(of_set, None, replace(data, points=points), None)
    inputs = {**training.inputs, **drawn.inputs}
    return replace(training, inputs=inputs, targets={**training.targets, **drawn.targets})
