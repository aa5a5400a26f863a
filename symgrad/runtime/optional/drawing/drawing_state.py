"""A state that says by which seed numbers are drawn, behind the number of steps; in place of one without."""

from typing import Any

import numpy as np

from symgrad.runtime.given_arrays import _whole
from symgrad.runtime.given_hyper import _hyper_vector
from symgrad.runtime.parameter_vectors import _check_array, _check_params
from symgrad.runtime.smallest_model import DTYPE, SEED, TRAINED_SIZE, Params, State, _first_states


def init_state(params: Params, hyper: Any = None, seed: Any = SEED) -> State:
    """The optimiser's state before the first step; `hyper` is a dict of numbers in HYPER that are others.

    What training draws it draws by `seed`, and by the number of steps made.
    """
    _check_params(params)
    starts = _first_states(_hyper_vector(hyper))
    step = np.array([0, _seed(seed)], np.int64)
    return State(step, *(np.full(TRAINED_SIZE, start, DTYPE) for start in starts))


def _check_state(state: Any, size: int = TRAINED_SIZE) -> None:
    if not isinstance(state, State):
        raise TypeError(f"state: expected State, as init_state makes it, got {type(state).__name__}")
    for field, array in zip(State._fields, state, strict=True):
        kind = (np.int64, (2,)) if field == "step" else (DTYPE, (size,))
        _check_array(f"state.{field}", array, *kind)
        if not array.flags.writeable:
            raise ValueError(f"state.{field}: training changes it in place, but it is read-only")


def _seed(value: Any) -> int:
    seed = _whole("seed", value, 0)
    if seed >= 2**63:
        raise ValueError(f"seed: expected a whole number below 2**63, got {value!r}")
    return seed
