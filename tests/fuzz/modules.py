"""Emitted modules run by Python itself, in memory full of garbage and with every index checked."""

from __future__ import annotations

import tempfile
import types
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numba
import numpy as np

from symgrad.compiler.loading.load import load

if TYPE_CHECKING:
    from collections.abc import Callable


class Checked(np.ndarray):
    """An array that knows no negative index and no slice past its end."""

    def __getitem__(self, key: Any) -> Any:
        _check(key, self.shape)
        return super().__getitem__(key)

    def __setitem__(self, key: Any, value: Any) -> None:
        _check(key, self.shape)
        super().__setitem__(key, value)


class OutOfBoundsError(Exception):
    """A module touched what lies outside an array."""


def _check(key: Any, shape: tuple[int, ...]) -> None:
    for index, size in zip(key if isinstance(key, tuple) else (key,), shape, strict=False):
        if type(index) is int and 0 <= index < size:
            continue
        if isinstance(index, slice):
            if (index.start or 0) < 0 or (index.stop is not None and not 0 <= index.stop <= size):
                raise OutOfBoundsError(f"{key} of {shape}")
        elif isinstance(index, int | np.integer) and not 0 <= index < size:
            raise OutOfBoundsError(f"{key} of {shape}")


class SharedError(Exception):
    """Two parts of a pass write one entry."""


def apart(pass_: Callable[..., Any], turns: int, _: int, given: tuple[Any, ...]) -> None:
    """A pass of which threads take turns: each part finds what was there before, the last one comes first."""
    arrays = [np.asarray(array) for array in given if isinstance(array, np.ndarray)]
    before, after = ([array.copy() for array in arrays] for _ in range(2))
    written = [np.zeros(array.shape, bool) for array in arrays]
    ends = sorted({0, min(1, turns), turns // 2, max(turns - 1, 0), turns})  # a stretch may be empty
    for start, stop in reversed([*pairwise(ends)]):
        pass_(*given, start, stop)
        for array, old, new, by_others in zip(arrays, before, after, written, strict=True):
            changed = _bits(array) != _bits(old)
            if (changed & by_others).any():
                raise SharedError(f"turns {start} to {stop - 1} write what later ones wrote")
            if changed.any():
                new[changed], array[...] = array[changed], old
            by_others |= changed
    for array, new, by_parts in zip(arrays, after, written, strict=True):
        array[by_parts] = new[by_parts]


def _bits(array: np.ndarray) -> np.ndarray:
    """Numbers as they lie in memory: NaN is itself there."""
    return array.view(f"u{array.itemsize}")


class GarbageNumPy(types.ModuleType):
    """NumPy for a module: what `empty` gives is full of `garbage`, and new arrays are of this kind."""

    def __init__(self, garbage: float, kind: type[np.ndarray]) -> None:
        super().__init__("numpy")
        self.garbage, self.kind = garbage, kind

    def __getattr__(self, name: str) -> Any:
        return getattr(np, name)

    def empty(self, shape: Any, dtype: Any = float) -> np.ndarray:
        kind = np.dtype(dtype)
        fill = self.garbage if kind.kind == "f" else -(2**30)
        with np.errstate(over="ignore"):
            return np.full(shape, fill, kind).view(self.kind)

    def require(self, *args: Any, **kwargs: Any) -> np.ndarray:
        return np.require(*args, **kwargs).view(self.kind)

    def ascontiguousarray(self, *args: Any, **kwargs: Any) -> np.ndarray:
        return np.ascontiguousarray(*args, **kwargs).view(self.kind)


def interpreted(text: str, double: bool = False) -> types.ModuleType:
    """The module of a text, uncompiled; `double` makes one of float32 compute in float64."""
    before, numba.config.DISABLE_JIT = numba.config.DISABLE_JIT, True
    module = types.ModuleType("fuzzed")
    try:
        exec(compile(text, "<emitted>", "exec"), vars(module))
    finally:
        numba.config.DISABLE_JIT = before
    if double:
        vars(module)["DTYPE"] = np.float64
    if hasattr(module, "in_parts"):
        vars(module)["in_parts"] = apart
    return module


def compiled(text: str) -> types.ModuleType:
    """The module of a text as its users get it, from a file of its own."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "fuzzed.py"
        path.write_text(text, encoding="utf-8")
        return load(path)


def with_garbage(module: Any, garbage: float) -> Any:
    """The module, from now on given memory full of `garbage`; a compiled one must have run before."""
    interpreted = isinstance(module.view, types.FunctionType)
    vars(module)["np"] = GarbageNumPy(garbage, Checked if interpreted else np.ndarray)
    if interpreted:
        plain = module._array
        vars(module)["view"] = lambda vector, start, shape: plain(vector.view(Checked), start, shape)
    kept = getattr(module, "_KEPT", None)
    if kept is not None:
        vars(kept).clear()
    return module


class InPython:
    """The plain Python of a network, called as its module is."""

    def __init__(self, text: str, module: types.ModuleType) -> None:
        scope: dict[str, Any] = {}
        exec(compile(text, "<python>", "exec"), scope)
        self.computed, self.module = scope["computed"], module

    def __getattr__(self, name: str) -> Any:
        return getattr(self.module, name)

    def _found(self, params: Any, *data: Any) -> dict[str, Any]:
        typed = [np.asarray(d, None if np.asarray(d).dtype.kind == "i" else self.module.DTYPE) for d in data]
        with np.errstate(all="ignore"):
            return self.computed(self.module.flatten(params), *typed)

    def loss_and_grad(self, params: Any, *data: Any) -> Any:
        found = self.answers = self._found(params, *data)
        return found["loss"], self.module.unflatten(found["grad"])

    def input_gradients(self, params: Any, *data: Any) -> Any:
        return self.module.Gradients(
            *(self.answers["of_data"][name] for name in self.module.Gradients._fields)
        )

    def forward(self, params: Any, *inputs: Any) -> Any:
        outputs = tuple(self.answers["outputs"].values())
        return outputs if len(outputs) > 1 else outputs[0]
