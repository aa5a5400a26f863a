"""The work that is timed: a spec's own step on its own data or on random data."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from symgrad.errors import DataError, SpecError
from symgrad.training.dataset.data import load_data
from symgrad.training.split import prepare
from symgrad.verifier.interpretation.interpreter import axis_sizes
from symgrad.verifier.sampling.samples import draw

if TYPE_CHECKING:
    from collections.abc import Mapping
    from types import ModuleType

    from symgrad.spec.model import Model
    from symgrad.verifier.interpretation.array_library import Array

Kind = Literal["training step", "gradient", "loss", "forward pass"]

_DRAWN = 32
_FULL_BATCH = 256
_MOST_BYTES = 1 << 25
_MOST_STEPS = 10_000
"""So many steps of random data in a row suffice, and so many bytes of them leave every cache."""


@dataclass(frozen=True)
class Workload:
    """A module and its data: `arrays` are inputs, then targets, of `steps` batches of `batch` rows each.

    `whole` are the names of tensors without an axis of rows, which every step takes as they are. Without
    such an axis `batch` is None and a step takes all there is.
    """

    model: Model
    module: ModuleType
    kind: Kind
    arrays: Mapping[str, Array]
    whole: frozenset[str]
    batch: int | None
    steps: int
    origin: str

    @property
    def sizes(self) -> dict[str, int]:
        """The sizes of the free axes within one step."""
        fixed = dict(self.model.spec.axes)
        found = axis_sizes(self.model, self.rows(0, self.batch))
        return {name: size for name, size in found.items() if name not in fixed}

    @property
    def rows_per_step(self) -> int:
        """The examples that one step learns from."""
        return self.batch or 1

    def rows(self, start: int, end: int | None) -> dict[str, Array]:
        """The data of some rows."""
        return {n: a if n in self.whole else a[start:end] for n, a in self.arrays.items()}

    def with_steps(self, steps: int) -> Workload:
        """The same for the first batches only, or with the rows repeated for more of them."""
        if self.batch is None:
            return self
        count = steps * self.batch
        arrays = {n: a if n in self.whole else _repeated(a, count) for n, a in self.arrays.items()}
        return replace(self, arrays=arrays, steps=steps)

    @property
    def rows_axis(self) -> str:
        """The name of the axis that counts rows; empty where there is none."""
        return self.model.batch_axis

    def batches(self, most: int) -> list[dict[str, Array]]:
        """The data of the first steps, in the order in which training takes the rows."""
        if self.batch is None:
            return [dict(self.arrays)]
        order = self.order
        arrays = {n: a if n in self.whole else a[order] for n, a in self.arrays.items()}
        ordered = replace(self, arrays=arrays)
        return [ordered.rows(k * self.batch, (k + 1) * self.batch) for k in range(min(self.steps, most))]

    @property
    def order(self) -> Array | None:
        """A fixed order of the rows, at random as in training."""
        return None if self.batch is None else np.random.default_rng(0).permutation(self.steps * self.batch)

    @property
    def most_steps(self) -> int:
        """How many steps an epoch can have: one where each needs all rows."""
        if self.batch is None or self.model.optimizer.full_batch or self.kind != "training step":
            return 1
        step = sum(a.nbytes for n, a in self.rows(0, self.batch).items() if n not in self.whole)
        return max(1, min(_MOST_STEPS, _MOST_BYTES // max(step, 1)))


def workload_of(
    model: Model,
    module: ModuleType,
    *,
    batch: int | None = None,
    rows: int | None = None,
    seed: int = 0,
    random: bool = False,
) -> Workload:
    """The first batch, and as many more as the data has, of the spec's own data or of random rows.

    Raises:
        SpecError: rows are asked for, but the spec has no axis of rows.
        DataError: the spec's data cannot be used, or a batch is larger than all rows.
    """
    spec, axis = model.spec, model.batch_axis
    if not axis and (batch or rows):
        option = "--batch" if batch else "--rows"
        raise SpecError(f"this spec has no axis of rows for {option}", at=spec.at, remedy="leave it out")
    owns = spec.train.data is not None and not random and bool(axis)
    data, origin = _own(model) if owns else (_drawn(model, seed), "random data")
    whole = frozenset(t.name for t in (*spec.inputs, *spec.targets) if t.axes[:1] != (axis,))
    work = Workload(model, module, _kind(model, module), _typed(data, module), whole, None, 1, origin)
    if not axis:
        return work
    there = next(len(values) for name, values in data.items() if name not in whole)
    count = _row_count(there if owns else None, batch, rows, spec.train.batch_size)
    own_batch = spec.train.batch_size if isinstance(spec.train.batch_size, int) else count
    size = count if model.optimizer.full_batch and batch is None else batch or min(own_batch, count)
    if size > count:
        raise DataError(f"a batch of {size} rows out of {count}", at=spec.name, remedy="give more --rows")
    if model.optimizer.full_batch and size < count:
        problem = f"every step needs all rows: {model.optimizer.full_batch}"
        raise SpecError(problem, at=spec.at, remedy="leave --batch out; --rows says how many there are")
    said = f"the first {count:,} rows of {origin}" if owns else f"{count:,} rows of {origin}"
    return replace(work, batch=size, origin=said).with_steps(count // size)


def _row_count(there: int | None, batch: int | None, rows: int | None, own: int | str) -> int:
    """How many rows to use: those asked for, those there are, or one batch of random ones."""
    if there is not None:
        return min(rows or there, there)
    return rows or batch or (own if isinstance(own, int) else _FULL_BATCH)


def _kind(model: Model, module: ModuleType) -> Kind:
    if model.loss is None:
        return "forward pass"
    if model.parameters:
        return "training step"
    return "gradient" if hasattr(module, "input_gradients") else "loss"


def _own(model: Model) -> tuple[dict[str, Array], str]:
    data = prepare(model.spec, load_data(model.spec), model.spec.train.seed).training
    return {**data.inputs, **data.targets}, data.origin


def _drawn(model: Model, seed: int) -> dict[str, Array]:
    sample = draw(model, "", seed, batch=_DRAWN)
    return {**sample.inputs, **sample.targets}


def _typed(data: Mapping[str, Any], module: ModuleType) -> dict[str, Array]:
    return {n: np.asarray(a, np.int64 if a.dtype.kind in "iu" else module.DTYPE) for n, a in data.items()}


def _repeated(array: Array, rows: int) -> Array:
    return np.resize(array, (rows, *array.shape[1:]))
