"""What follows from the arguments of layers that slide a window: numbers for each axis, and padding.

Along axis k of the operand a window has `kernel_k` entries, `dilation_k` apart, and moves on by `stride_k`;
`before_k` and `after_k` entries are put around the operand.
"""

from __future__ import annotations

from fractions import Fraction
from typing import TYPE_CHECKING

from symgrad.errors import SpecError
from symgrad.spec.language.formula import parse_formula
from symgrad.spec.language.sizes.whole_numbers import whole_number
from symgrad.spec.language.syntax import Boolean, Call, Name, Node, Number, Tuple
from symgrad.spec.language.trees import names_in, substitute
from symgrad.spec.language.unparse import unparse

if TYPE_CHECKING:
    from collections.abc import Mapping

    from symgrad.errors import Position
    from symgrad.spec.library.layer_entries import Arguments, Settings

MOST = 10**6
AXES = {1: ("steps",), 2: ("height", "width"), 3: ("depth", "height", "width")}
"""The axes that windows slide along, by how many there are."""
ENTRIES = {1: ("steps",), 2: ("rows", "columns"), 3: ("planes", "rows", "columns")}
"""What lies along these."""
_NEEDED = "max((size(x, axis) - 1) // stride * stride + dilation * (kernel - 1) + 1 - size(x, axis), 0)"
_PADDING = {
    "valid": ("0", "0"),
    "same": (f"{_NEEDED} // 2", f"({_NEEDED} + 1) // 2"),
    "same, stride 1": ("dilation * (kernel - 1) // 2", "(dilation * (kernel - 1) + 1) // 2"),
    "causal": ("dilation * (kernel - 1)", "0"),
}
"""What is put before and after an axis. Where a window has a middle, an odd number has its more behind."""


def windows(rank: int, words: tuple[str, ...] = ("valid", "same")) -> Settings:
    """Of windows over `rank` axes, which follow that of the batch; `words` are what `padding` may be."""

    def settings(call: Call, arguments: Arguments) -> Arguments:
        found: dict[str, Node] = {}
        for axis in range(1, rank + 1):
            names = ("kernel", "stride", "dilation")
            own = {name: _along(axis, name, call, arguments, rank) for name in names}
            before, after = _padding(axis, own, call, arguments, rank, words)
            found |= {f"{name}_{axis}": number for name, number in own.items()}
            found |= {f"before_{axis}": before, f"after_{axis}": after}
        return found

    return settings


def convolving(rank: int, words: tuple[str, ...]) -> Settings:
    """Of convolutions: of their windows, and how many groups of channels do not see each other."""

    def settings(call: Call, arguments: Arguments) -> Arguments:
        (groups,) = per_axis(call, "groups", arguments["groups"], 1, 1)
        if isinstance(groups, Name) and groups.id == "channels":
            groups = substitute(parse_formula("size(x, -1)", call.at), {"x": arguments["x"]})
        return {**windows(rank, words)(call, arguments), "groups": groups}

    return settings


def is_grouped(arguments: Arguments) -> bool:
    """Whether a convolution has more than one group."""
    return _whole(arguments["groups"]) != 1


def is_depthwise(arguments: Arguments) -> bool:
    """Whether every channel is a group of its own."""
    return isinstance(arguments["groups"], Call)


def transposing(rank: int) -> Settings:
    """Of transposed convolutions: `taps_k` entries of the kernel meet in each phase, the last `reach_k` back.

    `fill_k` zeros make the kernel whole strides long; the result has `length_k` entries, from `padding_k` on.
    """
    formulas = {
        "taps": "(kernel + output_padding + stride - 1) // stride",
        "reach": "(kernel + output_padding + stride - 1) // stride - 1",
        "fill": "(kernel + output_padding + stride - 1) // stride * stride - kernel",
        "length": "(size(x, axis) - 1) * stride + kernel + output_padding - 2 * padding",
    }

    def settings(call: Call, arguments: Arguments) -> Arguments:
        found: dict[str, Node] = {}
        for axis in range(1, rank + 1):
            own = {name: _along(axis, name, call, arguments, rank) for name in ("kernel", "stride")}
            for name in ("padding", "output_padding"):
                own[name] = per_axis(call, name, arguments[name], rank, 0)[axis - 1]
            known = {**own, "x": arguments["x"], "axis": _number(axis, call.at)}
            own |= {n: _folded(substitute(parse_formula(f, call.at), known)) for n, f in formulas.items()}
            found |= {f"{name}_{axis}": number for name, number in own.items()}
        return found

    return settings


def numbers(name: str, rank: int) -> Settings:
    """Of one argument that is a number for each of `rank` axes."""

    def settings(call: Call, arguments: Arguments) -> Arguments:
        found = per_axis(call, name, arguments[name], rank, 1)
        return {f"{name}_{axis}": number for axis, number in enumerate(found, start=1)}

    return settings


def adapting(rank: int) -> Settings:
    """Of so many windows along each axis, which are equal or not."""

    def settings(call: Call, arguments: Arguments) -> Arguments:
        equal = arguments["equal"]
        if not isinstance(equal, Boolean):
            problem = f"{call.function}: equal is {unparse(equal)}"
            raise SpecError(problem, at=_place(equal, call), remedy="expected true or false")
        return numbers("output_size", rank)(call, arguments)

    return settings


def upsampling(call: Call, arguments: Arguments) -> Arguments:
    """Of upsampled images: the factors, and a mode that is known.

    Raises:
        SpecError: it is not.
    """
    mode = arguments["mode"]
    if not isinstance(mode, Name) or mode.id not in ("nearest", "bilinear"):
        problem = f"{call.function}: mode is {unparse(mode)}"
        raise SpecError(problem, at=_place(mode, call), remedy="expected nearest or bilinear")
    return numbers("factor", 2)(call, arguments)


def is_bilinear(arguments: Arguments) -> bool:
    """Whether what is between entries is computed from both."""
    return arguments["mode"] == Name("bilinear", arguments["mode"].at)


def per_axis(call: Call, name: str, value: Node, rank: int, least: int) -> tuple[Node, ...]:
    """A number for each of `rank` axes: the same for all, or those of a tuple; a name is that of an axis.

    Raises:
        SpecError: another value, or a number below `least`.
    """
    items = value.items if isinstance(value, Tuple) else (value,) * rank
    if len(items) != rank:
        axes = f"{rank} {'axis' if rank == 1 else 'axes'}"
        given = f"{len(items)} number{'' if len(items) == 1 else 's'}"
        problem = f"{call.function}: {name} has {given}, for {axes}"
        example = "3" if rank == 1 else f"({', '.join('345'[:rank])})"
        raise SpecError(problem, at=_place(value, call), remedy=f"write {name}={example}, for example")
    for item in items:
        number = _whole(item)
        if isinstance(item, Name) or (number is not None and least <= number <= MOST):
            continue
        problem = f"{call.function}: {name} is {unparse(item)}"
        remedy = f"expected a whole number from {least} to {MOST:,}"
        raise SpecError(problem, at=_place(item, call), remedy=remedy)
    return tuple(map(_folded, items))


def _along(axis: int, name: str, call: Call, arguments: Arguments, rank: int) -> Node:
    """A number of the windows along an axis; `stride=kernel` says that it is that of the kernel."""
    value = arguments.get(name, _number(1, call.at))
    if isinstance(value, Name) and value.id in arguments:
        value = arguments[value.id]
    return per_axis(call, name, value, rank, 1)[axis - 1]


def _padding(
    axis: int, own: Mapping[str, Node], call: Call, arguments: Arguments, rank: int, words: tuple[str, ...]
) -> tuple[Node, Node]:
    """How much is put before and after the operand along an axis."""
    padding = arguments["padding"]
    if not isinstance(padding, Name):
        end = per_axis(call, "padding", padding, rank, 0)[axis - 1]
        return end, end
    if padding.id not in words:
        remedy = f"expected a number or {' or '.join(words)}"
        raise SpecError(f"{call.function}: padding is {padding.id}", at=_place(padding, call), remedy=remedy)
    word = "same, stride 1" if padding.id == "same" and _whole(own["stride"]) == 1 else padding.id
    known = {**own, "x": arguments["x"], "axis": _number(axis, call.at)}
    before, after = (_folded(substitute(parse_formula(end, call.at), known)) for end in _PADDING[word])
    return before, after


def _whole(node: Node) -> int | None:
    """The whole number that a formula of numbers alone is; None for any other."""
    if names_in(node):
        return None
    try:
        return whole_number(node, "", {})
    except SpecError:
        return None


def _folded(node: Node) -> Node:
    number = _whole(node)
    return node if number is None else _number(number, node.at)


def _number(value: int, at: Position) -> Number:
    return Number(Fraction(value), at)


def _place(node: Node, call: Call) -> Position:
    """Where an argument stands; a default stands nowhere in the spec but at the call."""
    return node.at if node.at.source == call.at.source else call.at
