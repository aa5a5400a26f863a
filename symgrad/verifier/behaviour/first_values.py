"""First values: drawn from the spec's distribution, the same for the same seed, others for another."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np

from symgrad.verifier.behaviour.bench import refusal, same

if TYPE_CHECKING:
    from collections.abc import Iterator

    from symgrad.verifier.arrays import Array
    from symgrad.verifier.behaviour.bench import Bench
    from symgrad.verifier.behaviour.case import Block

_DRAWS, _MOST_SEEDS, _SIGMAS = 20_000, 600, 6.0


def first_values(bench: Bench) -> Iterator[str]:
    """`init_params` by its seed, against the distributions of the spec."""
    module, blocks = bench.module, bench.case.blocks
    if not blocks:
        return
    if not same(module.init_params(3), module.init_params(3)):
        yield "init_params gives other values for the same seed"
    if not same(module.init_params(), module.init_params(0)):
        yield "init_params() is not init_params(0)"
    if np.shares_memory(module.flatten(module.init_params(3)), module.flatten(module.init_params(3))):
        yield "init_params gives the same memory twice"
    for seed in (-1, 1.5, "a"):
        wrong = refusal((TypeError, ValueError), "seed:", module.init_params, seed)
        if wrong:
            yield f"init_params: seed={seed!r} {wrong}"
    fewest = min((math.prod(b.shape) for b in blocks if b.distribution != "constant"), default=_DRAWS)
    seeds = min(max(_DRAWS // max(fewest, 1), 2), _MOST_SEEDS)
    drawn = [module.init_params(seed) for seed in range(seeds)]
    for block in blocks:
        values = np.array([getattr(params, block.name) for params in drawn], np.float64)
        yield from _distributed(block, values)


def _distributed(block: Block, values: Array) -> Iterator[str]:
    """Mean, deviation and range, within six standard errors."""
    what, scale, count = f"init_params: {block.name}", block.scale, values.size
    if scale is None:
        return
    if block.distribution == "constant":
        if not np.allclose(values, scale, rtol=1e-6, atol=0):
            yield f"{what} is not {scale:g} everywhere"
        return
    deviation = scale if block.distribution == "normal" else scale / math.sqrt(3)
    if same(values[0], values[1]) and scale:
        yield f"{what} is the same for every seed"
    if abs(values.mean()) > _SIGMAS * deviation / math.sqrt(count):
        yield f"{what} has the mean {values.mean():.3g}, not 0"
    kurtosis = 3.0 if block.distribution == "normal" else 1.8
    allowed = _SIGMAS * math.sqrt((kurtosis - 1) / (4 * count))
    if abs(values.std() / deviation - 1) > allowed if deviation else values.any():
        yield f"{what} has the deviation {values.std():.4g}, its distribution {deviation:.4g}"
    elif block.distribution == "uniform" and np.abs(values).max() > scale * (1 + 1e-6):
        yield f"{what} reaches {np.abs(values).max():.6g}, its distribution {scale:.6g}"
    elif block.distribution == "normal" and count >= 1000 and np.abs(values).max() < 2 * scale:
        yield f"{what} is not distributed normally: nothing lies beyond two deviations"
