"""Kernels that are computed once on the same numbers: what they left in memory is put there again.

A module computes the same in several of its functions: the forward pass in all of them, the backward pass in
each that forms a gradient. Two calls of a kernel are the same where their arrays lie alike, and every number
in them is the one that was there, in all fields of the tower or in all of its digits, and was written by the
same array.
"""

from __future__ import annotations

from operator import is_
from typing import TYPE_CHECKING, Any

from symgrad.verifier.identity.elements import Element
from symgrad.verifier.identity.memory.bounded_memory import View
from symgrad.verifier.interpretation.arithmetic import LongNumber

if TYPE_CHECKING:
    from collections.abc import Callable, Hashable, Sequence

    from symgrad.verifier.identity.memory.bounded_memory import Content

Contents = list["Content"]


def remembered(kernel: Callable[..., Any]) -> Callable[..., Any]:
    """A kernel that computes nothing twice; one that answers something, or is not given arrays, is itself."""
    calls: dict[Hashable, list[tuple[Sequence[Any], Contents, Contents]]] = {}

    def apply(*arguments: Any) -> Any:
        views = [argument for argument in arguments if isinstance(argument, View)]
        others = [argument for argument in arguments if not isinstance(argument, View)]
        if not views or any(isinstance(other, tuple | list) for other in others):
            return kernel(*arguments)
        known = calls.setdefault(_layout(arguments, views), [])
        before = [view.content() for view in views]
        for others_then, contents, after in known:
            if _same(others_then, others) and all(map(_same_content, contents, before)):
                for view, content in zip(views, after, strict=True):
                    view.restore(content)
                return None
        answer = kernel(*arguments)
        if answer is None:
            known.append((others, before, [view.content() for view in views]))
        return answer

    return apply


def _layout(arguments: Sequence[Any], views: Sequence[View]) -> Hashable:
    """Which arguments are arrays, and how these lie in memories that are, or are not, the same."""
    memories = list(dict.fromkeys(id(view.numbers) for view in views))
    return tuple(
        (memories.index(id(a.numbers)), a.start, a.shape, a.strides) if isinstance(a, View) else None
        for a in arguments
    )


def _same_content(then: Content, now: Content) -> bool:
    return then.owners == now.owners and _same(then.numbers, now.numbers)


def _same(then: Sequence[Any], now: Sequence[Any]) -> bool:
    return all(map(is_, then, now)) or all(map(is_same, then, now))


def is_same(a: Any, b: Any) -> bool:
    """Whether these are one object, equal whole numbers, one element in all fields, or the same digits."""
    if a is b or type(a) is not type(b):
        return a is b
    if type(a) is Element:
        return bool(a.residue == b.residue)
    return bool(a == b) if type(a) is int else type(a) is LongNumber and bool(a._mpf_ == b._mpf_)
