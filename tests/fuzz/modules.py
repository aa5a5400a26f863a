"""Emitted modules run by Python itself, in memory full of garbage and with every index checked."""

from __future__ import annotations

import tempfile
import types
from pathlib import Path
from typing import Any

import numba
import numpy as np

from symgrad.compiler.loading.load import load


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
