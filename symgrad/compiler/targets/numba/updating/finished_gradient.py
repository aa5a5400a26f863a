"""The gradient of rows in parts, each of which finishes a stretch of it that ranks may send already."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import accumulate, chain, pairwise
from typing import TYPE_CHECKING

from symgrad.compiler.planning.plan import Phase

if TYPE_CHECKING:
    from collections.abc import Sequence

    from symgrad.compiler.kernels.function_bodies import FunctionBodies, Sections
    from symgrad.compiler.planning.beside.buckets import Bucket
    from symgrad.compiler.planning.plan import Step


@dataclass(frozen=True)
class FinishedGradient:
    """The sections of a `function` that forms a gradient: those of each part, which finishes a bucket."""

    function: str
    buckets: tuple[Bucket, ...]
    parts: tuple[Sections, ...]

    @property
    def is_added(self) -> bool:
        """Whether it is added to a vector, kept by one number and scaled by another."""
        return self.function == "_backward"

    @property
    def sections(self) -> Sections:
        """All in a row."""
        return tuple(chain.from_iterable(self.parts))

    @property
    def called(self) -> tuple[tuple[str, ...], ...]:
        """The functions of each part; where there is one part, the whole one."""
        if len(self.parts) == 1:
            return ((self.function,),)
        ends = (0, *accumulate(map(len, self.parts)))
        return tuple(tuple(f"{self.function}_{n + 1}" for n in range(*span)) for span in pairwise(ends))


def finished_gradient(
    drivers: FunctionBodies, function: str, steps: Sequence[Step], buckets: tuple[Bucket, ...], longest: int
) -> FinishedGradient:
    """The gradient that these steps form; sections have at most so many statements, as far as loops allow."""
    ends = (0, *(bucket.steps for bucket in buckets[:-1]), len(steps))
    parts = (Phase("gradient", tuple(steps[first:last])) for first, last in pairwise(ends))
    return FinishedGradient(function, buckets, tuple(drivers.sections(part, longest) for part in parts))
