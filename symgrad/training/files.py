"""Writing files so that an earlier one is replaced whole or not at all."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from symgrad.errors import DataError

if TYPE_CHECKING:
    from pathlib import Path


def write_whole(path: Path, content: bytes | memoryview) -> None:
    """Write `content` beside `path`, then put it in its place. Raises DataError when that fails."""
    temporary = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    try:
        with temporary.open("wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        os.replace(temporary, path)
    except OSError as error:
        remedy = "choose a folder that exists and can be written"
        raise DataError(f"cannot be written: {error.strerror}", at=str(path), remedy=remedy) from error
    finally:
        temporary.unlink(missing_ok=True)


def make_folder(folder: Path) -> Path:
    """The folder, made with its parents before hours of training. Raises DataError."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
        writable = os.access(folder, os.W_OK)
    except OSError as error:
        problem = f"cannot be made: {error.strerror}"
        raise DataError(problem, at=str(folder), remedy="choose another folder") from error
    if not writable:
        raise DataError("cannot be written", at=str(folder), remedy="choose another folder")
    return folder
