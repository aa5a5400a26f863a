"""Writing the files of a run: an earlier one is replaced whole or not at all, whoever else writes it."""

from __future__ import annotations

import os
import tempfile
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING

from symgrad.errors import DataError
from symgrad.runtime.whole_files import _to_disk, _umask, replace_file

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["replace_file", "replacing", "write_whole"]


def write_whole(path: Path, content: bytes | memoryview) -> None:
    """Replace a file of a run. Raises DataError when that fails."""
    try:
        replace_file(path, content)
    except OSError as error:
        remedy = "choose a folder that exists and can be written"
        raise DataError(f"cannot be written: {error.strerror}", at=str(path), remedy=remedy) from error


@contextmanager
def replacing(path: Path) -> Iterator[Path]:
    """A file beside `path` to write what need not fit into memory; it takes the place of `path` at the end.

    Raises DataError when that fails; then an earlier file is as it was.
    """
    path = Path(os.path.realpath(path))
    try:
        handle, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.", suffix=".part")
    except OSError as error:
        remedy = "choose a folder that exists and can be written"
        raise DataError(f"cannot be written: {error.strerror}", at=str(path), remedy=remedy) from error
    os.close(handle)
    temporary = Path(name)
    try:
        yield temporary
        with temporary.open("rb+") as file:
            os.fsync(file.fileno())
        temporary.chmod(path.stat().st_mode if path.exists() else 0o666 & ~_umask())
        temporary.replace(path)
        with suppress(OSError):  # not every system lets folders be opened
            _to_disk(path.parent)
    except OSError as error:
        raise DataError(f"cannot be written: {error.strerror}", at=str(path), remedy="make room") from error
    finally:
        temporary.unlink(missing_ok=True)
