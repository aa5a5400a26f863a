"""Points at which a model is tried: nothing symmetric, nothing constant, no two axes alike."""

from __future__ import annotations

from dataclasses import dataclass, replace
from itertools import islice
from typing import TYPE_CHECKING, Literal

import numpy as np

from symgrad.errors import ShapeError, SymgradError
from symgrad.verifier.gradients.reference import ValuesAndSlopes, slopes_of
from symgrad.verifier.interpretation.arithmetic import DOUBLE, NATIVE
from symgrad.verifier.interpretation.interpreter import interpret, parameter_shapes
from symgrad.verifier.sampling.solved_points import is_solved
from symgrad.verifier.sampling.spec_fans import fans_of, scale_of

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from symgrad.spec.model import Model, ParameterDecl, TensorSpec
    from symgrad.verifier.interpretation.array_library import Array

Range = Literal["normal", "positive", "unit", "hundreds"]
"""All reals; the positive ones; between 0 and 1; some hundreds, as incomes, years and temperatures are."""

_RANGES: tuple[tuple[Range, Range], ...] = (
    ("normal", "normal"),
    ("positive", "normal"),
    ("unit", "normal"),
    ("normal", "positive"),
    ("positive", "positive"),
    ("unit", "positive"),
    ("unit", "unit"),
    ("hundreds", "normal"),
)
"""What to try in turn for data and parameters, until the loss is a finite number."""

_SPREADS = (12.0, 6.0, 3.0, 1.0)
"""How far a point with large net inputs reaches; less where double precision cannot follow."""

_PARTS = (1.0, 0.5, 0.25, 0.1, 0.04)
"""Of its parameters, what a point has at which equations are solved."""

_FIRST_SIZES = (3, 9, 21)
"""The smallest free axis: longer ones are tried when a formula's indices do not fit."""


@dataclass(frozen=True)
class Sample:
    """A named point: an array for every tensor of the model. All numbers are exact in float32."""

    name: str
    parameters: Mapping[str, Array]
    inputs: Mapping[str, Array]
    targets: Mapping[str, Array]

    @property
    def arrays(self) -> dict[str, Array]:
        return {**self.parameters, **self.inputs, **self.targets}

    @property
    def data(self) -> tuple[Array, ...]:
        """Inputs, then targets, as the functions of a module take them."""
        return (*self.inputs.values(), *self.targets.values())


def draw(model: Model, name: str, seed: int, *, batch: int | None = None, large: bool = False) -> Sample:
    """A random point with a finite loss; `large` makes net inputs reach far into saturation.

    Raises:
        SymgradError: no point could be found at which the loss is a finite number.
        ShapeError: the model's tensors do not fit together at any size tried.
    """
    problem: SymgradError | None = None
    for smallest in _FIRST_SIZES:
        sizes = free_sizes(model, smallest, batch)
        try:
            for spread in _SPREADS if large else (1.0,):
                usable = _usable(model, _candidates(model, name, seed, sizes, spread), careful=large)
                if usable is not None:
                    return _solved_near(model, usable)
        except ShapeError as error:
            problem = error
        else:
            break
    if problem is not None:
        raise problem
    raise SymgradError(
        "no random point was found where the loss is a finite number",
        at=model.loss.at if model.loss is not None else model.spec.at,
        remedy="is a logarithm or a root taken of what can be negative? If your data never reach there, "
        "scale them first, or train with --no-verify",
    )


def free_sizes(model: Model, smallest: int, batch: int | None) -> dict[str, int]:
    """Pairwise different sizes for the free axes, different from the spec's own sizes too."""
    tensors = (*model.spec.inputs, *model.spec.targets)
    fixed = dict(model.spec.axes)
    taken = {axis for t in tensors for axis in t.axes if isinstance(axis, int)} | set(fixed.values())
    sizes: dict[str, int] = {}
    for axis in (axis for t in tensors for axis in t.axes if isinstance(axis, str)):
        if axis in fixed or axis in sizes:
            continue
        size = smallest + 2
        while size in taken:
            size += 1
        if axis == model.batch_axis and batch is not None:
            size = batch
        sizes[axis] = size
        taken.add(size)
    return fixed | sizes


def _candidates(
    model: Model, name: str, seed: int, sizes: Mapping[str, int], spread: float
) -> Iterator[Sample]:
    for attempt, (data, weights) in enumerate(_RANGES):
        rng = np.random.default_rng((seed, attempt))
        inputs = {t.name: _input(rng, t, sizes, data, np.sqrt(spread)) for t in model.spec.inputs}
        targets = {t.name: _target(rng, t, sizes, model, data) for t in model.spec.targets}
        shapes = parameter_shapes(model, inputs | targets)
        parameters = {
            p.name: _parameter(rng, model, p, shapes[p.name], weights, np.sqrt(spread))
            for p in model.parameters
        }
        yield Sample(name, parameters, inputs, targets)


def _usable(model: Model, candidates: Iterator[Sample], *, careful: bool) -> Sample | None:
    """The first with finite values and slopes; if none has such slopes, the first with finite values."""
    second_best: Sample | None = None
    for sample in candidates:
        values = values_at(model, sample)
        if not values.are_finite or (careful and not _can_follow(model, sample, values)):
            continue
        if slopes_at(model, sample).are_finite:
            return sample
        second_best = second_best or sample
    return second_best


def _solved_near(model: Model, sample: Sample) -> Sample:
    """The sample, its parameters drawn towards 0 until all is solved; as it is where that is so nowhere."""
    for part in _PARTS if model.spec.solved else ():
        nearer = {name: _rounded(part * block) for name, block in sample.parameters.items()}
        found = interpret(model, {**sample.arrays, **nearer}, DOUBLE)
        if is_solved(model.spec, found.tensors) and (found.loss is None or np.isfinite(found.loss)):
            return replace(sample, parameters=nearer)
    return sample


def is_defined_near_zero(model: Model, seed: int) -> bool:
    """Whether the loss is a finite number at data and parameters of ordinary size."""
    samples = _candidates(model, "", seed, free_sizes(model, _FIRST_SIZES[0], None), 1.0)
    return any(values_at(model, sample).are_finite for sample in islice(samples, len(_RANGES) - 1))


def values_at(model: Model, sample: Sample) -> ValuesAndSlopes:
    """What plain double precision makes of a sample, without slopes."""
    return slopes_of(model, sample.arrays, (), DOUBLE)


def slopes_at(model: Model, sample: Sample) -> ValuesAndSlopes:
    """What plain double precision makes of a sample, with the slopes that a module is asked for."""
    return slopes_of(model, sample.arrays, asked_for(model), DOUBLE)


def asked_for(model: Model) -> tuple[str, ...]:
    """The tensors whose gradients a module gives."""
    if model.loss is None:
        return ()
    return (*(p.name for p in model.parameters), *model.spec.gradients)


def _can_follow(model: Model, sample: Sample, double: ValuesAndSlopes) -> bool:
    """Whether double precision comes near the loss."""
    exact = interpret(model, sample.arrays, NATIVE).loss
    if exact is None or double.loss is None:
        return True
    return bool(abs(float(exact) - float(double.loss)) <= 1e-11 * abs(float(exact)))


def _rounded(values: Array) -> Array:
    """The nearest numbers that float32 can hold, so that both precisions see the same point."""
    return np.asarray(values).astype(np.float32).astype(np.float64)


def _numbers(rng: np.random.Generator, shape: tuple[int, ...], over: Range) -> Array:
    match over:
        case "normal":
            return rng.normal(size=shape)
        case "positive":
            return 0.2 + np.abs(rng.normal(size=shape))
        case "unit":
            return rng.uniform(0.05, 0.95, size=shape)
        case "hundreds":
            return 150 * (1 + np.abs(rng.normal(size=shape)))


def _labels(
    rng: np.random.Generator, shape: tuple[int, ...], classes: int, ignore: int | None = None
) -> Array:
    """Labels that cover as many classes as there is room for; of several, a quarter or more is ignored.

    Where there is none for all classes, a fourth of the labels are others again.
    """
    count = int(np.prod(shape))
    order = rng.permutation(classes)[: count - count // 4 if count < classes else classes]
    labels = rng.permutation(np.resize(order, count))
    if ignore is not None and count > 1:
        labels[rng.choice(count, -(-count // 4), replace=False)] = ignore
    return labels.reshape(shape)


def _input(
    rng: np.random.Generator, tensor: TensorSpec, sizes: Mapping[str, int], over: Range, spread: float
) -> Array:
    shape = tensor.shape(sizes)
    if tensor.classes is not None:
        return _labels(rng, shape, tensor.classes)
    numbers = _numbers(rng, shape, over)
    return _rounded(numbers if over == "unit" else spread * numbers)


def _target(
    rng: np.random.Generator, tensor: TensorSpec, sizes: Mapping[str, int], model: Model, over: Range
) -> Array:
    shape = tensor.shape(sizes)
    if tensor.classes is not None:
        return _labels(rng, shape, tensor.classes, tensor.ignore)
    match model.task if model.scored in (None, tensor.name) else "values":
        case "binary":
            return _labels(rng, shape, 2).astype(np.float64)
        case "sign":
            return 2.0 * _labels(rng, shape, 2) - 1.0
        case "classes":
            return _rounded(rng.dirichlet(np.ones(shape[-1]), size=shape[:-1]))
        case "values":
            return _rounded(_numbers(rng, shape, over))


def _parameter(
    rng: np.random.Generator,
    model: Model,
    decl: ParameterDecl,
    shape: tuple[int, ...],
    over: Range,
    spread: float,
) -> Array:
    """Random even where the first value is a constant: around it, so that a scale of 1 stays near 1.

    A state stays on the side of 0 where it begins, as a running variance does, whose root is taken. A kernel
    is the smaller the more of its entries are summed, so that what it gives is of ordinary size.
    """
    numbers = _numbers(rng, shape, over)
    if len(shape) >= 2 and over != "unit":
        fans = fans_of(model, decl)
        numbers = spread * numbers / np.sqrt(shape[0] if fans is None else fans.sizes(shape)[0])
    if decl.init.distribution == "constant" and over == "normal":
        start = scale_of(model, decl, shape) or 0.0
        around = decl.name in model.states and start != 0
        numbers = start * np.exp(0.4 * numbers) if around else start + 0.4 * numbers
    return _rounded(numbers)
