"""Emitted modules, each named by the place of its file.

Pickle writes down the name of a class's module, and imports it when it reads. So the parameters and states
of a module that was loaded from a file can be handed to other processes and kept, while the file lies there.
"""

from __future__ import annotations

import importlib.util
import sys
from importlib.abc import MetaPathFinder
from importlib.machinery import ModuleSpec, SourceFileLoader
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import unquote

if TYPE_CHECKING:
    from collections.abc import Sequence
    from types import CodeType, ModuleType

__path__: list[str] = []  # this module has submodules, though no folder holds them


class _FromSource(SourceFileLoader):
    """Loads the text itself: a .pyc is taken for fresh by whole seconds and the text's length."""

    def get_code(self, _fullname: str) -> CodeType:
        code: CodeType = self.source_to_code(self.get_data(self.path), self.path)
        return code


class _Finder(MetaPathFinder):
    """Finds the file by the name."""

    def find_spec(
        self, fullname: str, _path: Sequence[str] | None, _target: ModuleType | None = None
    ) -> ModuleSpec | None:
        package, _, name = fullname.rpartition(".")
        file = Path(unquote(name))
        return _specification(_loader(file)) if package == __name__ and file.is_file() else None


def fresh_module(file: Path) -> ModuleType:
    """A new module with what the file defines; it is not registered in sys.modules."""
    loader = _loader(file)
    module = importlib.util.module_from_spec(_specification(loader))
    loader.exec_module(module)
    return module


def _loader(file: Path) -> _FromSource:
    place = str(file.absolute())
    return _FromSource(f"{__name__}.{place.replace('%', '%25').replace('.', '%2E')}", place)


def _specification(loader: _FromSource) -> ModuleSpec:
    specification = ModuleSpec(loader.name, loader, origin=loader.path)
    specification.has_location = True
    return specification


sys.meta_path.append(_Finder())
