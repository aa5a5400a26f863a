"""The gradient of rows in parts, each of which finishes a stretch of it that ranks may send already."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import accumulate, chain, pairwise
from typing import TYPE_CHECKING

from symgrad.compiler.planning.beside.buckets import buckets_of
from symgrad.compiler.planning.plan import Phase

if TYPE_CHECKING:
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
    drivers: FunctionBodies, function: str, steps: tuple[Step, ...], longest: int, *, in_parts: bool
) -> FinishedGradient:
    """The gradient that these steps form; sections have at most so many statements, as far as loops allow.

    Loops over equal layers stay whole: written out in parts, one takes three times as long to compile.
    """
    statements = drivers.rerolled(Phase("gradient", steps))
    ends = tuple(accumulate((each.covered for each in statements), initial=0))
    buckets = buckets_of(drivers.plan, steps, ends if in_parts else ends[-1:])
    cuts = (0, *(ends.index(bucket.steps) for bucket in buckets))
    parts = (drivers.in_sections(statements[first:last], longest) for first, last in pairwise(cuts))
    return FinishedGradient(function, buckets, tuple(parts))
