"""Where a user's generated modules are kept: a folder that this user alone can write."""

from __future__ import annotations

import atexit
import os
import shutil
import stat
import sys
import tempfile
from contextlib import suppress
from functools import cache
from pathlib import Path

from symgrad.errors import ModuleError, ModuleWarning, warn

REMEDY = "set XDG_CACHE_HOME to a folder of your own"


class _NoPlaceError(ModuleError):
    """There is no place that could be written, which is nobody's fault and no danger."""


def cache_folder() -> Path:
    """The folder of generated modules. Where none can be written, it is one that ends with this process.

    Raises:
        ModuleError: the folder is another user's, others can write in it, or it is no folder.
    """
    try:
        return lasting_folder()
    except _NoPlaceError as error:
        return _passing_folder(str(error.at), error.problem)


def lasting_folder() -> Path:
    """The folder that outlives this process: made when missing, and writable by this user alone.

    Compiled code is kept beside the modules and trusted, so whoever can write there can run code.

    Raises:
        ModuleError: the folder cannot be made or written, is another user's, or others can write in it.
    """
    folder = _user_cache() / "symgrad"
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        _demand_private(folder)
    except OSError as error:
        kind = ModuleError if os.path.lexists(folder) else _NoPlaceError
        problem = f"the cache folder cannot be made: {error.strerror}"
        raise kind(problem, at=str(folder), remedy=REMEDY) from None
    if not os.access(folder, os.W_OK | os.X_OK):
        raise _NoPlaceError("the cache folder is read-only", at=str(folder), remedy=REMEDY)
    return folder


@cache
def _passing_folder(wanted: str, problem: str) -> Path:
    """One for this process alone, told of once."""
    lasts = "modules are derived and compiled anew in every process"
    warn(ModuleWarning(f"{problem}; {lasts}", at=wanted, remedy=REMEDY))
    try:
        folder = Path(tempfile.mkdtemp(prefix="symgrad_"))
    except OSError as error:
        raise ModuleError(
            f"{problem}, nor a temporary one: {error.strerror}", at=wanted, remedy=REMEDY
        ) from None
    atexit.register(_removed, folder, os.getpid())
    return folder


def _removed(folder: Path, maker: int) -> None:
    if os.getpid() == maker:  # and not the child of a fork
        shutil.rmtree(folder, ignore_errors=True)


def _user_cache() -> Path:
    """Where this system keeps a user's caches; `XDG_CACHE_HOME`, when absolute, goes before all."""
    chosen = os.environ.get("XDG_CACHE_HOME", "")
    if os.path.isabs(chosen):
        return Path(chosen)
    local = os.environ.get("LOCALAPPDATA", "")
    if os.name == "nt" and local:
        return Path(local)
    try:
        home = Path.home()
    except RuntimeError:
        problem = "there is no home folder to keep generated modules in"
        raise _NoPlaceError(problem, at="cache", remedy=REMEDY) from None
    return home / ("Library/Caches" if sys.platform == "darwin" else ".cache")


def _demand_private(folder: Path) -> None:
    """Refuse a folder that anyone else can write; close it to readers too."""
    if sys.platform == "win32":
        return  # a profile folder belongs to its user by the system's own rules
    found = folder.lstat()
    if not stat.S_ISDIR(found.st_mode):
        raise ModuleError("the cache folder is not a folder", at=str(folder), remedy=REMEDY)
    if found.st_uid != os.geteuid():
        raise ModuleError("the cache folder belongs to another user", at=str(folder), remedy=REMEDY)
    if found.st_mode & (stat.S_IWGRP | stat.S_IWOTH):
        remedy = f"remove it, or {REMEDY}"
        raise ModuleError("other users can write in the cache folder", at=str(folder), remedy=remedy)
    if stat.S_IMODE(found.st_mode) != 0o700:
        with suppress(OSError):  # in a read-only place there is nothing to close
            folder.chmod(0o700)
