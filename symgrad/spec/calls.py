"""Walk, rebuild and bind formulas: what expansion needs of syntax trees."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from symgrad.errors import SpecError
from symgrad.spec.other_names import meant
from symgrad.spec.syntax import Binary, Call, Compare, Index, Name, Negate, Node, Number, Transpose

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from symgrad.errors import Position
    from symgrad.spec.library import Signature


def children(node: Node) -> tuple[Node, ...]:
    """The nodes directly below `node`, left to right."""
    match node:
        case Negate(operand) | Transpose(operand):
            return (operand,)
        case Binary(_, left, right) | Compare(_, left, right):
            return (left, right)
        case Call(_, arguments, keywords):
            return (*arguments, *(value for _, value in keywords))
        case Index(_, indices):
            return indices
    return ()


def walk(node: Node) -> Iterator[Node]:
    """Every node of a formula, the root first."""
    yield node
    for child in children(node):
        yield from walk(child)


def transform(node: Node, change: Callable[[Node], Node]) -> Node:
    """The formula with `change` applied to every node, the leaves first."""
    match node:
        case Negate(operand) | Transpose(operand):
            return change(replace(node, operand=transform(operand, change)))
        case Binary(_, left, right) | Compare(_, left, right):
            return change(replace(node, left=transform(left, change), right=transform(right, change)))
        case Call(_, arguments, keywords):
            return change(
                replace(
                    node,
                    arguments=tuple(transform(a, change) for a in arguments),
                    keywords=tuple((k, transform(v, change)) for k, v in keywords),
                )
            )
        case Index(_, indices):
            return change(replace(node, indices=tuple(transform(i, change) for i in indices)))
    return change(node)


def substitute(node: Node, values: Mapping[str, Node]) -> Node:
    """The formula with names replaced by formulas."""
    return transform(node, lambda n: values.get(n.id, n) if isinstance(n, Name) else n)


def placed(node: Node, at: Position) -> Node:
    """A formula of the library as if it stood where the user calls it, so that errors are told there."""
    return transform(node, lambda part: replace(part, at=at))


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
    return {n.id for n in walk(node) if isinstance(n, Name)} | {
        n.tensor for n in walk(node) if isinstance(n, Index)
    }


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


def bind(call: Call, signature: Signature, extra: tuple[str, ...] = ()) -> dict[str, Node]:
    """The value of every argument of `signature` in this call, in its order, then `extra` ones given.

    Raises:
        SpecError: too many, missing, repeated or unknown arguments.
    """
    known = (*signature.arguments, *(name for name, _ in signature.defaults))
    if len(call.arguments) > len(known):
        raise SpecError(
            f"{call.function} takes at most {len(known)} arguments, got {len(call.arguments)}",
            at=call.at,
            remedy=f"write {usage(signature)}",
        )
    values = dict(zip(known, call.arguments, strict=False))
    for name, value in call.keywords:
        if name not in known and name not in extra:
            remedy = meant(name, (*known, *extra), f"write {usage(signature)}")
            raise SpecError(f"{call.function} has no argument '{name}'", at=value.at, remedy=remedy)
        if name in values:
            raise SpecError(f"{call.function} got '{name}' twice", at=value.at, remedy="give it once")
        values[name] = value
    missing = [name for name in signature.arguments if name not in values]
    if missing:
        raise SpecError(
            f"{call.function} lacks {', '.join(repr(m) for m in missing)}",
            at=call.at,
            remedy=f"write {usage(signature)}",
        )
    bound = {**dict(signature.defaults), **values}
    return {name: bound[name] for name in (*known, *(n for n in values if n not in known))}


def usage(signature: Signature) -> str:
    """How a call of this signature is written: `elu(x, alpha=...)`."""
    optional = [f"{name}=..." for name, _ in signature.defaults]
    return f"{signature.name}({', '.join([*signature.arguments, *optional])})"
