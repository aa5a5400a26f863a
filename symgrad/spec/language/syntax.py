"""The syntax of formulas: what the parser makes of a text and every later stage reads.

The nodes hold no SymPy and no shapes, so that the verifier can evaluate a formula without
trusting anything the compiler does with it.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal, TypeAlias

if TYPE_CHECKING:
    from fractions import Fraction

    from symgrad.errors import Position

BinaryOperator: TypeAlias = Literal["+", "-", "*", "/", "//", "%", "**", "@"]
Comparison: TypeAlias = Literal["<", "<=", ">", ">=", "==", "!="]


@dataclass(frozen=True)
class Number:
    """An exact constant: `1e-4` is the fraction 1/10000."""

    value: Fraction
    at: Position = field(compare=False)


@dataclass(frozen=True)
class Boolean:
    """`true` or `false`, as a keyword's value."""

    value: bool
    at: Position = field(compare=False)


@dataclass(frozen=True)
class Infinity:
    """`inf`: a branch of `where`, what `pad` fills with, or what a recurrence starts with; as `-inf` it hides
    an entry from a softmax.
    """

    at: Position = field(compare=False)


@dataclass(frozen=True)
class Tuple:
    """`(3, 5)` or `[batch, 8]`, as an argument: one for each of several axes."""

    items: tuple[Node, ...]
    at: Position = field(compare=False)


@dataclass(frozen=True)
class Name:
    """A tensor, an axis, an index or a function, depending on where it stands."""

    id: str
    at: Position = field(compare=False)


@dataclass(frozen=True)
class Negate:
    """`-operand`."""

    operand: Node
    at: Position = field(compare=False)


@dataclass(frozen=True)
class Binary:
    """`left operator right` with NumPy's meaning of broadcasting and `@`; `//` and `%` of whole numbers."""

    operator: BinaryOperator
    left: Node
    right: Node
    at: Position = field(compare=False)


@dataclass(frozen=True)
class Compare:
    """A condition; it may stand only as the first argument of `where`."""

    operator: Comparison
    left: Node
    right: Node
    at: Position = field(compare=False)


@dataclass(frozen=True)
class Call:
    """`function(arguments, keyword=value)`; reductions and library entries are calls too."""

    function: str
    arguments: tuple[Node, ...]
    keywords: tuple[tuple[str, Node], ...]
    at: Position = field(compare=False)


@dataclass(frozen=True)
class Text:
    """`"nid,njd->nij"`, as an argument: the letters of axes."""

    text: str
    at: Position = field(compare=False)


@dataclass(frozen=True)
class Slice:
    """`start:stop:step` among indices; what is not said is None."""

    start: Node | None
    stop: Node | None
    step: Node | None
    at: Position = field(compare=False)


@dataclass(frozen=True)
class Index:
    """One entry `tensor[indices]`; an index is a name, an integer, an affine form or an integer entry.

    With slices among them, a part of the tensor.
    """

    tensor: str
    indices: tuple[Node, ...]
    at: Position = field(compare=False)


@dataclass(frozen=True)
class Transpose:
    """`operand.T`: the axes in reverse order."""

    operand: Node
    at: Position = field(compare=False)


Node: TypeAlias = (
    Number
    | Boolean
    | Infinity
    | Text
    | Tuple
    | Name
    | Negate
    | Binary
    | Compare
    | Call
    | Slice
    | Index
    | Transpose
)
