"""Whole numbers in a spec: sizes, axes, `size(x, 1)`, and what is computed of such, `size(x, 1) // 2 - 1`."""

from __future__ import annotations

from fractions import Fraction
from functools import lru_cache
from typing import TYPE_CHECKING, TypeAlias, overload

from symgrad.errors import ShapeError, SpecError, did_you_mean
from symgrad.spec.language.sizes.size_forms import SizeForm, Whole, is_never_negative
from symgrad.spec.language.syntax import Binary, Call, Name, Negate, Node, Number
from symgrad.spec.language.trees import calls, transform
from symgrad.spec.language.unparse import unparse

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

SIZE = "size"
"""The call that gives the size of an axis, a number wherever the language takes one."""

MOST = 10**12
"""What every number on the way must stay below, far above all sizes that memory holds."""

Measured: TypeAlias = "Callable[[Call], Whole]"
"""What a call of `size` stands for."""


@overload
def whole_number(formula: Node, what: str, sizes: Mapping[str, int]) -> int: ...
@overload
def whole_number(
    formula: Node, what: str, sizes: Mapping[str, Whole], measured: Measured | None = None
) -> Whole: ...
def whole_number(
    formula: Node, what: str, sizes: Mapping[str, Whole], measured: Measured | None = None
) -> Whole:
    """The value of a formula of whole numbers and sizes by name; `what` says what it is of.

    It may hold + - * // % and max and min of two. `measured` gives what a call of `size` stands for.

    Raises:
        SpecError: another formula, a name that is no size, a division by 0, or what only the data decides.
    """
    value = _Reader(what, sizes, measured).value(formula)
    if isinstance(value, int) and abs(value) > MOST:
        raise SpecError(f"{what} is {value:,}", at=formula.at, remedy=f"expected at most {MOST:,}")
    return value


class _Reader:
    """Formulas of sizes, as they are read."""

    def __init__(self, what: str, sizes: Mapping[str, Whole], measured: Measured | None) -> None:
        self.what, self.sizes, self.measured = what, sizes, measured

    def value(self, node: Node) -> Whole:
        what, sizes = self.what, self.sizes
        match node:
            case Number(value) if value.denominator == 1:
                return int(value)
            case Name(name) if name in sizes:
                return sizes[name]
            case Name(name, at):
                remedy = did_you_mean(name, sizes) or f"write a whole number, or axes: {{{name}: 10}} above"
                raise SpecError(f"{what}: '{name}' is no size", at=at, remedy=remedy)
            case Negate(operand):
                return -1 * self._part(operand)
            case Binary(operator, left, right) if operator in ("+", "-", "*", "//", "%"):
                return self._combined(node, self._part(left), self._part(right))
            case Call(("max" | "min") as function, (left, right), ()):
                return self._extremum(node, function, self._part(left), self._part(right))
            case Call(function) if function == SIZE and self.measured is not None:
                return self.measured(node)
            case Call(function) if function == SIZE:
                raise self._known_with_data(node)
        remedy = "write a number, a size by name or a formula of such: 2, J, J - 1, size(x, 1) // 2"
        raise SpecError(f"{what} is no whole number", at=node.at, remedy=remedy)

    def _part(self, node: Node) -> Whole:
        return whole_number(node, self.what, self.sizes, self.measured)

    def _combined(self, node: Binary, left: Whole, right: Whole) -> Whole:
        match node.operator:
            case "+":
                return left + right
            case "-":
                return left - right
        if node.operator == "*" and isinstance(left, int):
            return right * left
        if isinstance(right, SizeForm):
            raise self._known_with_data(node.right if isinstance(node.right, Name) else node)
        if node.operator == "*":
            return left * right
        if right == 0:
            problem = f"{self.what}: a division by 0"
            raise SpecError(problem, at=node.at, remedy="expected a divisor other than 0")
        return left // right if node.operator == "//" else left - (left // right) * right

    def _extremum(self, node: Node, function: str, left: Whole, right: Whole) -> Whole:
        for one, other in ((left, right), (right, left)):
            if is_never_negative(one - other):
                return one if function == "max" else other
        raise self._known_with_data(node)

    def _known_with_data(self, node: Node) -> SpecError:
        problem = f"{self.what}: {unparse(node)} is known only with the data"
        axis = node.id if isinstance(node, Name) else "T"
        return SpecError(problem, at=node.at, remedy=f"give that axis a size: axes: {{{axis}: 10}}")


def axis_measured(call: Call, rank: int) -> int:
    """Which axis, from 0, a call of `size` asks for in a tensor of this rank.

    Raises:
        SpecError: it is no call of a tensor and a whole number.
        ShapeError: the tensor has no such axis.
    """
    tensor, number = _asked(call)
    if -rank <= number < rank:
        return number % rank
    problem = f"size: '{tensor}' has no axis {number}"
    remedy = f"its axes count from {-rank} to {rank - 1}" if rank else "a scalar has no axes"
    raise ShapeError(problem, at=call.at, remedy=remedy)


def tensor_measured(call: Call) -> str:
    """The name of the tensor whose size is asked for.

    Raises:
        SpecError: as `axis_measured` does.
    """
    return _asked(call)[0]


def tensors_measured(formula: Node) -> set[str]:
    """The tensors whose sizes a formula takes."""
    return {tensor_measured(call) for call in calls(formula) if call.function == SIZE}


@lru_cache(4096)
def _asks_for_sizes(formula: Node) -> bool:
    return any(call.function == SIZE for call in calls(formula))


def with_sizes(formula: Node, shape_of: Callable[[str], Sequence[int | None] | None]) -> Node:
    """The formula with sizes as numbers, where the shape of their tensor is known and fixed there.

    `shape_of` gives the shape of a tensor, with None for an axis of any size, or None if it is not known.

    Raises:
        SpecError, ShapeError: as `axis_measured` does.
    """

    def change(node: Node) -> Node:
        if not isinstance(node, Call) or node.function != SIZE:
            return node
        shape = shape_of(tensor_measured(node))
        if shape is None:
            return node
        size = shape[axis_measured(node, len(shape))]
        return node if size is None else Number(Fraction(size), node.at)

    return transform(formula, change) if _asks_for_sizes(formula) else formula


def _asked(call: Call) -> tuple[str, int]:
    match call:
        case Call(_, (Name(tensor), number), ()) | Call(_, (Name(tensor),), (("axis", number),)):
            sign, number = (-1, number.operand) if isinstance(number, Negate) else (1, number)
            if isinstance(number, Number) and number.value.denominator == 1:
                return tensor, sign * int(number.value)
    remedy = "write size(x, 1), the name of a tensor and a number"
    raise SpecError("size takes a tensor and one of its axes", at=call.at, remedy=remedy)
