"""Derivatives beyond the gradient, and networks by themselves, as a spec has them and as a module computes
them, in exact numbers.

The spec's own derivatives are found with dual numbers through the verifier's interpreter and tape: the second
derivative of nothing is written anywhere.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np

from symgrad.spec.expansion.layers.network_functions import model_of
from symgrad.spec.model import DrawnPrediction, NetworkFunction, TensorSpec
from symgrad.spec.reads import loss_arguments
from symgrad.verifier.identity.exact_tape import ExactTape
from symgrad.verifier.interpretation.interpreter import Evaluation, interpret
from symgrad.verifier.interpretation.philox_numbers import Key
from symgrad.verifier.interpretation.slopes.dual_numbers import Dual, Duals

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    from symgrad.spec.model import BesideFunction, FurtherDerivative, Model
    from symgrad.verifier.identity.machine import Machine
    from symgrad.verifier.identity.points import ExactPoint
    from symgrad.verifier.interpretation.arithmetic import Arithmetic
    from symgrad.verifier.interpretation.array_library import Array

Named = tuple[str, "Array"]
DRAWN_BY = Key(seed=2**33 + 7, step=2)
"""What predictions by chance are compared by."""


def expected_further(
    model: Model, point: ExactPoint, arithmetic: Arithmetic, wanted: Sequence[BesideFunction]
) -> Iterator[Named]:
    """What a spec says of them, by the names that a report gives them."""
    for asked in wanted:
        if isinstance(asked, NetworkFunction):
            yield str(asked), _of_network(model, asked, point, arithmetic)
            continue
        if isinstance(asked, DrawnPrediction):
            given = {**point.numbers, **point.labels}
            found = interpret(asked.model, given, arithmetic, key=DRAWN_BY).prediction
            yield from ((f"{asked} ({n})", array) for n, array in enumerate(found))
            continue
        meaning = _Meaning(model, point, arithmetic, asked.of if asked.kind == "hessian" else ())
        match asked.kind:
            case "hvp":
                yield from _named(asked, meaning.hessian_product())
            case "gauss_newton":
                yield from _named(asked, meaning.gauss_newton_product(asked.of or loss_arguments(model)))
            case "per_sample":
                yield from _named(asked, meaning.row_gradients())
            case "hessian":
                product = meaning.hessian_product()[asked.of[0]]
                yield from ((str(asked), product), (f"{asked}, transposed", product))
            case "jacobian":
                yield str(asked), meaning.jacobian(*asked.of)


def found_further(
    model: Model, machine: Machine, point: ExactPoint, theta: Array, data: Sequence[Array]
) -> Iterator[Named]:
    """What a module's text computes of those that it has for a spec."""
    shapes = machine.text.facts["SHAPES"]
    vector = _entries(point, shapes)
    for asked in model.beside:
        function = partial(machine.names[asked.function], machine.vector(theta, "theta"))
        if isinstance(asked, NetworkFunction):
            yield str(asked), function(*points_of(model, asked, point, machine.arithmetic))
        elif isinstance(asked, DrawnPrediction):
            yield from drawn_by(asked, function, data[: len(model.spec.inputs)])
        elif asked.kind in ("hvp", "gauss_newton"):
            product = function(machine.vector(vector, "vector"), *data)
            yield from _named(asked, _parts(product.array(), shapes))
        else:
            yield from found_by(asked, function, vector, shapes, (data[: len(model.spec.inputs)], data))


def found_by(
    asked: FurtherDerivative,
    answer: Callable[..., Any],
    vector: Array,
    shapes: Mapping[str, Sequence[int]],
    given: tuple[Sequence[Array], Sequence[Array]],
) -> Iterator[Named]:
    """What a module's function answers; `given` are inputs alone, and with targets."""
    inputs, data = given
    match asked.kind:
        case "per_sample":
            yield from _named(asked, dict(zip(shapes, answer(*data), strict=True)))
        case "jacobian":
            yield str(asked), answer(*inputs)
        case "hessian":
            (name,) = asked.of
            yield from _products(str(asked), answer(*data), _parts(vector, shapes)[name])
        case _:
            yield from _named(asked, _parts(answer(vector, *data), shapes))


def drawn_by(asked: DrawnPrediction, answer: Callable[..., Any], inputs: Sequence[Array]) -> Iterator[Named]:
    """What a module predicts by chance."""
    found = answer(*inputs, DRAWN_BY.seed, DRAWN_BY.step)
    arrays = found if isinstance(found, tuple | list) else (found,)
    yield from ((f"{asked} ({n})", array) for n, array in enumerate(arrays))


def points_of(
    model: Model, network: NetworkFunction, point: ExactPoint, arithmetic: Arithmetic
) -> list[Array]:
    """Where a network by itself is looked at: what a call of it is given, its rows the other way around."""
    given = {**point.numbers, **point.labels}
    if not given.keys() >= {*network.like}:
        given |= interpret(model, given, arithmetic).tensors
    return [given[name][::-1] if given[name].ndim else given[name] for name in network.like]


def _of_network(model: Model, network: NetworkFunction, point: ExactPoint, arithmetic: Arithmetic) -> Array:
    """Its value there, by its equations alone."""
    classes = {t.name: t.classes for t in (*model.spec.inputs, *model.spec.targets)}
    given = dict(zip(network.arguments, points_of(model, network, point, arithmetic), strict=True))
    inputs = [
        TensorSpec(name, tuple(given[name].shape), classes.get(like), network.at)
        for name, like in zip(network.arguments, network.like, strict=True)
    ]
    parameters = {p.name: point.numbers[p.name] for p in model.parameters}
    shapes = {name: array.shape for name, array in parameters.items()}
    alone = model_of(model, network, inputs, shapes)
    return interpret(alone, {**parameters, **given}, arithmetic).outputs[0]


def _products(name: str, matrix: Array, vector: Array) -> Iterator[Named]:
    """A symmetric matrix by its products with a vector, from both sides."""
    rank = vector.ndim
    yield name, np.tensordot(matrix, vector, rank)
    yield f"{name}, transposed", np.tensordot(vector, matrix, rank)


def _named(asked: FurtherDerivative, parts: Mapping[str, Array]) -> Iterator[Named]:
    return ((f"{asked} ({name})", part) for name, part in parts.items())


def direction(point: ExactPoint, shapes: Mapping[str, Sequence[int]]) -> dict[str, Array]:
    """Numbers of a direction in which parameters of these shapes move."""
    return _parts(_entries(point, shapes), shapes)


def _entries(point: ExactPoint, shapes: Mapping[str, Sequence[int]]) -> Array:
    return np.resize(point.noise[::-1], sum(int(np.prod(shape, dtype=int)) for shape in shapes.values()))


def _parts(vector: Array, shapes: Mapping[str, Sequence[int]]) -> dict[str, Array]:
    found, start = {}, 0
    for name, shape in shapes.items():
        end = start + int(np.prod(shape, dtype=int))
        found[name] = vector[start:end].reshape(shape)
        start = end
    return found


class _Meaning:
    """The derivatives of a spec at one point, in one direction; parameters beside those `moving` stay."""

    def __init__(
        self, model: Model, point: ExactPoint, arithmetic: Arithmetic, moving: Sequence[str] = ()
    ) -> None:
        self.model, self.base, self.point = model, arithmetic, point
        self.names = [p.name for p in model.parameters]
        along = direction(point, {name: point.numbers[name].shape for name in self.names})
        self.direction = {name: by for name, by in along.items() if name in (moving or self.names)}

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
            total = total + tape.total(tape.of(found[name]) * tape.of(slope))
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

    def jacobian(self, of: str, by: str) -> Array:
        """The derivatives of a tensor by another; where both have rows, those of every row by itself."""
        whole = self._jacobian_at(self.point, of, by)
        if not (self._has_rows(of) and self._has_rows(by)):
            return whole
        before = (slice(None),) * (whole.ndim - 1 - self._shape(by, [0])[1])
        return np.stack([part[(*before, row)] for row, part in enumerate(whole)])

    def _has_rows(self, name: str) -> bool:
        """Whether a tensor has as many rows as the data."""
        return bool(self.model.batch_axis) and self._shape(name, [0, 0])[0] != self._shape(name, [0])[0]

    def _shape(self, name: str, rows: Sequence[int]) -> tuple[int, int]:
        """The first size of a tensor, made of some rows of the data, and the number of its axes."""
        point = self._at(rows) if self.model.batch_axis else self.point
        shape = interpret(self.model, {**point.numbers, **point.labels}, self.base).tensors[name].shape
        return (shape[0] if shape else 1), len(shape)

    def _jacobian_at(self, point: ExactPoint, of: str, by: str) -> Array:
        tape = ExactTape(self.base)
        leaves: dict[str, Any] = {name: tape.variable(array) for name, array in point.numbers.items()}
        found = interpret(self.model, {**leaves, **point.labels}, tape.arithmetic).tensors
        result, source = tape.of(found[of]), tape.of(found[by])
        entries = [tape.gradients(result[place], [source])[0] for place in np.ndindex(result.shape)]
        return np.stack(entries).reshape((*result.shape, *source.shape))

    def _rows(self) -> Iterator[ExactPoint]:
        """The point with one row of its data, for every row."""
        name, place = min(self._places().items())
        count = {**self.point.numbers, **self.point.labels}[name].shape[place]
        return (self._at([row]) for row in range(count))

    def _places(self) -> dict[str, int]:
        """Which axis of an input or target is that of rows."""
        spec, axis = self.model.spec, self.model.batch_axis
        return {t.name: t.axes.index(axis) for t in (*spec.inputs, *spec.targets) if axis in t.axes}

    def _at(self, rows: Sequence[int]) -> ExactPoint:
        """The point with some rows of its data."""
        data = {**self.point.numbers, **self.point.labels}
        chosen = data | {n: data[n].take(rows, axis=place) for n, place in self._places().items()}
        numbers = {name: chosen[name] for name in self.point.numbers}
        return replace(self.point, numbers=numbers, labels={n: chosen[n] for n in self.point.labels})


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
        return dual.array, self.duals.slopes(dual, 1)[0]
