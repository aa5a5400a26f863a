"""Files of arrays: NPZ and NPY, never unpickled, and IDX (the format of MNIST), also gzipped."""

from __future__ import annotations

import gzip
import math
import struct
import tokenize
import zipfile
import zlib
from typing import IO, TYPE_CHECKING, Any, cast

import numpy as np

from symgrad.errors import DataError
from symgrad.training.dataset.column import Column, column_of
from symgrad.training.dataset.source import Source

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Mapping, Sequence
    from pathlib import Path

    from numpy.typing import NDArray

IDX_TYPES = {0x08: ">u1", 0x09: ">i1", 0x0B: ">i2", 0x0C: ">i4", 0x0D: ">f4", 0x0E: ">f8"}
READ_ERRORS = (
    *(OSError, EOFError, ValueError, TypeError, KeyError, SyntaxError, OverflowError, MemoryError),
    *(RuntimeError, zipfile.BadZipFile, zlib.error, struct.error, tokenize.TokenError),
)
"""What NumPy, zipfile and gzip raise for files that are damaged, encrypted or something else."""
_PICKLE = b"\x80"
"""The first byte of a pickled object, which NumPy refuses."""
KINDS = "biufUTO"
"""Of NumPy: truths, numbers, texts, and Python's objects, which a file never gives."""
NPZ_REMEDY = "name the arrays like the tensors, or say which feeds which with 'columns' under 'data'"


def npz_source(path: Path, label: str) -> Source:
    """The arrays of an NPZ file."""
    try:
        arrays = read_npz(path)
    except READ_ERRORS as error:
        raise _unreadable(label, "NPZ", error) from error
    return array_source(arrays, label, NPZ_REMEDY)


def read_npz(path: Path) -> dict[str, NDArray[Any]]:
    """All arrays of an NPZ file, unpickled never. Raises one of READ_ERRORS."""
    with path.open("rb") as file:
        start = file.read(6)
        if start == np.lib.format.MAGIC_PREFIX:
            raise ValueError("it holds a single array, as .npy files do")
        if start[:1] != _PICKLE and not zipfile.is_zipfile(file):
            raise ValueError("it is no archive of arrays")
        file.seek(0)
        with np.load(file, allow_pickle=False) as archive:
            return {name: np.asarray(archive[name]) for name in archive.files}


def npy_source(path: Path, label: str) -> Source:
    """A matrix [rows, columns] as a table without column names; any other array as itself."""
    try:
        with path.open("rb") as file:
            values = np.lib.format.read_array(file, allow_pickle=False)
    except READ_ERRORS as error:
        raise _unreadable(label, "NPY", error) from error
    _check_kind(values, label)
    return _matrix_source(values, label) if values.ndim == 2 else array_source({path.stem: values}, label)


def idx_source(path: Path, label: str) -> Source:
    """An IDX file; the labels are read from the file beside it that MNIST's naming gives them."""
    arrays = {"images" if "images" in path.name else path.stem: _read_idx(path, label)}
    labels = path.with_name(path.name.replace("images", "labels").replace("idx3", "idx1"))
    if labels != path and labels.is_file():
        arrays["labels"] = _read_idx(labels, label.replace(path.name, labels.name))
    return array_source(arrays, label, f"put the labels beside it as {labels.name}")


def _unreadable(label: str, kind: str, error: BaseException) -> DataError:
    if "pickle" in str(error).lower() or "object arrays" in str(error).lower():
        problem = "holds pickled Python objects, which are never loaded"
        return DataError(problem, at=label, remedy="save plain numeric arrays (dtype float or int)")
    reason = " ".join(str(error).split()) or type(error).__name__
    return DataError(f"cannot be read as {kind}: {reason}", at=label, remedy="the file may be cut short")


def _matrix_source(values: NDArray[Any], label: str) -> Source:
    names = tuple(str(column + 1) for column in range(values.shape[1]))

    def parts(positions: Sequence[int], _words: Collection[int]) -> Iterator[list[Column]]:
        yield [_matrix_column(values, label, position, names[position]) for position in positions]

    return Source(label, "column", names, parts, has_names=False)


def _matrix_column(values: NDArray[Any], label: str, position: int, name: str) -> Column:
    def place(row: int, _: int) -> str:
        return f"{label}, row {row + 1}, column '{name}'"

    return column_of(name, values[:, position], place)


def array_source(arrays: Mapping[str, NDArray[Any]], label: str, remedy: str = NPZ_REMEDY) -> Source:
    """Arrays by name, each of which feeds a tensor."""
    names = tuple(arrays)

    def parts(positions: Sequence[int], _words: Collection[int]) -> Iterator[list[Column]]:
        yield [_array_column(arrays[names[position]], label, names[position]) for position in positions]

    return Source(label, "array", names, parts, remedy)


def _array_column(values: NDArray[Any], label: str, name: str) -> Column:
    _check_kind(values, f"{label}, array '{name}'")

    def place(row: int, entry: int) -> str:
        index = (row, *map(int, np.unravel_index(entry, values.shape[1:])))
        return f"{label}, {name}[{', '.join(map(str, index))}]"

    return column_of(name, values, place)


def _check_kind(values: NDArray[Any], at: str) -> None:
    if values.dtype.kind not in KINDS:
        remedy = "save plain numeric arrays (dtype float or int), or texts"
        raise DataError(f"holds {values.dtype}, not real numbers", at=at, remedy=remedy)
    if values.ndim == 0:
        raise DataError("holds a single number, not rows", at=at, remedy="the first axis is the batch")


def _read_idx(path: Path, label: str) -> NDArray[Any]:
    try:
        with _opened(path) as file:
            shape, dtype = _idx_header(file, label)
            size = math.prod(shape) * dtype.itemsize
            content = file.read(size + 1)
    except READ_ERRORS as error:
        raise _unreadable(label, "IDX", error) from error
    if len(content) != size:
        found = "fewer" if len(content) < size else "more"
        problem = f"its header announces {size} bytes of data, the file holds {found}"
        raise DataError(problem, at=label, remedy="the file may be cut short; fetch it again")
    return np.frombuffer(content, dtype).reshape(shape)


def _opened(path: Path) -> IO[bytes]:
    # typeshed does not say that a GzipFile is a binary file.
    return cast("IO[bytes]", gzip.open(path)) if path.suffix.lower() == ".gz" else path.open("rb")


def _idx_header(file: IO[bytes], label: str) -> tuple[tuple[int, ...], np.dtype[Any]]:
    zeros, code, dimensions = struct.unpack(">HBB", file.read(4))
    if zeros or code not in IDX_TYPES or not dimensions:
        raise DataError("is not an IDX file", at=label, remedy="IDX starts with two zero bytes and a type")
    return struct.unpack(f">{dimensions}I", file.read(4 * dimensions)), np.dtype(IDX_TYPES[code])
