"""One step of time of a network whose recurrences run forward: what it predicts there, and carries on.

Every tensor that has steps lacks that axis, and what recurrences carry is given. So h[n,t,i], made of
h_before[n,t,j] and x[n,t,d], is h[n,i] of h_before[n,j] and x[n,d].
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, TypeAlias, TypeVar

import sympy as sp

from symgrad.calculus.editing import ProgramEditor
from symgrad.calculus.masks import Hiding
from symgrad.calculus.program import Carried, Equation, Loop, Program, Tensor
from symgrad.calculus.terms import Entry, entries, index_symbol

if TYPE_CHECKING:
    from collections.abc import Mapping

    from symgrad.calculus.axes import Axis

T = TypeVar("T")
Places: TypeAlias = dict[str, int]
"""Which axis counts steps, by the names of tensors."""

_NO_LOSS: Mapping[str, Any] = {"loss": None, "gradients": (), "next_values": (), "evaluation": None}


@dataclass(frozen=True)
class OneStep:
    """The program of a step, and which axis of inputs and predictions counts steps, where one does.

    Its inputs are those that a prediction is made of, then what is `carried`, by the names of its sources.
    It gives what is predicted, of networks that look at their last step what they would if this was it; what
    is carried to the next step; and what is carried to the first one, which no step decides.
    """

    program: Program
    places: Mapping[str, int]
    carried: Mapping[str, str]

    @property
    def predicts_steps(self) -> bool:
        """Whether something is predicted at every step, and not of the last one alone."""
        return any(name in self.places for name in self.program.outputs)


class _ManyStepsError(Exception):
    """A network that knows of several steps at once, or of the number of a step, or of whose rows no input
    of a step tells how many there are; or of whose steps neither inputs nor predictions do.
    """


def one_step(program: Program) -> OneStep | None:
    """One step of what a program predicts; None where that is no network that goes on step by step."""
    predicting = program.giving(program.prediction)
    if not predicting.carried or predicting.draws:
        return None
    try:
        return _Step(replace(predicting, prediction=program.prediction)).run()
    except _ManyStepsError:
        return None


class _Step:
    def __init__(self, program: Program) -> None:
        self.program, self.editor = program, ProgramEditor(program)
        self.axis = _common_axis(program)
        self.places = _places(program)
        self.ended: set[str] = set()

    def run(self) -> OneStep:
        """The step.

        Raises:
            _ManyStepsError: it is more than one.
        """
        program, editor, carried = self.program, self.editor, self.program.carried
        hiding = Hiding(program)
        for name, place in self.places.items():
            tensor = program.tensor[name]
            if tensor.kind in ("parameter", "constant") or not tensor.axes[place].fits(self.axis):
                raise _ManyStepsError
            changed = replace(tensor, axes=_but(tensor.axes, place))
            if name in carried:
                changed = replace(changed, kind="input", carried=None, hides=hiding.some_of(name))
            editor.tensors[name] = changed
        for equation in program.equations:
            editor.add(self._at_one_step(equation))
        following = tuple(self._copied(name, c.source, "next") for name, c in carried.items())
        firsts = tuple(self._copied(name, self._start(c), "first") for name, c in carried.items())
        outputs = (*program.prediction, *following, *firsts)
        made = editor.program(tensors=self._tensors(), outputs=outputs, prediction=(), **_NO_LOSS)
        given = [t for t in made.of_kind("input") if t.name not in carried]
        told = {axis for tensor in given for axis in tensor.axes}
        if any(axis.is_free and axis not in told for name in carried for axis in made.tensor[name].axes):
            raise _ManyStepsError
        said = {*(t.name for t in given), *program.prediction}
        places = {name: place for name, place in self.places.items() if name in said}
        if not places:
            raise _ManyStepsError
        return OneStep(made, places, {name: c.source for name, c in carried.items()})

    def _tensors(self) -> tuple[Tensor, ...]:
        """All parameters, of other tensors those that are read or made, and what is carried last."""
        tensors, carried = self.editor.tensors, self.program.carried
        made = {equation.target for equation in self.editor.equations}
        read = made.union(*(equation.reads for equation in self.editor.equations))
        read |= {t.name for t in tensors.values() if t.kind in ("parameter", "constant")}
        found = tuple(t for name, t in tensors.items() if name in read and name not in carried)
        return (*found, *(tensors[name] for name in carried))

    def _start(self, carried: Carried) -> str:
        """What a recurrence starts with, the same whatever the steps are."""
        if carried.start in self.places or carried.start in self.ended:
            raise _ManyStepsError
        return carried.start

    def _copied(self, name: str, source: str, word: str) -> str:
        """A tensor like one that is carried, with what another one has, or 0."""
        axes = self.editor.tensors[name].axes
        target = self.editor.new_tensor(f"{name}_{word}", axes)
        loops = tuple(Loop(index_symbol(f"_c{number}"), axis) for number, axis in enumerate(axes))
        indices = tuple(loop.index for loop in loops)
        body = Entry(source, indices) if source else sp.Integer(0)
        self.editor.add(Equation(target, indices, loops, "none", body))
        return target

    def _at_one_step(self, equation: Equation) -> Equation:
        """An equation of one step, or behind all of them, where it reads the last one."""
        step = _step_in(equation, self.places)
        has_steps = equation.target in self.places
        if step is None or not has_steps:
            if step not in (None, self.axis.place(self.axis.whole - 1)):
                raise _ManyStepsError
            self.ended |= {equation.target} if step is not None or equation.reads & self.ended else set()
            return self._without(equation, None)
        if not isinstance(step, sp.Symbol) or equation.reads & self.ended:
            raise _ManyStepsError
        return self._without(equation, step)

    def _without(self, equation: Equation, step: sp.Expr | None) -> Equation:
        """The equation over entries that have no steps; nothing else in it may know of them."""
        place = self.places.get(equation.target, len(equation.indices))
        indices = tuple(map(self._term, _but(equation.indices, place)))
        body = self._term(equation.body)
        known = set[sp.Basic]().union(*(part.free_symbols for part in (body, *indices)))
        if step in known or (self.axis.is_free and self.axis.extent in known):
            raise _ManyStepsError
        loops = tuple(loop for loop in equation.loops if loop.index != step)
        return Equation(equation.target, indices, loops, equation.reduction, body, equation.onto)

    def _term(self, term: sp.Expr) -> sp.Expr:
        """A term over entries that have no steps."""
        return term.xreplace({entry: self._entry(entry) for entry in entries(term)})

    def _entry(self, entry: Entry) -> Entry:
        kept = _but(entry.indices, self.places.get(entry.tensor, len(entry.indices)))
        return Entry(entry.tensor, tuple(map(self._term, kept)))


def _common_axis(program: Program) -> Axis:
    """The one axis along which everything is carried forward."""
    axes = [program.tensor[name].axes[carried.along] for name, carried in program.carried.items()]
    if not all(axis.fits(axes[0]) for axis in axes) or any(c.back for c in program.carried.values()):
        raise _ManyStepsError
    return axes[0]


def _places(program: Program) -> Places:
    """Which axis counts steps, of what is carried, and of all that is made at the same step."""
    found: Places = {}
    for name, carried in program.carried.items():
        found |= {name: carried.along, carried.source: carried.along}
    while True:
        known = len(found)
        for equation in program.equations:
            step = _step_in(equation, found)
            if not isinstance(step, sp.Symbol):
                continue
            for entry in _accesses(equation):
                if step in entry.indices:
                    found.setdefault(entry.tensor, entry.indices.index(step))
        if len(found) == known:
            return found


def _step_in(equation: Equation, places: Mapping[str, int]) -> sp.Expr | None:
    """What stands for the step in the entries of an equation; None where none has steps."""
    steps = {e.indices[places[e.tensor]] for e in _accesses(equation) if e.tensor in places}
    if len(steps) > 1:
        raise _ManyStepsError
    return next(iter(steps), None)


def _accesses(equation: Equation) -> tuple[Entry, ...]:
    """The entries that an equation reads, in its indices too, and the one that it defines."""
    inside = (entry for part in (equation.body, *equation.indices) for entry in entries(part))
    return (Entry(equation.target, equation.indices), *inside)


def _but(items: tuple[T, ...], place: int) -> tuple[T, ...]:
    """All but what stands at a place."""
    return (*items[:place], *items[place + 1 :])
