"""All behaviours: one of them observed on a module, and a row of the report for each."""

from __future__ import annotations

import math
from dataclasses import dataclass
from itertools import islice
from typing import TYPE_CHECKING, Any

import numpy as np

from symgrad.spec.reads import stops_gradients
from symgrad.verifier.behaviour import (
    accepted_data,
    declared,
    drawn_values,
    raw_rows,
    sampled,
    saved,
    sizes,
    stepped,
)
from symgrad.verifier.behaviour.drawn_case import ROWS, case_of
from symgrad.verifier.behaviour.memory import parameters_in_memory
from symgrad.verifier.behaviour.training import epoch, fit, many_epochs, shared
from symgrad.verifier.behaviour.workbench import Bench, first_line
from symgrad.verifier.report import Check, Verdict
from symgrad.verifier.sampling.samples import is_defined_near_zero
from symgrad.verifier.trials.order import STOPPED
from symgrad.verifier.trials.subject import Door, FaultError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence
    from collections.abc import Set as AbstractSet

    from symgrad.verifier.trials.behaviour_case import BehaviourCase
    from symgrad.verifier.trials.trial import Trial

_SHARP = 1e-10
"""What rounding may do to a gradient, relative to it, where differences in double precision tell anything."""

_MOST = 3
"""Faults that are told of one behaviour."""
_MOST_NEAR = 12
"""Numbers of the edits of a module around which all that it trains is tried."""
_ROWS_OF_MANY = 20
"""So many rows have an order of their own in each of many epochs."""


@dataclass(frozen=True)
class Behaviour:
    """Something that every module does for its callers; `faults` yields what it does otherwise.

    It is tried on the float64 twin, which is compiled for other checks already, or `as_given`.
    """

    what: str
    faults: Callable[[Bench], Iterator[str]]
    as_given: bool = False


SIZES, MANY, RAW, LONG = "other sizes", "many epochs", "raw rows", "own verify at length"
SEEDS, SAMPLES, STEPS, RANKS = "own verify by seeds", "samples", "steps of time", "ranks"
OF_EDITED = frozenset((SIZES, MANY, RAW, LONG, SEEDS))
"""Behaviours that only edited modules are tried for, as the others say enough of emitted text."""

BEHAVIOURS = {
    "declarations": Behaviour("names, axes, labels and shapes it declares", declared.declared),
    "container": Behaviour("unflatten and flatten, views of one vector", parameters_in_memory.container),
    "first values": Behaviour("init_params: distributions and seeds", drawn_values.first_values),
    "bad data": Behaviour("refused by name, nothing changed", accepted_data.refused),
    "good data": Behaviour("taken in every form, left as it is", accepted_data.taken),
    "labels for none": Behaviour("taken", accepted_data.ignored),
    "arguments": Behaviour("wrong parameters, gradients, state are refused", parameters_in_memory.arguments),
    "answers": Behaviour("the same again, and the caller's own", parameters_in_memory.answers),
    "epochs": Behaviour("batches, orders and late bad rows", epoch.epochs),
    "fit": Behaviour("epochs, batches, orders by seed, first values", fit.fits),
    RANKS: Behaviour("that share batches make the steps of one process", shared.ranks),
    "checkpoints": Behaviour("save and load: all comes back, nothing foreign is taken", saved.checkpoints),
    STEPS: Behaviour("step: one after the other as the whole, bad ones named", stepped.steps),
    SAMPLES: Behaviour("sample: labels drawn as predictions say, bad arguments named", sampled.samples),
    RAW: Behaviour("tables, words and gaps, as those in training were", raw_rows.raw_rows),
    SIZES: Behaviour("other numbers of rows, batches, epochs, steps; seeds", sizes.at_sizes),
    MANY: Behaviour("fit: so many, each told, whatever their losses are", many_epochs.many_epochs),
    "own verify": Behaviour("right by itself, wrong with a wrong gradient", declared.own_verdict),
    LONG: Behaviour("right by itself, wrong with a wrong gradient", declared.long_own_verdict),
    SEEDS: Behaviour("right by itself at more points", declared.own_verdicts),
    "number type": Behaviour(
        "parameters, answers, state are of the spec's type", declared.number_type, as_given=True
    ),
}


def behaviour_checks(
    trial: Trial, names: AbstractSet[str] = BEHAVIOURS.keys() - OF_EDITED, *, is_edited: bool
) -> Iterator[Check]:
    """A row for every behaviour, or those of these names, of a module whose process can be spoilt.

    An edited one may treat each of its parameters otherwise.
    """
    try:
        case = case_of(trial.model, trial.twin, trial.seed + 70)
    except FaultError as fault:  # the module's parameters are not the spec's: it is that of another one
        what = BEHAVIOURS["declarations"].what
        yield Check("declarations", what, math.inf, 0.0, "fail", str(fault))
        return
    if is_edited:
        case = case._replace(one_by_one=tuple(range(len(case.blocks))))
    for name, behaviour in BEHAVIOURS.items():
        if name not in names or not _concerns(name, case):
            continue
        door = (trial.module if behaviour.as_given else trial.twin).door
        yield from _tried(trial, door, name, [case])


def size_checks(
    trial: Trial, numbers: Sequence[int], rows: Sequence[int], every: Iterable[float]
) -> Iterator[Check]:
    """Rows for an edited module: of raw rows, with these numbers of rows, and at numbers in its edits."""
    yield from behaviour_checks(trial, {RAW, LONG, SEEDS}, is_edited=True)
    if not trial.trains:
        return
    try:
        case = case_of(trial.model, trial.twin, trial.seed + 80, max(rows, default=ROWS))
    except FaultError:
        return  # the other behaviours say so
    near = case._replace(numbers=tuple(numbers[:_MOST_NEAR]))
    yield from _tried(
        trial, trial.twin.door, SIZES, [near.of_rows(n) for n in rows] if case.batch else [near]
    )
    case = case._replace(numbers=tuple(numbers), edited_numbers=tuple(sorted(every)))
    yield from _tried(trial, trial.twin.door, MANY, [case.of_rows(_ROWS_OF_MANY) if case.batch else case])


def _tried(trial: Trial, door: Door, name: str, cases: Sequence[BehaviourCase]) -> Iterator[Check]:
    """The row of a behaviour, tried with every one of these cases until one shows a fault."""
    what = BEHAVIOURS[name].what
    untried = _untried(name, trial, cases[0])
    if untried:
        yield Check(name, what, 0.0, 0.0, "no evidence", untried)
        return
    found: str | None = ""
    try:
        for case in cases:
            found = door.observe(name, case)
            if found:
                break
    except FaultError as fault:
        found = str(fault)
    if found is not None:
        verdict: Verdict = "fail" if found else "pass"
        yield Check(name, what, math.inf if found else 0.0, 0.0, verdict, found)


def _concerns(name: str, case: BehaviourCase) -> bool:
    """Whether a spec asks for a behaviour: without a loss nothing is trained."""
    if name == "labels for none":
        return case.ignores
    if name == LONG:
        return declared.is_long(case)
    if name == SAMPLES:
        return case.writes_on
    if name == STEPS:
        return case.goes_on
    if name == RANKS:
        return case.trains and bool(case.batch)
    return case.has_loss or name not in ("epochs", "fit")


def _untried(name: str, trial: Trial, case: BehaviourCase) -> str:
    """Why a behaviour cannot be tried on a spec; nothing where it can."""
    if name in ("epochs", "fit", RANKS, SIZES) and not case.is_calm:
        return "training on random data runs away, or carries rounding far"
    if name in ("own verify", LONG, SEEDS) and stops_gradients(trial.model):
        return STOPPED
    if name in ("own verify", LONG, SEEDS) and not _is_tame(trial):
        return "differences in double precision say nothing of this spec on ordinary random data"
    return ""


def _is_tame(trial: Trial) -> bool:
    """Whether a module can judge itself: by differences in double precision, at numbers of ordinary size."""
    reference = trial.points[0].reference
    slopes, moved = reference.slopes.gradients, reference.double.gradients
    sizes = {name: float(np.max(np.abs(g), initial=0.0)) for name, g in slopes.items()}
    largest = max(sizes.values(), default=0.0)
    return is_defined_near_zero(trial.model, trial.seed) and all(
        float(np.max(moved[name], initial=0.0)) <= _SHARP * max(size, largest) for name, size in sizes.items()
    )


def observed(module: Any, name: str, case: BehaviourCase) -> str:
    """What is wrong with one behaviour of a module; nothing if it is as it should be."""
    try:
        with np.errstate(all="ignore"):
            return "; ".join(islice(BEHAVIOURS[name].faults(Bench(module, case)), _MOST))
    except (Exception, SystemExit) as error:  # noqa: BLE001  # whatever the module raises is its fault
        return f"raised {type(error).__name__}: {first_line(error)}"
