"""pad, concat, stack and flatten with NumPy's own functions, on arrays with an axis of probes first."""

from __future__ import annotations

import ast
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Callable

NAMES = ("pad", "concat", "stack", "flatten")


def placed(name: str, call: ast.Call, array_of: Callable[[ast.expr], np.ndarray]) -> np.ndarray:
    """The value of a call; `array_of` gives that of a tensor in it."""
    filling = next((array_of(k.value) for k in call.keywords if k.arg == "value"), np.zeros(1))
    numbers = {str(k.arg): int(ast.literal_eval(k.value)) for k in call.keywords if k.arg != "value"}
    if name in ("concat", "stack"):
        arrays = [array_of(node) for node in call.args]
        probes = max(a.shape[0] for a in arrays)
        arrays = [np.broadcast_to(a, (probes, *a.shape[1:])) for a in arrays]
        axis = numbers.get("axis", -1 if name == "concat" else 0)
        axis = axis + 1 if axis >= 0 else axis
        return np.concatenate(arrays, axis) if name == "concat" else np.stack(arrays, axis)
    array, given = array_of(call.args[0]), [int(ast.literal_eval(node)) for node in call.args[1:]]
    names = ("axis", "before", "after") if name == "pad" else ("start", "end")
    numbers |= dict(zip(names, given, strict=False))
    rank = array.ndim - 1
    if name == "flatten":
        start, end = numbers.get("start", 1) % rank, numbers.get("end", -1) % rank
        shape = array.shape[1:]
        merged = int(np.prod(shape[start : end + 1]))
        return array.reshape((array.shape[0], *shape[:start], merged, *shape[end + 1 :]))
    axis, before = numbers["axis"] % rank + 1, numbers["before"]
    after = numbers.get("after", before)
    probes = max(array.shape[0], filling.shape[0])
    shape = [probes, *array.shape[1:]]
    shape[axis] += before + after
    padded = np.empty(shape, np.result_type(array, filling))
    padded[...] = filling.reshape(-1, *(1 for _ in shape[1:]))
    np.moveaxis(padded, axis, 0)[before : shape[axis] - after] = np.moveaxis(
        np.broadcast_to(array, (probes, *array.shape[1:])), axis, 0
    )
    return padded
