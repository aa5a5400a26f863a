"""Points at which the equations of a model that are solved are so: elsewhere a gradient is that of nothing.

What the last of their steps still changes says how near they are.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from symgrad.spec.model import SolvedSpec, Spec
    from symgrad.verifier.interpretation.array_library import Array

NEAR = 1e-6
"""What the last step may change, beside the largest entry or 1, of something that is solved."""


def last_changes(spec: Spec, tensors: Mapping[str, Array]) -> Iterator[tuple[SolvedSpec, float, float]]:
    """For each that is solved of these, what its last step changes at most, and its largest entry."""
    for solved in (s for s in spec.solved if {s.name, s.held} <= tensors.keys()):
        now, before = (np.asarray(tensors[name], np.float64) for name in (solved.name, solved.held))
        with np.errstate(invalid="ignore"):
            change = np.max(np.abs(now - before), initial=0.0)
        yield solved, float(change), float(np.max(np.abs(now), initial=0.0))


def is_near(change: float, largest: float, near: float = NEAR) -> bool:
    """Whether what the last step changes is little; nan is not."""
    return change <= near * max(1.0, largest)


def is_solved(spec: Spec, tensors: Mapping[str, Array]) -> bool:
    """Whether all equations are."""
    return all(is_near(change, largest) for _, change, largest in last_changes(spec, tensors))
