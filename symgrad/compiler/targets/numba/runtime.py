"""The part of a module that is the same in all: which files of `symgrad/runtime` it needs, and their text."""

from __future__ import annotations

import ast
import sys
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING

from symgrad.shipped import PACKAGE

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

_ROOM = "symgrad.runtime"


@dataclass(frozen=True)
class RuntimePart:
    """A file of the runtime: what it is about, the modules and names it imports, and its definitions.

    `imports` are pairs of a module and a name in it; the name is empty where the module itself is imported.
    """

    title: str
    imports: tuple[tuple[str, str], ...]
    text: str
    names: frozenset[str]


@cache
def runtime_part(name: str) -> RuntimePart:
    """A file of the runtime, `numba/blas` say, without its imports."""
    source = (PACKAGE / "runtime" / f"{name}.py").read_text(encoding="utf-8")
    tree = ast.parse(source)
    imports = [node for node in tree.body if isinstance(node, ast.Import | ast.ImportFrom)]
    end = imports[-1].end_lineno if imports else tree.body[0].end_lineno
    text = "\n".join(source.splitlines()[end:]).strip("\n")
    title = (ast.get_docstring(tree) or "").rstrip(".")
    return RuntimePart(title, tuple(_imported(imports)), text, frozenset(_defined(tree)))


def _imported(nodes: Iterable[ast.Import | ast.ImportFrom]) -> Iterator[tuple[str, str]]:
    for node in nodes:
        if isinstance(node, ast.Import):
            yield from ((alias.name, "") for alias in node.names)
        elif node.module and not node.module.startswith(_ROOM):
            yield from ((node.module, alias.name) for alias in node.names)


def _defined(tree: ast.Module) -> Iterator[str]:
    for node in tree.body:
        match node:
            case ast.FunctionDef(name) | ast.ClassDef(name):
                yield name
            case ast.Assign(targets=[ast.Name(name)]) | ast.AnnAssign(target=ast.Name(name)):
                yield name
            case ast.Assign() | ast.For() | ast.If():
                names = (part for part in ast.walk(node) if isinstance(part, ast.Name))
                yield from (part.id for part in names if isinstance(part.ctx, ast.Store))


@cache
def runtime_names() -> frozenset[str]:
    """Every name that the runtime defines or asks of a model."""
    room = PACKAGE / "runtime"
    files = [file.relative_to(room).with_suffix("") for file in room.rglob("*.py")]
    return frozenset().union(*(runtime_part(f.as_posix()).names for f in files if f.name != "__init__"))


def merged_imports(parts: Iterable[RuntimePart], own: Iterable[tuple[str, str]]) -> tuple[str, ...]:
    """The lines that import what some parts need, and a module's `own`: the standard library's first."""
    found = {*own, *(pair for part in parts for pair in part.imports)}
    standard = {pair for pair in found if pair[0].partition(".")[0] in sys.stdlib_module_names}
    return (*_lines(standard), "", *_lines(found - standard))


def _lines(pairs: set[tuple[str, str]]) -> Iterator[str]:
    """Modules first, then names from modules, each in the order of their letters."""
    for module in sorted(module for module, name in pairs if not name):
        yield "import numpy as np" if module == "numpy" else f"import {module}"
    for module in sorted({module for module, name in pairs if name}):
        names = sorted((name for other, name in pairs if other == module and name), key=_import_order)
        yield f"from {module} import {', '.join(names)}"


def _import_order(name: str) -> tuple[int, str]:
    """Constants, then classes, then functions, as linters order them."""
    return (0 if name.isupper() else 1 if name[:1].isupper() else 2), name
