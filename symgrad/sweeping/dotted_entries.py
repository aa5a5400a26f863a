"""Entries of a spec by dotted paths, `optimizer.learning_rate`, `layers.0.units`, given other values.

A path leads through the blocks and lists of a spec as they are written; at a call it goes on with the call's
arguments, by their names. What stands in the train block needs no `train.` before it.
"""

from __future__ import annotations

from copy import deepcopy
from dataclasses import replace
from typing import TYPE_CHECKING, Any, NamedTuple, TypeAlias

from symgrad.errors import Position, SpecError
from symgrad.spec import library
from symgrad.spec.language.formula import parse_formula
from symgrad.spec.language.names import shorten
from symgrad.spec.language.syntax import Call, Name, Node
from symgrad.spec.language.trees import calls, replaced
from symgrad.spec.language.unparse import unparse
from symgrad.spec.library.entries import parse_signature
from symgrad.spec.other_names import HYPER_PARAMETERS, meant
from symgrad.spec.reader import rewritten
from symgrad.spec.reading.schema import CheckpointBlock, DataBlock, SpecBlock, StopBlock, TrainBlock

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Mapping, Sequence

    from pydantic import BaseModel

    from symgrad.spec.library import LibraryEntry, Signature
    from symgrad.spec.model import Spec
    from symgrad.spec.reading.document import Key

Scalar: TypeAlias = bool | int | float | str | list[Any] | None
"""What an entry may be given."""

_BLOCKS: dict[Key, type[BaseModel]] = {
    (): SpecBlock,
    ("train",): TrainBlock,
    ("train", "stop"): StopBlock,
    ("train", "checkpoint"): CheckpointBlock,
    ("train", "data"): DataBlock,
    ("train", "validation"): DataBlock,
}
"""Blocks that may be written where the spec does not have them; of all others, what is there can be set."""
_WRITTEN: dict[Key, Any] = {("train",): {}, ("train", "stop"): {}, ("train", "checkpoint"): {}}
_WRITTEN |= {("train", "optimizer"): "sgd"}
"""What stands for an entry that a spec leaves out."""
_LIBRARIES: dict[Key, Mapping[str, LibraryEntry]] = {
    ("train", "optimizer"): library.optimizers,
    ("train", "schedule"): library.schedules,
    ("train", "finish"): library.finishes,
}
_FORMULAS: Mapping[str, LibraryEntry] = {
    **library.functions,
    **library.layers,
    **library.initializers,
}
"""What calls elsewhere may be of."""
_CHAINS = ("layers", "residual", "concat")


def full_path(path: str) -> str:
    """The path from the top of a spec: `seed` is `train.seed`.

    Raises:
        SpecError: no spec has such an entry.
    """
    first = path.split(".")[0]
    if first in SpecBlock.model_fields:
        return path
    if first in TrainBlock.model_fields:
        return f"train.{path}"
    known = (*SpecBlock.model_fields, *TrainBlock.model_fields)
    remedy = meant(first, known, f"expected {', '.join(known)}")
    raise SpecError(f"no spec has an entry '{shorten(first)}'", at=path, remedy=remedy)


def with_entries(spec: Spec, entries: Mapping[str, Scalar]) -> Spec:
    """The spec as if these values had been written at these paths, those of whole entries first.

    Raises:
        SpecError: the spec has no such place, or cannot have such a value there.
    """
    paths = sorted(entries, key=lambda path: (full_path(path).count("."), path))

    def change(data: dict[str, Any]) -> Iterable[Key]:
        return [_set(data, path, entries[path]) for path in paths]

    return rewritten(spec, change) if entries else spec


def hyper_key(path: str) -> str:
    """What a number of training at this path is called by modules, if it is one that may change."""
    return full_path(path).removeprefix("train.").replace("optimizer.hyper.", "optimizer.")


def _set(data: dict[str, Any], path: str, value: Scalar) -> Key:
    """Set an entry, or an argument of a call in it; the key of the entry."""
    parts = full_path(path).split(".")
    around: Any = data
    key: Key = ()
    while True:
        name = _part(around, key, parts[len(key)], path)
        key, rest = (*key, name), parts[len(key) + 1 :]
        if not rest:
            around[name] = value
            return key
        found = _inside(around, key, path)
        if not isinstance(found, dict | list):
            text = _with_argument(str(found), rest, value, _Scope(data, key, path))
            around[name] = text
            return key
        if key == ("train", "optimizer") and isinstance(found, dict) and rest[0] in found.get("hyper", {}):
            parts.insert(len(key), "hyper")
        around = found


def _part(around: Any, key: Key, part: str, path: str) -> int | str:
    """The name or number of an entry of a block or list."""
    if isinstance(around, list):
        if part.isdecimal() and int(part) < len(around):
            return int(part)
        numbers = "0" if len(around) == 1 else f"0 to {len(around) - 1}"
        raise SpecError(f"{_shown(key)} has no entry '{shorten(part)}'", at=path, remedy=f"it has {numbers}")
    known: Collection[str] = _BLOCKS[key].model_fields if key in _BLOCKS else around
    if part in known:
        return part
    remedy = meant(part, known, f"it has {', '.join(map(shorten, known))}")
    raise SpecError(f"{_shown(key)} has no '{shorten(part)}'", at=path, remedy=remedy)


def _inside(around: Any, key: Key, path: str) -> Any:
    """What stands at the last part of a key, which the path leads through."""
    name = key[-1]
    found = around.get(name) if isinstance(around, dict) else around[name]
    if found is None and key in _WRITTEN:
        found = around[name] = deepcopy(_WRITTEN[key])
    if found is None:
        remedy = f"write it in the spec, or give whole values: {'.'.join(map(str, key))}=..."
        raise SpecError(f"the spec has no {_shown(key)}", at=path, remedy=remedy)
    if _BLOCKS.get(key) is DataBlock and isinstance(found, str):
        found = around[name] = {"path": found}
    return found


def _shown(key: Key) -> str:
    return ".".join(map(str, key)) or "the spec"


class _Scope(NamedTuple):
    """Where a call stands whose argument is set."""

    data: Mapping[str, Any]
    key: Key
    path: str

    @property
    def at(self) -> Position:
        return Position(self.path, 1, 1)

    @property
    def is_layer(self) -> bool:
        """Whether it is a layer of a chain, which is called without the x that it takes."""
        return len(self.key) > 1 and isinstance(self.key[-1], int) and self.key[-2] in _CHAINS

    def signature(self, function: str) -> Signature | None:
        """What a function takes; None where nobody knows it."""
        for head in self.data.get("functions", {}):
            if head.partition("(")[0].strip() == function:
                return parse_signature(head)
        entry = _LIBRARIES.get(self.key, _FORMULAS).get(function)
        return None if entry is None else entry.signature

    def arguments(self, call: Call, *, outermost: bool) -> tuple[str, ...]:
        """The names of all arguments of a call in their order, without the x of a layer in a chain."""
        signature = self.signature(call.function)
        if signature is None:
            return tuple(name for name, _ in call.keywords)
        known = (*signature.arguments, *(name for name, _ in signature.defaults))
        return known[1:] if outermost and self.is_layer else known


def _with_argument(text: str, names: Sequence[str], value: Scalar, scope: _Scope) -> str:
    """A formula in which the argument of a call has another value, `names` leading to it from call to call.

    It is the formula's own call, or the only one in it that takes such an argument.
    """
    formula = _called(parse_formula(text, scope.at))
    if isinstance(formula, Call):
        return unparse(_with_value(formula, names, value, scope, outermost=True))
    fitting = [c for c in calls(formula) if names[0] in scope.arguments(c, outermost=False)]
    if len(fitting) != 1:
        found = "no call" if not fitting else f"{len(fitting)} calls"
        problem = f"{found} with an argument '{shorten(names[0])}' in '{shorten(text)}'"
        raise SpecError(problem, at=scope.path, remedy=f"give whole values: {_shown(scope.key)}=...")

    def change(node: Node) -> Node | None:
        return _with_value(fitting[0], names, value, scope) if node is fitting[0] else None

    return unparse(replaced(formula, change))


def _with_value(
    call: Call, names: Sequence[str], value: Scalar, scope: _Scope, *, outermost: bool = False
) -> Call:
    name, known = names[0], scope.arguments(call, outermost=outermost)
    if name not in known:
        takes = f"it takes {', '.join(known)}" if known else "it takes none"
        problem = f"{call.function} has no argument '{shorten(name)}'"
        raise SpecError(problem, at=scope.path, remedy=meant(HYPER_PARAMETERS.get(name, name), known, takes))
    position, given = known.index(name), dict(call.keywords)
    before = call.arguments[position] if position < len(call.arguments) else given.get(name)
    if len(names) == 1:
        node = parse_formula(_as_formula(value), scope.at)
    else:
        inner = _called(before) if before is not None else None
        if not isinstance(inner, Call):
            problem = f"'{name}' of {call.function} is no call here, so it has no '{shorten(names[1])}'"
            raise SpecError(problem, at=scope.path, remedy=f"give whole values: {name}=...")
        node = _with_value(inner, names[1:], value, scope)
    if position < len(call.arguments):
        return replace(call, arguments=(*call.arguments[:position], node, *call.arguments[position + 1 :]))
    return replace(call, keywords=tuple({**given, name: node}.items()))


def _called(node: Node) -> Node:
    """A bare name as the call that it stands for."""
    return Call(node.id, (), (), node.at) if isinstance(node, Name) else node


def _as_formula(value: Scalar) -> str:
    """A value as it is written in formulas."""
    if isinstance(value, list):
        return f"({', '.join(map(_as_formula, value))})"
    return str(value).lower() if isinstance(value, bool) else str(value)
