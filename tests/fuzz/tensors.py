"""The tensors of a random spec: declared when a formula needs one of a shape, so that all fit together."""

from __future__ import annotations

from math import prod
from typing import TYPE_CHECKING, Any

from fuzz.drawing import Draw

if TYPE_CHECKING:
    from random import Random

Axis = int | str
Shape = tuple[Axis, ...]

SIZES = (1, 2, 3, 4, 5, 6, 7, 9, 12)
FREE = ("n", "m")
CLASSES = 4
MOST = 120
"""Entries of a tensor, a free axis counted as 3."""


class Tensors(Draw):
    """Names by shape, and the declarations of a spec."""

    def __init__(self, random: Random) -> None:
        super().__init__(random)
        self.sizes = self.random.sample(SIZES, 4)
        self.free = FREE[: self.whole(0, 2)]
        self.shapes: dict[str, Shape] = {}
        self.inputs: dict[str, Any] = {}
        self.parameters: dict[str, Any] = {}
        self.constants: dict[str, Any] = {}
        self.axes = {"J": self.whole(1, 7)}

    def shape(self, rank: int) -> Shape:
        """A shape of this rank, of few free axes; sizes differ, but for some."""
        free = [a for a in self.free if self.chance(0.4)]
        axes: list[Axis] = [*free[:rank], *(self.one(self.sizes) for _ in range(rank))][:rank]
        if self.chance(0.1):
            self.random.shuffle(axes)
        while prod(3 if isinstance(a, str) else a for a in axes) > MOST:
            axes[max(range(rank), key=lambda k: 0 if isinstance(axes[k], str) else axes[k])] = 2
        return tuple(axes)

    def named(self, shape: Shape, reuse: float = 0.6) -> str:
        """A tensor of this shape, an old one or a new one."""
        known = [name for name, of in self.shapes.items() if of == shape]
        return self.one(known) if known and self.chance(reuse) else self.declared(shape)

    def declared(self, shape: Shape) -> str:
        """A new input, parameter or constant of this shape."""
        is_input = any(isinstance(axis, str) for axis in shape) or self.chance(0.25)
        if not is_input and self.chance(0.1) and len(shape) < 3:
            name = f"c{len(self.constants)}"
            self.constants[name] = self.numbers(shape)
        elif is_input:
            name = f"x{len(self.inputs)}"
            self.inputs[name] = [*shape]
        else:
            name = f"p{len(self.parameters)}"
            self.parameters[name] = {"axes": [*shape], "init": "normal(std=1)"}
        self.shapes[name] = shape
        return name

    def numbers(self, shape: Shape) -> Any:
        if not shape:
            return self.whole(1, 30) / 10
        return [self.numbers(shape[1:]) for _ in range(int(shape[0]))]

    def labels(self, shape: Shape) -> str:
        """A new input of whole numbers below CLASSES."""
        name = f"k{len(self.inputs)}"
        self.inputs[name] = {"axes": [*shape], "classes": CLASSES}
        return name
