"""What kernels and function bodies are made of: expressions and instructions, as data that a target prints.

Every node is a frozen record of nodes, of tuples of nodes, and of plain data; `walk` finds all of them,
`replaced` makes the same tree of other variables. Two kernels do the same where their trees are equal.
"""

from __future__ import annotations

from dataclasses import dataclass, fields, is_dataclass, replace
from typing import TYPE_CHECKING, Any, TypeAlias, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping

T = TypeVar("T")


# Expressions ----------------------------------------------------------------------------------


@dataclass(frozen=True)
class Literal:
    """A number."""

    value: int | float


@dataclass(frozen=True)
class Variable:
    """A number or an array by its name."""

    name: str


@dataclass(frozen=True)
class Cell:
    """An entry of an array: `Z1[n, i]`."""

    array: Variable
    indices: tuple[Expression, ...]


@dataclass(frozen=True)
class Length:
    """The size of an axis as its array knows it: `Z1.shape[1]`."""

    array: Variable
    axis: int


@dataclass(frozen=True)
class Typed:
    """A number in the arithmetic type of the arrays: `real(2)`."""

    value: Expression


@dataclass(frozen=True)
class Applied:
    """The value of a function under its name in SymPy; `plain` where nothing is vectorised around it."""

    function: str
    arguments: tuple[Expression, ...]
    plain: bool = False


@dataclass(frozen=True)
class Negated:
    """`-a`"""

    operand: Expression


@dataclass(frozen=True)
class Summed:
    """`a - b + c`: each term with whether it is subtracted."""

    terms: tuple[tuple[bool, Expression], ...]


@dataclass(frozen=True)
class Multiplied:
    """`a * b * c`"""

    factors: tuple[Expression, ...]


@dataclass(frozen=True)
class Divided:
    """`a / b`"""

    dividend: Expression
    divisor: Expression


@dataclass(frozen=True)
class Raised:
    """`a ** b`"""

    base: Expression
    exponent: Expression


@dataclass(frozen=True)
class FormedFirst:
    """`a - b`, `a / b` or `a * b`, formed before anything else, alone: nothing around it may be regrouped
    into it.
    """

    left: Expression
    operator: str
    right: Expression


@dataclass(frozen=True)
class Cases:
    """The value of the first branch whose condition holds, else `other`."""

    branches: tuple[tuple[Expression, Expression], ...]
    other: Expression


@dataclass(frozen=True)
class Compared:
    """`a < b`"""

    left: Expression
    operator: str
    right: Expression


@dataclass(frozen=True)
class Joined:
    """Conditions that must all hold, or of which one must: `every` says which."""

    conditions: tuple[Expression, ...]
    every: bool


@dataclass(frozen=True)
class Denied:
    """`not a`"""

    condition: Expression


@dataclass(frozen=True)
class Window:
    """A part of a vector as an array of a shape: `view(work, 160, (batch, 10))`."""

    vector: Variable
    start: Expression
    shape: tuple[Expression, ...]


@dataclass(frozen=True)
class Stretch:
    """The places from one on to another: `u:32 + u`."""

    start: Expression
    end: Expression


@dataclass(frozen=True)
class ArraySection:
    """What of an array has some indices, None standing for all of an axis: `Q[n, :, i]`."""

    array: Variable
    indices: tuple[Expression | Stretch | None, ...]


@dataclass(frozen=True)
class Matrix:
    """An array as an operand of a product: with another `shape`, where it has one, maybe transposed."""

    array: Variable | ArraySection
    shape: tuple[Expression, ...] = ()
    transposed: bool = False


@dataclass(frozen=True)
class Together:
    """Values as one argument: `(b1, A1)`."""

    values: tuple[Expression, ...]


@dataclass(frozen=True)
class Verbatim:
    """Arguments of a target's own functions, as it writes them."""

    text: str


Expression: TypeAlias = (
    Literal
    | Variable
    | Cell
    | Length
    | Typed
    | Applied
    | Negated
    | Summed
    | Multiplied
    | Divided
    | Raised
    | FormedFirst
    | Cases
    | Compared
    | Joined
    | Denied
    | Window
    | ArraySection
    | Matrix
    | Together
    | Verbatim
)


# Instructions ---------------------------------------------------------------------------------


@dataclass(frozen=True)
class Note:
    """A line for the reader."""

    text: str


@dataclass(frozen=True)
class TypeOf:
    """From here on numbers are `Typed` as this array is."""

    array: Variable


@dataclass(frozen=True)
class Assign:
    """`a = b`"""

    target: Variable | Cell
    value: Expression


@dataclass(frozen=True)
class Add:
    """`a += b`"""

    target: Variable | Cell
    value: Expression


@dataclass(frozen=True)
class Clear:
    """All entries of an array become zero."""

    array: Variable | Window


@dataclass(frozen=True)
class Invoke:
    """A function that writes into its arguments: a kernel, or a product."""

    function: str
    arguments: tuple[Expression, ...]


@dataclass(frozen=True)
class ForRange:
    """Instructions for every whole number below `count`, from `start` on, or for every so manyth one."""

    index: Variable
    count: Expression
    body: tuple[Instruction, ...] = ()
    step: Expression | None = None
    start: Expression = Literal(0)


@dataclass(frozen=True)
class When:
    """Instructions where a condition holds."""

    condition: Expression
    body: tuple[Instruction, ...]


@dataclass(frozen=True)
class Give:
    """What a function returns."""

    values: tuple[Expression, ...]


Instruction: TypeAlias = Note | TypeOf | Assign | Add | Clear | Invoke | ForRange | When | Give


# All of them ----------------------------------------------------------------------------------


def walk(part: object) -> Iterator[Any]:
    """Every node of a tree, or of a tuple of trees, each before those in it."""
    if isinstance(part, tuple):
        for inner in part:
            yield from walk(inner)
    elif is_dataclass(part):
        yield part
        for field in fields(part):
            yield from walk(getattr(part, field.name))


def changed(part: T, change: Callable[[Any], Any]) -> T:
    """The same tree, or tuple of trees, with every node as `change` gives it, those inside it first."""
    found: Any = part
    if isinstance(part, tuple):
        found = tuple(changed(inner, change) for inner in part)
    elif is_dataclass(part) and not isinstance(part, type):
        inside = {field.name: changed(getattr(part, field.name), change) for field in fields(part)}
        found = change(replace(part, **inside))
    return found  # type: ignore[no-any-return]  # a tree of the same kind


def replaced(part: T, variables: Mapping[Variable, Expression]) -> T:
    """The same tree, or tuple of trees, with expressions in the place of variables."""
    return changed(part, lambda node: variables.get(node, node) if isinstance(node, Variable) else node)


def without_notes(instructions: Iterable[Instruction]) -> tuple[Instruction, ...]:
    """The instructions alone, as they run."""
    kept = (i for i in instructions if not isinstance(i, Note))
    return tuple(
        replace(i, body=without_notes(i.body)) if isinstance(i, ForRange | When) else i for i in kept
    )


def is_typed(instructions: tuple[Instruction, ...]) -> bool:
    """Whether numbers in the instructions are typed."""
    return any(isinstance(node, Typed) for node in walk(instructions))
