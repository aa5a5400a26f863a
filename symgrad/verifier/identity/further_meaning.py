"""Derivatives beyond the gradient, as a spec has them and as a module computes them, in exact numbers.

The spec's own are found with dual numbers through the verifier's interpreter and tape: the second derivative
of nothing is written anywhere.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from symgrad.spec.model import FURTHER_FUNCTIONS
from symgrad.spec.reads import loss_arguments
from symgrad.verifier.identity.exact_tape import ExactTape
from symgrad.verifier.interpretation.interpreter import Evaluation, interpret
from symgrad.verifier.interpretation.slopes.dual_numbers import Dual, Duals

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from symgrad.spec.model import FurtherDerivative, Model
    from symgrad.verifier.identity.machine import Machine
    from symgrad.verifier.identity.points import ExactPoint
    from symgrad.verifier.interpretation.arithmetic import Arithmetic
    from symgrad.verifier.interpretation.array_library import Array

Named = tuple[str, "Array"]


def expected_further(model: Model, point: ExactPoint, arithmetic: Arithmetic) -> Iterator[Named]:
    """What a spec says of the derivatives that it asks for, by the names that a report gives them."""
    for asked in model.spec.derive:
        meaning = _Meaning(model, point, arithmetic)
        match asked.kind:
            case "hvp":
                yield from _named(asked, meaning.hessian_product())
            case "gauss_newton":
                yield from _named(asked, meaning.gauss_newton_product(asked.of or loss_arguments(model)))
            case "per_sample":
                yield from _named(asked, meaning.row_gradients())


def found_further(
    model: Model, machine: Machine, point: ExactPoint, theta: Array, data: Sequence[Array]
) -> Iterator[Named]:
    """What a module computes of them."""
    shapes = machine.text.facts["SHAPES"]
    for asked in model.spec.derive:
        if asked.kind == "per_sample":
            answers = machine.names[FURTHER_FUNCTIONS[asked.kind]](machine.vector(theta, "theta"), *data)
            yield from _named(asked, dict(zip(shapes, answers, strict=True)))
            continue
        vector = machine.vector(_flat(direction(point, shapes)), "vector")
        answer = machine.names[FURTHER_FUNCTIONS[asked.kind]](machine.vector(theta, "theta"), vector, *data)
        yield from _named(asked, _parts(answer.array(), shapes))


def _named(asked: FurtherDerivative, parts: Mapping[str, Array]) -> Iterator[Named]:
    return ((f"{asked} ({name})", part) for name, part in parts.items())


def direction(point: ExactPoint, shapes: Mapping[str, Sequence[int]]) -> dict[str, Array]:
    """Numbers of a direction in which parameters of these shapes move."""
    size = sum(int(np.prod(shape, dtype=int)) for shape in shapes.values())
    return _parts(np.resize(point.noise[::-1], size), shapes)


def _parts(vector: Array, shapes: Mapping[str, Sequence[int]]) -> dict[str, Array]:
    found, start = {}, 0
    for name, shape in shapes.items():
        end = start + int(np.prod(shape, dtype=int))
        found[name] = vector[start:end].reshape(shape)
        start = end
    return found


def _flat(parts: Mapping[str, Array]) -> Array:
    return np.concatenate([part.reshape(-1) for part in parts.values()])


class _Meaning:
    """The derivatives of a spec at one point, in one direction."""

    def __init__(self, model: Model, point: ExactPoint, arithmetic: Arithmetic) -> None:
        self.model, self.base, self.point = model, arithmetic, point
        self.names = [p.name for p in model.parameters]
        self.direction = direction(point, {name: point.numbers[name].shape for name in self.names})

    def hessian_product(self) -> dict[str, Array]:
        """The gradient of the loss's slope along the direction."""
        tape = ExactTape(self.base)
        leaves = self._leaves(tape)
        slope = self._slopes(tape.arithmetic, leaves, self.direction).of_loss()
        return self._gradients(tape, slope, leaves)

    def gauss_newton_product(self, cut: Sequence[str]) -> dict[str, Array]:
        """Jᵀu, u being the gradient of the loss's slope by what is cut, where that alone moves by Jv."""
        moving = self._slopes(self.base, self.point.numbers, self.direction)
        at, by = zip(*(moving.of(name) for name in cut), strict=True)
        tape = ExactTape(self.base)
        leaves: dict[str, Any] = {name: tape.variable(value) for name, value in zip(cut, at, strict=True)}
        numbers = {**self.point.numbers, **leaves}
        head = self._slopes(tape.arithmetic, numbers, dict(zip(cut, by, strict=True)))
        pulled = tape.gradients(tape.of(head.of_loss()), [leaves[name] for name in cut])
        tape = ExactTape(self.base)
        leaves = self._leaves(tape)
        found = interpret(self.model, {**leaves, **self.point.labels}, tape.arithmetic).tensors
        total: Any = tape.of(self.base.array(0.0))
        for name, slope in zip(cut, pulled, strict=True):
            product = tape.of(found[name]) * tape.of(slope)
            total = total + tape.arithmetic.library.sum(product, tuple(range(product.ndim)))
        return self._gradients(tape, total, leaves)

    def _leaves(self, tape: ExactTape) -> dict[str, Any]:
        return {name: tape.variable(array) for name, array in self.point.numbers.items()}

    def _gradients(self, tape: ExactTape, result: Any, leaves: Mapping[str, Any]) -> dict[str, Array]:
        slopes = tape.gradients(tape.of(result), [leaves[name] for name in self.names])
        return dict(zip(self.names, slopes, strict=True))

    def _slopes(
        self, arithmetic: Arithmetic, numbers: Mapping[str, Any], along: Mapping[str, Array]
    ) -> _Moving:
        """The model where some of its tensors have these numbers, whatever equations say, and move."""
        duals = Duals(arithmetic)
        moving = {
            name: Dual(duals, arithmetic.array(numbers[name]), arithmetic.array(by[None]))
            for name, by in along.items()
        }
        given: Any = {**numbers, **self.point.labels, **moving}
        return _Moving(duals, interpret(self.model, given, duals.arithmetic, instead=given))

    def row_gradients(self) -> dict[str, Array]:
        """The gradient of the loss of each row alone, the rows in front."""
        found: dict[str, list[Array]] = {name: [] for name in self.names}
        for one in self._rows():
            tape = ExactTape(self.base)
            leaves: dict[str, Any] = {name: tape.variable(array) for name, array in one.numbers.items()}
            loss = interpret(self.model, {**leaves, **one.labels}, tape.arithmetic).loss
            slopes = tape.gradients(tape.of(loss), [leaves[name] for name in self.names])
            for name, slope in zip(self.names, slopes, strict=True):
                found[name].append(slope)
        return {name: np.stack(parts) for name, parts in found.items()}

    def _rows(self) -> Iterator[ExactPoint]:
        """The point with one row of its data."""
        spec, axis = self.model.spec, self.model.batch_axis
        data = {**self.point.numbers, **self.point.labels}
        places = {t.name: t.axes.index(axis) for t in (*spec.inputs, *spec.targets) if axis in t.axes}
        count = min(data[name].shape[place] for name, place in places.items())
        for row in range(count):
            one = data | {n: data[n].take([row], axis=place) for n, place in places.items()}
            numbers = {name: one[name] for name in self.point.numbers}
            yield replace(self.point, numbers=numbers, labels={n: one[n] for n in self.point.labels})


@dataclass(frozen=True)
class _Moving:
    """An evaluation in dual numbers of one direction."""

    duals: Duals
    found: Evaluation

    def of(self, name: str) -> tuple[Any, Any]:
        """A tensor, and how it moves."""
        return self._apart(self.found.tensors[name])

    def of_loss(self) -> Any:
        """How the loss moves."""
        return self._apart(self.found.loss)[1]

    def _apart(self, value: Any) -> tuple[Any, Any]:
        dual = self.duals.of(value)
        return dual.real, self.duals.slopes(dual, 1)[0]
