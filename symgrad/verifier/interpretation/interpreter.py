"""What a model means, computed by walking its formulas: no SymPy, no compiler, any arithmetic."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from symgrad.errors import ShapeError, SpecError
from symgrad.spec.language.trees import values_in
from symgrad.spec.model import EquationSpec, Model, ParameterAxis, TensorSpec
from symgrad.verifier.interpretation.arithmetic import DOUBLE, FIFTY_DIGITS, Arithmetic
from symgrad.verifier.interpretation.meaning import Formulas
from symgrad.verifier.interpretation.philox_numbers import INFERENCE, Key
from symgrad.verifier.interpretation.recurrent_equations import Circle, evaluate, in_turn
from symgrad.verifier.interpretation.tensors import TensorValue

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from symgrad.spec.language.syntax import Node
    from symgrad.verifier.interpretation.array_library import Array

Shape = tuple[int, ...]


@dataclass(frozen=True)
class Evaluation:
    """Every value of a model at one point, in the arithmetic it was asked for.

    `loss` is None when the model has none or a target was not given; `evaluation` is that of inference, where
    it is another one. `stopped` is what stop_gradient held, in turn. `branches` says which way every
    where, max, min, abs and sign went; `work` counts scalar operations, dear ones more than once.
    """

    tensors: Mapping[str, Array]
    outputs: tuple[Array, ...]
    loss: Array | None
    prediction: tuple[Array, ...]
    branches: tuple[bytes, ...]
    work: int
    stopped: tuple[Array, ...] = ()
    evaluation: Array | None = None


def interpret(
    model: Model,
    arrays: Mapping[str, Array],
    arithmetic: Arithmetic = FIFTY_DIGITS,
    shift: Mapping[str, Array] | None = None,
    stopped: Sequence[Array] | None = None,
    instead: Mapping[str, Array] | None = None,
    key: Key = INFERENCE,
) -> Evaluation:
    """Evaluate a model on arrays for its inputs and parameters, and its targets if the loss is wanted.

    `shift` adds to tensors by name, equations included, as soon as they are known: this is how slopes
    with respect to anything are taken. `stopped` are the values that stop_gradient had somewhere else, in
    turn, to be held on to. `instead` gives tensors by name the place of what equations say, for those that
    read them outside of a recurrence. Numbers are drawn by a `key`; what inference computes is as here only
    with its own.

    Raises:
        SpecError: a formula outside the language, or a missing array.
        ShapeError: arrays that do not fit the model.
    """
    formulas = Formulas(model.functions, axis_sizes(model, arrays), dict(model.spec.axes), arithmetic)
    formulas.shifts, formulas.key = shift or {}, key
    formulas.held = None if stopped is None else iter(stopped)
    with np.errstate(all="ignore"):
        _define_given(formulas, model, arrays)
        for parameter in model.parameters:
            if parameter.name not in arrays:
                raise SpecError(f"no array for parameter '{parameter.name}'", at=parameter.at)
            formulas.give(parameter.name, arithmetic.array(arrays[parameter.name]))
        for equation in in_turn(model):
            members = equation.equations if isinstance(equation, Circle) else (equation,)
            given = {e.name: instead[e.name] for e in members if instead and e.name in instead}
            if isinstance(equation, Circle):
                evaluate(formulas, equation)
            elif not given:
                formulas.define(equation)
            for name, array in given.items():
                formulas.give(name, arithmetic.array(array))
        outputs = tuple(formulas.tensors[name].array for name in model.outputs)
        prediction = outputs if model.prediction is None else (formulas.formula(model.prediction).array,)
        loss = _loss(model, arrays, formulas, model.loss)
        evaluation = _loss(model, arrays, formulas, model.evaluation)
    tensors = {name: value.array for name, value in formulas.tensors.items()}
    branches, held = tuple(formulas.branches), tuple(formulas.stopped)
    return Evaluation(tensors, outputs, loss, prediction, branches, formulas.work, held, evaluation)


def _define_given(formulas: Formulas, model: Model, arrays: Mapping[str, Array]) -> None:
    """What a model takes as it is: inputs, targets where they are given, constants."""
    convert = formulas.arithmetic.array
    for tensor in (*model.spec.inputs, *model.spec.targets):
        if tensor.name not in arrays:
            continue
        formulas.give(tensor.name, convert(arrays[tensor.name]), tensor.classes, tensor.ignore)
        if tensor.classes is not None:
            formulas.labels[tensor.name] = formulas.arithmetic.library.integers(arrays[tensor.name])
    for constant in model.spec.constants:
        formulas.give(constant.name, convert(np.reshape(constant.values, constant.shape)))


def _loss(
    model: Model, arrays: Mapping[str, Array], formulas: Formulas, formula: Node | None
) -> Array | None:
    if formula is None or any(target.name not in arrays for target in model.spec.targets):
        return None
    value = formulas.formula(formula)
    if value.rank:
        raise ShapeError(f"the loss must be one number, it has shape {value.array.shape}", at=formula.at)
    return value.array


def axis_sizes(model: Model, arrays: Mapping[str, Array]) -> dict[str, int]:
    """The size of every named axis, the free ones as the arrays have it.

    Raises:
        ShapeError: an array whose shape is not what the spec declares, or two sizes for one axis.
    """
    sizes = dict(model.spec.axes)
    for tensor in (*model.spec.inputs, *model.spec.targets):
        if tensor.name in arrays:
            _measure(tensor, np.shape(arrays[tensor.name]), sizes)
    return sizes


def _measure(tensor: TensorSpec, shape: Shape, sizes: dict[str, int]) -> None:
    fits = len(shape) == len(tensor.axes)
    for axis, size in zip(tensor.axes, shape, strict=False):
        expected = axis if isinstance(axis, int) else sizes.setdefault(axis, size)
        fits = fits and expected == size
    if not fits:
        raise ShapeError(f"'{tensor.name}' has shape {shape}, the spec says {tensor.axes}", at=tensor.at)


def parameter_shapes(model: Model, data: Mapping[str, Array]) -> dict[str, Shape]:
    """The shape of every parameter, in the order of the spec; `data` holds inputs, and targets where needed.

    Raises:
        ShapeError: a parameter with an axis of unknown size.
    """
    sizes = axis_sizes(model, data)
    formulas = Formulas(model.functions, sizes, dict(model.spec.axes), DOUBLE)
    shapes: dict[str, Shape] = {}
    waiting: list[EquationSpec] = []
    """Equations over parameters whose sizes are told by what a recurrence makes, which reads them."""

    def declare() -> None:
        for parameter in model.parameters:
            if parameter.measured <= formulas.tensors.keys() and parameter.name not in shapes:
                shape = tuple(_size(axis, sizes, formulas) for axis in parameter.axes)
                shapes[parameter.name] = shape
                formulas.tensors[parameter.name] = TensorValue(np.broadcast_to(0.5, shape), len(shape))
        for equation in [e for e in waiting if not values_in(e.formula) & unknown()]:
            waiting.remove(equation)
            formulas.define(equation)

    def unknown() -> set[str]:
        return {p.name for p in model.parameters if p.name not in shapes} | {e.name for e in waiting}

    with np.errstate(all="ignore"):
        _define_given(formulas, model, data)
        declare()
        for equation in in_turn(model):
            if any(parameter.measured for parameter in model.parameters):
                if isinstance(equation, Circle):
                    evaluate(formulas, equation, declare)
                elif values_in(equation.formula) & unknown():
                    waiting.append(equation)
                else:
                    formulas.define(equation)
                declare()
    return {p.name: shapes[p.name] for p in model.parameters}


def _size(axis: ParameterAxis, sizes: Mapping[str, int], formulas: Formulas) -> int:
    if isinstance(axis, int):
        return axis
    if not isinstance(axis, str):
        return formulas.axis_size(axis)
    if axis not in sizes:
        raise ShapeError(f"the axis '{axis}' has no size", remedy="give it one under axes")
    return sizes[axis]


def scalar_value(formula: Node, names: Mapping[str, Array], arithmetic: Arithmetic = FIFTY_DIGITS) -> Array:
    """The value of a formula over named numbers or arrays: hyper-parameters, schedules, updates.

    Raises:
        SpecError: a name that is not among `names`.
    """
    formulas = Formulas((), {}, {}, arithmetic)
    for name, given in names.items():
        array = arithmetic.array(given)
        formulas.tensors[name] = TensorValue(array, array.ndim)
    with np.errstate(all="ignore"):
        return formulas.value(formula).array
