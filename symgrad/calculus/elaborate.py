"""From a model to its primal program: shapes inferred, broadcasting spelled out, reductions named.

Formulas are evaluated into `Value`s: a scalar SymPy body over indices. A reduction always becomes an
equation of its own, so that every body stays free of bound indices.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import sympy as sp

from symgrad.calculus.evaluate import Evaluator
from symgrad.calculus.program import Axis, Program, Tensor, check, show_axes
from symgrad.calculus.terms import indices_in
from symgrad.calculus.values import Builder, Value
from symgrad.errors import ShapeError, SpecError
from symgrad.spec.model import AxisSpec, EquationSpec, LastAxis, Model, ParameterDecl

if TYPE_CHECKING:
    from symgrad.spec.syntax import Node


def elaborate(model: Model) -> Program:
    """The primal program of a model.

    Raises:
        SpecError: an unknown name, or an operation the language does not have.
        ShapeError: tensors that do not fit together.
    """
    return _Elaborator(model).run()


class _Elaborator:
    def __init__(self, model: Model) -> None:
        self.model = model
        self.builder = Builder()
        self.sizes = dict(model.spec.axes)
        self.evaluator = Evaluator(self.builder, {f.name: f for f in model.functions}, self.sizes)
        self.pending = list(model.parameters)

    def run(self) -> Program:
        model = self.model
        for spec in model.spec.inputs:
            self._declare(Tensor(spec.name, self._axes(spec.axes), "input", spec.classes))
        for spec in model.spec.targets:
            self._declare(Tensor(spec.name, self._axes(spec.axes), "target", spec.classes))
        self._declare_parameters()
        for equation in model.equations:
            self._equation(equation)
            self._declare_parameters()
        loss = self._scalar_loss(model.loss) if model.loss is not None else None
        prediction = self._prediction()
        self._check_names()
        return check(
            Program(
                tensors=self._ordered_tensors(),
                equations=tuple(self.builder.equations),
                outputs=model.outputs,
                loss=loss,
                prediction=prediction,
            )
        )

    def _declare(self, tensor: Tensor) -> None:
        self.builder.tensors[tensor.name] = tensor
        self.evaluator.note_free_axes(tensor.axes)

    def _ordered_tensors(self) -> tuple[Tensor, ...]:
        """Parameters in the order of the spec, whenever their shapes became known."""
        rank = {p.name: n for n, p in enumerate(self.model.parameters)}
        tensors = self.builder.tensors.values()
        parameters = sorted((t for t in tensors if t.kind == "parameter"), key=lambda t: rank[t.name])
        return (*(t for t in tensors if t.kind != "parameter"), *parameters)

    def _axis(self, axis: AxisSpec | LastAxis) -> Axis:
        if isinstance(axis, LastAxis):
            return self.builder.tensors[axis.tensor].axes[-1]
        if isinstance(axis, int):
            return Axis(None, axis)
        return Axis(axis, self.sizes.get(axis))

    def _axes(self, axes: tuple[AxisSpec | LastAxis, ...]) -> tuple[Axis, ...]:
        return tuple(self._axis(a) for a in axes)

    def _declare_parameters(self) -> None:
        """Declare the parameters whose shapes are known by now."""
        waiting = []
        for parameter in self.pending:
            if all(a.tensor in self.builder.tensors for a in parameter.axes if isinstance(a, LastAxis)):
                self._declare_parameter(parameter)
            else:
                waiting.append(parameter)
        self.pending = waiting

    def _declare_parameter(self, parameter: ParameterDecl) -> None:
        for axis in parameter.axes:
            if isinstance(axis, LastAxis) and not self.builder.tensors[axis.tensor].axes:
                raise ShapeError(
                    f"a layer needs an input with at least one axis, '{axis.tensor}' is a scalar",
                    at=parameter.at,
                )
        axes = self._axes(parameter.axes)
        free = [axis.name for axis in axes if axis.size is None]
        if free:
            raise ShapeError(
                f"parameter '{parameter.name}' needs fixed sizes, '{free[0]}' has none",
                at=parameter.at,
                remedy=f"give it a size: axes: {{{free[0]}: 4}}",
            )
        self._declare(Tensor(parameter.name, axes, "parameter"))

    def _equation(self, equation: EquationSpec) -> None:
        if equation.indices is None:
            value = self.evaluator.evaluate(equation.formula, equation.name)
        else:
            value = self.evaluator.in_index_notation(equation)
        tensor = Tensor(equation.name, value.axes, "value")
        self._take_over_temporary(tensor, value)

    def _take_over_temporary(self, tensor: Tensor, value: Value) -> None:
        """Define a named tensor; a temporary that is just this value gives up its name instead."""
        last = self.builder.equations[-1] if self.builder.equations else None
        entry = value.body
        is_last = last is not None and getattr(entry, "tensor", None) == last.target
        if is_last and value.is_atomic and self.builder.tensors[last.target].kind == "temporary":
            self.builder.equations.pop()
            del self.builder.tensors[last.target]
            loops = tuple(last.loops)
            renamed = {loop.index: self.builder.index(loop.axis) for loop in loops}
            place = [renamed[p] for p in last.place]
            over = [renamed[loop.index] for loop in last.bound]
            self.builder.define(tensor, place, last.body.xreplace(renamed), last.reduction, over)
            return
        self.builder.define(tensor, value.indices, value.body)

    def _scalar_loss(self, loss: Node) -> str:
        value = self.evaluator.evaluate(loss, "loss")
        if value.axes:
            raise ShapeError(
                f"the loss must be one number, this is {show_axes(value.axes)}",
                at=loss.at,
                remedy="take the mean or the sum",
            )
        if isinstance(value.body, sp.Symbol | sp.Number):
            raise SpecError("the loss does not depend on anything", at=loss.at)
        name = "loss" if "loss" not in self.builder.tensors else self.builder.unused("loss")
        self._take_over_temporary(Tensor(name, (), "value"), value)
        return name

    def _prediction(self) -> tuple[str, ...]:
        if self.model.prediction is None:
            return self.model.outputs
        value = self.evaluator.evaluate(self.model.prediction, "prediction")
        if value.is_atomic and not indices_in(value.body) - set(value.indices):
            return (value.body.tensor,)
        self.builder.define(Tensor("prediction", value.axes, "value"), value.indices, value.body)
        return ("prediction",)

    def _check_names(self) -> None:
        known = self.builder.tensors
        for name in (*self.model.outputs, *self.model.spec.gradients):
            if name not in known:
                raise SpecError(
                    f"'{name}' is not defined", at=self.model.spec.at, remedy="name an equation or an input"
                )
