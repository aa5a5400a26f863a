"""Which step of an epoch broke, and which number in it was the first that is not finite."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Iterable
    from types import ModuleType

    from numpy.typing import NDArray

    from symgrad.training.dataset.data import Dataset

Arrays: TypeAlias = Mapping[str, Any]
Trace: TypeAlias = Callable[[Arrays, Arrays], str]
"""The first tensor that is not finite at parameters and data by name, in words; empty: there is none."""


def bad_step(
    module: ModuleType,
    at: tuple[Any, Any],
    batches: Iterable[tuple[Dataset, Mapping[str, Any]]],
    trace: Trace | None,
) -> tuple[int, str, str] | None:
    """The number of the first step that breaks, from 0, how, and what was first; None where none does.

    The steps are made again, with each of the `batches` and its setting, from parameters and state `at` the
    last good epoch.
    """
    params, state = at
    for number, (batch, setting) in enumerate(batches):
        before = module.unflatten(np.copy(module.flatten(params)))
        point = before
        if hasattr(module, "gradient_point"):
            point = module.gradient_point(before, state, **setting)
        loss = module.train_epoch(params, state, *batch.arrays, batch_size=batch.rows, **setting)
        if not np.isfinite(loss):
            found = traced(module, point, batch, trace)
            return number, f"the loss became {float(loss)}", found
        if not np.isfinite(module.flatten(params)).all():
            found = _not_finite(module.loss_and_grad(point, *batch.arrays)[1], "the gradient of ")
            found = found or _not_finite(params, "the optimiser's new ")
            return number, "a parameter stopped being a finite number", found
    return None


def traced(module: ModuleType, params: Any, data: Dataset, trace: Trace | None) -> str:
    """What `trace` says of parameters and data."""
    names = (*module.INPUTS, *module.TARGETS)
    return trace(params._asdict(), dict(zip(names, data.arrays, strict=True))) if trace is not None else ""


def first_of_all(found: str) -> str:
    """The end of a message that says what was first not finite, where that is known."""
    return f": first of all, {found}" if found else ""


def _not_finite(arrays: Any, what: str) -> str:
    """The first of some arrays by name that is not finite."""
    for name, values in arrays._asdict().items():
        if not np.isfinite(values).all():
            return f"{what}{described(name, values)}"
    return ""


def described(name: str, values: NDArray[np.floating]) -> str:
    """The first entry that is not finite: `h [3, 64] is inf at [0, 5]`."""
    place = tuple(int(n) for n in np.argwhere(~np.isfinite(values))[0])
    shape, at = (f" {list(values.shape)}", f" at {list(place)}") if values.ndim else ("", "")
    return f"{name}{shape} is {float(values[place])}{at}"
