"""`fit` of an edited module over many epochs, with a stand-in for `train_epoch` that costs nothing.

An edit may stop early, or tell another loss, after so many epochs or at a loss of some size. So `fit` is told
losses of every kind: those that its edits speak of and their neighbours, equal, falling and rising ones.
"""

from __future__ import annotations

from contextlib import contextmanager
from itertools import cycle, islice
from typing import TYPE_CHECKING, Any

import numpy as np

from symgrad.verifier.behaviour.training.epoch import row_count
from symgrad.verifier.behaviour.workbench import Bench

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

_LEAST, _MOST = 60, 30_000
_USUAL = (1.0, 0.5, 0.5, 0.7, 1e-3, 1e-6, 1e-12, 0.0, -1.0, 1e30, 2.0, 10.0, 100.0)
_FINITE = 1e300


def many_epochs(bench: Bench) -> Iterator[str]:
    """`fit` trains as many epochs as it is asked for, and tells their losses, whatever these are."""
    epochs = max(_LEAST, *(n + 2 for n in bench.case.numbers if n + 2 <= _MOST), 0)
    for kind, losses in _courses(bench.case.edited_numbers, epochs).items():
        yield from _course(bench, f"with {kind} losses", losses)


def _courses(numbers: tuple[float, ...], epochs: int) -> Mapping[str, list[float]]:
    """Losses of so many epochs."""
    beside = [
        x for n in numbers for x in (n, np.nextafter(n, np.inf), np.nextafter(n, -np.inf), n + 1, n - 1)
    ]
    various = [float(x) for x in (*_USUAL, *beside, *(-x for x in beside)) if abs(x) < _FINITE]
    falling = [1 + 1 / (1 + number) for number in range(epochs)]
    return {
        "various": list(islice(cycle(various), epochs)),
        "equal": [0.25] * epochs,
        "falling": falling,
        "rising": falling[::-1],
    }


def _course(bench: Bench, kind: str, losses: list[float]) -> Iterator[str]:
    epochs = len(losses)
    size = "full" if bench.case.full_batch or not bench.case.batch else 2
    options = {"epochs": epochs, "batch_size": size, "seed": 1, "shuffle": "each_epoch"}
    with _told(bench.module, losses) as calls:
        _, history = bench.module.fit(*bench.data(), params=bench.params(), **options)
    if len(calls) != epochs:
        yield f"fit with epochs={epochs}, {kind}, trains {len(calls)} epochs"
    elif list(history) != losses:
        wrong = next(
            (n for n, (a, b) in enumerate(zip(history, losses, strict=False)) if a != b), len(history)
        )
        yield f"fit with epochs={epochs}, {kind}, tells another loss than that of epoch {wrong}"
    elif [call.get("epoch") for call in calls] != list(range(epochs)):
        yield f"fit with epochs={epochs} counts its epochs otherwise"
    elif {call.get("batch_size") for call in calls} != {size}:
        yield f"fit with batch_size={size!r} trains with others in {epochs} epochs"
    elif bench.case.plans_epochs and {call.get("epochs") for call in calls} != {epochs}:
        yield f"fit with epochs={epochs} plans another number of them"
    elif bench.case.batch:
        yield from _orders(bench, [call.get("order") for call in calls])


@contextmanager
def _told(module: Any, losses: list[float]) -> Iterator[list[dict[str, Any]]]:
    """Inside it `train_epoch` trains nothing and gives one of the losses after the other."""
    original, calls = module.train_epoch, list[dict[str, Any]]()

    def train_epoch(*_: Any, **options: Any) -> float:
        calls.append(options)
        return losses[min(len(calls), len(losses)) - 1]

    module.train_epoch = train_epoch
    try:
        yield calls
    finally:
        module.train_epoch = original


def _orders(bench: Bench, orders: list[Any]) -> Iterator[str]:
    rows = row_count(bench)
    if any(order is None or len(order) != rows for order in orders):
        yield f"fit draws no order of {rows} rows in one of {len(orders)} epochs"
        return
    drawn = np.array(orders)
    if not np.array_equal(np.sort(drawn, axis=1), np.broadcast_to(np.arange(rows), drawn.shape)):
        yield f"fit does not take every one of {rows} rows once in one of {len(orders)} epochs"
    elif rows >= 16 and len({order.tobytes() for order in drawn}) < len(drawn):
        yield f"fit draws an order of {rows} rows twice in {len(drawn)} epochs"
