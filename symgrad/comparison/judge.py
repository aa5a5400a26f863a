"""The gradient of one way against the reference."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from symgrad.comparison.comparison_report import Result
from symgrad.verifier.interpretation.arithmetic import DOUBLE
from symgrad.verifier.interpretation.interpreter import interpret

if TYPE_CHECKING:
    from symgrad.comparison.measure import MeasuredGradient
    from symgrad.comparison.numerical import Difference
    from symgrad.comparison.problem import Problem
    from symgrad.comparison.reference_gradient import ReferenceGradient
    from symgrad.comparison.ways import Way
    from symgrad.verifier.interpretation.array_library import Array

_MOST_SUSPECTS = 2000
_SAME_LOSS = 1e-9
_LOST = "a branch not taken is multiplied by 0 there, and 0 times an infinite slope is nan"


def judge(way: Way, run: MeasuredGradient | str, problem: Problem, reference: ReferenceGradient) -> Result:
    """What is to be said of a way, given what it gave, or why it was not run.

    It is off if an entry differs by more than `accuracy` of the largest entry, or of the loss where that is
    larger. Entries that a difference gets wrong because its step crosses a kink are left out.
    """
    evaluations = way.evaluations if way.run is not None else 0
    result = Result(way.kind, way.name, "not run", way.accuracy, evaluations, note=way.note)
    if isinstance(run, str):
        return replace(result, note=run)
    largest = float(np.max(np.abs(reference.gradient)))
    allowed = way.accuracy * max(largest, abs(reference.loss))
    covered = problem.mask(way.covers or problem.names)
    errors = np.where(covered, np.abs(run.gradient - reference.gradient), 0.0)
    errors[np.isnan(errors)] = np.inf
    if way.kind == "automatic" and not np.isfinite(run.gradient).all():
        result = replace(result, note=f"{way.note}; {_LOST}")
    if way.difference is not None:
        crossed = _crossed(problem, way.difference, np.flatnonzero(errors > allowed))
        errors[crossed] = 0.0
        result = replace(result, kinks=len(crossed), note=_kinks(len(crossed)))
    error = float(np.max(errors))
    if reference.is_symbolic and way.kind == "symbolic":
        error = reference.error * largest
        result = replace(result, note="the reference itself, its error that along random directions")
    same = abs(run.loss - reference.loss) <= _SAME_LOSS * abs(reference.loss)
    return replace(
        result,
        verdict="agrees" if error <= allowed and same else "off",
        loss=run.loss,
        entry=float(run.gradient[reference.shown]) if covered[reference.shown] else None,
        norm=float(np.linalg.norm(run.gradient)) if covered.all() else None,
        error=error,
        relative=error / largest if largest else float(np.where(error, np.inf, 0.0)),
        seconds=run.seconds,
        first_seconds=run.first_seconds,
    )


def _kinks(count: int) -> str:
    entries = f"{count} {'entry' if count == 1 else 'entries'}"
    return f"without {entries} where the step crosses a kink of the loss" if count else ""


def _crossed(problem: Problem, difference: Difference, suspects: Array) -> Array:
    """Which of these entries have a kink of the loss within the step: there a difference has no meaning."""
    here = problem.evaluate().branches
    if not here or len(suspects) > _MOST_SUSPECTS:
        return suspects[:0]
    steps, shift = difference.step(problem.vector), np.zeros(problem.vector.size)
    shifts = problem.blocks(shift)

    def stays(flat: int, step: float) -> bool:
        shift[flat] = step
        there = interpret(problem.model, problem.sample.arrays, DOUBLE, shifts)
        shift[flat] = 0.0
        return there.branches == here

    return np.array([i for i in suspects if not (stays(i, steps[i]) and stays(i, -steps[i]))], dtype=int)
