"""Parameters and the optimiser's state."""

import math
from typing import Any

import numpy as np

from symgrad.runtime.given_arrays import _show
from symgrad.runtime.given_hyper import _hyper_vector
from symgrad.runtime.smallest_model import DTYPE, SHAPES, SIZE, Params, State, _first_states


def _address(array: np.ndarray) -> int:
    return int(array.__array_interface__["data"][0])


def _owner(array: np.ndarray) -> np.ndarray:
    while isinstance(array.base, np.ndarray):
        array = array.base
    return array


def unflatten(vector: np.ndarray) -> Params:
    """The parameters as views of a vector of all their entries; nothing is copied."""
    _check_array("vector", vector, DTYPE, (SIZE,))
    if not vector.flags.c_contiguous:
        raise ValueError("vector: expected contiguous memory; use np.ascontiguousarray")
    views, start = [], 0
    for shape in SHAPES.values():
        end = start + math.prod(shape)
        views.append(vector[start:end].reshape(shape))
        start = end
    return Params(*views)


def flatten(params: Params) -> np.ndarray:
    """All parameters as one vector: a view where they lie in one, as init_params makes them, else a copy."""
    _check_params(params)
    if not params:
        return np.empty(0, DTYPE)
    if not _lie_in_one_vector(params):
        return np.concatenate([array.reshape(-1) for array in params])
    first, owner = params[0], _owner(params[0])
    if owner.shape == (SIZE,) and owner.dtype == DTYPE and owner.flags.c_contiguous:
        return np.asarray(owner)  # the vector itself
    return np.lib.stride_tricks.as_strided(first.reshape(-1), (SIZE,), (first.itemsize,))


def _lie_in_one_vector(params: Params) -> bool:
    """Whether each array begins in memory where the one before it ends."""
    owner, end = _owner(params[0]), -1
    for array in params:
        place = _address(array)
        if not array.flags.c_contiguous or _owner(array) is not owner or end not in (-1, place):
            return False
        end = place + array.nbytes
    return True


def _check_params(params: Any, name: str = "params") -> None:
    if not isinstance(params, tuple) or len(params) != len(SHAPES):
        raise TypeError(f"{name}: expected Params with {len(SHAPES)} arrays, got {type(params).__name__}")
    for (field, shape), array in zip(SHAPES.items(), params, strict=True):
        _check_array(f"{name}.{field}", array, DTYPE, shape)


def _check_array(name: str, array: Any, dtype: type, shape: tuple[int, ...]) -> None:
    if not isinstance(array, np.ndarray) or array.shape != shape or array.dtype != dtype:
        got = (
            f"{array.dtype} of shape {_show(array.shape)}"
            if isinstance(array, np.ndarray)
            else type(array).__name__
        )
        raise ValueError(f"{name}: expected {np.dtype(dtype)} of shape {_show(shape)}, got {got}")


def _writable_vector(params: Params) -> np.ndarray:
    """The vector that training changes."""
    vector = flatten(params)
    if params and not np.shares_memory(vector, params[0]):
        remedy = "so they must be views of one vector; use unflatten(flatten(params))"
        raise ValueError(f"params: training changes them in place, {remedy}")
    if not all(array.flags.writeable for array in params):
        raise ValueError("params: training changes them in place, but they are read-only; copy them first")
    return vector


_CHANGING: dict[int, Any] = {}


class _Alone:
    """While a call changes parameters, none in another thread does: calls do not hold Python's lock."""

    def __init__(self, theta: np.ndarray) -> None:
        self.place = id(theta) if theta.base is None else _address(theta)

    def __enter__(self) -> None:
        if _CHANGING.setdefault(self.place, self) is not self:
            raise RuntimeError(
                "params: another thread is changing them; give each thread its own, or let them take turns"
            )

    def __exit__(self, *_: object) -> None:
        del _CHANGING[self.place]


def init_state(params: Params, hyper: Any = None) -> State:
    """The optimiser's state before the first step; `hyper` is a dict of numbers in HYPER that are others."""
    _check_params(params)
    starts = _first_states(_hyper_vector(hyper))
    return State(np.zeros(1, np.int64), *(np.full(SIZE, start, DTYPE) for start in starts))


def _check_state(state: Any, size: int = SIZE) -> None:
    if not isinstance(state, State):
        raise TypeError(f"state: expected State, as init_state makes it, got {type(state).__name__}")
    for field, array in zip(State._fields, state, strict=True):
        _check_array(f"state.{field}", array, *((np.int64, (1,)) if field == "step" else (DTYPE, (size,))))
        if not array.flags.writeable:
            raise ValueError(f"state.{field}: training changes it in place, but it is read-only")


def _copy_of_params(params: Params) -> Params:
    return unflatten(flatten(params).copy())


def _copy_of_state(state: State) -> State:
    _check_state(state)
    return State(*map(np.copy, state))
