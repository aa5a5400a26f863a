"""Walk and rebuild formulas."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from symgrad.spec.language.syntax import (
    Binary,
    Call,
    Compare,
    Index,
    Name,
    Negate,
    Node,
    Number,
    Slice,
    Transpose,
    Tuple,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from symgrad.errors import Position


def children(node: Node) -> tuple[Node, ...]:
    """The nodes directly below `node`, left to right."""
    match node:
        case Negate(operand) | Transpose(operand):
            return (operand,)
        case Binary(_, left, right) | Compare(_, left, right):
            return (left, right)
        case Number() | Name():
            return ()
        case Tuple(items):
            return items
        case Call(_, arguments, keywords):
            return (*arguments, *(value for _, value in keywords))
        case Index(_, indices):
            return indices
        case Slice(start, stop, step):
            return tuple(part for part in (start, stop, step) if part is not None)
    return ()


def walk(node: Node) -> Iterator[Node]:
    """Every node of a formula, the root first, left to right."""
    waiting = [node]
    while waiting:
        node = waiting.pop()
        yield node
        waiting += reversed(children(node))


def transform(node: Node, change: Callable[[Node], Node]) -> Node:
    """The formula with `change` applied to every node, the leaves first."""
    return change(_with_children(node, lambda child: transform(child, change)))


def replaced(node: Node, change: Callable[[Node], Node | None]) -> Node:
    """The formula with those parts replaced that `change` gives another for, the outermost first."""
    found = change(node)
    return _with_children(node, lambda child: replaced(child, change)) if found is None else found


def _with_children(node: Node, change: Callable[[Node], Node]) -> Node:
    """The node with its children changed; itself where none is."""
    before = children(node)
    after = tuple(map(change, before))
    is_same = all(new is old for new, old in zip(after, before, strict=True))
    return node if is_same else _with(node, after)


def _with(node: Node, new: tuple[Node, ...]) -> Node:
    """The node with other children, as many as it has, in the order of `children`."""
    match node:
        case Negate() | Transpose():
            return replace(node, operand=new[0])
        case Binary() | Compare():
            return replace(node, left=new[0], right=new[1])
        case Call(_, arguments, keywords):
            named = zip((name for name, _ in keywords), new[len(arguments) :], strict=True)
            return replace(node, arguments=new[: len(arguments)], keywords=tuple(named))
        case Tuple():
            return replace(node, items=new)
        case Index():
            return replace(node, indices=new)
        case Slice(start, stop, step):
            others = iter(new)
            start, stop, step = (part and next(others) for part in (start, stop, step))
            return replace(node, start=start, stop=stop, step=step)
    return node


def substitute(node: Node, values: Mapping[str, Node]) -> Node:
    """The formula with names replaced by formulas."""
    return transform(node, lambda n: values.get(n.id, n) if isinstance(n, Name) else n)


def placed(node: Node, at: Position) -> Node:
    """A formula of the library as if it stood where the user calls it, so that errors are told there."""
    return transform(node, lambda part: replace(part, at=at))


def with_whole_axes(node: Node, rank_of: Callable[[str], int | None]) -> Node:
    """The formula where every axis that is not mentioned behind indices is taken whole: h[t] as h[t, :]."""

    def change(part: Node) -> Node:
        rank = rank_of(part.tensor) if isinstance(part, Index) else None
        if not isinstance(part, Index) or rank is None or rank <= len(part.indices):
            return part
        rest = (Slice(None, None, None, part.at),) * (rank - len(part.indices))
        return replace(part, indices=(*part.indices, *rest))

    return transform(node, change)


def is_number(node: Node) -> bool:
    """A formula of numbers only."""
    return all(isinstance(n, Number | Binary | Negate) for n in walk(node))


def signed_number(node: Node) -> Node:
    """`-0.5` as one number."""
    if isinstance(node, Negate) and isinstance(node.operand, Number):
        return Number(-node.operand.value, node.at)
    return node


def names_in(node: Node) -> set[str]:
    """The names in a formula, those of indexed tensors too."""
    named = (n for n in walk(node) if isinstance(n, Name | Index))
    return {n.id if isinstance(n, Name) else n.tensor for n in named}


def values_in(node: Node) -> set[str]:
    """The names in a formula that stand for values: all but those of indices, which may be names of tensors.

    In `h[n, t]` that is h alone, whatever else is called t; in `z[n, t[n]]` the labels t are read too.
    """
    match node:
        case Name(name):
            return {name}
        case Index(tensor, indices):
            labels = (part for index in indices for part in walk(index) if isinstance(part, Index))
            return {tensor}.union(*(values_in(part) for part in labels))
    return set[str]().union(*(values_in(part) for part in children(node)))


def calls(node: Node) -> Iterator[Call]:
    """Every call in a formula."""
    return (n for n in walk(node) if isinstance(n, Call))
