"""What equations mean that read themselves a step before: they are evaluated at one step after another."""

from __future__ import annotations

import operator
from dataclasses import dataclass, replace
from fractions import Fraction
from typing import TYPE_CHECKING

from symgrad.cycles import groups
from symgrad.errors import ShapeError, SpecError
from symgrad.spec.language.syntax import Index, Name, Node, Number
from symgrad.spec.language.trees import replaced, walk
from symgrad.spec.model import CarriedSpec, EquationSpec
from symgrad.spec.reads import sources, written_around
from symgrad.verifier.interpretation.formula_scope import OUTERMOST
from symgrad.verifier.interpretation.tensors import TensorValue

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from symgrad.spec.model import EachStep, Model
    from symgrad.verifier.interpretation.array_library import Array
    from symgrad.verifier.interpretation.meaning import Formulas


@dataclass(frozen=True)
class Circle:
    """Equations that need each other at steps before, in the order of one step, and what is carried.

    `written` are those of each step as they stand in the spec.
    """

    equations: tuple[EquationSpec, ...]
    carried: tuple[CarriedSpec, ...]
    written: tuple[EquationSpec, ...] = ()


def in_turn(model: Model) -> Iterator[EquationSpec | Circle]:
    """The equations of a model, those around a circle together, each behind all that it reads."""
    if not model.carried:
        yield from model.equations
        return
    equations = {equation.name: equation for equation in model.equations}
    carried = {c.name: c for c in model.carried}
    for group in groups(sources(model)):
        own = tuple(carried[name] for name in group if name in carried)
        members = tuple(equations[name] for name in group if name in equations)
        if own:
            yield Circle(members, own, written_around(model, [group], group[0]))
        else:
            yield from members


def evaluate(formulas: Formulas, circle: Circle, declare: Callable[[], None] = lambda: None) -> None:
    """Give values to the equations of a circle, and to what is carried between their steps.

    `declare` is asked, behind each equation of the first step, for what follows from its size.

    Raises:
        SpecError, ShapeError: it is none that goes on step by step.
    """
    _Steps(formulas, circle, declare).run()


class _Steps:
    def __init__(self, formulas: Formulas, circle: Circle, declare: Callable[[], None]) -> None:
        self.formulas, self.circle, self.declare = formulas, circle, declare
        self.along = {c.name: c.start.along for c in circle.carried}
        self.along |= {e.name: e.each.along for e in circle.equations if e.each is not None}
        self.step = {e.name: self._step_of(e) for e in circle.equations}
        self.begun = {c.name: formulas.formula(c.start.formula) for c in circle.carried if c.start.whole}
        self.shapes = self._shapes()
        self.made: dict[str, list[Array]] = {name: [] for name in self.along}
        first = circle.carried[0]
        self.count = self.shapes[first.name][first.start.along]
        self.back = first.back

    def run(self) -> None:
        """Evaluate step by step; then let every name stand for all of its steps."""
        starts = {c.name: self._start(c) for c in self.circle.carried}
        formulas = {e.name: self._at_one_step(e) for e in self.circle.equations}
        for step in range(self.count)[:: -1 if self.back else 1]:
            for carried in self.circle.carried:
                given = self._before(carried, step) or [starts[carried.name]]
                self.made[carried.name].append(given[-1])
            for carried in self.circle.carried:
                self._let(carried.name, self.made[carried.name][-1])
            for equation in self.circle.equations:
                value = self._value(equation, formulas[equation.name], step)
                self.made[equation.name].append(value)
                self._let(equation.name, value)
                along, shape = self.along[equation.name], tuple(value.shape)
                self.shapes[equation.name] = (*shape[:along], self.count, *shape[along + 1 :])
                self.declare()
        for name, arrays in self.made.items():
            whole = self.formulas.arithmetic.library.concatenate(
                arrays[:: -1 if self.back else 1], self.along[name]
            )
            self._let(name, whole)

    def _let(self, name: str, array: Array) -> None:
        array = self.formulas.arithmetic.array(array)
        self.formulas.tensors[name] = TensorValue(array, array.ndim)

    def _before(self, carried: CarriedSpec, step: int) -> list[Array]:
        """What its source was at all steps before this one."""
        if carried.source in self.made:
            before = self.made[carried.source]
            is_ahead = len(before) > len(self.made[carried.name])
            return before[:-1] if is_ahead else before
        whole, place = self.formulas.tensors[carried.source].array, step + (1 if self.back else -1)
        return [self._of_step(whole, carried.name, place)] if 0 <= place < self.count else []

    def _of_step(self, whole: Array, name: str, step: int) -> Array:
        return whole[(slice(None),) * self.along[name] + (slice(step, step + 1),)]

    # Equations --------------------------------------------------------------------------------

    def _step_of(self, equation: EquationSpec) -> str:
        """The index that counts the steps of an equation."""
        if equation.each is not None:
            return equation.each.index
        read = (n for n in walk(equation.formula) if isinstance(n, Index) and n.tensor in self.along)
        places = {n.indices[self.along[n.tensor]] for n in read}
        names = {place.id for place in places if isinstance(place, Name)}
        if len(names) != 1 or len(places) != sum(isinstance(p, Name) for p in places):
            problem = f"'{equation.name}' reads more than one step of what is made of it"
            raise SpecError(problem, at=equation.at, remedy="read the step before, h[n,t-1,j]")
        (name,) = names
        if name not in (equation.indices or ()):
            raise SpecError(f"'{equation.name}' lacks the steps '{name}'", at=equation.at)
        self.along[equation.name] = (equation.indices or ()).index(name)
        return name

    def _shapes(self) -> dict[str, tuple[int, ...]]:
        """The shapes of all that the circle makes, each read off what is known."""
        found: dict[str, tuple[int, ...]] = {}
        problem: ShapeError | None = None
        for _ in range(len(self.along) + 1):
            for equation in (e for e in self.circle.equations if e.name not in found):
                try:
                    shape = self._shape(self._known(equation, found), found)
                except ShapeError as error:
                    problem = error
                    continue
                found |= {equation.name: shape} if shape is not None else {}
            for carried in self.circle.carried:
                source = self.formulas.tensors.get(carried.source)
                outside = () if source is None else tuple(source.array.shape)
                if known := found.get(carried.source, outside):
                    found[carried.name] = known
        if problem is not None and not found.keys() >= {c.name for c in self.circle.carried}:
            raise problem
        return found

    def _shape(self, equation: EquationSpec, known: Mapping[str, tuple[int, ...]]) -> tuple[int, ...] | None:
        """The shape of an equation; of one that gives all of each step, if its start or left side says it.

        Raises:
            ShapeError: it is not known.
        """
        each = equation.each
        if each is None:
            sizes = self.formulas.sizes_on_the_left(equation, known)
            return tuple(sizes[name] for name in equation.indices or ())
        begun = next((self.begun.get(c.name) for c in self.circle.carried if c.source == equation.name), None)
        if begun is None:
            return None
        count = self._number_of_steps(known)
        others = self.formulas.said_sizes(each) or tuple(begun.array.shape)
        return (*others[: each.along], count, *others[each.along :])

    def _number_of_steps(self, known: Mapping[str, tuple[int, ...]]) -> int:
        """How many steps there are, as one of the equations that give all of each can tell.

        Raises:
            ShapeError: none can.
        """
        problem = ShapeError("nothing says how many steps there are")
        for equation in self.circle.written:
            if equation.each is not None:
                try:
                    return self.formulas.number_of_steps(self._known(equation, known), equation.each, known)
                except ShapeError as error:
                    problem = error
        raise problem

    def _known(self, equation: EquationSpec, shapes: Mapping[str, tuple[int, ...]]) -> EquationSpec:
        """The equation without what has no known shape yet."""

        def change(node: Node) -> Node | None:
            is_unknown = isinstance(node, Index) and node.tensor in self.along and node.tensor not in shapes
            return Number(Fraction(1), node.at) if is_unknown else None

        return replace(equation, formula=replaced(equation.formula, change))

    def _at_one_step(self, equation: EquationSpec) -> EquationSpec:
        """The equation as it reads what the circle makes at one step: the only one that there is then."""

        def change(node: Node) -> Node | None:
            if not isinstance(node, Index) or node.tensor not in self.along:
                return None
            along = self.along[node.tensor]
            inside = tuple(replaced(place, change) for place in node.indices)
            zero = Number(Fraction(0), node.at)
            return replace(node, indices=(*inside[:along], zero, *inside[along + 1 :]))

        return replace(equation, formula=replaced(equation.formula, change))

    def _value(self, equation: EquationSpec, at_step: EquationSpec, step: int) -> Array:
        """What an equation defines at a step, with an axis of size 1 there."""
        formulas, names = self.formulas, equation.indices or ()
        if equation.each is not None:
            return self._shifted(equation, self._whole_step(at_step, equation.each, step), step)
        shape = self.shapes.get(equation.name) or self._shape(equation, self.shapes) or ()
        sizes = dict(zip(names, shape, strict=True))
        scope = OUTERMOST.with_indices(names, sizes).at_step(self.step[equation.name], step)
        entry = formulas.value(formulas.sized(at_step.formula, self.shapes), scope)
        shape = tuple(1 if name == self.step[equation.name] else sizes[name] for name in names)
        if entry.rank:
            problem = f"each entry of '{equation.name}' must be one number"
            raise ShapeError(problem, at=equation.at, remedy="index every tensor: X[n,d]")
        return self._shifted(equation, formulas.arithmetic.library.broadcast_to(entry.array, shape), step)

    def _whole_step(self, at_step: EquationSpec, each: EachStep, step: int) -> Array:
        """All that an equation gives of a step, with an axis of size 1 there."""
        formulas = self.formulas
        scope = OUTERMOST.with_indices((each.index,), {each.index: self.count}).at_step(each.index, step)
        formula = formulas.of_one_step(formulas.sized(at_step.formula, self.shapes))
        value = formulas.value(formula, scope).array
        order = (*range(1, each.along + 1), 0, *range(each.along + 1, value.ndim))
        return formulas.arithmetic.library.permute(value, order)

    def _shifted(self, equation: EquationSpec, value: Array, step: int) -> Array:
        """What an equation gives of a step, with what is added to it there."""
        formulas = self.formulas
        shift = formulas.shifts.get(equation.name)
        if shift is None:
            return value
        moved = formulas.arithmetic.array(self._of_step(shift, equation.name, step))
        return formulas.arithmetic.array(operator.add(value, moved))

    def _start(self, carried: CarriedSpec) -> Array:
        """What is carried to the first step, with an axis of size 1 there."""
        start, shape = carried.start, self.shapes[carried.name]
        if start.whole:
            step = (*shape[: start.along], *shape[start.along + 1 :])
            begun = self.formulas.arithmetic.library.broadcast_to(self.begun[carried.name].array, step)
            return begun.reshape((*shape[: start.along], 1, *shape[start.along + 1 :]))
        names = tuple(name for name in start.indices if name is not None)
        others = tuple(size for number, size in enumerate(shape) if number != start.along)
        equation = EquationSpec(start.name, names, start.formula, start.at)
        value = self.formulas.equation(equation, dict(zip(names, others, strict=True)))
        return value.array.reshape((*others[: start.along], 1, *others[start.along :]))
