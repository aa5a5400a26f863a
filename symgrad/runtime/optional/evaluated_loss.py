"""The loss of inference, where that is another one than training learns from; in place of that."""

from typing import Any

from symgrad.runtime.given_arrays import _arguments
from symgrad.runtime.kept_memory import _kept
from symgrad.runtime.parameter_vectors import flatten
from symgrad.runtime.smallest_model import INPUTS, TARGETS, Params, _evaluation, _work_size


def _loss_of(params: Params, data: tuple[Any, ...]) -> float:
    arrays, extents = _arguments(INPUTS + TARGETS, data)
    return float(_evaluation(flatten(params), *arrays, _kept("work", _work_size(*extents)), *extents))
