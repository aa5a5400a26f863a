"""Training and validation parts, and standardisation by the training part alone."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, replace
from functools import cached_property
from itertools import chain
from typing import TYPE_CHECKING, Any

import numpy as np

from symgrad.errors import DataError
from symgrad.spec.expand import expand
from symgrad.spec.model import DataSpec, Spec, TrainSpec
from symgrad.spec.sense.input_roles import taken_as_they_are
from symgrad.training.dataset.data import Dataset, is_filled, load_data
from symgrad.training.dataset.feeding.missing_values import fill_of
from symgrad.training.dataset.preparation import Preparation, TensorPreparation

if TYPE_CHECKING:
    from numpy.typing import NDArray

SPLIT_STREAM = 1
"""Keeps the split's random numbers apart from those of shuffling and initialisation."""


@dataclass(frozen=True)
class Parts:
    """What the loop trains on: both parts prepared alike; no validation part is None."""

    training: Dataset
    validation: Dataset | None
    preparation: Preparation

    @cached_property
    def sha256(self) -> str:
        """The SHA-256 of all that is trained and measured on."""
        return sha256_of(self.training, *([self.validation] if self.validation else []))


def sha256_of(*datasets: Dataset) -> str:
    """The SHA-256 of all their numbers, types and shapes."""
    digest = hashlib.sha256()
    for array in chain.from_iterable(dataset.arrays for dataset in datasets):
        digest.update(f"{array.dtype.str} {array.shape}\n".encode())
        digest.update(np.ascontiguousarray(array).data)
    return digest.hexdigest()


def prepare(spec: Spec, dataset: Dataset, seed: int, validation: Dataset | None = None) -> Parts:
    """Split off or load the validation data as the spec says, then prepare both parts.

    `validation` replaces what the spec says. Raises DataError when a part would be empty.
    """
    return prepared_alike(spec, *divided(spec, dataset, validation, seed))


def prepared_alike(spec: Spec, training: Dataset, validation: Dataset | None) -> Parts:
    """Both parts as the model takes them, by what is measured on the first. Raises DataError."""
    preparation = measure(spec, training)
    return Parts(
        prepared(training, preparation, spec.dtype),
        prepared(validation, preparation, spec.dtype) if validation else None,
        preparation,
    )


def prepared(dataset: Dataset, preparation: Preparation, dtype: str) -> Dataset:
    """The data set as the model takes it. Raises DataError when inputs overflow `dtype`."""
    inputs = {name: preparation.input(name, values, dtype) for name, values in dataset.inputs.items()}
    return replace(dataset, inputs=inputs)


def divided(
    spec: Spec, dataset: Dataset, validation: Dataset | None, seed: int
) -> tuple[Dataset, Dataset | None]:
    """The rows to train on and those held out: `validation`, or what the spec says. Raises DataError."""
    named = spec.train.validation
    if validation is not None or named is None:
        return dataset, validation
    if isinstance(named, DataSpec):
        return dataset, load_data(spec, data=named, like=dataset.preparation)
    return split(dataset, named, seed)


def split(dataset: Dataset, fraction: float, seed: int) -> tuple[Dataset, Dataset]:
    """A training and a validation part at random, each in the file's order; of a text or series, its end.

    Every set of points is split by itself. Rows that foretell what those of the end do are in neither part.
    Raises DataError unless both hold at least one row.
    """
    held_out = _held_out(dataset, dataset.rows, fraction)
    if dataset.overlap is not None:
        first = dataset.rows - held_out
        if first <= dataset.overlap:
            problem = f"no window lies before the last {held_out} of {dataset.rows}, which are for validation"
            raise DataError(
                problem, at=dataset.origin, remedy="expected a longer text or series, or a smaller part"
            )
        before = np.arange(first - dataset.overlap)
        return dataset.take(before), dataset.take(np.arange(first, dataset.rows))
    generator = np.random.default_rng([seed, SPLIT_STREAM])
    training = validation = dataset
    for name, rows in dataset.rows_of.items():
        order, held_out = generator.permutation(rows), _held_out(dataset, rows, fraction, name)
        training = training.take(np.sort(order[held_out:]), name)
        validation = validation.take(np.sort(order[:held_out]), name)
    return training, validation


def _held_out(dataset: Dataset, rows: int, fraction: float, name: str = "") -> int:
    """How many of so many rows are for validation. Raises DataError unless both parts hold at least one."""
    held_out = round(rows * fraction)
    if not 0 < held_out < rows:
        problem = f"a validation fraction of {fraction:g} splits {rows} rows{f' of {name}' if name else ''} "
        problem += f"into {rows - held_out} for training and {held_out} for validation"
        raise DataError(problem, at=dataset.origin, remedy="both need at least one row")
    return held_out


def measure(spec: Spec, training: Dataset) -> Preparation:
    """What the spec asks for, measured on these rows: what fills in, mean and standard deviation of numbers.

    An entry that never changes gets deviation 1, and so do those that tell words apart, with mean 0. What
    says which places of a row are there, or how much it counts, stays as it is. Raises DataError for values
    too large to square.
    """
    train = spec.train
    as_they_are = taken_as_they_are(expand(spec)) if train.standardize else frozenset[str]()
    known = training.preparation.inputs
    inputs = {
        name: _measured(
            replace(train, standardize=train.standardize and name not in as_they_are),
            name,
            values,
            known.get(name, TensorPreparation(values.shape[1:])),
        )
        for name, values in training.inputs.items()
    }
    return replace(training.preparation, inputs=inputs)


def _measured(
    train: TrainSpec, name: str, values: NDArray[Any], preparation: TensorPreparation
) -> TensorPreparation:
    if values.dtype.kind != "f":
        return preparation
    if is_filled(train.missing):
        preparation = replace(preparation, fill=fill_of(name, values, preparation, train.missing))
    if not train.standardize:
        return preparation
    mean, deviation = _mean_and_deviation(name, preparation.filled(values))
    mean, deviation = np.where(preparation.is_word, 0, mean), np.where(preparation.is_word, 1, deviation)
    return replace(preparation, mean=mean, deviation=deviation)


def _mean_and_deviation(name: str, values: NDArray[Any]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    with np.errstate(over="ignore", invalid="ignore"):
        mean = np.asarray(values.mean(axis=0, dtype=np.float64))
        deviation = np.asarray(values.std(axis=0, dtype=np.float64))
    if not np.isfinite(deviation).all():
        raise DataError(f"the values of '{name}' are too large to standardise", remedy="scale them first")
    # The computed deviation of a constant such as 0.1 is rounding noise, not always 0.
    constant = (values.max(axis=0) == values.min(axis=0)) | (deviation == 0)
    return mean, np.where(constant, 1.0, deviation)
