"""What recurrences carry from step to step: its axes, before the equations that make it, and its starts."""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING

from symgrad.calculus.axes import show_axes
from symgrad.calculus.program import Carried, Tensor
from symgrad.calculus.terms import Entry
from symgrad.cycles import groups
from symgrad.elaborate.operands import Value
from symgrad.errors import ShapeError, SpecError
from symgrad.spec.language.syntax import Number
from symgrad.spec.language.trees import values_in
from symgrad.spec.language.unparse import unparse
from symgrad.spec.model import ITS_END, EquationSpec
from symgrad.spec.reads import sources, written_around

if TYPE_CHECKING:
    from collections.abc import Mapping

    from symgrad.calculus.axes import Axes, Axis
    from symgrad.elaborate.formulas import Evaluator
    from symgrad.spec.model import CarriedSpec, EachStep, Model, StartSpec


class CarriedTensors:
    """Declares what is carried from step to step, as soon as an equation reads it."""

    def __init__(self, model: Model, evaluator: Evaluator) -> None:
        self.evaluator, self.builder = evaluator, evaluator.builder
        self.waiting = {carried.name: carried for carried in model.carried}
        self.starts = {c.source: c.start for c in model.carried if c.start.whole and c.start.steps == 1}
        self.equations = model.equations
        self.model, self.circles = model, groups(sources(model)) if model.carried else []
        self.begun: dict[StartSpec, Value] = {}
        """The values of starts that give all of a step."""

    def declare_for(self, equation: EquationSpec) -> None:
        """Declare what an equation reads of steps before, with all that this is carried from.

        Raises:
            SpecError, ShapeError: its axes are not known, or a start does not fit it.
        """
        wanted = values_in(equation.formula) & self.waiting.keys()
        while more := {self.waiting[name].source for name in wanted} & self.waiting.keys() - wanted:
            wanted |= more
        if wanted:
            axes = self._axes(equation, wanted)
            for name in [name for name in self.waiting if name in wanted]:
                self._declare(self.waiting.pop(name), axes[name])

    def check(self) -> None:
        """Hold the axes that tensors were given beforehand against those that their equations have.

        Raises:
            ShapeError: they differ.
        """
        tensors = self.builder.tensors
        for tensor in [t for t in tensors.values() if t.carried is not None]:
            carried = tensor.carried
            if carried is None:
                continue
            made = tensors[carried.source]
            fits = len(made.axes) == len(tensor.axes)
            if not fits or not all(a.fits(b) for a, b in zip(made.axes, tensor.axes, strict=False)):
                raise self._misfit(made, tensor)

    def _misfit(self, made: Tensor, tensor: Tensor) -> ShapeError:
        equation = self._equation(made.name)
        if equation.solving is not None:
            return self._unlike_its_start(equation, made, tensor)
        ranged = ", ".join(f"{i}:{axis}" for i, axis in zip(equation.index_names, made.axes, strict=False))
        return ShapeError(
            f"'{made.name}' is {show_axes(made.axes)}, but {show_axes(tensor.axes)} a step before",
            at=equation.at,
            remedy=f"give its indices ranges: {made.name}[{ranged}]"
            if equation.each is None
            else "every step gives as many numbers as the start does",
        )

    def _unlike_its_start(self, equation: EquationSpec, made: Tensor, tensor: Tensor) -> ShapeError:
        """What is solved for has other axes than it starts with; the axis of its steps nobody wrote."""
        along = equation.each.along if equation.each is not None else 0
        axes, begun = ((*a[:along], *a[along + 1 :]) for a in (made.axes, tensor.axes))
        start = self.starts.get(equation.name)
        sizes = ", ".join(":" if axis.name == self.builder.rows else f":{axis}" for axis in axes)
        say = (
            f'say its sizes on the left, "{equation.shown}[{sizes}]", and ' if len(begun) < len(axes) else ""
        )
        return ShapeError(
            f"'{equation.shown}' is {show_axes(axes)}, but {show_axes(begun)} where it starts",
            at=equation.at if start is None else start.formula.at,
            remedy=f"{say}start with a number or with what is {show_axes(axes)}",
        )

    def _equation(self, name: str) -> EquationSpec:
        return next(e for e in self.equations if e.name == name)

    def _axes(self, first: EquationSpec, wanted: set[str]) -> Mapping[str, Axes]:
        """The axes of what is wanted: those of the equations that make it, each read off what is known."""
        tensors = dict(self.builder.tensors)
        number = self.equations.index(first)
        pending = [e for e in self.equations[number:] if e.index_names]
        problem: SpecError | None = None
        while not wanted <= tensors.keys():
            known = len(tensors)
            for equation in [e for e in pending if e.name not in tensors]:
                try:
                    axes = self._axes_of(equation, tensors)
                except SpecError as error:
                    if any(self.waiting[name].source == equation.name for name in wanted - tensors.keys()):
                        problem = error
                    continue
                tensors[equation.name] = Tensor(equation.name, axes, "value")
            for carried in self.waiting.values():
                if carried.source in tensors and carried.name not in tensors:
                    tensors[carried.name] = Tensor(carried.name, tensors[carried.source].axes, "carried")
            if len(tensors) == known:
                raise problem or SpecError("a recurrence needs known axes", at=first.at, remedy="give ranges")
        return {name: tensors[name].axes for name in wanted}

    def _axes_of(self, equation: EquationSpec, tensors: Mapping[str, Tensor]) -> Axes:
        """The axes of an equation before it is evaluated; of each step, those of what it starts with.

        Raises:
            SpecError, ShapeError: they are not known.
        """
        if equation.each is None:
            return self.evaluator.axes_on_the_left(equation, tensors)
        steps = self._steps(equation, equation.each, tensors)
        along, start = equation.each.along, self.starts.get(equation.name)
        others = self._said_axes(equation.each) or (self._begun(start).axes if start is not None else ())
        if not others:
            what = "a step" if equation.solving is None else "it"
            problem = f"'{equation.shown}' starts with a number, so nothing says how large {what} is"
            remedy = f'say all sizes on the left, as in "{self._with_sizes(equation, equation.each)}"'
            raise ShapeError(problem, at=equation.at, remedy=remedy)
        return (*others[:along], steps, *others[along:])

    def _with_sizes(self, equation: EquationSpec, each: EachStep) -> str:
        """A left side of whole axes that says the sizes of all, but of rows: those not known are 8."""
        sizes = list(each.sizes) if len(each.sizes) > each.along + 1 else [*each.sizes, None]
        places = [":8" if size is None else f":{unparse(size)}" for size in sizes]
        if self.builder.rows and each.along:
            places[0] = ":"
        places[each.along : each.along + 1] = [each.index] if equation.solving is None else []
        return f"{equation.shown}[{', '.join(places)}]"

    def _steps(self, equation: EquationSpec, each: EachStep, tensors: Mapping[str, Tensor]) -> Axis:
        """The axis of steps, one for all that go around a circle: of the first of them that knows it."""
        for member in written_around(self.model, self.circles, equation.name):
            with suppress(ShapeError):
                return self.evaluator.axis_of_steps(member, member.each or each, tensors)
        return self.evaluator.axis_of_steps(equation, each, tensors)

    def _said_axes(self, each: EachStep) -> Axes:
        """The axes of one step, if the left side says all of them."""
        said = [
            None if size is None else self.evaluator.axis_of_size(each.index, size)
            for number, size in enumerate(each.sizes)
            if number != each.along
        ]
        return () if None in said else tuple(axis for axis in said if axis is not None)

    def _begun(self, start: StartSpec) -> Value:
        """What a start gives of a whole step, evaluated once."""
        if start not in self.begun:
            self.begun[start] = self.evaluator.evaluate(start.formula, f"{start.name}_start")
        return self.begun[start]

    def _declare(self, carried: CarriedSpec, axes: Axes) -> None:
        start = carried.start
        axis = axes[start.along]
        if axis.name == self.builder.rows != "":
            problem = f"'{start.name}' goes on from row to row of '{axis}', which are taken in batches"
            remedy = f"give the steps a size, axes: {{{axis}: 20}}, or the data an axis of samples first"
            raise ShapeError(problem, at=start.at, remedy=remedy)
        if start.end not in ("", ITS_END, axis.name, str(axis.size)):
            size = self.evaluator.sizes.get(start.end)
            if size is None or size != axis.size:
                problem = f"'{start.name}' has {axis} steps, this start is behind {start.end}"
                raise ShapeError(problem, at=start.at, remedy=f"expected {axis} there")
        others = tuple(axis for number, axis in enumerate(axes) if number != start.along)
        given = Carried(carried.source, start.along, carried.back, self._start(carried, others))
        self.builder.tensors[carried.name] = Tensor(carried.name, axes, "carried", carried=given)

    def _start(self, carried: CarriedSpec, axes: Axes) -> str:
        """The tensor that a recurrence starts with; none where that is 0."""
        start = carried.start
        if isinstance(start.formula, Number) and not start.formula.value:
            return ""
        name = self.builder.fresh(f"{carried.source}_start")
        value = self._begun(start) if start.whole else self._by_indices(carried, name, axes)
        if start.whole and len(value.axes) < len(axes):  # all rows start alike
            more = axes[: len(axes) - len(value.axes)]
            indices = (*map(self.builder.index, more), *value.indices)
            value = Value((*more, *value.axes), indices, value.body)
        if len(value.axes) != len(axes) or not all(a.fits(b) for a, b in zip(value.axes, axes, strict=True)):
            name = self._equation(carried.start.name).shown
            problem = f"the start of '{name}' is {show_axes(value.axes)}, it needs {show_axes(axes)}"
            raise ShapeError(problem, at=start.at, remedy="index it by what it has axes of")
        self.builder.demand_numbers([value], "a start", start.at)
        if value.is_atomic and isinstance(value.body, Entry):
            return str(value.body.tensor)
        self.builder.define(Tensor(name, value.axes, "value"), value.indices, value.body)
        return name

    def _by_indices(self, carried: CarriedSpec, name: str, axes: Axes) -> Value:
        start, of = carried.start, self._equation(carried.start.name).shown
        names = tuple(index for index in start.indices if index is not None)
        equation = EquationSpec(name, names, start.formula, start.at, solving=(of, ""))
        return self.evaluator.in_index_notation(equation, dict(zip(names, axes, strict=True)))
