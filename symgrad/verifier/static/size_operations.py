"""What operators, comparisons, ranges and attributes give of sizes and of arrays that are known by them."""

from __future__ import annotations

import ast
import operator
from typing import TYPE_CHECKING, Any

from symgrad.verifier.static.extents import UNKNOWN, EntryKind, SizedArray, Value
from symgrad.verifier.static.size_polynomials import (
    Size,
    is_never_negative,
    new_symbol,
    quotient,
    rounded_down,
    whole,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

_ONE = whole(1)
_ARITHMETIC: Mapping[type, Callable[[Any, Any], Any]] = {
    ast.Add: operator.add,
    ast.Sub: operator.sub,
    ast.Mult: operator.mul,
}


def combined(operation: ast.operator, a: Value, b: Value) -> Value:
    """A sum, difference or product of whole numbers; two tuples, one behind the other."""
    if isinstance(a, tuple) and isinstance(b, tuple) and isinstance(operation, ast.Add):
        return a + b
    if isinstance(operation, ast.FloorDiv) and isinstance(a, Size) and isinstance(b, Size):
        return quotient(a, b) or rounded_down(a, b) or UNKNOWN
    apply = _ARITHMETIC.get(type(operation))
    return apply(a, b) if apply and isinstance(a, Size) and isinstance(b, Size) else UNKNOWN


def index_of(node: ast.Call, first: Size, *others: Size) -> tuple[Value, list[Size]]:
    """Any index of a range, and what is known where there is one; unknown of a range that runs downwards."""
    start, end, *step = (whole(0), first) if not others else (first, *others)
    if step and not is_never_negative(step[0] - _ONE):
        return UNKNOWN, []
    return new_symbol(f"the index of {ast.unparse(node)}", [start], [end - _ONE]), [end - start - _ONE]


def truth_of(value: Value) -> Value:
    """Whether a value counts as true; unknown where it may."""
    match value:
        case bool() | str() | tuple() | None:
            return bool(value)
        case Size(number=int(number)):
            return number != 0
    return UNKNOWN


def signed(operation: ast.unaryop, value: Value) -> Value:
    match operation, value:
        case ast.USub(), Size():
            return -value
        case ast.Not(), bool():
            return not value
    return UNKNOWN


def compared(operation: ast.cmpop, a: Value, b: Value) -> Value:
    match operation:
        case ast.Is() | ast.IsNot() if b is None and a is not UNKNOWN:
            return (a is None) == isinstance(operation, ast.Is)
        case ast.In() | ast.NotIn() if isinstance(a, str) and isinstance(b, tuple | dict):
            return (a in b) == isinstance(operation, ast.In)
        case ast.Eq() | ast.NotEq() if isinstance(a, str | bool | tuple) and isinstance(
            b, str | bool | tuple
        ):
            return (a == b) == isinstance(operation, ast.Eq)
    for fact in facts_of(operation, a, b, False):
        if is_never_negative(fact):
            return False
    facts = list(facts_of(operation, a, b, True))
    return True if facts and all(map(is_never_negative, facts)) else UNKNOWN


def facts_of(operation: ast.cmpop, a: Value, b: Value, holds: bool) -> Iterator[Size]:
    """Sizes that are not negative where a comparison holds, or where it does not."""
    if not (isinstance(a, Size) and isinstance(b, Size)):
        return
    match operation, holds:
        case (ast.Lt(), True) | (ast.GtE(), False):
            yield b - a - _ONE
        case (ast.LtE(), True) | (ast.Gt(), False):
            yield b - a
        case (ast.Gt(), True) | (ast.LtE(), False):
            yield a - b - _ONE
        case (ast.GtE(), True) | (ast.Lt(), False):
            yield a - b
        case (ast.Eq(), True) | (ast.NotEq(), False):
            yield from (a - b, b - a)


def attribute(base: Value, name: str) -> Value:
    match base, name:
        case SizedArray(), "T":
            return base.of_shape(base.shape[::-1])
        case SizedArray(), "shape":
            return base.shape
        case SizedArray(), "ndim":
            return whole(len(base.shape))
        case SizedArray(), "size":
            return base.size
        case SizedArray(), "dtype":
            return EntryKind(base.entries)
    return UNKNOWN
