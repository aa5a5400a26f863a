"""One block of a gradient against the slopes of the spec's own loss."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from symgrad.verifier.report import Entry

if TYPE_CHECKING:
    from collections.abc import Sequence

    from symgrad.verifier.arithmetic import Array
    from symgrad.verifier.differences import Differences, Slope

TOLERANCE = 1e-8
NOISE = 1e-14
"""What double precision may lose, relative to the size of the loss."""

_DIRECTION = 1e-2
"""A direction is held to more digits than an entry: small entries must show in the sum of all."""

_SMALL = 1e-3
"""Entries below this part of the largest one are held against it: their own digits cancel."""


@dataclass(frozen=True)
class Effort:
    """Blocks of up to `entries` entries are checked entry by entry, larger ones by samples."""

    entries: int = 64
    singles: int = 8
    directions: int = 3


@dataclass(frozen=True)
class Finding:
    """The worst of one block at one point; `evidence` is whether the true gradient is not zero."""

    error: float
    evidence: bool
    where: Entry | None = None
    message: str = ""
    kinks: int = 0


@dataclass(frozen=True)
class Probe:
    """The slope the gradient claims along a direction, and the one the spec's loss has."""

    index: tuple[int, ...] | None
    claimed: float
    slope: Slope

    @property
    def true(self) -> float:
        return self.slope.nearest(self.claimed)


@dataclass(frozen=True)
class Block:
    """A gradient claimed for the tensor `name` at the point of `differences`, of the right shape."""

    differences: Differences
    name: str
    gradient: Array
    point: str
    batch: int

    def entry(self, flat: int) -> Probe:
        """The probe of one entry."""
        index = tuple(int(i) for i in np.unravel_index(flat, self.gradient.shape))
        direction = np.zeros(self.gradient.shape)
        direction[index] = 1.0
        return Probe(index, float(self.gradient[index]), self.differences.slope(self.name, direction))

    def along(self, direction: Array) -> Probe:
        """The probe of a direction."""
        claimed = math.fsum(np.ravel(self.gradient * direction))
        return Probe(None, claimed, self.differences.slope(self.name, direction))


def compare_block(block: Block, floor: float, rng: np.random.Generator, effort: Effort) -> Finding:
    """Hold a block against central differences of the interpreter's loss.

    Every entry of a small block is checked, and of a large one the largest, some random ones, and the
    slopes along random directions of ±1, in which every entry takes part. The error of an entry is
    |claimed − true| / (scale + noise/1e-8), so that within 1e-8 means |claimed − true| ≤ 1e-8·scale + noise:
    scale is the larger of |true| and a thousandth of the block's largest true entry, noise is `floor` and
    the uncertainty of the difference. For a direction, scale is a hundredth of the larger of its slope and
    the gradient's norm: one wrong entry among 10⁶ of equal size shows as about 0.1. Numbers that are not
    finite are refused first. There is evidence only where a slope stands out from its noise.
    """
    gradient = block.gradient
    finite = np.isfinite(gradient)
    if not finite.all():
        index = tuple(int(i) for i in np.argwhere(~finite)[0])
        where = Entry(index, float(gradient[index]), math.nan, block.point)
        return Finding(math.inf, True, where, f"entry {list(index)} is {gradient[index]} {block.point}")
    whole = gradient.size <= effort.entries
    probes = [block.entry(flat) for flat in _chosen(gradient, rng, effort)]
    largest = max((abs(p.true) for p in probes), default=0.0)
    scored = [(_error(p, max(abs(p.true), _SMALL * largest), floor), p) for p in probes]
    kinks = sum(p.slope.is_kink for p in probes)
    evidence = any(_stands_out(p, floor) for p in probes)
    for _ in range(0 if whole else effort.directions):
        direction = rng.choice([-1.0, 1.0], size=gradient.shape)
        probe = block.along(direction)
        evidence = evidence or _stands_out(probe, floor)
        norm = float(np.linalg.norm(gradient))
        error = _error(probe, _DIRECTION * max(abs(probe.true), norm), floor)
        scored.append((error, probe))
        if not error <= TOLERANCE:
            guilty = _guilty(block, direction, probe)
            scored.append((_error(guilty, max(abs(guilty.true), _SMALL * largest), floor), guilty))
            break
    error, worst = max(scored, key=_badness)
    if error <= TOLERANCE:
        return Finding(error, evidence, _where(worst, block.point), kinks=kinks)
    message = _explain(worst, probes, block)
    return Finding(_sortable(error), True, _where(worst, block.point), message, kinks)


def _chosen(gradient: Array, rng: np.random.Generator, effort: Effort) -> Sequence[int]:
    if gradient.size <= effort.entries:
        return range(gradient.size)
    largest = np.argsort(np.abs(np.ravel(gradient)))[-2:]
    return sorted({int(i) for i in (*largest, *rng.choice(gradient.size, effort.singles, replace=False))})


def _stands_out(probe: Probe, floor: float) -> bool:
    return abs(probe.true) > 100 * max(probe.slope.uncertainty, floor / 100)


def _error(probe: Probe, scale: float, floor: float) -> float:
    noise = floor + probe.slope.uncertainty
    error = abs(probe.claimed - probe.true) / max(scale + noise / TOLERANCE, math.ulp(0.0))
    return error if math.isfinite(error) else math.inf


def _badness(scored: tuple[float, Probe]) -> tuple[bool, float]:
    """Wrong entries before wrong directions: they say where to look."""
    error, probe = scored
    return probe.index is not None and not error <= TOLERANCE, _sortable(error)


def _sortable(error: float) -> float:
    return error if error == error else math.inf


def _guilty(block: Block, direction: Array, whole: Probe) -> Probe:
    """The entry that is most to blame for a wrong slope, found by halving the direction."""
    suspects = np.arange(direction.size)
    excess = whole.claimed - whole.true
    while suspects.size > 1:
        left, right = np.array_split(suspects, 2)
        part = np.zeros(direction.size)
        part[left] = np.ravel(direction)[left]
        probe = block.along(part.reshape(direction.shape))
        blame = probe.claimed - probe.true
        is_left = not abs(blame) < abs(excess - blame)
        suspects, excess = (left, blame) if is_left else (right, excess - blame)
    return block.entry(int(suspects[0]))


def _where(probe: Probe, point: str) -> Entry | None:
    return None if probe.index is None else Entry(probe.index, probe.claimed, probe.true, point)


def _explain(worst: Probe, probes: Sequence[Probe], block: Block) -> str:
    place = "the slope along a random direction" if worst.index is None else f"entry {list(worst.index)}"
    value = f"{place} is {worst.claimed:.6g}, the spec's derivative is {worst.true:.6g} {block.point}"
    if worst.slope.is_kink:
        value += f" (a kink: any slope from {worst.slope.low:.6g} to {worst.slope.high:.6g} would do)"
    hint = _hint(probes, block)
    return f"{value} ({hint}?)" if hint else value


def _hint(probes: Sequence[Probe], block: Block) -> str:
    """A guess at a common fault, where every entry looked at speaks for it."""
    largest = max((abs(p.true) for p in probes), default=0.0)
    telling = [p for p in probes if abs(p.true) > _SMALL * largest]
    if len(telling) < 2 and block.gradient.size > 1:
        return ""
    ratios = np.array([p.claimed / p.true for p in telling]) if largest > 0 else np.zeros(0)
    if not ratios.size:
        return ""
    if not ratios.any():
        return "the gradient is lost"
    if np.allclose(ratios, ratios[0], rtol=1e-6, atol=0) and not math.isclose(ratios[0], 1, rel_tol=1e-6):
        return _factor(float(ratios[0]), block.batch)
    flipped = [block.gradient[p.index[::-1]] for p in telling if p.index is not None and _is_square(block)]
    if flipped and np.allclose(flipped, [p.true for p in telling], rtol=1e-6, atol=0):
        return "transposed"
    return ""


def _is_square(block: Block) -> bool:
    shape = block.gradient.shape
    return len(shape) == 2 and shape[0] == shape[1]


def _factor(ratio: float, batch: int) -> str:
    if math.isclose(ratio, -1, rel_tol=1e-6):
        return "opposite sign"
    if batch > 1 and math.isclose(ratio, batch, rel_tol=1e-6):
        return f"a factor 1/{batch}, the batch size, is missing"
    if batch > 1 and math.isclose(ratio, 1 / batch, rel_tol=1e-6):
        return f"divided once too often by the batch size {batch}"
    return f"every entry is {ratio:.6g} times what it should be"
