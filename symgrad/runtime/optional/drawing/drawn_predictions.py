"""The prediction by chance, once and often (Gal & Ghahramani, Dropout as a Bayesian approximation, 2016)."""

from typing import Any

import numpy as np

from symgrad.runtime.given_arrays import _whole
from symgrad.runtime.kept_memory import _kept
from symgrad.runtime.optional.drawing.drawing_arguments import _arguments
from symgrad.runtime.optional.drawing.drawing_state import _seed
from symgrad.runtime.parameter_vectors import flatten
from symgrad.runtime.smallest_model import (
    DTYPE,
    INPUTS,
    Params,
    _draw_prediction,
    _draw_prediction_results,
    _draw_prediction_work_size,
)


def _drawn_prediction(params: Params, inputs: Any, key: tuple[int, int, int]) -> Any:
    """What is predicted by one key: an array, or one for each output."""
    arrays, extents = _arguments(INPUTS, (*inputs, key))
    theta, work = flatten(params), _kept("work", _draw_prediction_work_size(*extents))
    _draw_prediction(theta, *arrays, work, *extents)
    found = _draw_prediction_results(work, *extents)
    return found if len(found) > 1 else found[0]


def _mean_and_spread(params: Params, inputs: Any, draws: Any, seed: Any, before: Any) -> tuple[Any, Any]:
    """Both by the recurrences of Welford 1962, as no draw is kept."""
    count, seed, rows = _whole("draws", draws, 2), _seed(seed), _whole("before", before, 0)
    found = _drawn_prediction(params, inputs, (seed, 0, rows))
    means = [part.astype(np.float64) for part in (found if isinstance(found, tuple) else (found,))]
    squares = [np.zeros_like(part) for part in means]
    for number in range(1, count):
        found = _drawn_prediction(params, inputs, (seed, number, rows))
        for mean, square, part in zip(
            means, squares, found if isinstance(found, tuple) else (found,), strict=True
        ):
            away = part - mean
            mean += away / (number + 1)
            square += away * (part - mean)
    both = [part.astype(DTYPE) for part in means], [np.sqrt(s / (count - 1)).astype(DTYPE) for s in squares]
    return (tuple(both[0]), tuple(both[1])) if len(means) > 1 else (both[0][0], both[1][0])
