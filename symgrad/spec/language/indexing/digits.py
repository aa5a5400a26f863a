"""Quotients and remainders of an index, `i // 2`, `i % 2`, `i // 6 % 4`: the digits of a number.

`i // low % (high // low)` are the digits of i from `low` up to below `high`, without end if that is None.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from symgrad.errors import SpecError
from symgrad.spec.language.sizes.whole_numbers import whole_number
from symgrad.spec.language.syntax import Binary, Name, Node
from symgrad.spec.language.trees import walk

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping


@dataclass(frozen=True)
class Digits:
    """Some digits of an index."""

    index: str
    low: int = 1
    high: int | None = None


def takes_digits(form: Node) -> bool:
    """Whether quotients or remainders of names stand in an index."""
    return any(
        isinstance(node, Binary)
        and node.operator in ("//", "%")
        and any(isinstance(part, Name) for part in walk(node))
        for node in walk(form)
    )


def digits_of(node: Node, indices: Collection[str], sizes: Mapping[str, int]) -> Digits | None:
    """The digits of one of some indices that a formula is; None where it is another.

    Raises:
        SpecError: a divisor is no whole number above 0, or one that does not divide another.
    """
    match node:
        case Name(name) if name in indices:
            return Digits(name)
        case Binary(("//" | "%") as operator, left, right):
            inner = digits_of(left, indices, sizes)
            if inner is None:
                return None
            by = whole_number(right, f"the divisor of '{inner.index}'", sizes)
            if by < 1:
                problem = f"the divisor of '{inner.index}' is {by}"
                raise SpecError(problem, at=right.at, remedy="expected a whole number above 0")
            return _quotient(inner, by, node) if operator == "//" else _remainder(inner, by, node)
    return None


def _quotient(inner: Digits, by: int, node: Binary) -> Digits:
    if inner.high is not None:
        _check_divides(inner.low * by, inner.high, node)
    return Digits(inner.index, inner.low * by, inner.high)


def _remainder(inner: Digits, by: int, node: Binary) -> Digits:
    end = inner.low * by
    if inner.high is None:
        return Digits(inner.index, inner.low, end)
    _check_divides(min(end, inner.high), max(end, inner.high), node)
    return Digits(inner.index, inner.low, min(end, inner.high))


def _check_divides(part: int, whole: int, node: Binary) -> None:
    if whole % part:
        problem = f"{part} does not divide {whole}, so this has no digits of its own"
        raise SpecError(problem, at=node.at, remedy="use divisors of which one divides the other: i // 2 % 3")
