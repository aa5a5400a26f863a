"""The loss of a spec as a function of numbers, at one point: what every way is asked to differentiate."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from symgrad.errors import DataError, SpecError
from symgrad.training.dataset.data import load_data
from symgrad.training.split import prepare
from symgrad.verifier.interpretation.arithmetic import DOUBLE
from symgrad.verifier.interpretation.interpreter import Evaluation, interpret
from symgrad.verifier.sampling.samples import Sample, draw

if TYPE_CHECKING:
    from collections.abc import Collection
    from types import ModuleType

    from symgrad.spec.model import Model, Spec
    from symgrad.verifier.interpretation.array_library import Array

MOST_ROWS = 32


@dataclass(frozen=True)
class Problem:
    """A model, its module in double precision, and a point; `names` are what the loss is differentiated by.

    These are the parameters; of a spec without any, the inputs in its list of gradients.
    """

    model: Model
    module: ModuleType
    sample: Sample
    names: tuple[str, ...]
    origin: str

    @property
    def is_by_parameters(self) -> bool:
        return bool(self.model.parameters)

    @property
    def vector(self) -> Array:
        """All numbers to differentiate by, in one new vector."""
        return np.concatenate([np.ravel(self.sample.arrays[name]) for name in self.names]).astype(np.float64)

    def blocks(self, vector: Array) -> dict[str, Array]:
        """Views of a vector, one for each name."""
        shapes = [np.shape(self.sample.arrays[name]) for name in self.names]
        ends = np.cumsum([math.prod(shape) for shape in shapes])
        parts = np.split(vector, ends[:-1])
        return {n: p.reshape(s) for n, p, s in zip(self.names, parts, shapes, strict=True)}

    def mask(self, names: Collection[str]) -> Array:
        """Which numbers of the vector belong to these names."""
        mask = np.zeros(self.vector.size, dtype=bool)
        for name, block in self.blocks(mask).items():
            block[...] = name in names
        return mask

    def arguments(self, vector: Array) -> tuple[Any, ...]:
        """The arguments of the module's functions, as views of a vector: changes of it are seen."""
        if self.is_by_parameters:
            return (self.module.unflatten(vector), *self.sample.data)
        views = {**self.sample.inputs, **self.sample.targets, **self.blocks(vector)}
        return (self.module.Params(), *views.values())

    def evaluate(self) -> Evaluation:
        """The model's values at the point, in double precision."""
        return interpret(self.model, self.sample.arrays, DOUBLE)

    def entry(self, flat: int) -> str:
        """The name of one number of the vector, `W[0,2]`."""
        blocks = self.blocks(np.arange(self.vector.size))
        name = next(name for name, block in blocks.items() if flat in block)
        index = ",".join(map(str, np.argwhere(blocks[name] == flat)[0]))
        return f"{name}[{index}]" if index else name


def problem_of(
    model: Model, module: ModuleType, *, rows: int | None = None, seed: int = 0, random: bool = False
) -> Problem:
    """The loss at random parameters, on the first rows of the spec's own data or on random rows.

    Raises:
        SpecError: there is no loss, or nothing to differentiate by.
        DataError: the spec's data cannot be used.
        SymgradError: no point was found where the loss is a finite number.
    """
    spec = model.spec
    if model.loss is None:
        raise SpecError("this spec has no loss to differentiate", at=spec.at, remedy="add loss: ...")
    inputs = {t.name for t in (*spec.inputs, *spec.targets)}
    if model.states or model.evaluation is not None:
        what = "where states live on, or training and inference differ, ways to a gradient are not compared"
        raise SpecError(what, at=spec.at, remedy="symgrad verify holds the gradient against the spec")
    names = [p.name for p in model.parameters] or [name for name in spec.gradients if name in inputs]
    if not names:
        remedy = "add parameters, or gradients: [...] with the inputs to differentiate by"
        raise SpecError("this spec has nothing to differentiate by", at=spec.at, remedy=remedy)
    size = spec.train.batch_size
    wanted = rows or (min(size, MOST_ROWS) if isinstance(size, int) else MOST_ROWS)
    sample = draw(model, "at a random point", seed, batch=wanted)
    origin = "random data" if not model.batch_axis else f"{_rows(wanted)} of random data"
    if spec.train.data is not None and not random:
        sample, origin = _with_data(spec, sample, wanted)
    problem = Problem(model, module, sample, tuple(names), origin)
    if not np.isfinite(np.asarray(problem.evaluate().loss)):
        problem_text = "at random parameters, the loss of the spec's data is not a finite number"
        raise DataError(problem_text, at=spec.at, remedy="choose another seed, or random data")
    return problem


def _with_data(spec: Spec, sample: Sample, rows: int) -> tuple[Sample, str]:
    data = prepare(spec, load_data(spec), spec.train.seed).training
    first = data.take(np.arange(min(rows, data.rows)))

    def exact(values: Array) -> Array:
        return values.astype(np.int64 if values.dtype.kind in "iu" else np.float64)

    inputs = {name: exact(values) for name, values in first.inputs.items()}
    targets = {name: exact(values) for name, values in first.targets.items()}
    origin = f"the first {_rows(first.rows)} of {first.origin}"
    return replace(sample, inputs=inputs, targets=targets), origin


def _rows(count: int) -> str:
    return f"{count} row{'' if count == 1 else 's'}"
