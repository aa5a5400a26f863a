"""The numbers a graph is computed at: given by name, drawn at random, or a parameter's first values."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np

from symgrad.errors import DataError, did_you_mean
from symgrad.verifier.interpretation.interpreter import parameter_shapes

if TYPE_CHECKING:
    from symgrad.graphs.interpret import Numbers
    from symgrad.spec.model import AxisSpec, Model, TensorSpec

Given: TypeAlias = Mapping[str, Any]
Sizes: TypeAlias = dict[str, int]

FREE_SIZE = 2
"""The size of a free axis that nothing given decides."""


def point(
    model: Model, given: Given, seed: int | None, first_values: Callable[[], Mapping[str, Numbers]]
) -> tuple[dict[str, Numbers], Sizes]:
    """An array for every input, target and parameter, and the sizes of the free axes.

    One number fills a tensor whose sizes are known. What is not given is drawn where there is a seed;
    parameters take their `first_values`.

    Raises:
        DataError: an unknown name, numbers that do not fit the tensor, or an input without any.
    """
    _check(model, given, seed)
    arrays = {name: _array(name, value) for name, value in given.items()}
    tensors = (*model.spec.inputs, *model.spec.targets)
    for tensor in tensors:
        if tensor.name not in arrays and seed is None:
            remedy = f"give {tensor.name}=..., or a seed to draw what is missing"
            raise DataError(f"no numbers for '{tensor.name}'", remedy=remedy)
    sizes = _sizes(model, arrays, is_drawn=seed is not None)
    rng = np.random.default_rng(seed)
    data = {
        t.name: _fitted(t, arrays[t.name], sizes) if t.name in arrays else _drawn(t, sizes, model, rng)
        for t in tensors
    }
    shapes = parameter_shapes(model, data)
    first = first_values() if shapes.keys() - arrays.keys() else {}
    parameters = {
        name: _filled(name, arrays[name], shape) if name in arrays else first[name]
        for name, shape in shapes.items()
    }
    constants = {c.name: np.reshape(c.values, c.shape) for c in model.spec.constants}
    return {**data, **constants, **parameters}, sizes


def _check(model: Model, given: Given, seed: int | None) -> None:
    """Refuse what is no mapping by known names, and seeds that NumPy would not take."""
    if not isinstance(given, Mapping):
        problem = f"numbers of type {type(given).__name__}"
        raise DataError(problem, remedy="give a mapping from names to numbers: {'x': -2}")
    if seed is not None and not (isinstance(seed, int) and 0 <= seed < 2**32):
        raise DataError(f"the seed {seed!r}", remedy="expected a whole number from 0 to 4294967295")
    known = [t.name for t in (*model.spec.inputs, *model.spec.targets)] + [p.name for p in model.parameters]
    for name in map(str, given):
        if any(equation.name == name for equation in model.equations):
            raise DataError(f"'{name}' is computed, not given", remedy=f"give {', '.join(known)}")
        if name not in known:
            remedy = did_you_mean(name, known) or f"there are {', '.join(known)}"
            raise DataError(f"no input, target or parameter is called '{name}'", remedy=remedy)


def _array(name: str, value: Any) -> Numbers:
    try:
        array = np.asarray(value)
    except ValueError:
        raise DataError(f"the rows of '{name}' differ in length", remedy="write [[1, 2], [3, 4]]") from None
    if array.dtype.kind not in "biuf":
        raise DataError(f"'{name}' is not made of real numbers", remedy="write -2 or [[1, 2], [3, 4]]")
    if not array.size or not np.isfinite(array).all():
        raise DataError(f"'{name}' has no numbers, or one that is not finite", remedy="give finite numbers")
    return array.astype(np.float64)


def _sizes(model: Model, arrays: Mapping[str, Numbers], *, is_drawn: bool) -> Sizes:
    """The size of every axis: the spec's, what the arrays decide, or FREE_SIZE where numbers are drawn."""
    sizes = dict(model.spec.axes)
    tensors = (*model.spec.inputs, *model.spec.targets)
    for tensor in tensors:
        if tensor.name in arrays and arrays[tensor.name].ndim:
            _measure(tensor, arrays[tensor.name], sizes)
    for tensor in tensors:
        for axis in tensor.axes:
            if isinstance(axis, str) and axis not in sizes:
                if not is_drawn:
                    problem = f"one number for '{tensor.name}' leaves the size of '{axis}' open"
                    raise DataError(problem, remedy="write all numbers, such as [[1, 2], [3, 4]]")
                sizes[axis] = FREE_SIZE
    return sizes


def _measure(tensor: TensorSpec, array: Numbers, sizes: Sizes) -> None:
    """Let an array decide the free axes of its tensor."""
    if array.ndim != len(tensor.axes):
        raise _misfit(tensor.name, array.shape, tensor.axes)
    for axis, size in zip(tensor.axes, array.shape, strict=True):
        expected = axis if isinstance(axis, int) else sizes.setdefault(axis, size)
        if size != expected:
            raise _misfit(tensor.name, array.shape, [sizes.get(str(a), a) for a in tensor.axes])


def _fitted(tensor: TensorSpec, array: Numbers, sizes: Sizes) -> Numbers:
    filled = _filled(tensor.name, array, tensor.shape(sizes))
    if tensor.classes is None:
        return filled
    known = [*range(tensor.classes), *([] if tensor.ignore is None else [tensor.ignore])]
    if not np.isin(filled, known).all():
        problem = f"'{tensor.name}' holds labels, whole numbers from 0 to {tensor.classes - 1}"
        raise DataError(problem, remedy=f"got {filled.min():g} to {filled.max():g}")
    return filled.astype(np.int64)


def _filled(name: str, array: Numbers, shape: Sequence[int]) -> Numbers:
    if array.ndim and array.shape != tuple(shape):
        raise _misfit(name, array.shape, shape)
    return np.array(np.broadcast_to(array, shape))


def _misfit(name: str, shape: Sequence[int], axes: Sequence[AxisSpec]) -> DataError:
    expected = ", ".join(map(str, axes))
    problem = f"the numbers of '{name}' have shape {list(shape)}, expected [{expected}]"
    brackets = "[" * len(axes) + "..." + "]" * len(axes)
    return DataError(problem, remedy=f"write {name}={brackets}" if axes else f"write {name}=1")


def _drawn(tensor: TensorSpec, sizes: Sizes, model: Model, rng: np.random.Generator) -> Numbers:
    """Short numbers, or what a target of this task holds: classes, one-hot rows, 0 and 1, or signs."""
    shape = tensor.shape(sizes)
    task = model.task if tensor in model.spec.targets else "values"
    if tensor.classes is not None:
        return rng.integers(tensor.classes, size=shape)
    match task:
        case "binary":
            return rng.integers(2, size=shape).astype(np.float64)
        case "sign":
            return 2.0 * rng.integers(2, size=shape) - 1.0
        case "classes" if shape:
            return np.eye(shape[-1])[rng.integers(shape[-1], size=shape[:-1])]
    return rng.normal(size=shape).round(1)
