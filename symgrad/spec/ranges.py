"""What arguments may be where they are numbers: intervals such as `[0, 1)`, as the library's rows say."""

from __future__ import annotations

from typing import TYPE_CHECKING

from symgrad.errors import Position, SpecError, SpecWarning
from symgrad.spec.intervals import Interval, interval
from symgrad.spec.language.syntax import Call, Name, Node
from symgrad.spec.numbers import number

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from symgrad.spec.model import ConstantSpec

Ranges = tuple[tuple[str, str], ...]
"""Names of arguments and their intervals; an end may be another argument: `(min_val, inf)`."""

Usual = tuple[tuple[str, str, str], ...]
"""Names of arguments, intervals and what is wrong outside of them."""

Span = tuple[float, float]
"""The least and the largest of what an argument stands for."""


def check_ranges(
    call: Call, ranges: Ranges, values: Mapping[str, Node], constants: Mapping[str, Span] | None = None
) -> None:
    """Demand that the arguments of a call that are numbers, or constants, lie in their ranges.

    Raises:
        SpecError: one does not.
    """
    for name, value, allowed in _outside(ranges, values, constants or {}):
        problem, remedy = f"{call.function}: {name} is {value:g}", f"expected a number {allowed}"
        raise SpecError(problem, at=_place(values[name], call), remedy=remedy)


def unusual(
    call: Call, usual: Usual, values: Mapping[str, Node], constants: Mapping[str, Span] | None = None
) -> Iterator[SpecWarning]:
    """A warning for every argument outside of what is usual."""
    for argument, text, reason in usual:
        for name, value, allowed in _outside(((argument, text),), values, constants or {}):
            problem = f"{call.function}: {name} is {value:g}: {reason}"
            yield SpecWarning(problem, at=_place(values[name], call), remedy=f"expected a number {allowed}")


def spans(constants: Iterable[ConstantSpec]) -> dict[str, Span]:
    """The least and the largest entry of every constant."""
    return {constant.name: (min(constant.values), max(constant.values)) for constant in constants}


def _place(value: Node, call: Call) -> Position:
    """Where an argument stands; a default of the library stands nowhere in the spec but at the call."""
    return value.at if value.at.source == call.at.source else call.at


def _outside(
    ranges: Ranges, values: Mapping[str, Node], constants: Mapping[str, Span]
) -> Iterator[tuple[str, float, Interval]]:
    known = {name: span for name, node in values.items() if (span := _span(node, constants)) is not None}
    numbers = {name: least for name, (least, most) in known.items() if least == most}
    for name, text in ranges:
        allowed = interval(text, numbers)
        outside = [value for value in known.get(name, ()) if not allowed.holds(value)]
        if outside:
            yield name, outside[0], allowed


def _span(node: Node, constants: Mapping[str, Span]) -> Span | None:
    if isinstance(node, Name) and node.id in constants:
        return constants[node.id]
    value = number(node, {})
    return None if value is None else (value, value)
