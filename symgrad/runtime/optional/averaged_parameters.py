"""The moving average of the parameters."""

import numpy as np

from symgrad.runtime.parameter_vectors import _check_state, flatten, unflatten
from symgrad.runtime.smallest_model import AVERAGE, TRAINED, Params, State


def _averaged(params: Params, state: State) -> Params:
    vector, mean = np.copy(flatten(params)), getattr(state, AVERAGE)
    _check_state(state)
    if state.step[0]:
        for first, size, kept in TRAINED:
            vector[first : first + size] = mean[kept : kept + size]
    return unflatten(vector)
