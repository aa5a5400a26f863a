"""Whether a module computes the gradients of its spec: `verify` holds every answer against the spec.

Nothing here asks the compiler. The spec's formulas are evaluated by the interpreter, their slopes are taken
by a reverse tape of it, which differences in up to 50 digits confirm, and the module must agree.
"""

from __future__ import annotations

import math
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING

import numpy as np

from symgrad.errors import ModuleError
from symgrad.verifier.behaviour import behaviour_checks, size_checks
from symgrad.verifier.editing.decided_otherwise import Decision, decisions, no_further_than_tried
from symgrad.verifier.editing.edits import Edit, edits, text_check
from symgrad.verifier.gradients.gradient_blocks import NOISE, TOLERANCE, BlockFinding, Effort, compare_block
from symgrad.verifier.gradients.probes import ClaimedGradient, Known
from symgrad.verifier.interpretation.arithmetic import DOUBLE
from symgrad.verifier.interpretation.interpreter import interpret
from symgrad.verifier.report import Check, ParameterResult, Report
from symgrad.verifier.sampling.samples import draw
from symgrad.verifier.sampling.solved_points import is_near, last_changes
from symgrad.verifier.steps.rare_updates import rare_update_checks
from symgrad.verifier.steps.training_checks import compiled_checks, training_checks
from symgrad.verifier.text_checks import text_of
from symgrad.verifier.trials.curvature_order import curvature_order_checks
from symgrad.verifier.trials.order import order_checks
from symgrad.verifier.trials.single import first_calls
from symgrad.verifier.trials.subject import Door, FaultError, InProcess, demand_names
from symgrad.verifier.trials.trial import TRAINED, Trial, TrialPoint, batch_size, prepare, with_training
from symgrad.verifier.trials.values import value_checks

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
    from types import ModuleType

    from symgrad.spec.model import Model
    from symgrad.verifier.interpretation.array_library import Array
    from symgrad.verifier.interpretation.interpreter import Shape
    from symgrad.verifier.text_identity import Identity

_WHEN_WRONG = 30.0
"""Seconds that a call may take where the text is known to be wrong: a hang then says nothing new."""

_MOST_EPOCHS = 10**6
_ROWS, _MOST_ROWS, _MOST_NEAR = (2, 16, 33), 3000, 12
"""Rows with which every edited module is tried; the most of them, and how many near numbers of its edits."""

_MOST_AT_POINTS, _MOST_WORK = 300, 2e7
"""The most of a batch whose gradients are compared in any case, and the most operations of a larger one."""

_THOROUGH, _BRIEF = Effort(64, 8, 3), Effort(6, 4, 2)


def verify(
    model: Model,
    module: ModuleType | Door,
    *,
    twin: ModuleType | Door | None = None,
    points: int = 3,
    seed: int = 0,
    emitted: str = "",
    identity: Identity | None = None,
) -> Report:
    """Check an emitted module against the spec it was made from.

    `twin` is the same module with its number type set to float64; a float64 module is its own twin. Both may
    live in another process, behind a door; a crash there is a failed row like any other.
    Gradients are compared at `points` points, drawn from `seed`, and with two more batch sizes: each
    parameter's error, defined in `compare_block`, must be within 1e-8. Forward values must be within
    1e-10 of the largest entry, updates within 1e-9 of each entry's change, float32 within 1e-4 of float64.
    The elementary functions in its text must keep the bounds of `scalars.ULPS`.
    `emitted` is the text that symgrad emits for this spec: what differs from it was edited by hand, is named,
    and is tried with more batch sizes, epochs and seeds, those around the numbers in its lines among them.
    `identity` is what was found of this very text before, with the same seed; without it that is found anew.
    Where an edit decides by what symgrad's text does not, the text is not called identical with the spec:
    what it does where nothing was tried is unknown.
    Whatever the module does wrong becomes a failed row of the report.

    Raises:
        ModuleError: the module lacks a stable name, or is not float64 and came without its twin.
        SymgradError: the spec has no point at which its loss is a finite number.
    """
    door, double = _doors(model, module, twin)
    judged = double.text_checks(model, seed, partial(_hurry, (door, double)), identity)
    for each in (door, double):
        each.ahead(*first_calls(model, each, seed))
    edited, decided, of_edits = _edited(door, emitted)
    rows = _rows(edited)
    trial = prepare(model, door, double, points, seed, _at_points(model, rows, seed))
    trial, lost = _with_training(trial, seed + 20) if trial.trains and points > 2 else (trial, [])
    parameters, kinks = _parameters(trial) if trial.trains else ((), [])
    values, others = (
        [*value_checks(trial), *_further_checks(trial)],
        [*_training(trial), *behaviour_checks(trial, is_edited=bool(edited))],
    )
    values += compiled_checks(trial)  # last, as it is compiled meanwhile
    of_text = no_further_than_tried(_rows_for_text(judged), decided)  # the text is judged meanwhile
    checks = [*values, *of_text, *of_edits, *lost, *others]
    if edited:
        every = {n for edit in edited for n in edit.numbers}
        checks += size_checks(trial, _numbers(edited), rows, every)
        checks += rare_update_checks(trial, every)
    report = Report(model.spec.name, parameters, tuple(checks), edited=tuple(map(str, edited)))
    return replace(report, notes=(*_notes(trial), *kinks, *report.unproved))


def _further_checks(trial: Trial) -> Iterator[Check]:
    """The rows for derivatives beyond the gradient."""
    if trial.model.beside:
        from symgrad.verifier.trials.further_values import further_checks  # and SymPy with it

        yield from further_checks(trial)


def _hurry(doors: Iterable[Door]) -> None:
    """The text is wrong: a hang now says nothing new."""
    for door in doors:
        door.hurry(_WHEN_WRONG)


def _training(trial: Trial) -> Iterator[Check]:
    """The rows for what there is only with a loss: gradients of inputs, the order of remainders, steps."""
    if trial.model.loss is not None:
        yield from _input_gradients(trial)
        yield from order_checks(trial)
        yield from curvature_order_checks(trial)
    if trial.trains:
        yield from training_checks(trial)


def _with_training(trial: Trial, seed: int) -> tuple[Trial, list[Check]]:
    """The trial with a point that training leads to, or the row that says why there is none."""
    try:
        return with_training(trial, seed), []
    except FaultError as fault:
        return trial, [Check("train_step", f"a point {TRAINED}", math.inf, 0.0, "fail", str(fault))]


def _doors(model: Model, module: ModuleType | Door, twin: ModuleType | Door | None) -> tuple[Door, Door]:
    """The module and its twin in double precision, both with all names that a module has."""
    door = _door(module)
    double = door if twin is None else _door(twin)
    for facts in (door.facts, double.facts):
        demand_names(model, facts)
    if double.facts.dtype != np.float64:
        remedy = "pass its float64 twin as twin="
        raise ModuleError("gradients are judged in float64", at=door.facts.at, remedy=remedy)
    return door, double


def _door(module: ModuleType | Door) -> Door:
    return module if isinstance(module, Door) else InProcess(module)


def _notes(trial: Trial) -> list[str]:
    notes = []
    spec, by_python = trial.model.spec, trial.module.door.facts.by_python
    if by_python:
        those = f"{', '.join(by_python)} were run by Python, over the kernels that the other functions use"
        notes.append(f"the module is long: of what is compiled, {those}")
    if spec.sha256 != trial.module.door.facts.spec_sha256:
        notes.append("the module was generated from a spec with another text (SPEC_SHA256 differs)")
    if spec.loss is None:
        notes.append("the spec has no loss: only forward values were checked")
    return [*notes, *_unsolved(trial)]


def _unsolved(trial: Trial) -> Iterator[str]:
    """At which points an equation is not solved: the gradient is held to the theorem there all the same."""
    for point in (point for point in trial.points if point.thorough):
        for solved, change, largest in last_changes(trial.model.spec, point.exact.tensors):
            if not is_near(change, largest):
                what = f"the last of {solved.steps} steps changes it by {change:.2g}, beside {largest:.2g}"
                yield f"'{solved.name}' is not solved {point.name}: {what}"


def _edited(door: Door, emitted: str) -> tuple[tuple[Edit, ...], tuple[Decision, ...], list[Check]]:
    """What was edited by hand, what that goes by, and the row for it; nothing without a text to compare."""
    text = text_of(door.facts.at)
    if not (text and emitted):
        return (), (), []
    found = edits(text, emitted)
    return found, decisions(text, emitted) if found else (), [text_check(text, found)]


def _rows(edited: tuple[Edit, ...]) -> list[int]:
    """Numbers of rows for an edited module: around the numbers in its edits, and some others; else none."""
    near = sorted({n + d for n in _numbers(edited) for d in (-1, 0, 1) if 1 <= n + d <= _MOST_ROWS})
    return sorted({*_ROWS, *near[:_MOST_NEAR]}) if edited else []


def _at_points(model: Model, rows: Sequence[int], seed: int) -> list[int]:
    """Those numbers of rows of which a gradient is found by the spec in little time."""
    few = [n for n in rows if n <= _MOST_AT_POINTS]
    if len(few) == len(rows) or not model.batch_axis:
        return few
    work = interpret(model, draw(model, "of one row", seed, batch=1).arrays, DOUBLE).work
    return [n for n in rows if n <= _MOST_AT_POINTS or n * work <= _MOST_WORK]


def _numbers(edited: tuple[Edit, ...]) -> list[int]:
    """The whole numbers in the edits, which epochs, steps and seeds are tried with."""
    return sorted({n for edit in edited for n in edit.numbers if isinstance(n, int) and n <= _MOST_EPOCHS})


def _rows_for_text(judged: Callable[[], list[Check]]) -> list[Check]:
    """The rows for the text, once it is judged."""
    try:
        return judged()
    except FaultError as fault:
        what = "the text, run by Python, against the spec"
        return [Check("identity", what, math.inf, 0.0, "fail", str(fault), "identical")]


def _parameters(trial: Trial) -> tuple[tuple[ParameterResult, ...], list[str]]:
    """The result for every parameter, and notes on kinks."""
    trained = [name for name in trial.twin.shapes if name not in trial.model.states]
    findings: dict[str, list[BlockFinding]] = {name: [] for name in trained}
    for point in trial.points:
        try:
            vector = trial.twin.vector(point.sample.parameters)
            _, gradients = trial.twin.loss_and_grad(vector, point.sample.data)
        except FaultError as fault:
            for name in [fault.parameter] if fault.parameter in findings else findings:
                findings[name].append(BlockFinding(math.inf, True, message=f"{fault} {point.name}"))
            continue
        for name, finding in _compare(trial, point, {name: gradients[name] for name in trained}).items():
            findings[name].append(finding)
    results = [_result(name, trial.twin.shapes[name], found) for name, found in findings.items()]
    kinks = {name: sum(finding.kinks for finding in found) for name, found in findings.items()}
    among = "entries lie at a kink; they must lie between the one-sided slopes"
    return tuple(results), [f"{name}: {count} {among}" for name, count in kinks.items() if count]


def _compare(trial: Trial, point: TrialPoint, gradients: Mapping[str, Array]) -> dict[str, BlockFinding]:
    effort = _THOROUGH if point.thorough else _BRIEF
    floor = NOISE * trial.floor(point)
    rng = np.random.default_rng((trial.seed, len(point.name)))
    batch = batch_size(trial.model, point.sample)
    return {
        name: compare_block(_block(point, name, gradient, batch), floor, rng, effort)
        for name, gradient in gradients.items()
    }


def _block(point: TrialPoint, name: str, gradient: Array, batch: int) -> ClaimedGradient:
    reference = point.reference
    known: Known | None = None
    if reference.is_confirmed:
        slopes = np.asarray(reference.slopes.gradients[name], dtype=np.float64)
        known = Known(slopes, lambda: reference.double.gradients[name])
    return ClaimedGradient(reference.differences, name, gradient, point.name, batch, known)


def _result(name: str, shape: Shape, found: list[BlockFinding]) -> ParameterResult:
    worst = max(found, key=lambda finding: finding.error, default=BlockFinding(0.0, False))
    result = ParameterResult(name, shape, worst.error, TOLERANCE, "pass", worst.where, worst.message)
    if not worst.error <= TOLERANCE:
        return replace(result, verdict="fail")
    silence = _silence(found)
    return replace(result, verdict="no evidence", message=silence) if silence else result


def _silence(found: list[BlockFinding]) -> str:
    """Why a gradient says nothing at any point; nothing where it does."""
    if any(f.evidence for f in found):
        return ""
    if any(f.drowned for f in found):
        return "the gradient is smaller than what rounding does to it: nothing can be said of it"
    return "the gradient is zero at every point, as the differences of the spec's loss are"


def _input_gradients(trial: Trial) -> Iterator[Check]:
    what = "input_gradients against the spec"
    for name in trial.model.spec.gradients:
        try:
            result = _input_gradient(trial, name)
        except FaultError as fault:
            result = ParameterResult(name, (), math.inf, TOLERANCE, "fail", message=str(fault))
        yield Check(f"dloss/d{name}", what, result.error, TOLERANCE, result.verdict, result.message)


def _input_gradient(trial: Trial, name: str) -> ParameterResult:
    findings = []
    for point in trial.points:
        shape = np.shape(point.exact.tensors[name])
        gradient = trial.twin.input_gradients(point.sample, {name: shape})
        findings.append(_compare(trial, point, gradient)[name])
    return _result(name, shape, findings)
