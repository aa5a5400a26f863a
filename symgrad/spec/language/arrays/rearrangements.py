"""What calls are given that take arrays apart and put their axes in another order, and what slices mean."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Generic, TypeVar, overload

from symgrad.errors import ShapeError, SpecError
from symgrad.spec.language.arrays.placements import counted_axis
from symgrad.spec.language.sizes.size_forms import Whole, may_hold
from symgrad.spec.language.sizes.whole_numbers import whole_number
from symgrad.spec.language.syntax import Call, Name, Negate, Node, Number, Text, Tuple

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from symgrad.errors import Position
    from symgrad.spec.language.syntax import Slice

Size = TypeVar("Size", int, Whole)
"""A number, or a size that only the data may decide."""

REARRANGEMENTS: Mapping[str, str] = {
    "reshape": "reshape(x, [batch, 8, 8])",
    "transpose": "transpose(x, 0, 2, 1)",
    "split": "split(x, 3, axis=-1, part=0)",
    "einsum": 'einsum("nid,njd->nij", Q, K)',
    "outer": "outer(a, b)",
    "cumsum": "cumsum(x, axis=1)",
    "one_hot": "one_hot(labels, 10)",
    "gather": "gather(x, labels, axis=0)",
}
"""Calls by name, as they are written."""

_ARGUMENTS: Mapping[str, tuple[str, ...]] = {
    "reshape": ("x", "shape"),
    "split": ("x", "parts", "axis", "part"),
    "outer": ("a", "b"),
    "cumsum": ("x", "axis"),
    "one_hot": ("labels", "classes"),
    "gather": ("x", "labels", "axis"),
}
_OPTIONAL = {"split": ("axis", "part"), "gather": ("axis",)}


@dataclass(frozen=True)
class Cut(Generic[Size]):
    """`count` entries of an axis from `start` on, every `step`-th of them."""

    start: Size
    step: int
    count: Size


def wrongly_called(call: Call, problem: str) -> SpecError:
    """The error for a call with other arguments than it takes."""
    return SpecError(
        f"{call.function} {problem}", at=call.at, remedy=f"write {REARRANGEMENTS[call.function]}"
    )


def arguments_by_name(call: Call) -> dict[str, Node]:
    """The arguments of a call of one of REARRANGEMENTS, by name.

    Raises:
        SpecError: one is missing, unknown or given twice.
    """
    names = _ARGUMENTS[call.function]
    given = dict(zip(names, call.arguments, strict=False))
    if len(call.arguments) > len(names) or any(name in given for name, _ in call.keywords):
        raise wrongly_called(call, "has another number of arguments")
    given |= call.keywords
    unknown = next((name for name in given if name not in names), None)
    if unknown is not None:
        raise wrongly_called(call, f"has no argument '{unknown}'")
    missing = [n for n in names if n not in given and n not in _OPTIONAL.get(call.function, ())]
    if missing:
        raise wrongly_called(call, f"lacks '{missing[0]}'")
    return given


def axis_given(call: Call, node: Node | None, default: int, rank: int, sizes: Mapping[str, int]) -> int:
    """The axis that a call is given, from the front.

    Raises:
        SpecError: there is no such axis.
    """
    number = default if node is None else whole_number(node, f"{call.function}: axis", sizes)
    return counted_axis(call, "axis", number, rank)


def order_of(call: Call, rank: int, sizes: Mapping[str, int]) -> tuple[int, ...]:
    """The order of axes of `transpose(x, 0, 2, 1)`; without numbers the reverse one.

    Raises:
        SpecError: an axis is missing, or stands twice.
    """
    if not call.arguments or call.keywords:
        raise wrongly_called(call, "has other arguments")
    numbers = [whole_number(node, "transpose: an axis", sizes) for node in call.arguments[1:]]
    order = tuple(counted_axis(call, "axis", n, rank) for n in numbers) or tuple(reversed(range(rank)))
    if sorted(order) != list(range(rank)):
        problem = f"transpose: {', '.join(map(str, numbers))} are not all {rank} axes once"
        raise SpecError(problem, at=call.at, remedy=f"name the axes 0 to {rank - 1}, each once")
    return order


def listed(call: Call, node: Node) -> tuple[Node, ...]:
    """The parts of a list as an argument.

    Raises:
        SpecError: it is none.
    """
    if isinstance(node, Tuple):
        return node.items
    raise wrongly_called(call, "takes a list of sizes")


def is_rest(node: Node) -> bool:
    """-1 among sizes: what the others leave."""
    return isinstance(node, Negate) and isinstance(node.operand, Number) and node.operand.value == 1


@overload
def cut_of(node: Slice, size: int, what: str, sizes: Mapping[str, int]) -> Cut[int]: ...
@overload
def cut_of(node: Slice, size: Whole, what: str, sizes: Mapping[str, int]) -> Cut[Whole]: ...
def cut_of(node: Slice, size: Whole, what: str, sizes: Mapping[str, int]) -> Cut[int] | Cut[Whole]:
    """Which entries of an axis of this size a slice takes; ends count from the back where they are negative.

    Raises:
        SpecError: an end is no whole number, or the step is 0.
        ShapeError: an end lies beyond the axis, or nothing is left, whatever the data are.
    """
    step = 1 if node.step is None else whole_number(node.step, "the step of a slice", sizes)
    if step == 0:
        raise SpecError("the step of a slice is 0", at=node.at, remedy="expected 1, 2, ... or -1, -2, ...")
    first: Whole = 0 if step > 0 else size - 1
    end: Whole = size if step > 0 else -1
    if node.start is not None:
        first = _end(node.start, size, what, sizes)
    if node.stop is not None:
        end = _end(node.stop, size, what, sizes)
    span = end - first if step > 0 else first - end
    count = (span + abs(step) - 1) // abs(step)
    if not all(map(may_hold, (count - 1, first, size - first - 1))):
        problem = f"this slice of {what} takes nothing of {size} entries"
        raise ShapeError(problem, at=node.at, remedy="expected one entry or more")
    return Cut(first, step, count)


def _end(node: Node, size: Whole, what: str, sizes: Mapping[str, int]) -> Whole:
    number = whole_number(node, "the end of a slice", sizes)
    if not may_hold(size - abs(number)):
        problem = f"the end {number} of this slice leaves {what}, which has {size} entries"
        raise ShapeError(problem, at=node.at, remedy=f"expected one from {-size} to {size}")
    return number + size if number < 0 else number


@overload
def entry_at(number: int, size: int, what: str, at: Position) -> int: ...
@overload
def entry_at(number: int, size: Whole, what: str, at: Position) -> Whole: ...
def entry_at(number: int, size: Whole, what: str, at: Position) -> Whole:
    """One entry of an axis, counted from the back where it is negative.

    Raises:
        ShapeError: there is none.
    """
    if not may_hold(size - (-number if number < 0 else number + 1)):
        problem = f"{what} has {size} entries, none is number {number}"
        raise ShapeError(problem, at=at, remedy=f"expected one from {-size} to {size - 1}")
    return number + size if number < 0 else number


def split_cut(call: Call, given: Mapping[str, Node], size: int, sizes: Mapping[str, int]) -> Cut[int]:
    """The part of an axis that `split(x, 3, part=0)` or `split(x, [2, 4], part=1)` is.

    Raises:
        SpecError: there is no such part.
        ShapeError: the parts are not equal, or do not make up the axis.
    """
    if "part" not in given:
        problem = "split gives several parts"
        raise SpecError(
            problem, at=call.at, remedy='name them all on the left, "a, b": split(x, 2), or say part=0'
        )
    part, parts = whole_number(given["part"], "split: part", sizes), given["parts"]
    if isinstance(parts, Tuple):
        lengths = [whole_number(item, "split: a size", sizes) for item in parts.items]
    else:
        number = whole_number(parts, "split: parts", sizes)
        if number < 1 or size % number:
            raise ShapeError(
                f"split: {size} entries make no {number} equal parts",
                at=call.at,
                remedy="give a divisor, or the sizes of the parts: split(x, [2, 4], ...)",
            )
        lengths = [size // number] * number
    if min(lengths, default=0) < 1 or sum(lengths) != size:
        problem = f"split: the sizes {', '.join(map(str, lengths))} do not make up {size}"
        raise ShapeError(problem, at=call.at, remedy="expected sizes above 0 of this sum")
    if not 0 <= part < len(lengths):
        problem = f"split: there is no part {part} of {len(lengths)}"
        raise SpecError(problem, at=call.at, remedy="parts count from 0; name as many as there are")
    return Cut(sum(lengths[:part]), 1, lengths[part])


@dataclass(frozen=True)
class Letters:
    """The letters of einsum: those of each operand's axes, and of the result's."""

    operands: tuple[str, ...]
    result: str

    @property
    def summed(self) -> str:
        """The letters that the result lacks, in order."""
        return "".join(dict.fromkeys(c for c in "".join(self.operands) if c not in self.result))


def letters_of(call: Call, ranks: Sequence[int]) -> Letters:
    """What the letters of a call of einsum with operands of these ranks say.

    Raises:
        SpecError: another form than "nid,njd->nij", or letters that do not fit the operands.
    """
    if call.keywords or not call.arguments or not isinstance(call.arguments[0], Text):
        raise wrongly_called(call, "takes letters in quotes, then tensors")
    text, at = call.arguments[0].text.replace(" ", ""), call.arguments[0].at
    left, arrow, result = text.partition("->")
    operands = left.split(",")
    if not arrow or not all(part.isalpha() or not part for part in (*operands, result)):
        problem = f"einsum: '{text}' does not say which axes there are and which are left"
        raise SpecError(problem, at=at, remedy=f"write {REARRANGEMENTS['einsum']}")
    if len(operands) != len(ranks):
        problem = f"einsum: letters of {len(operands)} tensors, and {len(ranks)} tensors"
        raise SpecError(problem, at=at, remedy="give one group of letters for each tensor, with commas")
    for number, (part, rank) in enumerate(zip(operands, ranks, strict=True), 1):
        if len(part) != rank:
            problem = f"einsum: '{part}' for tensor {number}, which has {rank} axes"
            raise ShapeError(problem, at=at, remedy="give one letter per axis")
    for letter in result:
        if letter not in left:
            problem = f"einsum: the letter '{letter}' of the result stands for no axis"
            raise SpecError(problem, at=at, remedy=f"expected some of {', '.join(sorted(set(left) - {','}))}")
        if result.count(letter) > 1:
            problem = f"einsum: the letter '{letter}' stands twice in the result"
            raise SpecError(problem, at=at, remedy="give each axis a letter of its own")
    return Letters(tuple(operands), result)


def named_free(node: Node, free: Mapping[str, object]) -> str | None:
    """The name of an axis whose size the data decides, if a size is one."""
    return node.id if isinstance(node, Name) and node.id in free else None
