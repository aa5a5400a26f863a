"""Writing the files of a run: an earlier one is replaced whole or not at all, whoever else writes it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from symgrad.errors import DataError
from symgrad.runtime.whole_files import replace_file

if TYPE_CHECKING:
    from pathlib import Path

__all__ = ["replace_file", "write_whole"]


def write_whole(path: Path, content: bytes | memoryview) -> None:
    """Replace a file of a run. Raises DataError when that fails."""
    try:
        replace_file(path, content)
    except OSError as error:
        remedy = "choose a folder that exists and can be written"
        raise DataError(f"cannot be written: {error.strerror}", at=str(path), remedy=remedy) from error
