"""What a module says of inference on some rows of many, against what it computes of all."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from symgrad.verifier.behaviour.workbench import Bench, flat, same

if TYPE_CHECKING:
    from collections.abc import Iterator

    from symgrad.verifier.interpretation.array_library import Array

_WAYS = ("", "mean", "sum", "weighted")


def some_rows(bench: Bench) -> Iterator[str]:
    """Predictions of single rows are those among all, and losses of single rows make up that of all."""
    module, how = bench.module, getattr(bench.module, "LOSS_BY_ROWS", "")
    if how not in _WAYS or (how == "weighted") != hasattr(module, "_weight_of_rows"):
        yield f"LOSS_BY_ROWS is {how!r}, where what rows weigh is {'not ' * (how == 'weighted')}there"
        return
    data = bench.data()
    rounding = float(np.finfo(bench.dtype).eps) ** 0.25
    if getattr(module, "PREDICTS_BY_ROWS", False):
        whole = flat(module.predict(bench.params(), *data[: len(bench.case.inputs)]))
        found = [_predicted(bench, row) for row in _rows(bench, data)]
        joined = [np.concatenate(each) for each in zip(*found, strict=True)]
        if all(np.isfinite(a).all() for a in whole) and not same(joined, whole, rounding):
            yield "PREDICTS_BY_ROWS, but what is predicted for rows is another among all"
    if how:
        expected = module.loss(bench.params(), *data)
        if np.isfinite(expected) and not same(_made_up(bench, data, how), expected, rounding):
            yield f"LOSS_BY_ROWS is {how!r}, but the losses of rows do not make up that of all"


def _rows(bench: Bench, data: list[Array]) -> list[tuple[int, list[Array]]]:
    """The data of every row, with its number."""
    axes, rows = bench.module.AXES, bench.module.BATCH_AXIS
    of_rows = [axes[tensor.name][:1] == (rows,) for tensor in bench.case.tensors]
    count = next(len(array) for array, own in zip(data, of_rows, strict=True) if own)
    return [
        (n, [a[n : n + 1] if own else a for a, own in zip(data, of_rows, strict=True)]) for n in range(count)
    ]


def _predicted(bench: Bench, row: tuple[int, list[Array]]) -> list[Array]:
    """What is predicted for one row behind others."""
    module, (before, data) = bench.module, row
    given = (*data[: len(bench.case.inputs)], *_key(module, before))
    return flat(module._evaluated(module._predict, module._predictions, bench.params(), given))


def _made_up(bench: Bench, data: list[Array], how: str) -> float:
    """The loss that those of the rows make up."""
    module, values, weights = bench.module, [], []
    for before, row in _rows(bench, data):
        values.append(float(module._loss_of(bench.params(), (*row, *_key(module, before)))))
        weights.append(_weight(bench, row) if how == "weighted" else 1.0)
    whole = 1.0 if how == "sum" else sum(weights)
    counted = ((v, w) for v, w in zip(values, weights, strict=True) if w)
    return sum(value * (weight / whole) for value, weight in counted) if whole else values[0]


def _weight(bench: Bench, row: list[Array]) -> float:
    """What the row whose loss was just computed weighs."""
    module = bench.module
    pairs = zip(bench.case.tensors, row, strict=True)
    sizes = {a: n for t, array in pairs for a, n in zip(module.AXES[t.name], array.shape, strict=True)}
    extents = module._sizes(*(sizes.get(axis, 1) for axis in module.FREE_AXES))
    return float(module._weight_of_rows(module._kept("work", module._work_size(*extents)), *extents))


def _key(module: Any, before: int) -> tuple[tuple[int, int, int], ...]:
    """What inference draws by behind so many rows, where a module draws."""
    return ((*module.KEY[:2], before),) if hasattr(module, "KEY") else ()
