"""Identity of a module's text with its spec: both on the same exact numbers, compared entry by entry."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass, replace
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np

from symgrad.errors import SymgradError
from symgrad.spec.reads import draws
from symgrad.verifier.identity.elements import UnsuitableError
from symgrad.verifier.identity.exact_constants import long_constants
from symgrad.verifier.identity.exact_tape import ExactTape
from symgrad.verifier.identity.field import field
from symgrad.verifier.identity.further_meaning import expected_further, found_further
from symgrad.verifier.identity.kinks import GRADIENT, SidedSlopes
from symgrad.verifier.identity.machine import (
    Machine,
    SingularError,
    TextFaultError,
    UnknownError,
    faults_named,
)
from symgrad.verifier.identity.memory.representatives import taken_for
from symgrad.verifier.identity.module_text import JudgedText, parse
from symgrad.verifier.identity.outcome import TextOutcome, outcome_of
from symgrad.verifier.identity.points import ExactPoint, field_points, real_points, zero_points
from symgrad.verifier.identity.same_entries import (
    DIGITS,
    ROUNDED_DIGITS,
    Admits,
    DifferenceError,
    Same,
    close,
    demand_same,
    same,
)
from symgrad.verifier.identity.training.training_step import step_identity
from symgrad.verifier.identity.training.whole_steps import whole_step_pairs
from symgrad.verifier.interpretation.arithmetic import FIFTY_DIGITS, Arithmetic
from symgrad.verifier.interpretation.interpreter import Evaluation, interpret
from symgrad.verifier.interpretation.philox_numbers import Key
from symgrad.verifier.static.layout import layout_fault
from symgrad.verifier.static.subscripts import subscript_findings
from symgrad.verifier.text_identity import Identity

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from symgrad.spec.model import Model
    from symgrad.verifier.interpretation.array_library import Array

_KEY = Key(seed=2**40 + 5, step=3)
"""What numbers are drawn by besides, where some are: no other seed, step or order of these is the same."""

LARGEST_WORK = 3e7
"""Scalar operations of one evaluation above which a spec is too large for this."""


@dataclass(frozen=True)
class ExactReference:
    """What a spec says at a point: every value and gradient, by the name that a report gives it.

    `tensors` are what its equations define, by their own names; `met` what they are in any mode.
    """

    model: Model
    point: ExactPoint
    arithmetic: Arithmetic
    same: Same
    expected: Mapping[str, Array]
    tensors: Mapping[str, Array]
    met: Sequence[Array]
    admits: Admits = lambda *_: False

    def compare(self, text: JudgedText) -> int:
        """Hold all that a text computes against this; the digits that could be compared.

        Raises:
            DifferenceError, FaultError: the text is wrong.
            UnknownError: it cannot be run here.
            SingularError: it divides by 0 at this point.
        """
        if text.unknown:
            raise TextFaultError(f"the text uses {', '.join(sorted(text.unknown))}, which it defines nowhere")
        long = partial(long_constants, self.model)
        machine = Machine(text, self.arithmetic, self.point.garbage, long, taken_for(self.met))
        is_rounded = machine.is_rounded or bool(self.model.spec.constants)
        digits = ROUNDED_DIGITS if is_rounded else DIGITS
        with faults_named():
            nexts = {n.state: self.tensors[n.equation] for n in self.model.next_values}
            given = _given(self.model, machine, self.point)
            differ = self.model.evaluation is not None
            key = _KEY if draws(self.model) else None
            outcome = outcome_of(machine, *given, self.model.frozen, nexts, differ=differ, key=key)
            found = dict(_found(self.model, machine, outcome))
            found |= _further(self.model, machine, self.point)
            theta, inputs, targets = given
            steps = tuple(whole_step_pairs(self.model, machine, theta, (*inputs, *targets)))
        for what, values in self.expected.items():
            demand_same(what, found.get(what), values, digits, self.same, self.admits)
        for name, values in outcome.tensors:
            due = self.tensors.get(name)
            if due is None:
                raise TextFaultError(f"the text tells of a tensor '{name}', which the spec does not have")
            demand_same(f"the tensor {name}", values, due, digits, self.same, self.admits)
        for place, values in enumerate(outcome.in_time):
            what, due = f"predict ({place})", self.expected[f"predict ({place})"]
            demand_same(f"{what} step by step", values, due, digits, self.same, self.admits)
        for what, values, due in (*outcome.steps, *steps):
            demand_same(what, values, due, digits, self.same, self.admits)
        return digits


def identity_of(model: Model, text: str, *, seed: int = 0) -> Identity:
    """Compare the text of a module with its spec, exactly.

    Raises:
        ModuleError: the text is not that of a module.
    """
    further = [asked.function for asked in model.beside]
    parsed = parse(text, further)
    subscripts = subscript_findings(text, parsed.facts, further)
    if subscripts.fault:
        return Identity("differs", subscripts.fault)
    found = replace(_compared(model, text, parsed, seed), left=subscripts.left)
    return found if found.is_wrong else replace(found, step=step_identity(model, parsed, seed))


def _compared(model: Model, text: str, parsed: JudgedText, seed: int) -> Identity:
    """What the text computes, beside its spec."""
    try:
        points = list(field_points(model, seed, LARGEST_WORK))
    except OverflowError as large:
        return Identity("not checked", str(large))
    try:
        for point in points:
            reference(model, point, field(seed)).compare(parsed)
    except UnsuitableError as unsuitable:
        if not all(point.is_small for point in points):
            return Identity("not checked", f"no field can stand for it ({unsuitable}), and it is large")
        return _agreement(model, parsed, seed)
    except DifferenceError:
        return _agreement(model, parsed, seed)
    except TextFaultError as fault:
        return Identity("differs", str(fault))
    except UnknownError as unknown:
        return Identity("not checked", str(unknown))
    misplaced = layout_fault(text, [_sizes(model, parsed, p) for p in points])
    if misplaced:
        return Identity("differs", misplaced)
    try:
        zeros = at_zeros(model, parsed, seed)
    except (DifferenceError, TextFaultError) as fault:
        return Identity("differs", str(fault))
    return Identity("identical", " and ".join(dict.fromkeys([*map(str, points), *zeros])))


def _sizes(model: Model, text: JudgedText, point: ExactPoint) -> list[int]:
    """The free sizes at a point, in the order of the text."""
    data = {**point.numbers, **point.labels}
    sizes: dict[Any, int] = {}
    for tensor in (*model.spec.inputs, *model.spec.targets):
        sizes.update(zip(tensor.axes, data[tensor.name].shape, strict=True))
    return [sizes.get(axis, 1) for axis in text.facts["FREE_AXES"]]


def _agreement(model: Model, text: JudgedText, seed: int) -> Identity:
    """The same at real points in 50 digits, for what no finite field can stand for."""
    digits, singular = [], ""
    try:
        for point in real_points(model, seed):
            try:
                digits.append(in_digits(model, point).compare(text))
            except SingularError as division:
                singular = f"{division} at {point}"
        at_zeros(model, text, seed)
    except (DifferenceError, TextFaultError) as fault:
        return Identity("differs", str(fault))
    except UnknownError as unknown:
        return Identity("not checked", str(unknown))
    except SymgradError as problem:
        return Identity("not checked", problem.problem)
    except UnsuitableError as problem:
        return Identity("not checked", str(problem))
    if not digits:
        return Identity("not checked", singular or "the formulas are no numbers at random points")
    return Identity("agrees", f"{min(digits)} digits{singular and f'; not compared: {singular}'}")


def reference(model: Model, point: ExactPoint, arithmetic: Arithmetic, same: Same = same) -> ExactReference:
    """What a spec says at a point, by a reverse tape through the verifier's own interpreter."""
    tape = ExactTape(arithmetic)
    leaves = {name: tape.variable(array) for name, array in point.numbers.items()}
    given: dict[str, Any] = {**leaves, **point.labels}
    values = interpret(model, given, tape.arithmetic)
    by_key = interpret(model, given, tape.arithmetic, key=_KEY) if draws(model) else values
    tensors = {name: tape.of(array).array for name, array in values.tensors.items()}
    expected = {
        **dict(_expected(model, tape, values, arithmetic)),
        **dict(_by_key(model, tape, by_key, arithmetic) if by_key is not values else ()),
        **dict(expected_further(model, point, arithmetic, model.beside)),
    }
    met = [tape.of(array).array for array in (*values.tensors.values(), *by_key.tensors.values())]
    return ExactReference(model, point, arithmetic, same, expected, tensors, met)


def at_zeros(model: Model, text: JudgedText, seed: int) -> list[str]:
    """Hold a text against its spec where numbers are exactly 0 or equal, as conditions in it may ask.

    The points where it was held; what has none, as a spec of which no finite loss is found, is left out.

    Raises:
        DifferenceError, FaultError: the text is wrong.
    """
    held = []
    with suppress(SymgradError, UnknownError, UnsuitableError):
        for point in zero_points(model, seed):
            in_digits(model, point).compare(text)
            held.append(str(point))
    return held


def in_digits(model: Model, point: ExactPoint) -> ExactReference:
    """What a spec says at a real point, in 50 digits; where it has no slope, any between those beside."""
    slopes = SidedSlopes(model, {**point.numbers, **point.labels})
    return replace(reference(model, point, FIFTY_DIGITS, close), admits=slopes.admit)


def _expected(
    model: Model, tape: ExactTape, values: Evaluation, arithmetic: Arithmetic
) -> Iterator[tuple[str, Array]]:
    for name, output in zip(model.outputs, values.outputs, strict=True):
        yield f"forward ({name})", tape.of(output).array
    for place, prediction in enumerate(values.prediction):
        yield f"predict ({place})", tape.of(prediction).array
    if values.loss is None:
        return
    yield "the loss", tape.of(values.loss).array
    if values.evaluation is not None:
        yield "the loss of inference", tape.of(values.evaluation).array
    names = [*(p.name for p in model.parameters), *model.spec.gradients]
    wanted = [tape.of(values.tensors[name]) for name in names]
    for name, gradient in zip(names, tape.gradients(tape.of(values.loss), wanted), strict=True):
        is_held = name in model.states
        yield GRADIENT + name, arithmetic.array(np.zeros(gradient.shape)) if is_held else gradient


def _by_key(
    model: Model, tape: ExactTape, values: Evaluation, arithmetic: Arithmetic
) -> Iterator[tuple[str, Array]]:
    """The loss and its gradient where numbers are drawn by another key."""
    if values.loss is None:
        return
    names = [p.name for p in model.parameters]
    wanted = [tape.of(values.tensors[name]) for name in names]
    slopes = tape.gradients(tape.of(values.loss), wanted)
    zeros = (arithmetic.array(np.zeros(slope.shape)) for slope in slopes)
    held = [z if n in model.states else s for n, s, z in zip(names, slopes, zeros, strict=True)]
    yield "the loss by another key", tape.of(values.loss).array
    yield "the gradient by another key", np.concatenate([slope.reshape(-1) for slope in held])


def _further(model: Model, machine: Machine, point: ExactPoint) -> dict[str, Array]:
    theta, inputs, targets = _given(model, machine, point)
    return dict(found_further(model, machine, point, theta, (*inputs, *targets)))


def _given(model: Model, machine: Machine, point: ExactPoint) -> tuple[Array, list[Array], list[Array]]:
    """All parameters as one vector, inputs and targets."""
    data = {**point.numbers, **point.labels}
    parts = [data[name].reshape(-1) for name in machine.text.facts["SHAPES"]]
    theta = np.concatenate(parts) if parts else np.empty(0, dtype=object)
    inputs, targets = ([data[t.name] for t in tensors] for tensors in (model.spec.inputs, model.spec.targets))
    return theta, inputs, targets


def _found(model: Model, machine: Machine, outcome: TextOutcome) -> Iterator[tuple[str, Array]]:
    yield from zip((f"forward ({name})" for name in model.outputs), outcome.outputs, strict=False)
    yield from ((f"predict ({place})", array) for place, array in enumerate(outcome.prediction))
    if outcome.gradient is None:
        return
    yield "the loss", np.asarray(outcome.loss, dtype=object)
    yield "the loss of inference", np.asarray(outcome.evaluation, dtype=object)
    start, shapes = 0, machine.text.facts["SHAPES"]
    for name, shape in shapes.items():
        end = start + int(np.prod(shape, dtype=int))
        yield GRADIENT + name, outcome.gradient[start:end].reshape(shape)
        start = end
    if outcome.by_key:
        loss, gradient = outcome.by_key
        yield "the loss by another key", np.asarray(loss, dtype=object)
        yield "the gradient by another key", gradient
    others = zip(model.spec.gradients, outcome.input_gradients, strict=True)
    yield from ((GRADIENT + name, array) for name, array in others)
