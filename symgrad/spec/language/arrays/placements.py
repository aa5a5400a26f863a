"""Calls that put tensors into a new one, each entry at its place: pad, concat, stack, column_stack, flatten.

A placement is what a read at a shifted or strided index is the derivative of, and the other way round; so the
language needs no read beyond the end of an axis, and no loop a condition for one.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from symgrad.errors import SpecError
from symgrad.spec.language.sizes.whole_numbers import whole_number

if TYPE_CHECKING:
    from collections.abc import Mapping

    from symgrad.spec.language.syntax import Call, Node


@dataclass(frozen=True)
class PlacementRow:
    """A call of one tensor or of `many`; its numbers by name, with their defaults, None where there is none.

    A default that is a name is the number of that name. `filled` says that `value=` may say what stands where
    nothing is put.
    """

    usage: str
    numbers: tuple[tuple[str, int | str | None], ...]
    many: bool = False
    filled: bool = False


PLACEMENTS: Mapping[str, PlacementRow] = {
    "pad": PlacementRow("pad(x, 1, 2)", (("axis", None), ("before", None), ("after", "before")), filled=True),
    "concat": PlacementRow("concat(a, b, axis=-1)", (("axis", -1),), many=True),
    "stack": PlacementRow("stack(a, b, axis=0)", (("axis", 0),), many=True),
    "column_stack": PlacementRow("column_stack(x, t)", (), many=True),
    "flatten": PlacementRow("flatten(x, start=1, end=-1)", (("start", 1), ("end", -1))),
}


@dataclass(frozen=True)
class Placement:
    """The tensors and the numbers of a call, and what fills the rest; None is 0."""

    tensors: tuple[Node, ...]
    numbers: Mapping[str, int]
    filling: Node | None


def read_placement(call: Call, sizes: Mapping[str, int]) -> Placement:
    """What a call of one of PLACEMENTS is given.

    Raises:
        SpecError: too few or too many arguments, an unknown one, or a number that is none.
    """
    row = PLACEMENTS[call.function]
    names = [name for name, _ in row.numbers]
    tensors = call.arguments if row.many else call.arguments[:1]
    given = list(zip(names, () if row.many else call.arguments[1:], strict=False)) + list(call.keywords)
    filling = next((node for name, node in call.keywords if row.filled and name == "value"), None)
    given = [(name, node) for name, node in given if node is not filling]
    known = dict(given)
    unknown = [name for name, _ in given if name not in names]
    too_many = len(call.arguments) > len(tensors) + (0 if row.many else len(names))
    missing = [name for name, default in row.numbers if default is None and name not in known]
    if not tensors or unknown or too_many or missing or len(known) < len(given):
        wrong = f"has no argument '{unknown[0]}'" if unknown else "has another number of arguments"
        wrong = f"lacks '{missing[0]}'" if missing and not unknown else wrong
        raise SpecError(f"{call.function} {wrong}", at=call.at, remedy=f"write {row.usage}")
    numbers: dict[str, int] = {}
    for name, default in row.numbers:
        if name in known:
            numbers[name] = whole_number(known[name], f"{call.function}: {name}", sizes)
        else:
            numbers[name] = numbers[default] if isinstance(default, str) else default or 0
    return Placement(tensors, numbers, filling)


def counted_axis(call: Call, name: str, number: int, rank: int) -> int:
    """An axis counted from the front, where it may have been counted from the back.

    Raises:
        SpecError: there is no such axis.
    """
    if -rank <= number < rank:
        return number % rank
    remedy = f"axes count from {-rank} to {rank - 1}" if rank else "a scalar has no axes"
    raise SpecError(f"{call.function}: there is no {name} {number}", at=call.at, remedy=remedy)
