"""The training data: a file read, checked against the spec and laid out as the module takes it."""

from __future__ import annotations

import math
import os
import re
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from symgrad.errors import DataError
from symgrad.training.dataset.array_files import idx_source, npy_source, npz_source
from symgrad.training.dataset.assign import assign
from symgrad.training.dataset.tables import csv_source, parquet_source
from symgrad.training.dataset.tensor_of_numbers import make_tensor, row_shape

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from numpy.typing import NDArray

    from symgrad.spec.model import DataSpec, Spec, TensorSpec
    from symgrad.training.dataset.source import Source

CSV_NAME = r"\.(csv|tsv|txt)(\.gz)?$"
READERS: tuple[tuple[str, Callable[[Path, str], Source]], ...] = (
    (r"\.npz$", npz_source),
    (r"\.npy$", npy_source),
    (r"\.(parquet|pq)$", parquet_source),
    (r"([-.]idx\d-ubyte|\.idx\d?)(\.gz)?$", idx_source),
)
KNOWN_FORMATS = "CSV (.csv, .tsv), NPZ, NPY, Parquet and IDX (-idx3-ubyte), CSV and IDX also with .gz"


@dataclass(frozen=True)
class Dataset:
    """Rows of data: one contiguous array [rows, ...] per input and per target, in the spec's order.

    `origin` names the file in messages.
    """

    inputs: Mapping[str, NDArray[Any]]
    targets: Mapping[str, NDArray[Any]]
    origin: str

    @property
    def rows(self) -> int:
        """The number of examples."""
        return len(self.arrays[0])

    @property
    def arrays(self) -> tuple[NDArray[Any], ...]:
        """Inputs, then targets: the data arguments of the module's functions."""
        return (*self.inputs.values(), *self.targets.values())

    def take(self, rows: NDArray[Any]) -> Dataset:
        """The chosen rows, in the order given."""
        inputs = {name: values[rows] for name, values in self.inputs.items()}
        targets = {name: values[rows] for name, values in self.targets.items()}
        return Dataset(inputs, targets, self.origin)


def load_data(
    spec: Spec, path_override: str | os.PathLike[str] | None = None, *, data: DataSpec | None = None
) -> Dataset:
    """The data a spec names, or the file at `path_override` read with the spec's `columns`.

    `data` chooses another block than `train: data`, such as the validation file. A path written in
    a spec must stay in the spec's folder; `path_override` may lie anywhere. With `standardize`, inputs
    stay float64 until they are standardised. Raises DataError saying where, what and how to mend it.
    """
    data = data or spec.train.data
    if path_override is not None and not isinstance(path_override, str | os.PathLike):
        remedy = (
            "expected the path of a file; np.savez writes arrays to one, and `fit` of the module takes arrays"
        )
        raise DataError(f"data of type {type(path_override).__name__}", at=spec.name, remedy=remedy)
    if path_override is not None:
        file, label = Path(path_override), str(path_override)
    elif data is not None:
        file, label = _inside_folder(spec, data), data.path
    else:
        remedy = "add 'data: FILE' under 'train', or name a file when training"
        raise DataError("the spec names no data", at=spec.name, remedy=remedy)
    if not (spec.inputs or spec.targets):
        remedy = "training on rows needs an input or a target"
        raise DataError("the spec declares neither inputs nor targets", at=spec.name, remedy=remedy)
    try:
        source = open_source(file, label, data.header if data else None)
        inputs, targets = _tensors(spec, source, dict(data.columns) if data else {})
    except OSError as error:
        remedy = "check the path and its permissions"
        raise DataError(f"cannot be read: {error.strerror}", at=label, remedy=remedy) from error
    _check_rows({**inputs, **targets}, label)
    return Dataset(inputs, targets, label)


def open_source(path: Path, label: str, header: bool | None = None) -> Source:
    """The columns or arrays of a data file; `label` names it in messages. Raises DataError.

    `header` says whether the first row of a CSV file names the columns, where that is known.
    """
    if not path.exists():
        raise DataError("there is no such file", at=label, remedy="data paths are relative to the spec")
    if not path.is_file():
        raise DataError("is not a file", at=label, remedy=f"name one data file: {KNOWN_FORMATS}")
    if re.search(CSV_NAME, path.name.lower()):
        return csv_source(path, label, header)
    if header is not None:
        remedy = "leave it out: only CSV files have one"
        raise DataError("'header' is said of a file that has no rows of text", at=label, remedy=remedy)
    for pattern, reader in READERS:
        if re.search(pattern, path.name.lower()):
            return reader(path, label)
    problem = "the file's format is not known from its name"
    raise DataError(problem, at=label, remedy=f"known: {KNOWN_FORMATS}")


def _inside_folder(spec: Spec, data: DataSpec) -> Path:
    """The file a spec names. A stranger's spec must not reach files elsewhere on the machine."""
    folder = (spec.path.parent if spec.path else Path()).resolve()
    file = (folder / data.path).resolve()
    if not file.is_relative_to(folder):
        remedy = "move the file there, or name it on the command line"
        raise DataError(f"the data file {data.path!r} leaves the spec's folder", at=data.at, remedy=remedy)
    return file


def _tensors(
    spec: Spec, source: Source, columns: dict[str, tuple[str, ...]]
) -> tuple[dict[str, NDArray[Any]], dict[str, NDArray[Any]]]:
    declared = (*spec.inputs, *spec.targets)
    shapes = {tensor.name: row_shape(tensor, spec) for tensor in declared}
    is_table = source.noun == "column"
    widths = {name: math.prod(shape) if is_table else 1 for name, shape in shapes.items()}
    chosen = assign(source, widths, columns, frozenset(tensor.name for tensor in spec.inputs))
    blocks = dict(zip(chosen, source.read(list(chosen.values())), strict=True))

    def make(tensor: TensorSpec, dtype: str) -> NDArray[Any]:
        return make_tensor(blocks[tensor.name], tensor, shapes[tensor.name], dtype)

    # Casting first would round away what standardising keeps, such as seconds in a time stamp.
    input_dtype = "float64" if spec.train.standardize else spec.dtype
    inputs = {tensor.name: make(tensor, input_dtype) for tensor in spec.inputs}
    return inputs, {tensor.name: make(tensor, spec.dtype) for tensor in spec.targets}


def _check_rows(tensors: dict[str, NDArray[Any]], label: str) -> None:
    rows = {name: len(values) for name, values in tensors.items()}
    if len(set(rows.values())) > 1:
        counts = ", ".join(f"{name} has {count}" for name, count in rows.items())
        raise DataError(f"the numbers of rows differ: {counts}", at=label, remedy="one row per example")
    count = next(iter(rows.values()))
    if count < 2:
        problem = "holds one row of data" if count else "holds no rows of data"
        raise DataError(problem, at=label, remedy="at least 2 are needed")
