"""Entries of a spec by dotted paths, `optimizer.learning_rate`, `layers.0.units`, given other values.

A path leads through the blocks and lists of a spec as they are written; at a call it goes on with the call's
arguments, by their names. What stands in the train block needs no `train.` before it.
"""

from __future__ import annotations

from copy import deepcopy
from dataclasses import replace
from typing import TYPE_CHECKING, Any, NamedTuple, TypeAlias

from symgrad.errors import Position, SpecError, nearest
from symgrad.spec import library
from symgrad.spec.language.formula import parse_formula
from symgrad.spec.language.names import shorten
from symgrad.spec.language.syntax import Boolean, Call, Name, Node, Tuple
from symgrad.spec.language.trees import calls, replaced
from symgrad.spec.language.unparse import unparse
from symgrad.spec.library.entries import parse_signature
from symgrad.spec.other_names import HYPER_PARAMETERS, meant
from symgrad.spec.reader import rewritten
from symgrad.spec.reading.schema import CheckpointBlock, DataBlock, SpecBlock, StopBlock, TrainBlock

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence

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
_PATHS = "expected a path through the spec, as optimizer.learning_rate, layers.0.units or seed"
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
    remedy = _place_of_argument(first) or meant(first, known, "")
    remedy = remedy or _place_of_argument(nearest(first, _all_arguments(), cutoff=0.75)) or _PATHS
    raise SpecError(f"no spec has an entry '{shorten(first)}'", at=path, remedy=remedy)


def _place_of_argument(name: str) -> str:
    """Where an argument that is named without its call stands, if calls of the library take it."""
    ours = HYPER_PARAMETERS.get(name, name)
    for key, entries in _LIBRARIES.items():
        if any(ours in _arguments(entry.signature) for entry in entries.values()):
            return f"did you mean '{key[-1]}.{ours}'?"
    if any(name in _arguments_of_layer(entry) for entry in library.layers.values()):
        return f"say of which layer, as in layers.0.{name}, or equations.NAME.{name}"
    return ""


def _all_arguments() -> Iterator[str]:
    """The names of all arguments of which is known where they stand."""
    for entries in _LIBRARIES.values():
        for entry in entries.values():
            yield from _arguments(entry.signature)
    for layer in library.layers.values():
        yield from _arguments_of_layer(layer)


def _arguments_of_layer(layer: LibraryEntry) -> tuple[str, ...]:
    """Without the x that it takes."""
    return _arguments(layer.signature)[1:]


def _arguments(signature: Signature) -> tuple[str, ...]:
    """The names of all arguments in their order."""
    return (*signature.arguments, *(name for name, _ in signature.defaults))


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
    def said(self) -> str:
        """What may be done instead."""
        return f"give whole values: {_shown(self.key)}=..."

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
        known = _arguments(signature)
        return known[1:] if outermost and self.is_layer else known


def _with_argument(text: str, names: Sequence[str], value: Scalar, scope: _Scope) -> str:
    """A formula in which the argument of a call has another value, `names` leading to it from call to call.

    It is the formula's own call, or the only one in it that takes such an argument.
    """
    formula = _called(parse_formula(text, scope.at))
    takes = [(call, scope.arguments(call, outermost=call is formula)) for call in calls(formula)]
    fitting = [(call, known) for call, known in takes if names[0] in known]
    chosen = [pair for pair in fitting if pair[0] is formula] or fitting
    if len(chosen) != 1:
        raise _unfitting(text, names[0], takes, len(chosen), scope)
    call, known = chosen[0]
    position, given = known.index(names[0]), dict(call.keywords)
    is_positional = position < len(call.arguments)
    if len(names) == 1:
        node = _as_node(value, scope.at)
    else:
        before = call.arguments[position] if is_positional else given.get(names[0])
        inner = scope._replace(key=(*scope.key, names[0]))
        if before is None:
            problem = f"{call.function} is given no '{names[0]}' whose '{shorten(names[1])}' could be another"
            raise SpecError(problem, at=scope.path, remedy=f"write it in the spec, {inner.said}")
        node = parse_formula(_with_argument(unparse(before), names[1:], value, inner), scope.at)
    if is_positional and position == 0 and isinstance(node, Name) and scope.is_layer and call is formula:
        # A name that stands first in a layer of a chain is taken for the x that layers are called without.
        first = dict(zip(known, (node, *call.arguments[1:]), strict=False))
        changed = replace(call, arguments=(), keywords=(*first.items(), *call.keywords))
    elif is_positional:
        changed = replace(call, arguments=(*call.arguments[:position], node, *call.arguments[position + 1 :]))
    else:
        changed = replace(call, keywords=tuple({**given, names[0]: node}.items()))
    return unparse(replaced(formula, lambda part: changed if part is call else None))


def _unfitting(
    text: str, name: str, takes: Sequence[tuple[Call, tuple[str, ...]]], fitting: int, scope: _Scope
) -> SpecError:
    """No call in a formula takes this argument, or several do."""
    if fitting:
        return SpecError(
            f"{fitting} calls in '{shorten(text)}' take '{name}'", at=scope.path, remedy=scope.said
        )
    if not takes:
        problem = f"'{shorten(text)}' is no call, so it has no '{shorten(name)}'"
        return SpecError(problem, at=scope.path, remedy=scope.said)
    known = tuple(dict.fromkeys(argument for _, own in takes for argument in own))
    which = takes[0][0].function if len(takes) == 1 else f"no call in '{shorten(text)}'"
    problem = f"{which} has {'no' if len(takes) == 1 else 'an'} argument '{shorten(name)}'"
    ours = HYPER_PARAMETERS.get(name, name)
    return SpecError(
        problem, at=scope.path, remedy=meant(ours, known, f"expected {', '.join(known) or 'none'}")
    )


def _called(node: Node) -> Node:
    """A bare name as the call that it stands for."""
    return Call(node.id, (), (), node.at) if isinstance(node, Name) else node


def _as_node(value: Scalar, at: Position) -> Node:
    """A value as it stands in formulas."""
    if isinstance(value, bool):
        return Boolean(value, at)
    if isinstance(value, list):
        return Tuple(tuple(_as_node(item, at) for item in value), at)
    if value is None:
        raise SpecError("null is no argument", at=at.source, remedy="expected a number or a word")
    return parse_formula(str(value), at)
