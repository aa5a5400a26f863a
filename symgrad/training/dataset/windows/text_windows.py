"""A text as rows of bytes: windows that begin every few bytes, and for each entry the byte behind it."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from symgrad.errors import DataError
from symgrad.training.dataset.array_files import array_source

if TYPE_CHECKING:
    from pathlib import Path

    from symgrad.training.dataset.preparation import Windows
    from symgrad.training.dataset.source import Source

REMEDY = "feed an input with 'window' and a target with 'following', by 'columns' under 'data'"


def text_source(path: Path, label: str, windows: Windows, *, is_past: bool = False) -> Source:
    """The arrays `window` and `following`, [rows, window], in order; what is left at the end is no row.

    With `is_past` the byte behind a window need not be there.

    Raises:
        DataError: the file is not there, cannot be read, or is shorter than a window and one byte.
    """
    try:
        content = path.read_bytes()
    except FileNotFoundError:
        remedy = f"looked for {path.absolute()}; a path in a spec is relative to its folder"
        raise DataError("there is no such file", at=label, remedy=remedy) from None
    except OSError as error:
        remedy = "name a file of text"
        raise DataError(f"cannot be read: {error.strerror}", at=label, remedy=remedy) from error
    letters, window = np.frombuffer(content, np.uint8).astype(np.int64), windows.window
    if len(letters) < window + (not is_past):
        behind = "" if is_past else " with one behind it"
        problem = f"a text of {len(letters)} bytes has no window of {window}{behind}"
        raise DataError(problem, at=label, remedy="expected a longer text, or a shorter window")
    cut = {"window": letters} if is_past else {"window": letters[:-1], "following": letters[1:]}
    rows = {
        name: np.lib.stride_tricks.sliding_window_view(part, window)[:: windows.step]
        for name, part in cut.items()
    }
    source = array_source({name: np.array(part) for name, part in rows.items()}, label, REMEDY)
    return replace(source, windows=windows)
