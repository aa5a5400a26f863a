"""Writing a file so that an earlier one is replaced whole or not at all, whoever else writes it meanwhile."""

from __future__ import annotations

import os
import tempfile
from pathlib import Path

from symgrad.errors import DataError


def replace_file(path: Path, content: bytes | memoryview) -> None:
    """Write the content beside `path`, then put it in its place with the rights it had. Raises OSError.

    Where a link stands there, what it leads to is replaced.
    """
    path = Path(os.path.realpath(path))
    handle, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.", suffix=".part")
    temporary = Path(name)
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(content)
            file.flush()
            os.fsync(handle)
        temporary.chmod(path.stat().st_mode if path.exists() else 0o666 & ~_umask())
        temporary.replace(path)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise


def write_whole(path: Path, content: bytes | memoryview) -> None:
    """The same for a file of a run. Raises DataError when that fails."""
    try:
        replace_file(path, content)
    except OSError as error:
        remedy = "choose a folder that exists and can be written"
        raise DataError(f"cannot be written: {error.strerror}", at=str(path), remedy=remedy) from error


def _umask() -> int:
    mask = os.umask(0)
    os.umask(mask)
    return mask
