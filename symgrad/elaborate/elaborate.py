"""From a model to its primal program: shapes inferred, broadcasting spelled out, reductions named.

Formulas are evaluated into `Value`s: a scalar SymPy body over indices. A reduction always becomes an
equation of its own, so that every body stays free of bound indices.
"""

from __future__ import annotations

import math
from dataclasses import replace
from typing import TYPE_CHECKING

from symgrad.calculus.axes import Axis, show_axes
from symgrad.calculus.masks import Masks
from symgrad.calculus.program import Program, Tensor, check
from symgrad.calculus.terms import Entry, indices_in
from symgrad.elaborate.carried_tensors import CarriedTensors
from symgrad.elaborate.formulas import Evaluator
from symgrad.elaborate.indexing.index_letters import IndexLetters, with_letters
from symgrad.elaborate.layer_demands import check_demand
from symgrad.elaborate.operands import EquationBuilder, Value
from symgrad.errors import Position, ShapeError, SpecError, did_you_mean
from symgrad.spec.language.builtins import ALONG
from symgrad.spec.language.syntax import Call, Index, Name
from symgrad.spec.language.trees import calls, names_in, values_in, walk
from symgrad.spec.model import AxisSpec, EquationSpec, Model, NextValue, ParameterDecl, Spec
from symgrad.spec.reading.declarations import MAX_ENTRIES
from symgrad.spec.reads import asks_for_derivative, loss_learns_from, varied_after

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from symgrad.spec.language.syntax import Node


def elaborate(
    model: Model,
    evaluator: Callable[..., Evaluator] = Evaluator,
    stable: Callable[[Program], Program] = lambda program: program,
) -> Program:
    """The primal program of a model, its formulas evaluated by an evaluator of that kind.

    What formulas ask the derivative of is brought into `stable` form first.

    Raises:
        SpecError: an unknown name, or an operation the language does not have.
        ShapeError: tensors that do not fit together.
    """
    return _Elaborator(model, evaluator, stable).run()


class _Elaborator:
    def __init__(
        self, model: Model, evaluator: Callable[..., Evaluator], stable: Callable[[Program], Program]
    ) -> None:
        self.model, self.stable = model, stable
        spec = model.spec
        self.builder = EquationBuilder(_names_of(model), model.batch_axis, _said_by(model))
        self.sizes = dict(spec.axes)
        self.evaluator = evaluator(self.builder, {f.name: f for f in model.functions}, self.sizes)
        self.pending = list(model.parameters)
        self.demands = list(model.demands)
        self.varied = varied_after(model)
        formulas = [e.formula for e in model.equations] + ([model.loss] if model.loss is not None else [])
        self.letters = IndexLetters(formulas, {*self.sizes, *_tensors_of(model)})

    def run(self) -> Program:
        model = self.model
        for spec in model.spec.inputs:
            self._declare(Tensor(spec.name, self._axes(spec.axes), "input", spec.classes))
        for spec in model.spec.targets:
            self._declare(Tensor(spec.name, self._axes(spec.axes), "target", spec.classes, spec.ignore))
        for constant in model.spec.constants:
            axes = tuple(Axis(None, size) for size in constant.shape)
            self._declare(Tensor(constant.name, axes, "constant"))
        self._declare_parameters()
        carried = CarriedTensors(model, self.evaluator)
        modes = model.said_of_training
        for equation in model.equations:
            carried.declare_for(equation)
            self.builder.unwritten |= {equation.name} - {equation.shown}
            self._equation(equation)
            if equation.name in modes:
                self._check_modes(modes[equation.name], equation.name)
            self._declare_parameters()
        carried.check()
        self._check_all_declared()
        self._check_results()
        loss = self._scalar_loss(model.loss) if model.loss is not None else None
        evaluation = (
            self._scalar_loss(model.evaluation, "evaluation") if model.evaluation is not None else None
        )
        prediction = self._prediction()
        program = Program(
            tensors=self._ordered_tensors(),
            equations=tuple(self.builder.equations),
            outputs=model.outputs,
            loss=loss,
            prediction=prediction,
            next_values=model.next_values,
            evaluation=evaluation,
        )
        return check(with_letters(program, _indices_said(model.spec)))

    # Declarations ---------------------------------------------------------------------------

    def _declare(self, tensor: Tensor) -> None:
        axes = self.letters.along(tensor.name, tensor.axes)
        self.builder.tensors[tensor.name] = replace(tensor, axes=axes)
        self.evaluator.note_free_axes(tensor.axes)

    def _ordered_tensors(self) -> tuple[Tensor, ...]:
        """Parameters in the order of the spec, whenever their shapes became known."""
        rank = {p.name: n for n, p in enumerate(self.model.parameters)}
        tensors = self.builder.tensors.values()
        parameters = sorted((t for t in tensors if t.kind == "parameter"), key=lambda t: rank[t.name])
        return (*(t for t in tensors if t.kind != "parameter"), *parameters)

    def _axis(self, axis: AxisSpec) -> Axis:
        return Axis(None, axis) if isinstance(axis, int) else Axis(axis, self.sizes.get(axis))

    def _axes(self, axes: tuple[AxisSpec, ...]) -> tuple[Axis, ...]:
        return tuple(map(self._axis, axes))

    def _declare_parameters(self) -> None:
        """Declare the parameters whose shapes are known by now, if these are what their layers take."""
        waiting = []
        for parameter in self.pending:
            self._check_demands()
            if parameter.measured <= self.builder.tensors.keys():
                self._declare_parameter(parameter)
            else:
                waiting.append(parameter)
        self.pending = waiting
        self._check_demands()

    def _check_demands(self) -> None:
        """Hold what layers demand against the tensors known by now."""
        known = self.builder.tensors.keys()
        for demand in (demand for demand in self.demands if demand.measured <= known):
            check_demand(demand, self.evaluator)
        self.demands = [demand for demand in self.demands if not demand.measured <= known]

    def _declare_parameter(self, parameter: ParameterDecl) -> None:
        what = f"an axis of '{parameter.name}'"
        axes = tuple(
            self._axis(a) if isinstance(a, int | str) else self.evaluator.axis_of_formula(a, what)
            for a in parameter.axes
        )
        free = [axis.name for axis in axes if axis.is_free]
        if free:
            kind = "state" if parameter.name in self.model.states else "parameter"
            raise ShapeError(
                f"{kind} '{parameter.name}' needs fixed sizes, '{free[0]}' has none",
                at=parameter.at,
                remedy=f"give it a size: axes: {{{_of_data(axes)}: 4}}",
            )
        tensor = Tensor(parameter.name, axes, "parameter")
        _check_size(tensor, parameter.at)
        self._declare(tensor)

    def _check_all_declared(self) -> None:
        for parameter in self.pending:
            missing = sorted(parameter.measured - self.builder.tensors.keys())[0]
            remedy = did_you_mean(missing, self.builder.tensors) or "expected a tensor of this spec"
            raise SpecError(
                f"'{parameter.name}' takes a size of '{missing}', which is not defined",
                at=parameter.at,
                remedy=remedy,
            )

    # Equations ------------------------------------------------------------------------------

    def _stabilise_for(self, formula: Node) -> None:
        """Bring the equations so far into stable form, where a formula asks for derivatives of them."""
        tensors = self.builder.tensors
        is_whole = all(t.carried is None or t.carried.source in tensors for t in tensors.values())
        is_along = is_whole and any(call.function == ALONG for call in calls(formula))
        if is_along or asks_for_derivative(formula, self.evaluator.functions):
            builder = self.builder
            so_far = self.stable(Program(tuple(builder.tensors.values()), tuple(builder.equations), (), None))
            builder.equations[:] = so_far.equations
            builder.tensors |= so_far.tensor

    def _equation(self, equation: EquationSpec) -> None:
        self._stabilise_for(equation.formula)
        before = len(self.builder.tensors)
        if equation.each is not None:
            value = self.evaluator.at_each_step(equation, equation.each)
        elif equation.indices is None:
            value = self.evaluator.evaluate(equation.formula, equation.name)
        else:
            value = self.evaluator.in_index_notation(equation)
        self.builder.demand_numbers([value], "an equation", equation.formula.at)
        tensor = Tensor(equation.name, value.axes, "value")
        if equation.name in self.varied:  # what slopes are told by is another value than the one that varies
            formed = self.builder.temporary(equation.name, value)
            self.builder.define(tensor, formed.indices, formed.body)
        else:
            self._take_over_temporary(tensor, value)
        for tensor in list(self.builder.tensors.values())[before - 1 :]:
            _check_size(tensor, equation.formula.at)

    def _take_over_temporary(self, tensor: Tensor, value: Value) -> None:
        """Define a named tensor; a temporary that is just this value gives up its name instead."""
        last = self.builder.equations[-1] if self.builder.equations else None
        entry = value.body
        is_last = last is not None and isinstance(entry, Entry) and entry.tensor == last.target
        if (
            last is None
            or not (is_last and value.is_atomic)
            or self.builder.tensors[last.target].kind != "temporary"
            or self.builder.tensors[last.target].by
        ):
            self.builder.define(tensor, value.indices, value.body)
            return
        self.builder.equations.pop()
        del self.builder.tensors[last.target]
        self.builder.add(tensor, replace(last, target=tensor.name))

    # Results --------------------------------------------------------------------------------

    def _scalar_loss(self, loss: Node, name: str = "loss") -> str:
        self._stabilise_for(loss)
        value = self.evaluator.evaluate(loss, "loss")
        if value.axes:
            raise ShapeError(
                f"the loss must be one number, this is {show_axes(value.axes)}",
                at=loss.at,
                remedy="take the mean or the sum",
            )
        if not value.body.atoms(Entry):
            raise SpecError(
                "the loss is a constant", at=loss.at, remedy="it must depend on an input or a parameter"
            )
        self.builder.demand_numbers([value], "the loss", loss.at)
        if name == "loss":
            self._check_learns(loss)
        name = self._unused(name)
        self._take_over_temporary(Tensor(name, (), "value"), value)
        return name

    def _prediction(self) -> tuple[str, ...]:
        if self.model.prediction is None:
            return self.model.outputs
        value = self.evaluator.evaluate(self.model.prediction, "prediction")
        if value.is_atomic and not indices_in(value.body) - set(value.indices):
            return (value.body.tensor,)
        name = self._unused("prediction")
        self.builder.define(Tensor(name, value.axes, "value"), value.indices, value.body)
        return (name,)

    def _unused(self, name: str) -> str:
        return name if name not in self.builder.tensors else self.builder.unused(name)

    def _check_results(self) -> None:
        """Outputs and gradients name tensors; gradients need a loss, and numbers to vary."""
        spec = self.model.spec
        for name in spec.outputs:
            self._check_defined(name, spec.place_of("outputs", name))
        for name in self.model.outputs:
            self._check_shown(name)
        for found in self.model.next_values:
            self._check_next(found)
        for name in spec.gradients:
            at = spec.place_of("gradients", name)
            self._check_defined(name, at)
            if self.model.loss is None:
                raise SpecError(f"the gradient of '{name}' needs a loss", at=at, remedy="add loss: ...")
            if name in self.model.states:
                problem = f"'{name}' is a state, which no derivative passes through"
                raise SpecError(problem, at=at, remedy="leave it out, or make it a parameter")
            if self.builder.tensors[name].kind == "parameter":
                raise SpecError(
                    f"'{name}' is a parameter, its gradient is always there",
                    at=at,
                    remedy="leave it out; loss_and_grad gives it",
                )
            if self.builder.tensors[name].kind == "constant":
                raise SpecError(f"'{name}' is a constant, nothing varies it", at=at, remedy="leave it out")
            if self.builder.tensors[name].is_integer:
                raise SpecError(
                    f"'{name}' holds integer labels, no loss has a gradient with respect to them",
                    at=at,
                    remedy="leave it out",
                )

    def _check_next(self, found: NextValue) -> None:
        """Refuse a next value of another shape than its state."""
        state, value = (self.builder.tensors[name] for name in (found.state, found.equation))
        if [axis.extent for axis in state.axes] != [axis.extent for axis in value.axes]:
            equation = next(e for e in self.model.equations if e.name == found.equation)
            problem = f"the next value of '{state.name}' is {show_axes(value.axes)}"
            remedy = f"expected {show_axes(state.axes)}, as the state's axes say"
            raise ShapeError(problem, at=equation.formula.at, remedy=remedy)

    def _check_modes(self, name: str, in_training: str) -> None:
        """Refuse a choice between tensors of two shapes."""
        here, there = (self.builder.tensors[n].axes for n in (name, in_training))
        if [axis.extent for axis in here] != [axis.extent for axis in there]:
            equation = next(e for e in self.model.equations if e.name == name)
            problem = f"'{name}' is {show_axes(there)} in training and {show_axes(here)} in inference"
            raise ShapeError(problem, at=equation.formula.at, remedy="choose between two of one shape")

    def _check_shown(self, name: str) -> None:
        """Refuse an output of which a mask has hidden a part: -inf is no number to hand over, or to judge."""
        tensor = self.builder.tensors[name]
        body = self.builder.tensor_value(tensor).body
        if self.builder.hides and Masks({e.target: e for e in self.builder.equations}).choice(body):
            equation = next(e for e in self.model.equations if e.name == name)
            raise SpecError(
                f"the output '{name}' holds -inf",
                at=equation.at,
                remedy=f"write outputs: [...] of what is made of it, such as softmax({name})",
            )

    def _check_learns(self, loss: Node) -> None:
        """Refuse a loss of no parameter, where there are some and no other gradient is asked for."""
        model = self.model
        if model.spec.gradients or not model.parameters:
            return
        trained = {parameter.name for parameter in model.parameters} - {*model.states}
        if not loss_learns_from(model) & trained:
            remedy = "write a loss of what the parameters compute, such as mse(y, t)"
            raise SpecError("the loss depends on no parameter", at=loss.at, remedy=remedy)

    def _check_defined(self, name: str, at: Position) -> None:
        known = [t.name for t in self.builder.tensors.values() if t.kind != "temporary"]
        if name not in known:
            remedy = did_you_mean(name, known) or "name an equation, an input or a parameter"
            raise SpecError(f"'{name}' is not defined", at=at, remedy=remedy)


def _check_size(tensor: Tensor, at: Position) -> None:
    entries = math.prod(axis.size or 1 for axis in tensor.axes)
    if entries > MAX_ENTRIES:
        raise ShapeError(
            f"'{tensor.name}' {show_axes(tensor.axes)} has {entries:,} entries, more than memory holds",
            at=at,
            remedy=f"expected at most {MAX_ENTRIES:,}",
        )


def _of_data(axes: tuple[Axis, ...]) -> str:
    """The name of the first axis whose size the data decides."""
    free = next(axis for axis in axes if axis.is_free)
    return min(free.form.free) if free.form is not None else str(free.name)


def _said_by(model: Model) -> dict[str, str]:
    """Tensors that a spec says the names of, with these."""
    spec = model.spec
    tensors = [t.name for t in (*spec.inputs, *spec.targets)] + [e.name for e in spec.equations]
    others = [
        *(c.name for c in spec.constants),
        *(p.name for p in spec.parameters),
        *(m.name for m in spec.state),
    ]
    read = (values_in(formula) for formula in (*(e.formula for e in spec.equations), spec.loss) if formula)
    said = {*tensors, *others}.union(*read)
    return {name: name for name in said} | {other: name for name, other in model.in_training if name in said}


def _indices_said(spec: Spec) -> set[str]:
    """The names of indices, and others, that the equations of a spec say."""
    found = set[str]().union(*(names_in(equation.formula) for equation in spec.equations))
    return found.union(*(equation.index_names for equation in spec.equations))


def _tensors_of(model: Model) -> Iterator[str]:
    """The names of all tensors that a model declares or defines."""
    spec = model.spec
    for declared in (spec.inputs, spec.targets, spec.constants, model.parameters, model.equations):
        yield from (tensor.name for tensor in declared)


def _names_of(model: Model) -> Iterator[str]:
    """All names that a model says, those of indices and of what it never defines too."""
    yield from (p.name for p in model.parameters)
    for equation in model.equations:
        yield from (equation.name, *equation.index_names)
    formulas = [*(e.formula for e in model.equations), *(f.formula for f in model.functions), model.loss]
    for node in (node for formula in formulas if formula is not None for node in walk(formula)):
        match node:
            case Name(name) | Index(name):
                yield name
            case Call(keywords=keywords):
                yield from (name for name, _ in keywords)
