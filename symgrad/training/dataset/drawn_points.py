"""Points drawn in a box: independently, in a Latin hypercube, or by Sobol's sequence."""

from __future__ import annotations

import inspect
import math
from typing import TYPE_CHECKING, Any

import numpy as np

from symgrad.errors import DataError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray

    from symgrad.spec.model import PointsSpec, Sampling

POINTS_STREAM = 6
MOST_NUMBERS = 2**27


def drawn_points(
    points: PointsSpec, shapes: Mapping[str, tuple[int, ...]], seed: int
) -> dict[str, NDArray[np.float64]]:
    """An array [number, *shape] for each tensor; the same seed gives the same points.

    Raises:
        DataError: they take more memory than points should, or Sobol's sequence has fewer directions.
    """
    sizes = {name: math.prod(shape) for name, shape in shapes.items()}
    if points.number * sum(sizes.values()) > MOST_NUMBERS:
        problem = (
            f"{points.number:,} points of {sum(sizes.values()):,} numbers, at most {MOST_NUMBERS:,} in all"
        )
        raise DataError(problem, at="points", remedy="draw fewer, or train on a file")
    generator = np.random.default_rng([seed, POINTS_STREAM, points.stream])
    unit = _unit(points.method, points.number, sum(sizes.values()), generator)
    ranges, choices, found, start = dict(points.ranges), dict(points.choices), {}, 0
    for name, size in sizes.items():
        part = unit[:, start : start + size].reshape(-1, *shapes[name])
        start += size
        if name in choices:
            values = np.array(choices[name])
            found[name] = values[np.minimum((part * len(values)).astype(np.int64), len(values) - 1)]
        else:
            least, most = ranges[name]
            found[name] = least + (most - least) * part
    return found


def _unit(method: Sampling, number: int, size: int, generator: np.random.Generator) -> NDArray[np.float64]:
    """So many points between 0 and 1 in every direction."""
    if method == "uniform":
        return generator.uniform(size=(number, size))
    from scipy.stats import qmc  # takes a moment

    kind = qmc.LatinHypercube if method == "latin" else qmc.Sobol
    word = "rng" if "rng" in inspect.signature(kind).parameters else "seed"  # SciPy before 1.15
    how: dict[str, Any] = {word: generator}
    if method == "latin":
        found: NDArray[np.float64] = kind(size, **how).random(number)
        return found
    if size > qmc.Sobol.MAXDIM:
        problem = f"Sobol's sequence has {qmc.Sobol.MAXDIM:,} directions, and a point {size:,} numbers"
        raise DataError(problem, at="points", remedy="write method: latin")
    # The sequence is balanced in powers of two: those drawn first are a part of such.
    whole: NDArray[np.float64] = kind(size, **how).random_base2(max(number - 1, 1).bit_length())
    return whole[:number]
