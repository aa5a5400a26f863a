"""One block of a gradient against the slopes of the spec's own loss."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from symgrad.verifier.gradients.likely_faults import explain
from symgrad.verifier.report import GradientEntry

if TYPE_CHECKING:
    from collections.abc import Sequence

    from symgrad.verifier.gradients.probes import ClaimedGradient, Known, Probe
    from symgrad.verifier.interpretation.array_library import Array

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
class BlockFinding:
    """The worst of one block at one point; `evidence` is whether the true gradient is not zero.

    `drowned` is one that is not zero, but that rounding moves by more than it is large.
    """

    error: float
    evidence: bool
    where: GradientEntry | None = None
    message: str = ""
    kinks: int = 0
    drowned: bool = False


def compare_block(
    block: ClaimedGradient, floor: float, rng: np.random.Generator, effort: Effort
) -> BlockFinding:
    """Hold a block against the spec's own slopes: all entries at once, or by differences.

    The error of an entry is |claimed − true| / (scale + noise/1e-8), so that within 1e-8 means
    |claimed − true| ≤ 1e-8·scale + noise: scale is the larger of |true| and a thousandth of the block's
    largest true entry, noise is `floor` and, where that is not enough, what rounding may move the entry by.
    Numbers that are not finite are refused first. Where an entry differs from the tape's slope, or there is
    no tape, differences decide. There is evidence only where a slope stands out from its noise.
    """
    gradient = block.gradient
    finite = np.isfinite(gradient)
    if not finite.all():
        index = tuple(int(i) for i in np.argwhere(~finite)[0])
        where = GradientEntry(index, float(gradient[index]), math.nan, block.point)
        return BlockFinding(math.inf, True, where, f"entry {list(index)} is {gradient[index]} {block.point}")
    known = block.known
    if known is None:
        return _by_differences(block, _chosen(gradient, rng, effort), np.asarray(floor), rng, effort)
    noise = np.full(gradient.shape, floor)
    errors = _errors(gradient, known.slopes, noise)
    if not (errors <= TOLERANCE).all():
        noise = noise + known.rounding()
        errors = _errors(gradient, known.slopes, noise)
    if not (errors <= TOLERANCE).all():
        doubtful = [int(n) for n in np.argsort(errors, axis=None)[::-1] if not errors.flat[n] <= TOLERANCE]
        return _by_differences(block, doubtful[: effort.entries], noise, rng, effort)
    return _agreeing(block, known, errors, noise, floor)


def _errors(gradient: Array, true: Array, noise: Array) -> Array:
    """The error of every entry."""
    size = np.abs(true)
    scale = np.maximum(size, _SMALL * np.max(size, initial=0.0)) + noise / TOLERANCE
    return np.asarray(np.abs(gradient - true) / np.maximum(scale, math.ulp(0.0)))


def _agreeing(
    block: ClaimedGradient, known: Known, errors: Array, noise: Array, floor: float
) -> BlockFinding:
    """What there is to say of a block without a fault."""
    if not errors.size:
        return BlockFinding(0.0, False)
    index = tuple(int(i) for i in np.unravel_index(int(np.argmax(errors)), errors.shape))
    where = GradientEntry(index, float(block.gradient[index]), float(known.slopes[index]), block.point)
    size = np.abs(known.slopes)
    stands_out, is_there = bool((size > noise).any()), bool((size > floor).any())
    return BlockFinding(float(errors[index]), stands_out, where, drowned=is_there and not stands_out)


def _by_differences(
    block: ClaimedGradient, chosen: Sequence[int], noise: Array, rng: np.random.Generator, effort: Effort
) -> BlockFinding:
    """Hold some entries, and of a block with more the slopes along random directions, against differences.

    Of a large block without a tape these are the largest entries and some random ones; in a direction of ±1
    every entry takes part. For a direction, scale is a hundredth of the larger of its slope and the
    gradient's norm: one wrong entry among 10⁶ of equal size shows as about 0.1.
    """
    gradient = block.gradient
    noise = np.broadcast_to(noise, gradient.shape)
    probes = [block.entry(flat) for flat in chosen]
    largest = max((abs(p.true) for p in probes), default=0.0)
    if block.known is not None:
        largest = max(largest, float(np.max(np.abs(block.known.slopes))))
    scored = [(_error(p, max(abs(p.true), _SMALL * largest), float(noise[p.index])), p) for p in probes]
    kinks = sum(p.slope.is_kink for p in probes)
    evidence = any(_stands_out(p, float(noise[p.index])) for p in probes)
    along = float(np.linalg.norm(noise - np.min(noise)) + np.min(noise)) if noise.size else 0.0
    for _ in range(0 if len(chosen) == gradient.size else effort.directions):
        direction = rng.choice([-1.0, 1.0], size=gradient.shape)
        probe = block.along(direction)
        evidence = evidence or _stands_out(probe, along)
        norm = float(np.linalg.norm(gradient))
        error = _error(probe, _DIRECTION * max(abs(probe.true), norm), along)
        scored.append((error, probe))
        if not error <= TOLERANCE:
            guilty = _guilty(block, direction, probe)
            scale = max(abs(guilty.true), _SMALL * largest)
            scored.append((_error(guilty, scale, float(noise[guilty.index])), guilty))
            break
    error, worst = max(scored, key=_badness)
    if error <= TOLERANCE:
        return BlockFinding(error, evidence, _where(worst, block.point), kinks=kinks)
    message = explain(worst, probes, block)
    return BlockFinding(_sortable(error), True, _where(worst, block.point), message, kinks)


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


def _guilty(block: ClaimedGradient, direction: Array, whole: Probe) -> Probe:
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


def _where(probe: Probe, point: str) -> GradientEntry | None:
    return None if probe.index is None else GradientEntry(probe.index, probe.claimed, probe.true, point)
