"""The part that is the same in every module: files of `symgrad/runtime`, and what a module needs of them."""

from __future__ import annotations

import ast
import sys
from dataclasses import dataclass, replace
from functools import cache
from itertools import pairwise
from typing import TYPE_CHECKING

from symgrad.shipped import PACKAGE

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence, Set

_ROOM = "symgrad.runtime"


@dataclass(frozen=True)
class RuntimeDefinition:
    """A statement of the runtime, with the comments above it: the names it defines, and those it uses."""

    names: frozenset[str]
    uses: frozenset[str]
    text: str


@dataclass(frozen=True)
class RuntimePart:
    """A file of the runtime: what it is about, the modules and names it imports, and its definitions.

    `imports` are pairs of a module and a name in it; the name is empty where the module itself is imported.
    """

    title: str
    imports: tuple[tuple[str, str], ...]
    definitions: tuple[RuntimeDefinition, ...]

    @property
    def text(self) -> str:
        return "\n".join(definition.text for definition in self.definitions).strip("\n")

    @property
    def names(self) -> frozenset[str]:
        return frozenset().union(*(definition.names for definition in self.definitions))

    @property
    def bound(self) -> frozenset[str]:
        """The names that mean something of its own in a module: its definitions and what it imports."""
        imported = (name or module.partition(".")[0] for module, name in self.imports)
        return self.names.union(imported)

    def only(self, needed: Set[str]) -> RuntimePart:
        """The part without the definitions of names that are not needed."""
        return replace(self, definitions=tuple(d for d in self.definitions if d.names & needed))


def reached(called: Iterable[str], parts: Iterable[RuntimePart]) -> frozenset[str]:
    """The names called, and all that the definitions of these use in turn."""
    definitions = [definition for part in parts for definition in part.definitions]
    found, new = frozenset[str](), frozenset(called)
    while new - found:
        found |= new
        new = frozenset().union(*(d.uses for d in definitions if d.names & found))
    return found


@cache
def runtime_part(name: str) -> RuntimePart:
    """A file of the runtime, `numba/compiling` say, without its imports."""
    source = (PACKAGE / "runtime" / f"{name}.py").read_text(encoding="utf-8")
    tree, lines = ast.parse(source), source.splitlines()
    imports = [node for node in tree.body if isinstance(node, ast.Import | ast.ImportFrom)]
    head = len(imports) + 1  # a docstring stands before them
    definitions = (
        _definition(node, lines[before.end_lineno : node.end_lineno])
        for before, node in pairwise(tree.body[head - 1 :])
    )
    title = (ast.get_docstring(tree) or "").rstrip(".")
    return RuntimePart(title, tuple(_imported(imports)), tuple(definitions))


def _definition(node: ast.stmt, lines: Sequence[str]) -> RuntimeDefinition:
    uses = frozenset(_names(node, ast.Load))
    return RuntimeDefinition(frozenset(_defined(node)), uses, "\n".join(lines))


def _imported(nodes: Iterable[ast.Import | ast.ImportFrom]) -> Iterator[tuple[str, str]]:
    for node in nodes:
        if isinstance(node, ast.Import):
            yield from ((alias.name, "") for alias in node.names)
        elif node.module and not node.module.startswith(_ROOM):
            yield from ((node.module, alias.name) for alias in node.names)


def _defined(node: ast.stmt) -> Iterator[str]:
    if isinstance(node, ast.FunctionDef | ast.ClassDef):
        yield node.name
    else:
        yield from _names(node, ast.Store)


def _names(node: ast.stmt, context: type[ast.expr_context]) -> Iterator[str]:
    names = (part for part in ast.walk(node) if isinstance(part, ast.Name))
    return (part.id for part in names if isinstance(part.ctx, context))


def functions_of_numbers(called: Iterable[str], dtype: str) -> tuple[RuntimePart, ...]:
    """Those called, of what a module carries, with all that they use, in the number type."""
    files = (f"{dtype}_numbers", "number_bits", "horner", "elementary_functions", "llvm_functions")
    parts = [runtime_part(f"numba/{name}") for name in files]
    needed = reached(called, parts)
    return tuple(found for found in (part.only(needed) for part in parts) if found.definitions)


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
