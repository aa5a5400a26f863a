"""Names in the folder for temporary files, by which ranks find each other for a moment or a run.

Who is killed leaves a name behind; who begins next removes it. Who needs one holds a lock, which the system
takes however a process ends.
"""

from __future__ import annotations

import os
import shutil
import sys
import tempfile
import time
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING

if sys.platform != "win32":
    import fcntl

if TYPE_CHECKING:
    from collections.abc import Iterator

PREFIX = "symgrad-ranks-"
HELD = "here"
"""The file in a folder that its maker holds."""
YOUNG = 60.0
"""Seconds in which who made a name may not hold it yet."""


def hold(handle: int) -> None:
    """Hold an open file until this process ends or closes it, beside others that hold it."""
    if sys.platform != "win32":
        with suppress(OSError):  # a disk without locks, of which nothing is removed either
            fcntl.flock(handle, fcntl.LOCK_SH)


@contextmanager
def held_folder() -> Iterator[Path]:
    """A folder for a while, of which this process holds one file."""
    with tempfile.TemporaryDirectory(prefix=PREFIX) as folder, Path(folder, HELD).open("wb") as file:
        hold(file.fileno())
        yield Path(folder)


def is_free(file: Path) -> bool:
    """Whether nobody holds a file any more, as far as the system tells."""
    if sys.platform == "win32":
        return False
    try:
        handle = os.open(file, os.O_RDWR | os.O_NOFOLLOW)
    except OSError:  # it is on another machine
        return False
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        return False
    finally:
        os.close(handle)
    return True


def remove_left() -> None:
    """Remove what processes of this user left that were killed."""
    for path in Path(tempfile.gettempdir()).glob(f"{PREFIX}*"):
        with suppress(OSError):
            found = path.lstat()
            is_old = time.time() - found.st_mtime > YOUNG
            if is_old and found.st_uid == os.getuid() and _is_left(path):
                (shutil.rmtree if path.is_dir() else os.unlink)(path)


def _is_left(path: Path) -> bool:
    held = path / HELD if path.is_dir() else path
    return not held.exists() or is_free(held)
