"""Formulas of a spec while a graph is read: trees over entries of tensors, printed when an equation is made.

A formula stands for an array whose axes are numbered from 0. An entry says for each axis of its tensor
which axis of the formula runs along it, or a formula of indices; so transposes, axes of length 1 and
numbers of rows need no equation of their own. Where no entry does more than NumPy's broadcasting, indices
are not written.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, TypeAlias

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from symgrad.exchange.onnx_import.onnx_graph import Dim

SUM, PRODUCT, POWER, ATOM = 1, 2, 3, 4
"""How tightly a formula holds together."""


@dataclass(frozen=True)
class FixedNumber:
    """A number."""

    value: float


@dataclass(frozen=True)
class AlongAxis:
    """The index along an axis of the formula; of a reduction, it has a number of its own beyond these."""

    axis: int


@dataclass(frozen=True)
class TensorEntry:
    """An entry of a tensor whose axes have these sizes."""

    tensor: str
    indices: tuple[Tree, ...]
    sizes: tuple[Dim, ...]


@dataclass(frozen=True)
class WholeFormula:
    """A formula over whole tensors, as it is written, `dense(x, 8)`; `axes` are those of the formula."""

    text: str
    level: int
    axes: tuple[int, ...]
    sizes: tuple[Dim, ...]


@dataclass(frozen=True)
class AppliedFormula:
    """An operation entry by entry. `form` has a {} for each operand, which holds together as `needs` say."""

    form: str
    level: int
    needs: tuple[int, ...]
    operands: tuple[Tree, ...]


@dataclass(frozen=True)
class ReducedFormula:
    """A reduction over some positions."""

    function: str
    body: Tree
    bound: tuple[int, ...]


Tree: TypeAlias = FixedNumber | AlongAxis | TensorEntry | WholeFormula | AppliedFormula | ReducedFormula


@dataclass(frozen=True)
class ReadValue:
    """An array of the graph: the lengths of its axes, and the formula of an entry."""

    shape: tuple[Dim, ...]
    tree: Tree


def named(tensor: str, shape: Sequence[Dim]) -> ReadValue:
    """A whole tensor."""
    sizes = tuple(shape)
    return ReadValue(sizes, TensorEntry(tensor, tuple(map(AlongAxis, range(len(sizes)))), sizes))


def rebuilt(tree: Tree, change: Callable[[Tree], Tree | None]) -> Tree:
    """The tree with each node replaced that `change` answers with another; it is asked from the root on."""
    new = change(tree)
    if new is not None:
        return new
    match tree:
        case TensorEntry():
            return replace(tree, indices=tuple(rebuilt(index, change) for index in tree.indices))
        case AppliedFormula():
            return replace(tree, operands=tuple(rebuilt(operand, change) for operand in tree.operands))
        case ReducedFormula():
            return replace(tree, body=rebuilt(tree.body, change))
    return tree


def moved(tree: Tree, to: Mapping[int, Tree]) -> Tree:
    """The tree with other axes: `to` gives for an axis another position, or an index that is fixed."""

    def change(node: Tree) -> Tree | None:
        if isinstance(node, AlongAxis):
            return to.get(node.axis, node)
        if isinstance(node, WholeFormula):
            return replace(node, axes=tuple(_axis(to.get(axis, AlongAxis(axis))) for axis in node.axes))
        return None

    return rebuilt(tree, change)


def _axis(index: Tree) -> int:
    if not isinstance(index, AlongAxis):
        raise TypeError("a formula over whole tensors has all of its axes")
    return index.axis


def nodes_of(tree: Tree) -> list[Tree]:
    """The tree's nodes."""
    found: list[Tree] = []

    def note(node: Tree) -> None:
        found.append(node)

    rebuilt(tree, note)
    return found


def axes_of(tree: Tree) -> list[int]:
    """The axes that the formula depends on, in order."""
    nodes = nodes_of(tree)
    bound = {axis for node in nodes if isinstance(node, ReducedFormula) for axis in node.bound}
    free = {node.axis for node in nodes if isinstance(node, AlongAxis)}
    free |= {axis for node in nodes if isinstance(node, WholeFormula) for axis in node.axes}
    return sorted(free - bound)


def runs_along(tree: Tree, axis: int, size: Dim) -> bool:
    """Whether an axis of the formula is a whole axis of a tensor, which says how long it is."""
    return any(
        isinstance(node, TensorEntry)
        and any(
            index == AlongAxis(axis) and along == size
            for index, along in zip(node.indices, node.sizes, strict=True)
        )
        for node in nodes_of(tree)
    )


def has_all_axes(tree: Tree, rank: int) -> bool:
    """Whether a formula of this rank is a whole tensor, or its transpose."""
    return isinstance(tree, TensorEntry) and sorted(
        index.axis for index in tree.indices if isinstance(index, AlongAxis)
    ) == list(range(rank)) == list(range(len(tree.indices)))


def plain_text(tree: Tree, rank: int) -> tuple[str, int] | None:
    """The formula without indices, and its level; None where NumPy's broadcasting does not say the same."""

    def write(node: Tree) -> tuple[str, int] | None:
        match node:
            case TensorEntry(tensor, indices):
                return (
                    (tensor, ATOM) if _is_aligned([getattr(i, "axis", -1) for i in indices], rank) else None
                )
            case WholeFormula(text, level, axes):
                return (text, level) if _is_aligned(axes, rank) else None
            case AlongAxis() | ReducedFormula():
                return None
        return _written(node, write)

    return write(tree)


def _is_aligned(axes: Sequence[int], rank: int) -> bool:
    return list(axes) == list(range(rank - len(axes), rank))


def indexed_text(tree: Tree, sizes: Sequence[Dim], letters: Sequence[str]) -> str:
    """The formula with indices; `letters` are those of its axes, then of what is summed over, by position.

    An axis of length 1 is read at 0 where the formula's is longer.
    """
    names = {axis: letters[axis] for axis in range(len(sizes))}
    summed = [axis for node in nodes_of(tree) if isinstance(node, ReducedFormula) for axis in node.bound]
    names |= {axis: letters[len(sizes) + k] for k, axis in enumerate(dict.fromkeys(summed))}

    def index(node: Tree, size: Dim) -> str:
        if isinstance(node, AlongAxis) and size == 1 and node.axis < len(sizes) and sizes[node.axis] != 1:
            return "0"
        return write(node)[0]

    def write(node: Tree) -> tuple[str, int]:
        match node:
            case AlongAxis(axis):
                return names[axis], ATOM
            case TensorEntry(tensor, indices, along):
                places = [index(i, size) for i, size in zip(indices, along, strict=True)]
                return (f"{tensor}[{', '.join(places)}]" if places else tensor), ATOM
            case ReducedFormula(function, body, bound):
                return f"{function}({write(body)[0]}, {', '.join(names[axis] for axis in bound)})", ATOM
            case WholeFormula(text, level):
                return text, level
        found = _written(node, write)
        return found if found is not None else ("", ATOM)

    return write(tree)[0]


def _written(node: Tree, write: Callable[[Tree], tuple[str, int] | None]) -> tuple[str, int] | None:
    """A number or an operation, its operands in brackets where they need them."""
    if isinstance(node, FixedNumber):
        return number_text(node.value), ATOM if node.value >= 0 else SUM
    if not isinstance(node, AppliedFormula):
        return None
    texts = []
    for operand, needed in zip(node.operands, node.needs, strict=True):
        found = write(operand)
        if found is None:
            return None
        text, level = found
        texts.append(f"({text})" if level < needed else text)
    return node.form.format(*texts), node.level


def number_text(value: float) -> str:
    """A number as formulas have it."""
    return str(int(value)) if float(value).is_integer() and abs(value) < 1e15 else repr(float(value))
