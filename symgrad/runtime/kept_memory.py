"""Arrays laid over memory, and memory kept from call to call."""

import math
import threading
from collections.abc import Sequence

import numpy as np

from symgrad.runtime.smallest_model import CONSTANTS, DTYPE


def _array(vector: np.ndarray, start: int, shape: Sequence[int]) -> np.ndarray:
    """A part of a vector as an array; of an array, a part of all its entries in a row."""
    return vector.reshape(-1)[start : start + math.prod(shape)].reshape(shape)


_KEPT = threading.local()
for _constant in CONSTANTS.values():
    _constant.setflags(write=False)


def _kept(purpose: str, size: int) -> np.ndarray:
    """Memory for `size` numbers, kept from call to call in each thread."""
    memory = getattr(_KEPT, purpose, None)
    if memory is None or memory.size < size or memory.dtype != DTYPE:
        memory = np.empty(size, DTYPE)
        if purpose == "work":
            memory = _with_constants(memory)
        setattr(_KEPT, purpose, memory)
    return memory[:size]


def _with_constants(work: np.ndarray) -> np.ndarray:
    """The workspace with the constants at its front."""
    start = 0
    for array in CONSTANTS.values():
        work[start : start + array.size] = array.reshape(-1)
        start += array.size
    return work
