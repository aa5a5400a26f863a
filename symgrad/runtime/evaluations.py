"""What callers use: checks first, then one compiled call."""

from collections.abc import Callable
from typing import Any

from symgrad.runtime.given_arrays import _arguments
from symgrad.runtime.kept_memory import _kept
from symgrad.runtime.parameter_vectors import flatten
from symgrad.runtime.smallest_model import INPUTS, Params, _work_size


def _evaluated(function: Callable, results: Callable, params: Params, inputs: tuple[Any, ...]) -> Any:
    """Copies of what a compiled function leaves in the workspace."""
    arrays, extents = _arguments(INPUTS, inputs)
    theta, work = flatten(params), _kept("work", _work_size(*extents))
    function(theta, *arrays, work, *extents)
    return results(theta, *arrays, work, *extents)
