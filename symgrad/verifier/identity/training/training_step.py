"""A step of training by the text of a module, on exact numbers, against the equations of its optimiser.

The functions that give the gradient are held to the spec elsewhere: here they hand over given numbers, and
note where they are asked for them. In place of the gradient of a state of the model they give its next value.
So a few entries stand for all parameters, where a step treats them alike; where it treats some otherwise, all
are there. Of a step that visits rows of tables alone only the update is held here: `whole_steps` runs it.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from fractions import Fraction
from functools import cached_property, partial
from typing import TYPE_CHECKING, Any

import numpy as np

from symgrad.errors import SymgradError
from symgrad.spec.expansion.hyper_parameters import with_hyper
from symgrad.spec.reads import draws
from symgrad.verifier.identity.elements import UnsuitableError
from symgrad.verifier.identity.exact_constants import long_constants
from symgrad.verifier.identity.field import field, random_elements
from symgrad.verifier.identity.machine import Machine, TextFaultError, UnknownError, faults_named
from symgrad.verifier.identity.same_entries import (
    DIGITS,
    ROUNDED_DIGITS,
    DifferenceError,
    Same,
    close,
    demand_same,
    same,
)
from symgrad.verifier.identity.training.step_gradients import looks_up, trained
from symgrad.verifier.interpretation.arithmetic import FIFTY_DIGITS, Arithmetic
from symgrad.verifier.interpretation.optimizer_meaning import Progress, gradient_point, start, step
from symgrad.verifier.sampling.hyper_values import drawn_hyper, own_hyper
from symgrad.verifier.text_identity import Identity

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from symgrad.spec.model import Model
    from symgrad.verifier.identity.memory.bounded_memory import View
    from symgrad.verifier.identity.module_text import JudgedText
    from symgrad.verifier.interpretation.array_library import Array

_ENTRIES, _MOST_ENTRIES = 6, 600
"""As many as stand for all, and how many there may be where none stands for others."""

_TIMES = ((0, 0), (1, 0), (2, 1), (9, 3), (20, 8))
"""How many steps were made before, and the epoch."""

_SEED = 23
"""What is drawn by."""

_OTHERS = 3
"""So many draws of other hyper-parameters than the spec's own."""

Entries = tuple[str, "Array", "Array"]
"""What is compared: its name, what the text has, and the equations."""


def step_identity(model: Model, text: JudgedText, seed: int) -> Identity | None:
    """Whether a step is the optimiser's, with the spec's hyper-parameters and others; None without one.

    In a finite field, where any other step differs, and in real numbers, of which one is greater for good.
    """
    if model.loss is None or "STEP_MEMORY" not in text.facts:
        return None
    rng = np.random.default_rng((seed, 17))
    try:
        settings = [_of_text(model, text), *(drawn_hyper(model, rng) for _ in range(_OTHERS))]
        models = [with_hyper(model, values) for values in (settings if model.hyper else settings[:1])]
        in_field = _in_field(models, text, seed, rng)
        digits = _in_digits(models, text, rng)
    except (DifferenceError, TextFaultError) as fault:
        return Identity("differs", str(fault))
    except SymgradError as problem:
        return Identity("not checked", problem.problem)
    except (UnknownError, UnsuitableError) as unknown:
        return Identity("not checked", str(unknown))
    told = f"{len(_TIMES)} steps with {len(models)} settings of hyper-parameters"
    return Identity("identical", told) if in_field else Identity("agrees", f"{digits} digits in {told}")


def _in_field(models: Sequence[Model], text: JudgedText, seed: int, rng: np.random.Generator) -> bool:
    """Whether all steps are the same in a finite field; what is not may still be the same in real numbers."""
    long = partial(long_constants, models[0])
    numbers = _Numbers(field(seed), same, lambda size: random_elements(rng, (size,)), long)
    try:
        for model in models:
            _Steps(model, text, numbers).compare()
    except (UnsuitableError, DifferenceError):
        return False
    return True


def _in_digits(models: Sequence[Model], text: JudgedText, rng: np.random.Generator) -> int:
    long = partial(long_constants, models[0])
    numbers = _Numbers(FIFTY_DIGITS, close, lambda size: FIFTY_DIGITS.array(rng.normal(size=size)), long)
    return min(_Steps(model, text, numbers).compare() for model in models)


def _of_text(model: Model, text: JudgedText) -> dict[str, float]:
    """The hyper-parameters that stand in the text.

    Raises:
        DifferenceError: they are not the spec's.
    """
    own, found = own_hyper(model), text.facts.get("HYPER", {})
    if {name: float(value) for name, value in found.items()} != own:
        raise DifferenceError(f"HYPER is not the spec's: {', '.join(own) or 'none'}")
    return own


@dataclass(frozen=True)
class _Numbers:
    """An arithmetic, when two of its numbers are the same, and how they are drawn.

    `long` are the spec's numbers of many digits; those of hyper-parameters stand in no step.
    """

    arithmetic: Arithmetic
    same: Same
    drawn: Callable[[int], Array]
    long: Callable[[], tuple[Fraction, ...]]


@dataclass
class _Given:
    """Stands for the network: gives a gradient, and notes where it was asked for it.

    In place of the gradient of a state stands its next value.
    """

    loss: Any
    gradient: Array
    is_state: Array
    point: Array | None = None
    key: tuple[Any, ...] = ()

    def put_gradient(self, point: View, grad: View, *others: Any) -> Any:
        """The loss; the gradient goes into `grad`."""
        self._note(point, others)
        grad.put(self.gradient)
        return self.loss

    def give_loss(self, point: View, *others: Any) -> Any:
        """The loss alone."""
        self._note(point, others)
        return self.loss

    def add_gradient(self, point: View, destination: View, keep: Any, scale: Any, *others: Any) -> None:
        """The gradient, taken in by a vector."""
        self._note(point, others)
        added = destination.array() * keep + self.gradient * scale
        destination.put(np.where(self.is_state, self.gradient, added))

    def _note(self, point: View, others: Sequence[Any]) -> None:
        """Where it was asked for, and what numbers are drawn by there."""
        self.point = point.array()
        self.key = next((given for given in others if isinstance(given, tuple)), ())


@dataclass(frozen=True)
class _Before:
    """Where a step begins: the text's memory, the gradient, and where the equations take that."""

    theta: View
    states: Sequence[View]
    gradient: Array
    point: Array
    epoch: int
    drawn_by: tuple[Any, ...] = ()


def _has_parts(machine: Machine) -> bool:
    """Whether an update treats some parameters otherwise than others, which it has views of."""
    names = machine.names["_update"].__code__.co_names
    return "view" in names and any(name.startswith("_update_") for name in names)


class _Steps:
    """Some steps in a row, by a text and by the equations of a model."""

    def __init__(self, model: Model, text: JudgedText, numbers: _Numbers) -> None:
        self.model, self.text, self.numbers = model, text, numbers
        self.arithmetic = numbers.arithmetic
        self.machine = Machine(text, self.arithmetic, numbers.drawn, numbers.long)
        self.shapes = dict(text.facts["SHAPES"]) if _has_parts(self.machine) else {"theta": (_ENTRIES,)}
        self.size = sum(map(math.prod, self.shapes.values()))
        self.kept = trained(self.shapes, model.frozen)
        self.is_state = ~trained(self.shapes, model.states)
        self.draws = draws(model)
        if self.size > _MOST_ENTRIES and len(self.shapes) > 1:
            raise UnknownError(f"{self.size} parameters, not all of which a step treats alike, are too many")

    def compare(self) -> int:
        """Hold every step against the equations; the digits that could be compared.

        Raises:
            DifferenceError, TextFaultError: the text is wrong.
            UnknownError: it cannot be run here.
        """
        is_rounded = self.machine.is_rounded
        digits = ROUNDED_DIGITS if is_rounded else DIGITS
        ways = (self._by_update,) if looks_up(self.machine) else (self._by_update, self._by_step)
        for take in ways:
            with faults_named():
                pairs = list(self._path(take))
            for what, found, expected in pairs:
                demand_same(what, found, expected, digits, self.numbers.same)
        return digits

    def _number(self, value: int) -> Any:
        return self.arithmetic.number(Fraction(value))

    @cached_property
    def _hyper(self) -> View:
        values = [self.machine.number(value) for value in own_hyper(self.model).values()]
        return self._vector(np.array(values, dtype=object), "hyper")

    def _vector(self, numbers: Array, name: str) -> View:
        return self.machine.vector(np.asarray(numbers, dtype=object), name)

    def _counter(self, steps: int) -> Array:
        """The number of steps made, and the seed behind it where something is drawn."""
        seed = [_SEED] if self.draws else []
        return np.array([self._number(value) for value in (steps, *seed)], dtype=object)

    def _path(self, take: Callable[[_Before], Iterator[Entries]]) -> Iterator[Entries]:
        """What is compared along some steps, some of whose gradients are exactly 0."""
        numbers, zero = self.numbers, self._number(0)
        progress = start(self.model, numbers.drawn(self.size), self.arithmetic, self.shapes)
        theta, states = self._vector(progress.theta, "theta"), [self._vector(self._counter(0), "step")]
        firsts = self.machine.names["_first_states"](self._hyper)
        if len(firsts) != len(progress.states):
            raise DifferenceError(f"there are {len(firsts)} states, not {len(progress.states)}")
        for (name, expected), first in zip(progress.states.items(), firsts, strict=True):
            entries = np.full(self.kept.sum(), self.machine.number(first), dtype=object)
            yield f"the first value of {name}", entries, expected[self.kept]
            states.append(self._vector(entries, name))
        for turn, (steps, epoch) in enumerate(_TIMES if self.size == _ENTRIES else _TIMES[::2]):
            gradient = numbers.drawn(self.size)
            gradient[0] = zero
            gradient[1] = zero if turn % 2 else gradient[1]
            progress = replace(progress, steps=steps)
            states[0].put(self._counter(steps))
            point = gradient_point(self.model, progress, epoch, self.arithmetic)
            yield from take(_Before(theta, states, gradient, point, epoch, tuple(self._counter(steps))))
            progress = step(self.model, progress, gradient, epoch, self.arithmetic)
            if take == self._by_step:
                progress = replace(progress, theta=np.where(self.is_state, gradient, progress.theta))
            yield from self._after(progress, theta, states, f"after step {steps + 1} in epoch {epoch}")

    def _after(self, progress: Progress, theta: View, states: Sequence[View], when: str) -> Iterator[Entries]:
        counted = self.arithmetic.array(self._counter(progress.steps))
        kept = {name: values[self.kept] for name, values in progress.states.items()}
        expected = {"the count of steps": counted, **kept}
        yield f"theta {when}", theta.array(), progress.theta
        for (name, values), state in zip(expected.items(), states, strict=True):
            yield f"{name} {when}", state.array(), values

    def _setting(self, epoch: int) -> tuple[Any, ...]:
        """What the functions of a step are told last."""
        epochs = (self._number(self.model.spec.train.epochs),) if self.text.facts.get("EPOCHS") else ()
        return (self._number(epoch), *epochs, self._hyper)

    def _by_update(self, before: _Before) -> Iterator[Entries]:
        grad, setting = self._vector(before.gradient, "grad"), self._setting(before.epoch)
        self.machine.names["_update"](before.theta, grad, *before.states, *setting)
        yield "the gradient, which an update leaves alone,", grad.array(), before.gradient

    def _by_step(self, before: _Before) -> Iterator[Entries]:
        names, given = self.machine.names, _Given(self._number(1), before.gradient, self.is_state)
        for name in ("_gradient", "_step_gradient", "_gradient_in_pieces"):
            names[name] = given.put_gradient
        names["_loss"], names["_backward"] = given.give_loss, given.add_gradient
        vectors = self.text.facts["STEP_MEMORY"]
        memory = [self._vector(self.machine.garbage(self.size), name) for name in vectors]
        known = (before.theta, *memory, tuple(before.states), *self._setting(before.epoch))
        taken = names["_step"]
        loss = taken(*known, *[None] * (taken.__code__.co_argcount - len(known)))
        yield "what a step returns", np.array(loss, dtype=object), np.array(given.loss, dtype=object)
        if given.point is None:
            raise DifferenceError("a step takes no gradient")
        yield "the point where a step takes its gradient", given.point, before.point
        if self.draws:
            steps, seed = before.drawn_by
            found = np.array([self.machine.number(part) for part in given.key], dtype=object)
            due = np.array([seed, steps, self._number(0)], dtype=object)
            yield "what a step draws by", found, due
