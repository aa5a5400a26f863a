"""The check of manual derivatives: each claim against slopes of the spec's own loss in 50 digits.

How symgrad derives a gradient plays no part: the interpreter evaluates the claim, and the loss at both ends
of a step of 2⁻⁵⁰. Formulas that agree at random points in more than 20 digits are the same function.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Literal

import numpy as np

from symgrad.comparison.claims import Claimed, claimed_derivatives, with_manual
from symgrad.comparison.likely_slips import hint
from symgrad.comparison.slopes import MOST_DIGITS, Disagreement, LossSlopes
from symgrad.spec.expand import expand
from symgrad.verifier.interpretation.arithmetic import DOUBLE, FIFTY_DIGITS, choose
from symgrad.verifier.interpretation.interpreter import axis_sizes, interpret
from symgrad.verifier.sampling.samples import Sample, draw

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from symgrad.spec.model import AxisSpec, Model, Spec
    from symgrad.verifier.interpretation.array_library import Array

Verdict = Literal["right", "wrong", "no evidence"]

WHOLE = 64
"""Claims of up to so many entries are compared entry by entry, larger ones along random directions."""

AFFORDABLE = 2e6
"""So many scalar operations take seconds in 50 digits."""


@dataclass(frozen=True)
class WrongEntry:
    """An entry of a claim that is not the derivative."""

    index: tuple[int, ...]
    claimed: float
    true: float

    def __str__(self) -> str:
        place = f"entry {list(self.index)}" if self.index else "it"
        claimed, true = telling_apart(self.claimed, self.true)
        return f"{place} is {claimed}, the derivative is {true}"


@dataclass(frozen=True)
class Claim:
    """What became of the claim that the manual formula `name` is the derivative with respect to `of`.

    `digits` says to how many decimal digits of its largest entry it agrees at every point, 0 where it is
    wrong. "no evidence" says that claim and derivative are zero at every point tried. `where` is the first
    entry that is wrong.
    """

    name: str
    of: str
    axes: tuple[AxisSpec, ...]
    verdict: Verdict
    digits: int
    where: WrongEntry | None = None
    hint: str = ""

    @property
    def message(self) -> str:
        """What is wrong, in one line; empty where nothing is."""
        if self.where is None:
            return ""
        return f"{self.where} ({self.hint})" if self.hint else str(self.where)


def check_manual(spec: Spec, *, points: int = 3, seed: int = 0) -> tuple[Claim, ...]:
    """Check the derivatives that a spec's `manual` block claims, at random points; nothing is compiled.

    A claim is right where it agrees with the slopes of the spec's loss in 20 of 50 digits, and in 8 digits
    where a network is too large for such numbers. Claims of up to 64 entries are compared entry by entry at
    the first point; all else along random directions, in which every entry takes part.

    Raises:
        SpecError: a formula or a claim of the block makes no sense; the place says which.
        SymgradError: no point was found where the loss is a finite number.
    """
    model = expand(spec)
    claims = claimed_derivatives(model)
    if not claims:
        return ()
    samples = [draw(model, f"at random point {n}", seed + n) for n in range(points)]
    work = interpret(with_manual(model), samples[0].arrays, DOUBLE).work
    evaluations = 2 * points * len(claims)
    arithmetic = FIFTY_DIGITS if work * evaluations <= AFFORDABLE else choose(float("inf"))
    whole = min(WHOLE, AFFORDABLE / (work * evaluations))
    places = [_Place(model, sample, LossSlopes(model, sample, arithmetic)) for sample in samples]
    results = [_judge(claim, places, whole, seed) for claim in claims]
    wrong = [result.name for result in results if result.verdict == "wrong"]
    return tuple(_blame(*pair, wrong) for pair in zip(results, claims, strict=True))


class _Place:
    """A sample with the slopes of the loss there, and the values of the manual formulas."""

    def __init__(self, model: Model, sample: Sample, slopes: LossSlopes) -> None:
        self.slopes = slopes
        self.values = interpret(with_manual(model), sample.arrays, slopes.arithmetic).tensors
        self.sizes: Mapping[str, int] = axis_sizes(model, sample.arrays)


def _judge(claim: Claimed, places: Sequence[_Place], whole: float, seed: int) -> Claim:
    rng = np.random.default_rng(seed)
    digits, evidence = MOST_DIGITS, False
    for number, place in enumerate(places):
        claimed = place.values[claim.name]
        if claimed.size <= whole and (number == 0 or claimed.size == 1):
            found = place.slopes.compare(claim.of, claimed)
        else:
            found = place.slopes.compare_along(claim.of, claimed, rng)
        if isinstance(found, Disagreement):
            return _wrong(claim, claimed, found, place.sizes)
        digits, evidence = min(digits, found.digits), evidence or found.evidence
    return Claim(claim.name, claim.of, claim.axes, "right" if evidence else "no evidence", digits)


def _blame(result: Claim, claim: Claimed, wrong: Sequence[str]) -> Claim:
    """A wrong claim that is built on another one names the first of those instead of a fault of its own."""
    root = next((name for name in wrong if name in claim.uses), None)
    if result.verdict != "wrong" or root is None:
        return result
    return replace(result, hint=f"it is built on {root}, which is wrong")


def telling_apart(claimed: float, true: float) -> tuple[str, str]:
    """Two numbers in as few digits as show that they differ."""
    pairs = ((f"{claimed:.{digits}g}", f"{true:.{digits}g}") for digits in (6, 9, 12, 15, 17))
    return next(
        (pair for pair in pairs if pair[0] != pair[1]), (repr(claimed), f"{true!r} to that precision")
    )


def _wrong(claim: Claimed, claimed: Array, found: Disagreement, sizes: Mapping[str, int]) -> Claim:
    values = claimed.astype(np.float64)
    guess = hint(values, found.true, sizes)
    seen = int(np.isfinite(found.true).sum())
    if not guess and found.wrong < seen:
        guess = f"{found.wrong} of {seen} entries{'' if seen == values.size else ' looked at'} differ"
    where = WrongEntry(found.index, float(values[found.index]), float(found.true[found.index]))
    return Claim(claim.name, claim.of, claim.axes, "wrong", 0, where, guess)
