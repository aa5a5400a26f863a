"""Whether equations are solved where they are said to be: what their last step still changes."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from symgrad.errors import SpecWarning, SymgradError

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from numpy.typing import NDArray

    from symgrad.spec.model import SolvedSpec, Spec

NEAR = {"float32": 1e-4, "float64": 1e-6}
"""What a last step may change, beside the largest entry or 1, so that nobody needs to be told."""


def last_changes(
    spec: Spec, parameters: Mapping[str, NDArray[np.floating]], data: Mapping[str, NDArray[np.generic]]
) -> Iterator[tuple[SolvedSpec, float, float]]:
    """For each equation that is solved, what its last step changes at most, and the largest of its entries.

    The spec's own formulas are computed in double precision. Nothing where they cannot be.
    """
    from symgrad.spec.expand import expand  # a spec without such equations needs none of these
    from symgrad.verifier.interpretation.arithmetic import DOUBLE
    from symgrad.verifier.interpretation.interpreter import interpret

    try:
        found = interpret(expand(spec), {**parameters, **data}, DOUBLE).tensors
    except SymgradError:
        return
    for solved in spec.solved:
        now, before = (np.asarray(found[name], np.float64) for name in (solved.name, solved.held))
        largest = float(np.max(np.abs(now), initial=0.0))
        yield solved, float(np.max(np.abs(now - before), initial=0.0)), largest


def unsolved(
    spec: Spec, parameters: Mapping[str, NDArray[np.floating]], data: Mapping[str, NDArray[np.generic]]
) -> list[SpecWarning]:
    """A warning for each equation that is not solved at a point: its gradient would be that of a solution."""
    changes = last_changes(spec, parameters, data) if spec.solved else ()
    return [
        _warning(solved, change, largest)
        for solved, change, largest in changes
        if not change <= NEAR[spec.dtype] * max(1.0, largest)
    ]


def _warning(solved: SolvedSpec, change: float, largest: float) -> SpecWarning:
    problem = (
        f"'{solved.name}' is not solved: the last of {solved.steps} steps changes it by {change:.2g}, "
        f"beside {largest:.2g}, its largest entry; so its gradient is not that of a solution"
    )
    remedy = "give it more steps, or a start that is nearer"
    if solved.method == "picard":
        remedy += f"; or let a step go half of the way, 0.5 * {solved.name}[...] + 0.5 * (...)"
    return SpecWarning(problem, at=solved.at, remedy=remedy)
