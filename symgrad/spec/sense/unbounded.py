"""A loss without a least value: training would run to minus infinity."""

from __future__ import annotations

from typing import TYPE_CHECKING

from symgrad.errors import SpecWarning
from symgrad.spec import library
from symgrad.spec.language.syntax import Binary, Call, Name, Negate, Node
from symgrad.spec.language.trees import names_in
from symgrad.spec.numbers import number
from symgrad.spec.reductions import REDUCTIONS
from symgrad.spec.sense.images import AFFINE, Images

if TYPE_CHECKING:
    from collections.abc import Iterator

    from symgrad.spec.model import Model

_KEEPS = frozenset(("batchmean", *(row.name for row in REDUCTIONS.values() if row.linear)))
_BOTH = frozenset(("below", "above"))


def unbounded_loss(model: Model) -> Iterator[SpecWarning]:
    """Said only where it is certain: for affine maps, their means and sums, and losses with a minus."""
    if model.loss is not None and "below" in _Ends(model).of(model.loss):
        remedy = "training would run to minus infinity: write one that is bounded, such as mse(y, t)"
        yield SpecWarning("the loss has no least value", at=model.loss.at, remedy=remedy)


class _Ends:
    """On which sides formulas are without bound, as parameters change."""

    def __init__(self, model: Model) -> None:
        self.images = Images(model)
        self.own = {function.name for function in model.spec.functions}
        self.known: dict[str, frozenset[str]] = dict.fromkeys(self.images.parameters, _BOTH)
        for equation in model.equations:
            self.known[equation.name] = self.of(equation.formula)

    def of(self, node: Node) -> frozenset[str]:
        """Below, above, both or neither."""
        if self.images.of(node) is AFFINE:
            return _BOTH
        match node:
            case Name(name):
                return self.known.get(name, frozenset())
            case Negate(operand):
                return _turned(self.of(operand))
            case Binary("+" | "-", left, right):
                return self._sum(left, right, node.operator)
            case Binary("*", left, right):
                return self._product(left, right) or self._product(right, left)
            case Binary("/", left, right):
                return self._product(left, right) if number(right, {}) is not None else frozenset()
            case Call(function, (first, *_)):
                return self._call(function, first)
        return frozenset()

    def _call(self, function: str, first: Node) -> frozenset[str]:
        if function in self.own:
            return frozenset()
        if function in _KEEPS or function.startswith("weighted_"):
            return self.of(first)
        row = library.losses.get(function)
        grows = row is not None and row.image.endswith("inf)") and self.of(first)
        return frozenset(("above",)) if grows else frozenset()

    def _sum(self, left: Node, right: Node, sign: str) -> frozenset[str]:
        """A sum has the ends of one side if the other has nothing to do with it."""
        learnt = self.images.learnt
        for side, other, turned in ((left, right, False), (right, left, sign == "-")):
            if not names_in(other) & learnt:
                return _turned(self.of(side)) if turned else self.of(side)
        return frozenset()

    def _product(self, node: Node, factor: Node) -> frozenset[str]:
        """A multiple by a number, or of both ends by anything that is not learnt."""
        ends, scale = self.of(node), number(factor, {})
        if scale is not None:
            return ends if scale > 0 else _turned(ends) if scale < 0 else frozenset()
        return ends if ends == _BOTH and not names_in(factor) & self.images.learnt else frozenset()


def _turned(ends: frozenset[str]) -> frozenset[str]:
    other = {"below": "above", "above": "below"}
    return frozenset(other[end] for end in ends)
