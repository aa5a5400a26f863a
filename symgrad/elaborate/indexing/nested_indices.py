"""An index of which quotients and remainders are taken as several, one inside the other: i = 2*q + r.

`x[n, i // 2, i % 2]` is then x[n, q, r]: affine, without a division, and its slope a scatter as any other's.
"""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from functools import reduce
from typing import TYPE_CHECKING

from symgrad.errors import ShapeError, SpecError
from symgrad.spec.language.indexing.digits import Digits, digits_of
from symgrad.spec.language.syntax import Binary, Name, Node, Number
from symgrad.spec.language.trees import replaced, walk

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from symgrad.calculus.axes import Axis
    from symgrad.errors import Position
    from symgrad.spec.language.sizes.size_forms import Whole


@dataclass(frozen=True)
class IndexPart:
    """One of the indices that an index is made of: `name` times `stride`, below `size`."""

    name: str
    stride: int
    size: Whole


def split_indices(
    formula: Node, axes: Mapping[str, Axis], sizes: Mapping[str, int]
) -> tuple[Node, dict[str, tuple[IndexPart, ...]]]:
    """The formula over the parts of those indices of which it takes quotients or remainders, and the parts.

    Raises:
        SpecError: a quotient of more than one index, or divisors that do not divide one another.
        ShapeError: a range that they do not divide, whatever the data are.
    """
    taken: dict[str, list[tuple[Digits, Position]]] = {}
    for node in walk(formula):
        digits = digits_of(node, axes, sizes)
        if digits is not None and isinstance(node, Binary):
            taken.setdefault(digits.index, []).append((digits, node.at))
    parts = {name: _parts(name, axes[name], found) for name, found in taken.items()}

    def change(node: Node) -> Node | None:
        digits = digits_of(node, parts, sizes)
        if digits is not None:
            return _sum_of(parts[digits.index], digits, node.at)
        if isinstance(node, Binary) and node.operator in ("//", "%"):
            for name in (n.id for n in walk(node) if isinstance(n, Name) and n.id in axes):
                raise SpecError(
                    f"'{node.operator}' of more than the index '{name}'",
                    at=node.at,
                    remedy="it takes one index and a number: i // 2, i % 2",
                )
        return None

    return replaced(formula, change), parts


def _parts(name: str, axis: Axis, taken: Sequence[tuple[Digits, Position]]) -> tuple[IndexPart, ...]:
    whole, cuts = axis.whole, {1}
    for digits, at in taken:
        for cut in (c for c in (digits.low, digits.high or 1) if not isinstance(whole, int) or c < whole):
            multiple = whole // cut * cut
            if multiple != whole:
                raise ShapeError(
                    f"{cut} does not divide the range {whole} of '{name}'",
                    at=at,
                    remedy=f"give it one of a multiple: Y[n, {name}:{multiple}]",
                )
            other = next((c for c in cuts if max(c, cut) % min(c, cut)), None)
            if other is not None:
                problem = f"{other} and {cut}, by which '{name}' is divided, do not divide one another"
                raise SpecError(problem, at=at, remedy="use two indices, or divisors such as 2 and 6")
            cuts.add(cut)
    strides = sorted(cuts)
    ends: list[Whole] = [*strides[1:], whole]
    return tuple(
        IndexPart(f"{name}_/{low}", low, high // low) for low, high in zip(strides, ends, strict=True)
    )


def _sum_of(parts: Sequence[IndexPart], digits: Digits, at: Position) -> Node:
    """The digits as a sum of parts: 3*a + b for i // 2 where i = 6*a + 2*b + c."""
    chosen = [p for p in parts if digits.low <= p.stride and (digits.high is None or p.stride < digits.high)]
    terms = [_times(part.stride // digits.low, Name(part.name, at), at) for part in reversed(chosen)]
    return reduce(lambda a, b: Binary("+", a, b, at), terms) if terms else Number(Fraction(0), at)


def _times(factor: int, name: Node, at: Position) -> Node:
    return name if factor == 1 else Binary("*", Number(Fraction(factor), at), name, at)
