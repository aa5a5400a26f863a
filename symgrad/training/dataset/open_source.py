"""Which reader a data file takes, by its name."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from symgrad.errors import DataError
from symgrad.training.dataset.array_files import idx_source, npy_source, npz_source
from symgrad.training.dataset.csv.csv_files import csv_source
from symgrad.training.dataset.frames import feather_source, parquet_source
from symgrad.training.dataset.preparation import Dialect

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from symgrad.training.dataset.source import Source

CSV_NAME = r"\.(csv|tsv|tab|txt)(\.(gz|bz2|xz))?$"
READERS: tuple[tuple[str, Callable[[Path, str], Source]], ...] = (
    (r"\.npz$", npz_source),
    (r"\.npy$", npy_source),
    (r"\.(parquet|pq)$", parquet_source),
    (r"\.(feather|arrow|ipc)$", feather_source),
    (r"([-.]idx\d-ubyte|\.idx\d?)(\.gz)?$", idx_source),
)
KNOWN_FORMATS = (
    "CSV (.csv, .tsv, .txt, also with .gz, .bz2 or .xz), Parquet, Feather and Arrow, NPZ, NPY and IDX "
    "(-idx3-ubyte, also with .gz)"
)


def open_source(
    path: Path, label: str, dialect: Dialect | None = None, known: Dialect | None = None
) -> Source:
    """The columns or arrays of a data file; `label` names it in messages.

    `dialect` is what is said of a CSV file; where it leaves something open, `known` holds, which was said of
    the file trained on. Raises DataError.
    """
    said = dialect or Dialect()
    if not path.exists():
        remedy = f"looked for {path.absolute()}; a path in a spec is relative to its folder"
        raise DataError("there is no such file", at=label, remedy=remedy)
    if not path.is_file():
        raise DataError("is not a file", at=label, remedy=f"name one data file: {KNOWN_FORMATS}")
    if re.search(CSV_NAME, path.name.lower()):
        return csv_source(path, label, said.beside(known or Dialect()))
    if said != Dialect():
        key = next(key for key in ("header", "delimiter", "decimal") if getattr(said, key) is not None)
        remedy = "leave it out: only CSV files have one"
        raise DataError(f"'{key}' is said of a file that has no rows of text", at=label, remedy=remedy)
    for pattern, reader in READERS:
        if re.search(pattern, path.name.lower()):
            return reader(path, label)
    problem = "the file's format is not known from its name"
    raise DataError(problem, at=label, remedy=f"known: {KNOWN_FORMATS}")
