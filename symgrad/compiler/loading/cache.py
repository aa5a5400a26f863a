"""The user's own folder of generated modules, so that building the same spec twice compiles it once."""

from __future__ import annotations

import hashlib
from contextlib import suppress
from dataclasses import fields, is_dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from symgrad.compiler.loading.load import load
from symgrad.compiler.loading.sources import sources_digest
from symgrad.compiler.loading.user_cache import REMEDY, cache_folder, lasting_folder
from symgrad.errors import ModuleError
from symgrad.files import replace_file
from symgrad.turns import one_at_a_time

if TYPE_CHECKING:
    from collections.abc import Callable
    from types import ModuleType

    from symgrad.spec.model import Spec

_NAME_LENGTH = 40


def cached_module(spec: Spec, derive: Callable[[Spec], str]) -> ModuleType:
    """The module of a spec from the cache folder, loaded.

    Raises:
        ModuleError: there is no folder that only this user can write.
    """
    return load(cached_file(spec, derive))


def cached_file(spec: Spec, derive: Callable[[Spec], str]) -> Path:
    """The file of a spec's module in the cache folder, its text derived where none is kept there.

    Of several processes that want the same module at once, one derives it and the others wait for it.

    Raises:
        ModuleError: there is no folder that only this user can write.
    """
    folder, name = cache_folder(), _name(spec)
    kept = _kept(folder, name)
    if kept is not None:
        return kept
    with one_at_a_time(folder / f"{name}.lock"):
        return _kept(folder, name) or _keep(folder, name, derive(spec).encode())


def kept_text(spec: Spec) -> str | None:
    """The text of a spec's module in the cache folder; None where none is kept, or there is no folder."""
    with suppress(ModuleError, OSError):
        file = _kept(lasting_folder(), _name(spec))
        return None if file is None else file.read_text(encoding="utf-8")
    return None


def keep_text(spec: Spec, text: str) -> None:
    """Keep the text of a spec's module, which is judged, for those who want it next; where that cannot be,
    it is derived again."""
    with suppress(ModuleError):
        folder, name = lasting_folder(), _name(spec)
        if _kept(folder, name) is None:
            _keep(folder, name, text.encode())


def file_to_judge(spec: Spec, derive: Callable[[Spec], str]) -> Path:
    """The file of a spec's module as users have it; where they have none yet, one that nobody is handed.

    Raises:
        ModuleError: there is no folder that only this user can write.
    """
    return _kept(cache_folder(), _name(spec)) or _file_of_text(f"{spec.name}_unchecked", derive(spec))


def cached_text(name: str, text: str) -> ModuleType:
    """The module of a text that is not a spec's own, kept beside the others under this name.

    Raises:
        ModuleError: there is no folder that only this user can write.
    """
    return load(_file_of_text(name, text))


def _file_of_text(name: str, text: str) -> Path:
    folder, content = cache_folder(), text.encode()
    file = folder / f"{name}_{_digest(content)}.py"
    return file if file.is_file() and file.read_bytes() == content else _keep(folder, name, content)


def _name(spec: Spec) -> str:
    """A name that changes with all that a module's text depends on."""
    digest = _digest(f"{sources_digest()} {spec_content(spec)!r}".encode())
    return f"{spec.name[:_NAME_LENGTH]}_{spec.sha256[:12]}_{digest}"


def spec_content(value: object) -> object:
    """What makes two specs, or parts of them, equal: all but the places where things stand in their files."""
    if isinstance(value, tuple):
        return tuple(map(spec_content, value))
    if is_dataclass(value):
        compared = [field.name for field in fields(value) if field.compare]
        return (type(value).__name__, *(spec_content(getattr(value, name)) for name in compared))
    return value


def _digest(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()[:16]


def _kept(folder: Path, name: str) -> Path | None:
    """The file of this name, unless its text is not the one that was written: its name ends in its digest."""
    for file in folder.glob(f"{name}_*.py"):
        with suppress(OSError):
            if file.stem == f"{name}_{_digest(file.read_bytes())}":
                return file
    return None


def _keep(folder: Path, name: str, text: bytes) -> Path:
    """Write the file whole."""
    file = folder / f"{name}_{_digest(text)}.py"
    try:
        replace_file(file, text)
    except OSError as error:
        problem = f"the cache cannot be written: {error.strerror}"
        raise ModuleError(problem, at=str(file), remedy=REMEDY) from None
    return file
