"""Which reader opens which file."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from symgrad.errors import DataError
from symgrad.training.arrays import idx_source, npy_source, npz_source
from symgrad.training.tables import csv_source, parquet_source

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from symgrad.training.source import Source

READERS: tuple[tuple[str, Callable[[Path, str], Source]], ...] = (
    (r"\.(csv|tsv|txt)(\.gz)?$", csv_source),
    (r"\.npz$", npz_source),
    (r"\.npy$", npy_source),
    (r"\.(parquet|pq)$", parquet_source),
    (r"([-.]idx\d-ubyte|\.idx\d?)(\.gz)?$", idx_source),
)
KNOWN_FORMATS = "CSV (.csv, .tsv), NPZ, NPY, Parquet and IDX (-idx3-ubyte), CSV and IDX also with .gz"


def open_source(path: Path, label: str) -> Source:
    """The columns or arrays of a data file; `label` names it in messages. Raises DataError."""
    if not path.exists():
        raise DataError("there is no such file", at=label, remedy="data paths are relative to the spec")
    if not path.is_file():
        raise DataError("is not a file", at=label, remedy=f"name one data file: {KNOWN_FORMATS}")
    for pattern, reader in READERS:
        if re.search(pattern, path.name.lower()):
            return reader(path, label)
    raise DataError(
        "the file's format is not known from its name", at=label, remedy=f"known: {KNOWN_FORMATS}"
    )
