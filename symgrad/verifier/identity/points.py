"""The points at which a text is compared with its spec, and the garbage that its memory holds before."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import lru_cache, partial
from typing import TYPE_CHECKING

import numpy as np

from symgrad.errors import ShapeError
from symgrad.verifier.identity.field import random_elements
from symgrad.verifier.interpretation.arithmetic import DOUBLE, FIFTY_DIGITS
from symgrad.verifier.interpretation.interpreter import interpret, parameter_shapes
from symgrad.verifier.sampling.samples import draw, free_sizes

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from symgrad.spec.model import Model
    from symgrad.verifier.interpretation.array_library import Array

LARGE_WORK = 1e6
"""Operations above which a batch of 1 is left out."""

_SMALL = 20_000
"""Given numbers that a point for 50 digits may have."""

_FEW, _MORE = 16, 7
"""Given numbers up to which a point takes few ways through choices, and how many more are drawn then."""

_AFFORDABLE, _CHEAP = 1e5, 3e3
"""Operations of one evaluation up to which a point with exact zeros costs a part of a second, and a part of
that."""

_GARBAGE = 997
"""So many random numbers fill memory, over and over."""

_FIRST_SIZES = (1, 7, 19)
"""Two less than the smallest free axis: longer ones are tried where a formula's indices do not fit."""


@dataclass(frozen=True)
class ExactPoint:
    """Numbers and labels for every tensor that a model is given, and random numbers to fill memory with."""

    sizes: str
    numbers: Mapping[str, Array]
    labels: Mapping[str, Array]
    noise: Array

    def garbage(self, size: int) -> Array:
        """So many numbers that nothing should depend on."""
        return np.resize(self.noise, size)

    @property
    def is_small(self) -> bool:
        """Whether numbers of 50 digits are no great expense."""
        return sum(array.size for array in self.numbers.values()) <= _SMALL

    @property
    def is_tiny(self) -> bool:
        """Whether so few numbers are given that some may all be on one side of a choice."""
        return sum(array.size for array in self.numbers.values()) <= _FEW

    def __str__(self) -> str:
        return self.sizes


def field_points(model: Model, seed: int, largest_work: float) -> Iterator[ExactPoint]:
    """A point of pairwise different sizes, and one with a batch of 1, in elements drawn evenly.

    Of a model that is given few numbers there are more, so that each of them goes both ways of a choice.

    Raises:
        OverflowError: an evaluation takes more than so many operations; the message says so.
        ShapeError: the model's tensors do not fit together at any size tried.
    """
    smallest, work = _fitting(model, seed, largest_work)
    for batch in (None, 1) if model.batch_axis and work < LARGE_WORK else (None,):
        sizes = free_sizes(model, smallest, batch)
        point = _field_point(model, np.random.default_rng((seed, batch or 0)), sizes)
        yield point
        for number in range(_MORE if point.is_tiny else 0):
            yield _field_point(model, np.random.default_rng((seed, batch or 0, number)), sizes)


def _fitting(model: Model, seed: int, largest_work: float) -> tuple[int, float]:
    """The first of the sizes at which the model's tensors fit together, and the work of one evaluation."""
    problem = ShapeError("the tensors do not fit together", at=model.spec.at)
    for smallest in _FIRST_SIZES:
        rng, sizes = np.random.default_rng(seed), free_sizes(model, smallest, None)
        try:
            data = _data(model, rng, sizes, rng.random)
            shapes = parameter_shapes(model, data)
            entries = sum(int(np.prod(shape, dtype=int)) for shape in shapes.values())
            _demand_small(entries, "parameters", largest_work)
            given = data | {name: np.full(shape, 0.5) for name, shape in shapes.items()}
            work = interpret(model, given, DOUBLE).work
        except ShapeError as error:
            problem = error
            continue
        _demand_small(work, "operations in one evaluation", largest_work)
        return smallest, max(work, entries)
    raise problem


def _demand_small(count: int, what: str, largest: float) -> None:
    if count > largest:
        raise OverflowError(f"too large: {count:.1e} {what}, the limit is {largest:.0e}")


def _field_point(model: Model, rng: np.random.Generator, sizes: Mapping[str, int]) -> ExactPoint:
    data = _data(model, rng, sizes, partial(random_elements, rng))
    shapes = parameter_shapes(
        model, {n: np.full(a.shape, 0.5) if a.dtype == object else a for n, a in data.items()}
    )
    numbers = {n: a for n, a in data.items() if a.dtype == object}
    numbers |= {name: random_elements(rng, shape) for name, shape in shapes.items()}
    free = {axis: size for axis, size in sizes.items() if axis not in dict(model.spec.axes)}
    shown = ", ".join(f"{axis} {size}" for axis, size in free.items()) or "the spec's own sizes"
    labels = {n: a for n, a in data.items() if n not in numbers}
    return ExactPoint(shown, numbers, labels, random_elements(rng, (_GARBAGE,)))


def _data(
    model: Model,
    rng: np.random.Generator,
    sizes: Mapping[str, int],
    numbers: Callable[[tuple[int, ...]], Array],
) -> dict[str, Array]:
    """Every input and target."""
    found = {}
    for tensor in (*model.spec.inputs, *model.spec.targets):
        shape = tensor.shape(sizes)
        if tensor.classes is None:
            found[tensor.name] = numbers(shape)
        else:
            found[tensor.name] = _labels(rng, tensor.classes, tensor.ignore, shape)
    return found


def _labels(rng: np.random.Generator, classes: int, ignore: int | None, shape: tuple[int, ...]) -> Array:
    """Random labels, the greatest and the least among them; where that is allowed, a third is ignored."""
    labels = np.asarray(rng.integers(0, classes, shape))
    flat = labels.reshape(-1)
    flat[: flat.size // 2], flat[-1:] = 0, classes - 1
    if ignore is not None:
        flat[::3] = ignore
    return labels


def real_points(model: Model, seed: int) -> Iterator[ExactPoint]:
    """The same in real numbers where the loss is finite, and all that it is made of a number.

    Raises:
        SymgradError: there is no such point.
    """
    for batch in (None, 1) if model.batch_axis else (None,):
        for number in range(1 + _MORE):
            sample = draw(model, "identity", seed + number, batch=batch)
            sizes = "the smallest sizes" if batch is None else f"a batch of {batch}"
            point = _real_point(sizes, sample.arrays)
            if _is_defined(model, sample.arrays):
                yield point
            if not point.is_tiny:
                break


def _real_point(sizes: str, arrays: Mapping[str, Array]) -> ExactPoint:
    numbers = {n: FIFTY_DIGITS.array(a) for n, a in arrays.items() if a.dtype.kind == "f"}
    labels = {n: a for n, a in arrays.items() if n not in numbers}
    return ExactPoint(sizes, numbers, labels, _real_noise())


@lru_cache(maxsize=1)
def _real_noise() -> Array:
    """The same at all real points: to make numbers of 50 digits costs more than to compute with them."""
    return FIFTY_DIGITS.array(np.random.default_rng(_GARBAGE).normal(size=_GARBAGE))


def zero_points(model: Model, seed: int) -> Iterator[ExactPoint]:
    """Real points with exact zeros, single ones and equal entries, and in rows; and one of all other signs.

    A tensor that has to be without zeros, as what a logarithm is taken of, stays as it is. There are none
    for a model that would take long in 50 digits.

    Raises:
        SymgradError: there is no point where the loss is finite.
    """
    sample = draw(model, "exact zeros", seed)
    work = interpret(model, sample.arrays, DOUBLE).work
    if work > _AFFORDABLE:
        return
    rng = np.random.default_rng((seed, 2))
    targets = {t.name for t in model.spec.targets}
    sparse = ("single zeros", partial(_sparse, rng))
    changes: list[tuple[str, Callable[[Array], Array]]] = [sparse] * (1 if work > _CHEAP else 4)
    changes += [("rows of zeros", _emptied), ("other signs", np.negative)]
    for sizes, change in changes:
        arrays = dict(sample.arrays)
        numbers = [n for n, a in arrays.items() if a.dtype.kind == "f" and n not in targets]
        for names in (numbers, *([name] for name in numbers)):
            changed = arrays | {name: change(arrays[name]) for name in names}
            if _is_defined(model, changed):
                arrays = changed
            if names is numbers and arrays is changed:
                break
        if not _is_defined(model, arrays):
            continue
        yield _real_point(sizes, arrays)


def _is_defined(model: Model, arrays: Mapping[str, Array]) -> bool:
    """Whether the loss is finite, and nothing on the way to it is divided by 0 or no number."""
    defined = [True]

    def noting(function: Callable[..., Array], good: Callable[[Array], Array]) -> Callable[..., Array]:
        def apply(*arguments: Array) -> Array:
            result = function(*arguments)
            defined.append(bool(np.all(good(result))))
            return result

        return apply

    def is_number(result: Array) -> Array:
        return np.asarray(~np.isnan(result))

    checked = replace(
        DOUBLE,
        divide=noting(DOUBLE.divide, np.isfinite),
        power=noting(DOUBLE.power, np.isfinite),
        functions={name: noting(f, is_number) for name, f in DOUBLE.functions.items()},
    )
    found = interpret(model, arrays, checked)
    values = found.outputs if found.loss is None else (*found.outputs, found.loss)
    return all(defined) and all(np.isfinite(value).all() for value in values)


def _sparse(rng: np.random.Generator, array: Array) -> Array:
    """A fifth of the entries is 0, another one is the first entry."""
    kind = rng.integers(0, 5, array.shape)
    return np.where(kind == 0, 0.0, np.where(kind == 1, array.flat[0], array))


def _emptied(array: Array) -> Array:
    """The first row is 0; of a vector and a number all is."""
    kept = np.array(array)
    kept[(slice(1),) if array.ndim > 1 else ...] = 0.0
    return kept
