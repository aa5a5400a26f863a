"""What the names of a definition stand for, whatever they are called: where their values come from."""

from __future__ import annotations

import ast
from collections import defaultdict
from typing import TYPE_CHECKING, TypeAlias

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Set

Bound: TypeAlias = "tuple[str, str, ast.AST | None]"
"""A name, how it comes to a value, and what from."""

_STEPS = 6
"""How far back a name is followed, from value to value: as far in both texts, or no forms were equal."""

_UNSEEN = frozenset(["ctx", "type_comment", "kind", "annotation", "returns"])


class Origins:
    """The names of one definition of a module.

    Two forms are equal, within a process, where the same is computed of the same: a name that the definition
    binds counts as all that it is bound to, an argument as its place. Any other name counts as itself, and is
    another one where it is among those `changed`.
    """

    def __init__(self, definition: Iterable[ast.stmt], changed: Set[str]) -> None:
        self._changed = changed
        self._sources: dict[str, list[tuple[str, ast.AST | None]]] = defaultdict(list)
        for statement in definition:
            for node in ast.walk(statement):
                for name, how, source in _bound_in(node):
                    self._sources[name].append((how, source))
        self._known = dict.fromkeys(self._sources, 0)
        for _ in range(_STEPS):
            self._known = {name: self._origin(name) for name in self._sources}

    def _origin(self, name: str) -> int:
        return hash(tuple(sorted((how, self.form(source)) for how, source in self._sources[name])))

    def form(self, node: object) -> int:
        """A number for what a node of the definition says, whatever its names are, and where it stands."""
        match node:
            case ast.Name(name) | ast.arg(name):
                outer = (name, name in self._changed)
                return self._known[name] if name in self._known else hash(outer)
            case ast.AST():
                fields = ((f, v) for f, v in ast.iter_fields(node) if f not in _UNSEEN)
                return hash((type(node).__name__, *(part for f, v in fields for part in (f, self.form(v)))))
            case list():
                return hash(tuple(map(self.form, node)))
        return hash((type(node).__name__, repr(node)))

    def binds(self, name: str) -> bool:
        """Whether the name is one of the definition's own."""
        return name in self._sources

    def counts(self, name: str) -> bool:
        """Whether a name takes on nothing but what a loop goes over."""
        return name in self._sources and all(how.startswith("each") for how, _ in self._sources[name])

    def is_number_type(self, name: str) -> bool:
        """Whether a name is nothing but the type of an array's numbers."""
        return name in self._sources and all(
            how == "" and isinstance(source, ast.Attribute) and source.attr == "type"
            for how, source in self._sources[name]
        )


def _bound_in(node: ast.AST) -> Iterator[Bound]:
    """The names that a node itself gives a value."""
    match node:
        case ast.Assign(targets, value):
            for target in targets:
                yield from _bound(target, "", value)
        case ast.AnnAssign(target, _, value) | ast.NamedExpr(target, value):
            yield from _bound(target, "", value)
        case ast.AugAssign(target, operation, value):
            yield from _bound(target, type(operation).__name__, value)
        case ast.For(target, source) | ast.comprehension(target, source):
            yield from _bound(target, "each", source)
        case ast.withitem(source, ast.expr() as target):
            yield from _bound(target, "as", source)
        case ast.ExceptHandler(kind, str(name)):
            yield name, "except", kind
        case ast.arguments():
            given = [*node.posonlyargs, *node.args, node.vararg, *node.kwonlyargs, node.kwarg]
            yield from ((a.arg, f"argument {n}", None) for n, a in enumerate(given) if a is not None)


def _bound(target: ast.AST, how: str, source: ast.AST | None) -> Iterator[Bound]:
    match target, source:
        case ast.Name(name), _:
            yield name, how, source
        case ast.Starred(inner), _:
            yield from _bound(inner, f"{how}*", source)
        case ast.Tuple(targets) | ast.List(targets), ast.Tuple(values) if len(targets) == len(values):
            for one, value in zip(targets, values, strict=True):
                yield from _bound(one, how, value)
        case ast.Tuple(targets) | ast.List(targets), _:
            for place, one in enumerate(targets):
                yield from _bound(one, f"{how} {place}", source)
