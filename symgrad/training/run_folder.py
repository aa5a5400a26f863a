"""The folder of a run: made before hours of training, and written by one training at a time."""

from __future__ import annotations

import os
import sys
import threading
from contextlib import contextmanager
from typing import TYPE_CHECKING

from symgrad.errors import DataError

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

_HELD: dict[tuple[int, int], int] = {}
"""The folders that this process holds, and the thread that trains into each."""


@contextmanager
def run_folder(folder: Path) -> Iterator[Path]:
    """The folder, made with its parents where it is missing, and kept from other trainings.

    Whoever holds it already in the same thread gets it again. However this process ends, the system sets
    it free. Windows does not keep others out.

    Raises:
        DataError: it cannot be made or written, or another training holds it.
    """
    _make(folder)
    handle = os.open(folder, os.O_RDONLY) if sys.platform != "win32" else None
    try:
        with _held(folder, handle):
            yield folder
    finally:
        if handle is not None:
            os.close(handle)


@contextmanager
def stopped_run(folder: Path) -> Iterator[Path]:
    """The same for a run that is to go on.

    Raises:
        DataError: there is no such folder, or another training holds it.
    """
    if not folder.is_dir():
        raise DataError("there is no such folder", at=str(folder), remedy="name the folder of a run")
    with run_folder(folder):
        yield folder


@contextmanager
def _held(folder: Path, handle: int | None) -> Iterator[None]:
    found = folder.stat()
    key, thread = (found.st_dev, found.st_ino), threading.get_ident()
    if handle is None or _HELD.get(key) == thread:
        yield
        return
    _lock(folder, handle)
    _HELD[key] = thread
    try:
        yield
    finally:
        del _HELD[key]


def _lock(folder: Path, handle: int) -> None:
    if sys.platform == "win32":
        return
    import fcntl

    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        remedy = "wait for its end, or choose another folder"
        raise DataError("another training writes into this folder", at=str(folder), remedy=remedy) from None
    except OSError:
        return  # a file system without locks


def _make(folder: Path) -> None:
    try:
        folder.mkdir(parents=True, exist_ok=True)
        writable = os.access(folder, os.W_OK)
    except OSError as error:
        problem = f"cannot be made: {error.strerror}"
        raise DataError(problem, at=str(folder), remedy="choose another folder") from error
    if not writable:
        raise DataError("cannot be written", at=str(folder), remedy="choose another folder")
