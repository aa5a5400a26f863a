"""What a layer of the library is: equations in the spec language, parameters and demands of what it is given.

Names in these are the layer's arguments, its parameters, its parts, and what its settings make of its
arguments. Sizes are formulas of the language too, `size(x, -1) // groups`.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from string import Formatter
from typing import TypeAlias

from symgrad.errors import Position
from symgrad.spec.language.formula import parse_condition, parse_entry, parse_head
from symgrad.spec.language.known_numbers import with_known_start
from symgrad.spec.language.syntax import Boolean, Call, Compare, Name, Node
from symgrad.spec.library.entries import LibraryEntry, parse_formula_of
from symgrad.spec.model import ITS_END, EquationSpec, StartSpec

Arguments: TypeAlias = Mapping[str, Node]
"""What a call gives a layer, by name, with the defaults."""

Settings: TypeAlias = Callable[[Call, Arguments], Arguments]
"""What follows from the arguments of a call: other names of the equations, and what they stand for."""


@dataclass(frozen=True)
class LayerParameter:
    """A parameter a layer brings along; its axes are formulas of whole numbers, such as `size(x, -1)`.

    Where the argument `unless_false` is false there is no such parameter; where `single_unless` is,
    it is one number for all.
    """

    name: str
    axes: tuple[str, ...]
    init: str
    unless_false: str = ""
    single_unless: str = ""

    @cached_property
    def sizes(self) -> tuple[Node, ...]:
        """The formulas of its axes."""
        return tuple(parse_formula_of(text, self.name) for text in self.axes)


@dataclass(frozen=True)
class LayerState:
    """A state a layer brings along: a tensor that starts at one number, and the formula of its next value."""

    name: str
    axes: tuple[str, ...]
    start: int
    next: str

    @cached_property
    def sizes(self) -> tuple[Node, ...]:
        """The formulas of its axes."""
        return tuple(parse_formula_of(text, self.name) for text in self.axes)

    @cached_property
    def equation(self) -> EquationSpec:
        """The equation of its next value."""
        return _equation(self.name, self.next)


@dataclass(frozen=True)
class LayerDemand:
    """What must hold of the sizes of x, and the error where it does not.

    In `problem`, formulas of sizes stand in braces: `the kernel reaches over {kernel_1} steps`.
    """

    condition: str
    problem: str
    remedy: str

    @cached_property
    def compared(self) -> Compare:
        return parse_condition(self.condition, Position("<library>", 1, 1))

    @cached_property
    def told(self) -> tuple[str | Node, ...]:
        """The problem, in pieces of text and formulas."""
        found: list[str | Node] = []
        for text, formula, _, _ in Formatter().parse(self.problem):
            found += [text, *([parse_formula_of(formula, self.condition)] if formula else [])]
        return tuple(found)


@dataclass(frozen=True)
class LayerHiding:
    """An operand that says how many places of a row are there, of so many at `most`, a formula of sizes; or,
    without that, which of them, or which neighbours.
    """

    operand: str
    most: str = ""

    @cached_property
    def size(self) -> Node | None:
        """The formula of how many places there are."""
        return parse_formula_of(self.most, self.operand) if self.most else None


@dataclass(frozen=True, kw_only=True)
class LayerForm:
    """The equations of a layer; a parameter switched off counts as 0 in them. Next values of its `states` may
    use its parts.

    `parts` are inner results with names of their own, `h`, or `h[n, i]` in index notation: the formula, and
    parts below, may use them. One that reads itself a step before, `h[n, t-1, i]`, has a start among them,
    `h[n, -1, i]`, and may be read above itself; `h[n, end, i]` where it reads itself a step behind. A part
    that comes to be a name alone is no equation. `indices` are those of the result, `[n, i, k:units]`,
    where the formula is in index notation. `hiding` are the operands that say what is there of a row.
    """

    formula: str = ""
    indices: str = ""
    parts: tuple[tuple[str, str], ...] = ()
    parameters: tuple[LayerParameter, ...] = ()
    demands: tuple[LayerDemand, ...] = ()
    hiding: tuple[LayerHiding, ...] = ()
    states: tuple[LayerState, ...] = ()

    @cached_property
    def result(self) -> EquationSpec:
        """The equation of what the layer gives."""
        return _equation(f"result{self.indices}", self.formula)

    @cached_property
    def part_equations(self) -> tuple[EquationSpec, ...]:
        """The equations of its parts."""
        return tuple(_equation(head, formula) for head, formula in self.parts if not _is_start(head))

    @cached_property
    def starts(self) -> tuple[StartSpec, ...]:
        """What those of its parts start with that read themselves a step before."""
        return tuple(_start(head, formula) for head, formula in self.parts if _is_start(head))


@dataclass(frozen=True)
class Layer(LayerForm, LibraryEntry):
    """A function with parameters of its own.

    `operands` are the arguments that are tensors. `takes` are the usual names of the axes of x, a first `...`
    for any number of others; without it there is at least one where a parameter takes a size of x;
    `others_take` are those of other operands. Of `forms`
    the first whose condition holds of the arguments and settings stands in place of the layer's equations. A
    result has the letter `symbol` in a chain; without it Z where the layer is affine, A where it is not. One
    that `takes_labels` is given what has classes as that operand, and `classes` is how many. An operand that
    is not there is `false`. The first `unnamed` arguments, x counted, may stand without their names; all may
    where it is 0. `x_says` is what people of other libraries would write there, and x says by itself.
    `instead` is what to write in place of a layer with states, where none may live on.

    A layer with an argument `layout` may be given its channels first; `joins_places` says that its result
    has no axes of places, and is the same then.
    """

    operands: tuple[str, ...] = field(default=("x",), kw_only=True)
    takes_labels: str = field(default="", kw_only=True)
    takes: tuple[str, ...] = field(default=(), kw_only=True)
    others_take: tuple[tuple[str, tuple[str, ...]], ...] = field(default=(), kw_only=True)
    settings: Settings | None = field(default=None, kw_only=True)
    forms: tuple[tuple[Callable[[Arguments], bool], LayerForm], ...] = field(default=(), kw_only=True)
    symbol: str = field(default="", kw_only=True)
    unnamed: int = field(default=0, kw_only=True)
    x_says: str = field(default="", kw_only=True)
    joins_places: bool = field(default=False, kw_only=True)
    instead: str = field(default="", kw_only=True)

    def __post_init__(self) -> None:
        """Raise TypeError where the signature does not begin with x: nothing could be handed to the layer."""
        if re.match(r"\w+\(x\b", self.text) is None:
            raise TypeError(f"the layer {self.text}: its first argument must be x, what it is applied to")

    def form(self, arguments: Arguments) -> LayerForm:
        """The equations where these are the arguments and what follows from them."""
        return next((form for holds, form in self.forms if holds(arguments)), self)

    @property
    def takes_activation(self) -> bool:
        """Whether it is affine and may be followed by an activation."""
        return getattr(dict(self.signature.defaults).get("activation"), "id", "") == "identity"

    @property
    def letter(self) -> str:
        """The letter of its result in a chain."""
        return self.symbol or ("Z" if self.takes_activation else "A")


def is_absent(value: Node) -> bool:
    """Whether an argument that is `false` without a value has none."""
    return value == Boolean(False, value.at)


def is_given(argument: str) -> Callable[[Arguments], bool]:
    """Whether an argument that is `false` without a value has one."""
    return lambda values: not is_absent(values[argument])


def is_false(argument: str) -> Callable[[Arguments], bool]:
    """Whether an argument that is `true` without a value is false."""
    return lambda values: not is_given(argument)(values)


def all_given(arguments: Collection[str]) -> Callable[[Arguments], bool]:
    """Whether each of them has one."""
    return lambda values: all(is_given(argument)(values) for argument in arguments)


def both(*conditions: Callable[[Arguments], bool]) -> Callable[[Arguments], bool]:
    """Whether all of some conditions hold."""
    return lambda values: all(holds(values) for holds in conditions)


def is_called(argument: str, name: str) -> Callable[[Arguments], bool]:
    """Whether an argument is this name."""
    return lambda values: values[argument] == Name(name, values[argument].at)


def _is_start(head: str) -> bool:
    is_entry = "[" in head and ":" not in head  # a range may count axes from the last, size(x, -1)
    return is_entry and not {"-1", "end"}.isdisjoint(re.split(r"[\[\], ]+", head))


def _start(head: str, formula: str) -> StartSpec:
    at = Position("<library>", 1, 1)
    entry = parse_entry(head, at)
    if entry is None:
        raise TypeError(f"no start: {head}")
    indices = tuple(place.id if isinstance(place, Name) else None for place in entry.indices)
    end = ITS_END if "end" in indices else ""
    indices = tuple(None if name == "end" else name for name in indices)
    return StartSpec(entry.tensor, indices, 1, end, with_known_start(parse_formula_of(formula, head), ()), at)


def _equation(head: str, formula: str) -> EquationSpec:
    at = Position("<library>", 1, 1)
    body = parse_formula_of(formula, head)
    if "[" not in head:
        return EquationSpec(head, None, body, at)
    read = parse_head(head, at)
    ranges = tuple((name, size) for name, size in read.indices if size is not None)
    return EquationSpec(read.name, tuple(name for name, _ in read.indices), body, at, ranges)
