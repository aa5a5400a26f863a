"""The moving average of the parameters."""

import math
from typing import Any

import numpy as np

from symgrad.runtime.given_hyper import _hyper_vector
from symgrad.runtime.parameter_vectors import _check_state, flatten, unflatten
from symgrad.runtime.smallest_model import AVERAGE, AVERAGED, DTYPE, HYPER, Params, State


def _averaged(params: Params, state: State, hyper: Any) -> Params:
    name, decay_name = AVERAGE
    vector, decay = np.copy(flatten(params)), dict(zip(HYPER, _hyper_vector(hyper), strict=True))[decay_name]
    _check_state(state)
    steps = int(state.step[0])
    if steps:
        mean = getattr(state, name).astype(np.float64) / -math.expm1(steps * math.log(decay))
        for first, size, kept in AVERAGED:
            vector[first : first + size] = mean[kept : kept + size].astype(DTYPE)
    return unflatten(vector)
