"""The user's own folder of generated modules, so that building the same spec twice compiles it once."""

from __future__ import annotations

import hashlib
import os
import stat
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from symgrad.compiler.load import load
from symgrad.errors import ModuleError
from symgrad.version import VERSION

if TYPE_CHECKING:
    from types import ModuleType

    from symgrad.spec.model import Spec

_REMEDY = "set XDG_CACHE_HOME to a folder of your own"
_NAME_LENGTH = 40


def cached_module(spec: Spec, text: str) -> ModuleType:
    """Put the module of a spec, whose text is given, into the cache folder unless it is there, and load it.

    Raises:
        ModuleError: there is no folder that only this user can write.
    """
    file = cache_folder() / _file_name(spec, text)
    try:
        _keep(file, text)
    except OSError as error:
        problem = f"the cache cannot be written: {error.strerror}"
        raise ModuleError(problem, at=str(file), remedy=_REMEDY) from None
    return load(file)


def cache_folder() -> Path:
    """The folder of generated modules: made when missing, and writable by this user alone.

    Numba keeps compiled code beside the modules and trusts it, so whoever can write there can run code.

    Raises:
        ModuleError: the folder cannot be made, is another user's, or others can write in it.
    """
    folder = _user_cache() / "symgrad"
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        _demand_private(folder)
    except OSError as error:
        problem = f"the cache folder cannot be made: {error.strerror}"
        raise ModuleError(problem, at=str(folder), remedy=_REMEDY) from None
    return folder


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
        raise ModuleError("there is no home folder to keep generated modules in", remedy=_REMEDY) from None
    return home / ("Library/Caches" if sys.platform == "darwin" else ".cache")


def _demand_private(folder: Path) -> None:
    """Refuse a folder that anyone else can write; close it to readers too."""
    if sys.platform == "win32":
        return  # a profile folder belongs to its user by the system's own rules
    found = folder.lstat()
    if not stat.S_ISDIR(found.st_mode):
        raise ModuleError("the cache folder is not a folder", at=str(folder), remedy=_REMEDY)
    if found.st_uid != os.geteuid():
        raise ModuleError("the cache folder belongs to another user", at=str(folder), remedy=_REMEDY)
    if found.st_mode & (stat.S_IWGRP | stat.S_IWOTH):
        remedy = f"remove it, or {_REMEDY}"
        raise ModuleError("other users can write in the cache folder", at=str(folder), remedy=remedy)
    if stat.S_IMODE(found.st_mode) != 0o700:
        folder.chmod(0o700)


def _file_name(spec: Spec, text: str) -> str:
    """A name that changes with the spec, with symgrad's version and with the generated text."""
    version = VERSION.replace(".", "_")
    digest = hashlib.sha256(text.encode()).hexdigest()
    return f"{spec.name[:_NAME_LENGTH]}_{spec.sha256[:12]}_{version}_{digest[:12]}.py"


def _keep(file: Path, text: str) -> None:
    """Write the file whole, unless it holds this text; an untouched file keeps its compiled code."""
    content = text.encode()
    if file.is_file() and file.read_bytes() == content:
        return
    temporary = file.with_name(f".{file.name}.{os.getpid()}.part")
    try:
        temporary.write_bytes(content)
        temporary.replace(file)
    finally:
        temporary.unlink(missing_ok=True)
