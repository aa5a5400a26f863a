"""The training data: a file read, checked against the spec and laid out as the module takes it."""

from __future__ import annotations

import hashlib
import math
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from symgrad.errors import DataError
from symgrad.training.assign import assign
from symgrad.training.formats import open_source
from symgrad.training.tensors import make_tensor, row_shape

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray

    from symgrad.spec.model import DataSpec, Spec, TensorSpec
    from symgrad.training.source import Source

NO_DATA_REMEDY = "add 'data: FILE' under 'train', or name a file on the command line"


@dataclass(frozen=True)
class Dataset:
    """Rows of data: one contiguous array [rows, ...] per input and per target, in the spec's order."""

    inputs: Mapping[str, NDArray[Any]]
    targets: Mapping[str, NDArray[Any]]
    rows: int
    description: str
    provenance: str

    @property
    def arrays(self) -> tuple[NDArray[Any], ...]:
        """Inputs, then targets: the data arguments of the module's functions."""
        return (*self.inputs.values(), *self.targets.values())

    def take(self, rows: NDArray[Any]) -> Dataset:
        """The chosen rows, in the order given."""
        inputs = {name: values[rows] for name, values in self.inputs.items()}
        targets = {name: values[rows] for name, values in self.targets.items()}
        return Dataset(inputs, targets, len(rows), describe(inputs, targets), self.provenance)


def load_data(spec: Spec, path: Path | None = None, *, data: DataSpec | None = None) -> Dataset:
    """The data a spec names, or the file at `path` read with the spec's `columns`.

    `data` chooses another block than `train: data`, such as the validation file. A path written in
    a spec must stay in the spec's folder; `path` may lie anywhere. With `standardize`, inputs
    stay float64 until they are standardised. Raises DataError saying where, what and how to mend it.
    """
    data = data or spec.train.data
    if path is None and data is None:
        raise DataError("the spec names no data", at=spec.name, remedy=NO_DATA_REMEDY)
    file, label = (path, str(path)) if path is not None else _inside_folder(spec, data)
    try:
        source = open_source(file, label)
        inputs, targets = _tensors(spec, source, dict(data.columns) if data else {})
        provenance = f"{label} (SHA-256 {_sha256(file)[:16]})"
    except OSError as error:
        raise DataError(f"cannot be read: {error.strerror}", at=label) from error
    rows = _common_rows({**inputs, **targets}, label)
    return Dataset(inputs, targets, rows, describe(inputs, targets), provenance)


def _inside_folder(spec: Spec, data: DataSpec | None) -> tuple[Path, str]:
    """The file a spec names. A stranger's spec must not reach files elsewhere on the machine."""
    assert data is not None  # noqa: S101
    folder = (spec.path.parent if spec.path else Path()).resolve()
    file = (folder / data.path).resolve()
    if not file.is_relative_to(folder):
        remedy = "move the file there, or name it on the command line"
        raise DataError(f"the data file {data.path!r} leaves the spec's folder", at=data.at, remedy=remedy)
    return file, data.path


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


def _common_rows(tensors: dict[str, NDArray[Any]], label: str) -> int:
    if not tensors:
        raise DataError("the spec declares neither inputs nor targets", at=label)
    rows = {name: len(values) for name, values in tensors.items()}
    if len(set(rows.values())) > 1:
        counts = ", ".join(f"{name} has {count}" for name, count in rows.items())
        raise DataError(f"the numbers of rows differ: {counts}", at=label, remedy="one row per example")
    count = next(iter(rows.values()))
    if count < 2:
        raise DataError(
            f"holds {count or 'no'} row{'s' * (count != 1)} of data", at=label, remedy="at least 2 are needed"
        )
    return count


def describe(inputs: Mapping[str, NDArray[Any]], targets: Mapping[str, NDArray[Any]]) -> str:
    """The shapes and dtypes in one line."""
    return ", ".join(
        f"{name} [{', '.join(map(str, values.shape))}] {values.dtype}"
        for name, values in {**inputs, **targets}.items()
    )


def _sha256(file: Path) -> str:
    with file.open("rb") as content:
        return hashlib.file_digest(content, "sha256").hexdigest()
