"""What values a tensor can have, where its formula says so: scores, probabilities, an interval; and widths.

Nothing is guessed: where a formula is more than a row of the library or an affine map, nothing is known.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from symgrad.spec import library
from symgrad.spec.intervals import EVERYTHING, Interval, interval
from symgrad.spec.language.syntax import Binary, Call, Index, Name, Negate, Node, Transpose
from symgrad.spec.language.trees import names_in
from symgrad.spec.numbers import number
from symgrad.spec.reductions import REDUCTIONS
from symgrad.spec.scalars import SCALARS

if TYPE_CHECKING:
    from symgrad.spec.model import Model

_KEEPS = frozenset(("identity", "batchmean", *(row.name for row in REDUCTIONS.values() if row.within)))


@dataclass(frozen=True)
class Image:
    """Values: their `kind` (scores, probabilities, log-probabilities or none), interval and `source`."""

    kind: str
    values: Interval
    source: str


AFFINE = Image("scores", EVERYTHING, "an affine map")
"""What weights make of anything: numbers of any size and either sign."""


class Images:
    """The images of a model's equations, as far as they are known."""

    def __init__(self, model: Model) -> None:
        self.own = {function.name for function in model.spec.functions}
        self.parameters = {parameter.name for parameter in model.parameters}
        self.learnt = self.parameters | {carried.name for carried in model.carried}
        self.images: dict[str, Image] = {}
        for equation in model.equations:
            image = self.of(equation.formula)
            if image is not None:
                self.images[equation.name] = image
            if names_in(equation.formula) & self.learnt:
                self.learnt.add(equation.name)

    def of(self, node: Node) -> Image | None:
        """What is known of a formula's values."""
        match node:
            case Name(name):
                return self.images.get(name)
            case Negate(operand):
                return _mirrored(self.of(operand))
            case Transpose(operand):
                return self.of(operand)
            case Binary("@", left, right):
                return AFFINE if self._is_linear(left, right) or self._is_linear(right, left) else None
            case Binary("+" | "-", left, right):
                return self._sum(left, right)
            case Binary("*" | "/", left, right):
                return self._scaled(left, right) or (
                    self._scaled(right, left) if node.operator == "*" else None
                )
            case Call(function, (first, *rest)):
                return self._call(function, first, not rest)
        return None

    def _call(self, function: str, first: Node, alone: bool) -> Image | None:
        inner = self.of(first)
        if function in self.own:
            return None
        if function in _KEEPS:
            return inner if alone else None
        if function == "sum":
            return inner if alone and inner is AFFINE else AFFINE if self._is_contraction(first) else None
        if function == "exp" and inner is not None and inner.kind == "log-probabilities":
            return Image("probabilities", interval("(0, 1)"), f"exp of {inner.source}")
        row = library.functions.get(function)
        if row is not None:
            return Image(row.gives, interval(row.image), function) if row.image else None
        values = SCALARS[function].values if function in SCALARS else EVERYTHING
        return Image("", values, function) if values != EVERYTHING else None

    def _is_linear(self, weights: Node, other: Node) -> bool:
        """Whether one side of a product is a parameter, and the other is not made of it."""
        name = weights.operand if isinstance(weights, Transpose) else weights
        return isinstance(name, Name) and name.id in self.parameters and name.id not in names_in(other)

    def _is_contraction(self, product: Node) -> bool:
        """Whether `sum(X[n, d] * W[d, k], d)` is an affine map."""
        if not isinstance(product, Binary) or product.operator != "*":
            return False
        tensors = [side.tensor for side in (product.left, product.right) if isinstance(side, Index)]
        return len(tensors) == 2 and len(self.parameters & set(tensors)) == 1

    def _sum(self, left: Node, right: Node) -> Image | None:
        """A sum with scores is affine if the rest is no more than a parameter, or other scores."""
        apart = not names_in(left) & names_in(right) & self.learnt
        if not apart or AFFINE not in (self.of(left), self.of(right)):
            return None
        rest = [side for side in (left, right) if self.of(side) is not AFFINE]
        plain = all(isinstance(side, Name) or not names_in(side) & self.learnt for side in rest)
        known = any(self.of(side) is not None for side in rest)
        return AFFINE if plain and not known else None

    def _scaled(self, node: Node, factor: Node) -> Image | None:
        return AFFINE if self.of(node) is AFFINE and number(factor, {}) else None


def _mirrored(image: Image | None) -> Image | None:
    if image is None:
        return None
    if image is AFFINE:
        return AFFINE
    span = image.values
    return Image("", Interval(-span.most, -span.least, span.open_most, span.open_least), f"-{image.source}")


class Widths:
    """The sizes of the last axes of a model's tensors, where they are plain."""

    def __init__(self, model: Model) -> None:
        self.own = {function.name for function in model.spec.functions}
        shapes = _shapes(model)
        self.matrices = {name for name, shape in shapes.items() if len(shape) > 1}
        self.known = {name: shape[-1] for name, shape in shapes.items() if shape}
        for equation in model.equations:
            is_plain = not equation.index_names
            self.known[equation.name] = self.of(equation.formula) if is_plain else None

    def of(self, node: Node) -> int | None:
        """The size of the last axis of a formula's value."""
        match node:
            case Name(name):
                return self.known.get(name)
            case Negate(operand):
                return self.of(operand)
            case Binary("@", _, Name(name)) if name in self.matrices:
                return self.known.get(name)
            case Binary("+" | "-", left, right):
                a, b = self.of(left), self.of(right)
                return max(a, b) if a is not None and b is not None else None
            case Call(function, (first, *_)) if function in library.activations and function not in self.own:
                return self.of(first)
        return None


def _shapes(model: Model) -> dict[str, tuple[int | None, ...]]:
    """The shapes of what is declared; None for a free axis, and for one that another tensor gives."""
    spec, sizes = model.spec, dict(model.spec.axes)
    axes = {p.name: p.axes for p in model.parameters} | {
        t.name: t.axes for t in (*spec.inputs, *spec.targets)
    }
    shapes: dict[str, tuple[int | None, ...]] = {constant.name: constant.shape for constant in spec.constants}
    for name, of in axes.items():
        shapes[name] = tuple(
            axis if isinstance(axis, int) else sizes.get(axis) if isinstance(axis, str) else None
            for axis in of
        )
    return shapes
