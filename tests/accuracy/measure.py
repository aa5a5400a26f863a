"""The errors of one emitted module that computes every function and its slope, in units in the last place."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from building import interpreted, written

from accuracy.definitions import FUNCTIONS, Definition
from symgrad.compiler.loading.load import load
from symgrad.verifier.functions.accuracy import Worst, mp, sample, units

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator
    from pathlib import Path


@dataclass(frozen=True)
class Row:
    """The worst errors of a function and of its slope, and where they are."""

    function: str
    dtype: str
    value: Worst
    slope: Worst


def rows(
    dtype: str, folder: Path, count: int, names: Iterable[str] = FUNCTIONS, compiled: bool = True
) -> Iterator[Row]:
    """One row for each function of the language, at about twelve times `count` places."""
    names = tuple(names)
    spec = {
        "name": "accuracy",
        "dtype": dtype,
        "inputs": {f"x{n}": [f"n{n}"] for n in range(len(names))},
        "equations": {f"f{n}": f"{name}(x{n})" for n, name in enumerate(names)},
        "outputs": [f"f{n}" for n in range(len(names))],
        "loss": " + ".join(f"sum(f{n})" for n in range(len(names))),
        "gradients": [f"x{n}" for n in range(len(names))],
    }
    path = written(spec, folder)
    module = load(path) if compiled else interpreted(path)
    places = [_places(name, np.dtype(dtype), count) for name in names]
    with np.errstate(all="ignore"):
        values = module.forward((), *places)
        slopes = module.input_gradients((), *places)
    for name, x, value, slope in zip(names, places, values, slopes, strict=True):
        exact = FUNCTIONS[name]
        yield Row(name, dtype, _worst(exact.value, x, value), _worst(exact.slope, x, slope))


def _places(name: str, dtype: np.dtype[Any], count: int) -> np.ndarray:
    """Arguments inside the interval of the function whose loss is finite."""
    found = sample(name, dtype, np.random.default_rng(len(name)), count)
    kept: Definition = FUNCTIONS[name]
    found = found[(found > kept.low) & (found < kept.high) & (np.abs(found) < 1e30)]
    largest = mp.mpf(float(np.finfo(dtype).max)) / 4
    return np.array([x for x in found if abs(kept.value(mp.mpf(float(x)))) < largest], dtype)


def _worst(define: Callable[[Any], Any], places: np.ndarray, results: np.ndarray) -> Worst:
    found = (
        units(float(y), define(mp.mpf(float(x))), places.dtype) for x, y in zip(places, results, strict=True)
    )
    return Worst(*max(zip(found, map(float, places), strict=True)))
