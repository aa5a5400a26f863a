"""The check of manual derivatives: each claim against slopes of the spec's own loss in 50 digits.

How symgrad derives a gradient plays no part: the claim is evaluated by the interpreter, and so is the loss,
at both ends of a step of 2⁻⁵⁰. Two formulas that agree to more than 20 digits at random points, in every
entry, are the same function for all practical purposes.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Literal

import numpy as np

from symgrad.comparison.claims import claimed_derivatives, with_manual
from symgrad.comparison.hints import hint
from symgrad.spec.expand import expand
from symgrad.verifier.arithmetic import DIGITS, DOUBLE, FIFTY_DIGITS, Arithmetic, choose
from symgrad.verifier.differences import Differences
from symgrad.verifier.interpreter import axis_sizes, interpret
from symgrad.verifier.samples import draw

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from symgrad.comparison.claims import Claimed
    from symgrad.spec.model import Model, Spec
    from symgrad.verifier.arithmetic import Array
    from symgrad.verifier.samples import Sample

Verdict = Literal["right", "wrong", "no evidence"]

WHOLE = 64
"""Blocks of up to so many entries are compared entry by entry, larger ones along random directions."""

_DIRECTIONS, _PROBES = 2, 8
_EVALUATIONS = 200
_TOLERANCE = {True: 1e-20, False: 1e-8}
"""Of the largest entry: with 50 digits, and in floats where 50 digits would take minutes."""


@dataclass(frozen=True)
class WrongEntry:
    """An entry of a claim that is not the derivative, and the point where it was found."""

    index: tuple[int, ...]
    claimed: float
    true: float
    point: str

    def __str__(self) -> str:
        place = f"entry {list(self.index)}" if self.index else "it"
        return f"{place} is {self.claimed:.6g}, the derivative is {self.true:.6g}"


@dataclass(frozen=True)
class Claim:
    """What became of the claim that the manual formula `name` is the derivative with respect to `of`.

    `digits` is to how many decimal digits of the largest entry it agrees at every point, 0 where it is
    wrong. "no evidence" says that claim and derivative are zero at every point tried.
    """

    name: str
    of: str
    shape: tuple[int, ...]
    verdict: Verdict
    digits: int
    where: WrongEntry | None = None
    hint: str = ""

    @property
    def message(self) -> str:
        """What is wrong, in one line; empty where nothing is."""
        if self.where is None:
            return ""
        return f"{self.where}" + (f" ({self.hint}?)" if self.hint else "")


def check_manual(spec: Spec, *, points: int = 3, seed: int = 0) -> tuple[Claim, ...]:
    """Check the derivatives that a spec's `manual` block claims, at random points with other sizes.

    Nothing is compiled. A claim is right where every entry agrees with the slope of the spec's loss, in 50
    digits; blocks of more than 64 entries are compared along random directions, in which every entry takes
    part, and the wrong entry is then found by halving.

    Raises:
        SpecError: a formula or a claim of the block makes no sense; the place says which.
        SymgradError: no point was found where the loss is a finite number.
    """
    model = expand(spec)
    claims = claimed_derivatives(model)
    if not claims:
        return ()
    samples = [draw(model, f"at random point {n}", seed + n) for n in range(1, points + 1)]
    places = [_Place(model, sample, seed) for sample in samples]
    return tuple(_judge(claim, places) for claim in claims)


def _judge(claim: Claimed, places: Sequence[_Place]) -> Claim:
    shape = places[0].claimed(claim).shape
    agreed, evidence = DIGITS, False
    for number, place in enumerate(places):
        claimed = place.claimed(claim)
        along = [*_basis(shape)] if number == 0 and claimed.size <= WHOLE else place.directions(shape)
        probes = [place.probe(claim, direction) for direction in along]
        scale = max((abs(p.true) for p in probes), default=0.0)
        if not all(place.is_right(p, scale) for p in probes):
            return place.wrong(claim, shape)
        agreed = min(agreed, *(_digits(p, scale) for p in probes))
        evidence = evidence or any(p.true for p in probes)
    ...
