"""How much a spec's functions hold when what they call is written out."""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING

from symgrad.spec.language.syntax import Binary, Call, Negate
from symgrad.spec.language.trees import walk
from symgrad.spec.scalars import SCALARS

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from symgrad.spec.model import FunctionSpec


def operations_of(functions: Mapping[str, FunctionSpec]) -> Callable[[str], int]:
    """The number of operations of what is called, with those of the functions that it calls.

    It grows as fast as what is written out, but takes each function once: doubling functions are refused
    before any is. A name of the language is no function of a spec: the activation tanh is tanh(x).
    """

    @cache
    def count(name: str) -> int:
        if name not in functions:
            return 0
        nodes = [n for n in walk(functions[name].formula) if isinstance(n, Binary | Negate | Call)]
        called = (n.function for n in nodes if isinstance(n, Call))
        return len(nodes) + sum(count(function) for function in called if function not in SCALARS)

    return count
