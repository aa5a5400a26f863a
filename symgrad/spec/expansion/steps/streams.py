"""Which numbers are drawn where: every draw of a model has a stream of its own, by its number.

`uniform(like=x)` becomes `uniform(like=x, stream=3)`. A function that draws is told by each of its callers
where its streams begin, `dropout(x, stream=3)`, so that two calls of it never draw the same numbers, and one
equation that stands twice, in training and in inference, draws from one stream.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from fractions import Fraction
from typing import TYPE_CHECKING

from symgrad.errors import SpecError
from symgrad.spec.expansion.calls import bind
from symgrad.spec.language.builtins import LIKE, UNIFORM
from symgrad.spec.language.syntax import Binary, Call, Name, Number
from symgrad.spec.language.trees import transform
from symgrad.spec.library import Signature
from symgrad.spec.reads import draws_inside

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from symgrad.errors import Position
    from symgrad.spec.language.syntax import Node
    from symgrad.spec.model import FunctionSpec

STREAM = "the stream"
"""The argument by which a call is told its stream: no name that anybody can write."""


@dataclass
class Streams:
    """Gives streams to the draws of formulas, one after another; `drawing` says how many a function has.

    `signatures` are those of the functions as users call them.
    """

    drawing: Mapping[str, int]
    signatures: Mapping[str, Signature]
    count: int = 0

    @classmethod
    def of(cls, functions: Iterable[FunctionSpec]) -> Streams:
        """Those of a model that has these functions, each behind those that it calls."""
        signatures = {f.name: Signature(f.name, f.arguments, f.defaults) for f in functions}
        return cls(draws_inside(functions), signatures)

    def formula(self, formula: Node) -> Node:
        """The formula with a stream for each of its draws.

        Raises:
            SpecError: a call of `uniform` that says more than what it is like, or a wrong call of a function.
        """
        return self._numbered(formula, None)

    def function(self, function: FunctionSpec) -> FunctionSpec:
        """The function with an argument more, where its streams begin; one that draws nothing as it is."""
        if function.name not in self.drawing:
            return function
        inside = Streams(self.drawing, self.signatures)
        begin = (STREAM, Number(Fraction(0), function.at))
        formula = inside._numbered(function.formula, STREAM)
        return replace(function, formula=formula, defaults=(*function.defaults, begin))

    def _numbered(self, formula: Node, begin: str | None) -> Node:
        def change(node: Node) -> Node:
            if not isinstance(node, Call) or not (node.function == UNIFORM or node.function in self.drawing):
                return node
            if node.function == UNIFORM:
                _check(node)
            else:
                bind(node, self.signatures[node.function])
            stream = _stream(self.count, begin, node.at)
            self.count += self.drawing.get(node.function, 1)
            return replace(node, keywords=(*node.keywords, (STREAM, stream)))

        return transform(formula, change)


def without_stream(call: Call) -> Call:
    """The call as it was written."""
    return replace(call, keywords=tuple((name, v) for name, v in call.keywords if name != STREAM))


def as_written(formula: Node, functions: Iterable[FunctionSpec]) -> Node:
    """The formula as a spec has it, where a draw has no stream and a function of training its own name."""
    names = {function.name: function.shown for function in functions}

    def change(node: Node) -> Node:
        if not isinstance(node, Call):
            return node
        return replace(without_stream(node), function=names.get(node.function, node.function))

    return transform(formula, change)


def _stream(number: int, begin: str | None, at: Position) -> Node:
    own = Number(Fraction(number), at)
    return own if begin is None else Binary("+", Name(begin, at), own, at)


def _check(call: Call) -> None:
    """Demand `uniform()` or `uniform(like=x)`."""
    if call.arguments or [name for name, _ in call.keywords] not in ([], [LIKE]):
        problem = "uniform draws numbers between 0 and 1, and takes nothing but what they are like"
        raise SpecError(problem, at=call.at, remedy="write a + (b - a) * uniform(like=x) for others")
