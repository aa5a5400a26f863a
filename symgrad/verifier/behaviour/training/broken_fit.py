"""A training that breaks: `fit` says in which step of which epoch, and what was the first to break there."""

from __future__ import annotations

import inspect
from functools import partial
from itertools import product
from typing import TYPE_CHECKING, Any

import numpy as np

from symgrad.verifier.behaviour.training.epoch import row_count
from symgrad.verifier.behaviour.workbench import Bench, told

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

_BATCH, _STEPS_BEFORE = 2, 4
_FAR = 0.75
"""Of the largest number that the type holds."""


def broken_fits(bench: Bench) -> Iterator[str]:
    """What `fit` says where parameters are not finite at its start, a row is too large, or a rate is."""
    if "after_steps" not in inspect.signature(bench.module.fit).parameters:
        return  # an older module
    with np.errstate(all="ignore"):
        yield from _from_broken_parameters(bench)
        yield from _at_large_rows(bench)
        yield from _at_large_rates(bench)


def _from_broken_parameters(bench: Bench) -> Iterator[str]:
    """The entry of a parameter that is the first one broken is named, though all behind it are too."""
    for number, (place, start) in enumerate(product(bench.case.one_by_one, (0, 1))):
        block = bench.case.blocks[place]
        params, state, value = bench.params(), bench.state(), (np.nan, np.inf, -np.inf)[number % 3]
        entries = [array.reshape(-1) for array in params[place:]]
        first = entries[0].size // 2
        for later in (entries[0][first:], *entries[1:]):
            later[:] = np.nan
        entries[0][first] = value
        loss, _ = bench.module.loss_and_grad(params, *bench.data())
        if np.isfinite(loss):
            continue  # what is broken is not met
        state.step[0] = _STEPS_BEFORE * start
        entry = [int(n) for n in np.unravel_index(first, block.shape)]
        shape, at = (f" {[*block.shape]}", f" at {entry}") if entry else ("", "")
        words = f"the loss is {loss} in epoch {start + 1}, step {_STEPS_BEFORE * start + 1}: first of all, "
        words += f"{block.name}{shape} is {value}{at}; lower the learning rate"
        options = {"epochs": 2, "start": start, "batch_size": "full", "params": params, "state": state}
        if wrong := told(
            FloatingPointError, "", (words,), partial(bench.module.fit, *bench.data(), **options)
        ):
            yield f"fit: a parameter {block.name} that is {value} at its start {wrong}"


def _at_large_rows(bench: Bench) -> Iterator[str]:
    """The step whose rows break it is named, where steps before and behind it do not; or where all do."""
    if bench.case.full_batch or not bench.case.batch:
        return
    rows = row_count(bench)
    numbers = [n for n, t in enumerate(bench.case.tensors) if t.axes[:1] == (bench.case.batch,)]
    for place in (n for n in numbers if bench.case.tensors[n].classes is None):
        for row in (0, 1, rows // 2, rows - 1):
            data = bench.data()
            data[place][row] = _FAR * np.finfo(bench.dtype).max
            for size in _sizes(rows):
                if wrong := _broken_step(bench, bench.params, data, size):
                    yield f"fit: a row of {bench.case.tensors[place].name} that is too large {wrong}"
    large = np.copysign(_FAR * np.finfo(bench.dtype).max, bench.case.vector).astype(bench.dtype)
    if wrong := _broken_step(bench, lambda: bench.module.unflatten(large.copy()), bench.data(), _BATCH):
        yield f"fit: parameters that are too large, in batches, {wrong}"


def _at_large_rates(bench: Bench) -> Iterator[str]:
    """A step that leaves parameters that are not finite, though its loss is, is named as that.

    Data are large too, so that slopes are.
    """
    if bench.case.full_batch or not (bench.case.batch and bench.takes_hyper):
        return
    most = float(np.finfo(bench.dtype).max)
    data = [array * most**0.25 if array.dtype == bench.dtype else array for array in bench.data()]
    for name, rate in ((hyper.name, rate) for hyper in bench.case.hyper for rate in (_FAR * most, most**0.5)):
        large = {name: rate}
        try:
            bench.module.init_state(bench.params(), large)
        except ValueError:
            continue  # it lies in an interval
        for size in _sizes(row_count(bench)):
            if wrong := _broken_step(bench, bench.params, data, size, hyper=large):
                yield f"fit: a {name} that is too large {wrong}"


def _sizes(rows: int) -> set[int]:
    """Sizes of batches, of which one leaves a single row for the last."""
    return {_BATCH, max(1, rows - 1)}


def _broken_step(bench: Bench, start: Callable[[], Any], data: list[Any], size: int, **how: Any) -> str:
    """What is wrong with what `fit` says of the step that breaks an epoch; empty where none does."""
    first, words = _first_broken(bench, start(), data, size, how)
    if not words:
        return ""
    options = {"epochs": 1, "batch_size": size, "shuffle": "never", "params": start(), **how}
    parts = (_told_alone(bench, start(), data, first, size, how),)
    return told(FloatingPointError, words, parts, partial(bench.module.fit, *data, **options))


def _first_broken(
    bench: Bench, params: Any, data: list[Any], size: int, how: dict[str, Any]
) -> tuple[int, str]:
    """The first row of the step that breaks an epoch in order, and how its error begins, if one does."""
    state, rows = bench.module.init_state(bench.params(), **how), row_count(bench)
    for step, first in enumerate(range(0, rows, size), 1):
        order = np.arange(first, min(first + size, rows))
        value = bench.module.train_epoch(params, state, *data, batch_size="full", order=order, **how)
        if not np.isfinite(value):
            return first, f"the loss is {value} in epoch 1, step {step}"
        if not np.isfinite(bench.module.flatten(params)).all():
            return first, f"a parameter is not finite in epoch 1, step {step}: first of all, the"
    return 0, ""


def _told_alone(
    bench: Bench, params: Any, data: list[Any], first: int, size: int, how: dict[str, Any]
) -> str:
    """What `fit` says of the step from this row on where its rows are all that there is."""
    state, axis = bench.module.init_state(bench.params(), **how), bench.case.batch
    if first:
        bench.module.train_epoch(params, state, *data, batch_size=size, order=np.arange(first), **how)
    pairs = zip(bench.case.tensors, data, strict=True)
    few = [a[first : first + size] if t.axes[:1] == (axis,) else a for t, a in pairs]
    options = {"epochs": 1, "batch_size": "full", "shuffle": "never", "params": params, "state": state}
    try:
        bench.module.fit(*few, **options, **how)
    except FloatingPointError as error:
        return str(error)
    return "what its rows alone are told, which is nothing"
