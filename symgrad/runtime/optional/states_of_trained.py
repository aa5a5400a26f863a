"""The optimiser's state, of those parameters that training changes; in place of that of all."""

from typing import Any

import numpy as np

from symgrad.runtime.given_hyper import _hyper_vector
from symgrad.runtime.parameter_vectors import _check_array, _check_params
from symgrad.runtime.smallest_model import DTYPE, TRAINED_SIZE, Params, State, _first_states


def init_state(params: Params, hyper: Any = None) -> State:
    """The optimiser's state before the first step; `hyper` is a dict of numbers in HYPER that are others."""
    _check_params(params)
    starts = _first_states(_hyper_vector(hyper))
    return State(np.zeros(1, np.int64), *(np.full(TRAINED_SIZE, start, DTYPE) for start in starts))


def _check_state(state: Any, size: int = TRAINED_SIZE) -> None:
    if not isinstance(state, State):
        raise TypeError(f"state: expected State, as init_state makes it, got {type(state).__name__}")
    for field, array in zip(State._fields, state, strict=True):
        kind = (np.int64, (1,)) if field == "step" else (DTYPE, (size,))
        _check_array(f"state.{field}", array, *kind)
        if not array.flags.writeable:
            raise ValueError(f"state.{field}: training changes it in place, but it is read-only")
