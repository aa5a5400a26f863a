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
LINE = 64  # bytes of a line of the cache
SPARE = LINE // np.dtype(DTYPE).itemsize
for _constant in CONSTANTS.values():
    _constant.setflags(write=False)


def _empty(size: int) -> np.ndarray:
    """Memory for `size` numbers, as `_from_a_line` has it."""
    return _from_a_line(np.empty(size + SPARE, DTYPE), size)


def _from_a_line(memory: np.ndarray, size: int) -> np.ndarray:
    """Of memory with some to spare, `size` numbers that begin with a line of the cache.

    Vectors of a processor that lie across two lines cost both.
    """
    start = -memory.ctypes.data % LINE // memory.itemsize
    return memory[start : start + size]


def _kept(purpose: str, size: int) -> np.ndarray:
    """Memory for `size` numbers, kept from call to call in each thread."""
    memory = getattr(_KEPT, purpose, None)
    if memory is None or memory.size < size or memory.dtype != DTYPE:
        memory = _empty(size)
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
