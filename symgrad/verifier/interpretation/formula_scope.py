"""What surrounds a formula: the arguments of its function and the indices of its notation."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

import numpy as np

from symgrad.errors import ShapeError, SpecError
from symgrad.spec.language.syntax import Negate, Node, Number

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from symgrad.verifier.interpretation.array_library import Array
    from symgrad.verifier.interpretation.tensors import TensorValue


@dataclass(frozen=True)
class ValueScope:
    """Values of arguments by name; place and size of every index; how many indices there are.

    An index in `steps` has the one value that it has there. In a function `stream` is that of its first
    draw.
    """

    bound: Mapping[str, TensorValue] = field(default_factory=dict)
    indices: Mapping[str, tuple[int, int]] = field(default_factory=dict)
    depth: int = 0
    steps: Mapping[str, int] = field(default_factory=dict)
    stream: int = 0

    def with_indices(self, names: Iterable[str], sizes: Mapping[str, int]) -> ValueScope:
        """The scope inside an equation or reduction that introduces `names`."""
        added = {name: (self.depth + n, sizes[name]) for n, name in enumerate(names)}
        return replace(self, indices={**self.indices, **added}, depth=self.depth + len(added))

    def at_step(self, name: str, step: int) -> ValueScope:
        """The scope in which an index has one value alone."""
        return replace(self, steps={**self.steps, name: step})

    def places(self, name: str) -> Array:
        """Every value of an index, along its own dimension."""
        place, size = self.indices[name]
        if name in self.steps:
            return np.full((1,) * self.depth, self.steps[name])
        return np.arange(size).reshape([size if axis == place else 1 for axis in range(self.depth)])


OUTERMOST = ValueScope()


def reduced_axes(axis: Node | None, rank: int) -> tuple[int, ...]:
    """The axes, from 0, that `axis=` names in a tensor of this rank; all of them without it.

    Raises:
        SpecError: `axis` is no whole number.
        ShapeError: the tensor has no such axis.
    """
    if axis is None:
        return tuple(range(rank))
    sign, node = (-1, axis.operand) if isinstance(axis, Negate) else (1, axis)
    if not isinstance(node, Number):
        raise SpecError("axis must be a whole number", at=axis.at)
    place = sign * int(node.value)
    if not -rank <= place < rank:
        raise ShapeError(f"there is no axis {place}, the tensor has {rank}", at=axis.at)
    return (place % rank,)
