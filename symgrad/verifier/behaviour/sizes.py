"""An edited module at other numbers of rows, batches, epochs, steps and seeds, those of its edits too."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np

from symgrad.verifier.behaviour.training.epoch import late_in, row_count, stepped, trained
from symgrad.verifier.behaviour.training.fit import fitted, replayed
from symgrad.verifier.behaviour.workbench import Bench, drawn_by, kept, same

if TYPE_CHECKING:
    from collections.abc import Iterator

_ROUNDING = 1e-5
_MOST_EPOCHS = 40
_SEEDS = 12


def at_sizes(bench: Bench) -> Iterator[str]:
    """What steps, epochs and `fit` do at the numbers of the case is what they do elsewhere."""
    size = _size(bench)
    for number in _numbers(bench):
        yield from _step(bench, number)
        yield from _epoch(bench, number, size)
    yield from _fits(bench, size)
    yield from _seeds(bench)
    if bench.case.batch:
        yield from _bad_rows(bench, size)


def _numbers(bench: Bench) -> list[int]:
    """Epochs, and steps made before: at the beginning and around the numbers of the edits."""
    near = {n + d for n in bench.case.numbers for d in (-1, 0, 1)}
    return sorted({0, 1} | {n for n in near if n >= 0})


def _size(bench: Bench) -> int | str:
    """Rows of a batch: a number of the edits below the number of rows, or 3."""
    if not bench.case.batch or bench.case.full_batch:
        return "full"
    below = [n for n in bench.case.numbers if 1 <= n < row_count(bench)]
    return max(below, default=3)


def _started(bench: Bench, steps: int) -> Any:
    state = bench.state()
    state.step[0] = steps
    return state


def _step(bench: Bench, number: int) -> Iterator[str]:
    """A step is the gradient, then an update."""
    module, data = bench.module, bench.data()
    together, apart = bench.params(), bench.params()
    states = _started(bench, number), _started(bench, number)
    loss = module.train_step(together, states[0], *data, epoch=number)
    point = bench.params()
    if bench.case.looks_ahead:
        point = kept(module.gradient_point(apart, states[1]))
    true, grads = module.loss_and_grad(point, *data, **drawn_by(states[1]))
    module.update(apart, grads, states[1], epoch=number)
    if not same((together, states[0], loss), (apart, states[1], true), _ROUNDING):
        yield f"train_step {_where(bench, number)} is not loss_and_grad, then update"


def _where(bench: Bench, number: int) -> str:
    rows = f"on {row_count(bench)} rows " if bench.case.batch else ""
    return f"{rows}in epoch {number}, after {number} steps"


def _epoch(bench: Bench, number: int, size: int | str) -> Iterator[str]:
    """An epoch is a step on each batch."""
    rows = row_count(bench) if bench.case.batch else 1
    step = rows if isinstance(size, str) else size
    orders: list[Any] = [None] if not bench.case.batch else [None, np.random.default_rng(3).permutation(rows)]
    for order in orders:
        taken = np.arange(rows) if order is None else order
        batches: list[Any] = (
            [taken[n : n + step] for n in range(0, rows, step)] if bench.case.batch else [None]
        )
        expected = stepped(bench, batches, _started(bench, number), epoch=number)
        found = trained(bench, _started(bench, number), batch_size=size, order=order, epoch=number)
        if not same(found, expected, _ROUNDING):
            how = f"with batch_size={size!r}{'' if order is None else ' and an order'}"
            yield f"train_epoch {_where(bench, number)}, {how}, is not a step on each batch"


def _fits(bench: Bench, size: int | str) -> Iterator[str]:
    epochs = min(max({3, *(n + 2 for n in bench.case.numbers)}), _MOST_EPOCHS)
    epochs = epochs if _is_steady(bench, epochs, size) else 3
    options = {"epochs": epochs, "batch_size": size, "seed": 1, "shuffle": "each_epoch"}
    params, history, seen = fitted(bench, params=bench.params(), **options)
    if len(history) != epochs or len(seen) != epochs:
        yield f"fit with epochs={epochs} trains {len(seen)} epochs and tells {len(history)} losses"
        return
    if not same(history, [e.loss for e in seen]):
        yield f"fit with epochs={epochs} tells other losses than those of its epochs"
    if [e.options.get("epoch") for e in seen] != list(range(epochs)):
        yield f"fit with epochs={epochs} counts its epochs as {[e.options.get('epoch') for e in seen]}"
    if {e.options.get("batch_size") for e in seen} != {size}:
        yield f"fit with batch_size={size!r} trains with others"
    if not all(same(e.data, bench.data()) for e in seen):
        yield "fit trains on other data"
    begun = bench.state()
    begun.step[1:] = options["seed"]
    if not same(params, replayed(bench, seen, begun), _ROUNDING):
        yield "fit gives other parameters than its epochs lead to"
    yield from _orders(bench, [e.options.get("order") for e in seen], f"in {epochs} epochs")


def _is_steady(bench: Bench, epochs: int, size: int | str) -> bool:
    """Whether so many epochs do not let the loss grow beyond all bounds."""
    train = partial(bench.module.train_epoch, bench.params(), bench.state(), *bench.data(), batch_size=size)
    losses = [train(epoch=epoch) for epoch in range(epochs)]
    return bool(np.isfinite(losses).all() and max(losses) <= losses[0] + 10 * abs(losses[0]) + 1)


def _orders(bench: Bench, orders: list[Any], where: str) -> Iterator[str]:
    """Every row once, and as many different orders as there can be expected to be."""
    if not bench.case.batch:
        return
    rows = row_count(bench)
    if not all(order is not None and sorted(order) == list(range(rows)) for order in orders):
        yield f"fit does not take every one of {rows} rows once {where}"
    elif rows >= 16 and len({tuple(order) for order in orders}) < len(orders):
        yield f"fit draws an order of {rows} rows twice {where}"


def _seeds(bench: Bench) -> Iterator[str]:
    """Every seed has first values and an order of its own."""
    seeds = sorted({*range(_SEEDS), *_numbers(bench)})
    starts, orders = [], []
    for seed in seeds:
        [epoch] = fitted(bench, epochs=1, batch_size="full", seed=seed, shuffle="each_epoch")[2]
        if not same(epoch.start, bench.module.init_params(seed)):
            yield f"fit with seed={seed} does not begin at init_params({seed})"
        starts.append(np.concatenate([np.empty(0), *map(np.ravel, epoch.start)]))
        orders.append(epoch.options.get("order"))
    are_drawn = any(block.is_drawn and block.scale for block in bench.case.blocks)
    if are_drawn and len({start.tobytes() for start in starts}) < len(seeds):
        yield f"init_params gives the same values for two of the seeds {seeds}"
    yield from _orders(bench, orders, f"for the seeds {seeds}")


def _bad_rows(bench: Bench, size: int | str) -> Iterator[str]:
    """A bad entry is told wherever it stands."""
    rows = row_count(bench)
    step = rows if isinstance(size, str) else size
    for place, tensor in enumerate(bench.case.tensors):
        if tensor.axes[:1] == (bench.case.batch,):
            for row in sorted({0, rows // 2, max(rows - 2, 0), rows - 1}):
                yield from late_in(bench, place, row, -1, step)
