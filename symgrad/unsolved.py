"""Whether equations are solved where they are said to be: what their last step still changes."""

from __future__ import annotations

from typing import TYPE_CHECKING

from symgrad.errors import SpecWarning, SymgradError
from symgrad.spec.language.unparse import unparse

if TYPE_CHECKING:
    from collections.abc import Mapping

    import numpy as np
    from numpy.typing import NDArray

    from symgrad.spec.model import SolvedSpec, Spec

NEAR = {"float32": 1e-4, "float64": 1e-6}
"""What a last step may change, beside the largest entry or 1, so that nobody needs to be told."""


def unsolved(
    spec: Spec, parameters: Mapping[str, NDArray[np.floating]], data: Mapping[str, NDArray[np.generic]]
) -> list[SpecWarning]:
    """A warning for each equation that is not solved at a point: its gradient would be that of a solution.

    The spec's own formulas are computed in double precision. Nothing where they cannot be.
    """
    if not spec.solved:
        return []
    from symgrad.spec.expand import expand  # a spec without such equations needs none of these
    from symgrad.verifier.interpretation.arithmetic import DOUBLE
    from symgrad.verifier.interpretation.interpreter import interpret
    from symgrad.verifier.sampling.solved_points import is_near, last_changes

    try:
        found = interpret(expand(spec), {**parameters, **data}, DOUBLE).tensors
    except SymgradError:
        return []
    changes = last_changes(spec, found)
    return [_warning(*each) for each in changes if not is_near(*each[1:], NEAR[spec.dtype])]


def _warning(solved: SolvedSpec, change: float, largest: float) -> SpecWarning:
    problem = (
        f"'{solved.name}' is not solved: the last of {solved.steps} steps changes it by {change:.2g}, "
        f"beside {largest:.2g}, its largest entry; so its gradient is not that of a solution"
    )
    remedy = "give it more steps, or a start that is nearer"
    if solved.method == "picard":
        half = f"0.5 * {solved.left} + 0.5 * ({unparse(solved.formula)})"
        remedy += f'; or let a step go half of the way, solve: "{half}"'
    return SpecWarning(problem, at=solved.at, remedy=remedy)
