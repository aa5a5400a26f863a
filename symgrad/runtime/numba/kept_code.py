"""Compiled code is kept on disk, where those who can write it could write the module too."""

import os
import pickle
import sys
from collections.abc import Iterator, Sequence
from contextlib import suppress
from hashlib import sha256
from pathlib import Path
from typing import Any
from uuid import uuid4

from numba import config, version_info
from numba.core.caching import NullCache
from numba.core.compiler import CompileResult
from numba.core.serialize import dumps
from numba.misc.appdirs import AppDirs

from symgrad.runtime.numba.meanings import _meaning

_MOST = 4000  # compiled functions with the user's caches, of some 50 kB each


class _CompiledCode(NullCache):
    """The files of a compiled function, one for each signature: they save time and are never in the way."""

    def __init__(self, dispatcher: Any) -> None:
        self._dispatcher, self._meaning, self._is_kept = dispatcher, "", True
        self._file = Path(dispatcher.py_func.__code__.co_filename).absolute()
        self._folder = ""

    @property
    def cache_path(self) -> str:
        """Where its code was found or written; empty as long as it was not."""
        return self._folder

    def disable(self) -> None:
        self._is_kept = False

    def load_overload(self, signature: Any, target_context: Any) -> Any:
        self._be_named()
        target_context.refresh()
        name, owner = self._entry(signature, target_context.codegen())
        folders = [*self._folders()]
        for place, folder in enumerate(folders):
            content = _trusted_content(folder / name, self._file)
            if content[:32] == sha256(content[32:]).digest():
                found, data = pickle.loads(content[32:])
                if found == owner:
                    self._folder = str(folder)
                    self._write(name, content, folders[:place])
                    return CompileResult._rebuild(target_context, *data)
        return None

    def save_overload(self, signature: Any, result: Any) -> None:
        if not self._is_kept or result.lifted or result.library.has_dynamic_globals:
            return
        if _meaning(self._dispatcher) != self._meaning:  # its module was changed while it was there
            return
        name, owner = self._entry(signature, result.codegen)
        content = dumps((owner, result._replace(type_annotation="")._reduce()))  # a text that nobody reads
        self._write(name, sha256(content).digest() + content, [*self._folders()])
        _forget_oldest(_user_folder())

    def _write(self, name: str, content: bytes, folders: Sequence[Path]) -> None:
        """Write it beside the module, which can be shipped so, and where a module in another folder finds it,
        with the user's caches; or to NUMBA_CACHE_DIR alone."""
        for folder in folders:
            with suppress(OSError):  # a full disk, or a folder that is read-only
                folder.mkdir(parents=True, exist_ok=True)
                _write_beside(folder / name, content)
                self._folder = self._folder or str(folder)
                if config.CACHE_DIR and folder == Path(config.CACHE_DIR):
                    return

    def _be_named(self) -> None:
        """Name the function by its meaning, before it is compiled.

        In a process Numba tells compiled functions apart by these names, and what is kept on disk imports the
        module: so it is one that is there whichever way this file is loaded.
        """
        if self._meaning:
            return
        function = self._dispatcher.py_func
        try:
            self._meaning = _meaning(self._dispatcher)
        except (AttributeError, TypeError):  # it names what has no text: it is compiled in every process
            self._meaning, self._is_kept = uuid4().hex, False
        function.__module__, function.__qualname__ = "builtins", f"{self._meaning[:16]}.{function.__name__}"

    def _entry(self, signature: Any, codegen: Any) -> tuple[str, str]:
        """The name of a file, and all that its content depends on."""
        how = config.BOUNDSCHECK, config.OPT
        machine = sys.implementation.cache_tag, version_info.string, codegen.magic_tuple(), how
        owner = repr((self._meaning, signature, machine))
        digest = sha256(owner.encode()).hexdigest()[:32]
        return f"{self._dispatcher.py_func.__name__}-{digest}.nbc", owner

    def _folders(self) -> Iterator[Path]:
        """Where it may be kept: as NUMBA_CACHE_DIR says, beside the module, with the user's caches."""
        if not self._is_kept:
            return
        if config.CACHE_DIR:
            yield Path(config.CACHE_DIR)
        if self._file.is_file():
            yield self._file.parent / "__pycache__"
        yield _user_folder()


def _user_folder() -> Path:
    return Path(AppDirs(appname="numba", appauthor=False).user_cache_dir)


def _forget_oldest(folder: Path) -> None:
    """Where there are more than _MOST compiled functions, the newer half of these stays."""
    with suppress(OSError):  # others forget at the same time
        files = [*folder.glob("*.nbc")]
        if len(files) > _MOST:
            for file in sorted(files, key=lambda file: file.stat().st_mtime)[: -(_MOST // 2)]:
                file.unlink(missing_ok=True)


def _trusted_content(file: Path, module: Path) -> bytes:
    """The content of a file, which can run code; none where others could write it than could the module."""
    try:
        with file.open("rb") as opened:
            is_trusted = os.name == "nt" or _is_trusted(os.fstat(opened.fileno()), module)
            return opened.read() if is_trusted else b""
    except OSError:
        return b""


def _is_trusted(found: os.stat_result, module: Path) -> bool:
    """Whether a file is of this user, the system or the module's owner, and no more open than the module."""
    own = module.stat() if module.is_file() else None
    owners = {0, os.geteuid(), own.st_uid if own else 0}
    may_write = own.st_mode if own and own.st_gid == found.st_gid else 0
    return found.st_uid in owners and not found.st_mode & ~may_write & 0o022


def _write_beside(file: Path, content: bytes) -> None:
    """Replace a file whole, which others may read but not write. Raises OSError."""
    part = file.with_name(f"{file.name}.{uuid4().hex}.part")
    try:
        with open(part, "xb", opener=lambda name, flags: os.open(name, flags, 0o644)) as opened:
            opened.write(content)
        part.replace(file)
    except BaseException:
        part.unlink(missing_ok=True)
        raise
