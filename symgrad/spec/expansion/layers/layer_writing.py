"""Equations of the library as they stand in a model: over its tensors and numbers, with own indices."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from symgrad.spec.language.declared_ranges import bound_names
from symgrad.spec.language.syntax import Binary, Call, Index, Name, Node, Number
from symgrad.spec.language.trees import calls, placed, transform
from symgrad.spec.reductions import REDUCTIONS
from symgrad.spec.taken_names import unused

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping

    from symgrad.errors import Position
    from symgrad.spec.model import EquationSpec


def stated(formula: Node, known: Mapping[str, Node], at: Position | None) -> Node:
    """A formula of the library over what its names stand for, at the place of the call, or at its own.

    Where nothing is put around a tensor, that stands alone, and so does what is multiplied by 1.
    """

    def change(node: Node) -> Node:
        match node:
            case Name(name):
                return known.get(name, node)
            case Index(tensor):
                stands_for = known.get(tensor, node)
                return replace(node, tensor=stands_for.id) if isinstance(stands_for, Name) else stands_for
            case Binary("*", Number(value), factor) if value == 1:
                return factor
            case Call("pad", (padded, _, *ends)) if ends and all(_is_nothing(end) for end in ends):
                return padded
        return node

    found = transform(formula, change)
    return found if at is None else placed(found, at)


def written(
    equation: EquationSpec, known: Mapping[str, Node], taken: Collection[str], at: Position | None
) -> EquationSpec:
    """An equation of the library over what its names stand for; no index bears a name that is `taken`."""
    reductions = [call for call in calls(equation.formula) if call.function in REDUCTIONS]
    indices = {name for call in reductions for name in bound_names(call)} - known.keys()
    indices |= {*(equation.indices or ())}
    fresh = {name: unused(name, taken) for name in indices}
    formula = (
        _renamed(equation.formula, fresh)
        if any(old != new for old, new in fresh.items())
        else equation.formula
    )
    return replace(
        equation,
        indices=equation.indices and tuple(fresh[name] for name in equation.indices),
        formula=stated(formula, known, at),
        ranges=tuple((fresh[name], stated(size, known, at)) for name, size in equation.ranges),
        at=at or equation.at,
    )


def _is_nothing(end: Node) -> bool:
    return isinstance(end, Number) and not end.value


def _renamed(formula: Node, fresh: Mapping[str, str]) -> Node:
    """The formula with its indices renamed, those too that a reduction gives a range, `k=2`."""

    def change(node: Node) -> Node:
        match node:
            case Name(name, at):
                return Name(fresh.get(name, name), at)
            case Call(function, keywords=keywords) if function in REDUCTIONS:
                return replace(node, keywords=tuple((fresh.get(key, key), size) for key, size in keywords))
        return node

    return transform(formula, change)
