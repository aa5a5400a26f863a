"""First values: drawn from the spec's distribution, the same for the same seed, others for another."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np

from symgrad.verifier.behaviour.workbench import Bench, refusal, same

if TYPE_CHECKING:
    from collections.abc import Iterator

    from symgrad.verifier.interpretation.array_library import Array
    from symgrad.verifier.trials.behaviour_case import DrawnParameter

_REPLAYED, _EXACT = 8, 1e-5
"""Seeds whose draws are made again, and how near to its scale they must be drawn, in either precision."""

_DRAWS, _MOST_SEEDS, _SIGMAS = 20_000, 600, 6.0

_DEVIATIONS = {"normal": 1.0, "uniform": 1 / math.sqrt(3), "truncated_normal": 0.8796256610342398}
"""Of each distribution, with a scale of 1."""
_KURTOSES = {"normal": 3.0, "uniform": 1.8, "truncated_normal": 2.3655}
_ENDS = {"normal": math.inf, "uniform": 1.0, "truncated_normal": 2.0}


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
    fewest = min((math.prod(b.shape) for b in blocks if b.is_drawn), default=_DRAWS)
    seeds = min(max(_DRAWS // max(fewest, 1), 2), _MOST_SEEDS)
    drawn = [module.init_params(seed) for seed in range(seeds)]
    for block in blocks:
        values = np.array([getattr(params, block.name) for params in drawn], np.float64)
        yield from _distributed(block, values)
    yield from _scaled(bench)


def _scaled(bench: Bench) -> Iterator[str]:
    """Where values are NumPy's own draws, block after block, location and scale are no matter of chance."""
    pairs: dict[str, list[tuple[Array, Array]]] = {block.name: [] for block in bench.case.blocks}
    for seed in range(_REPLAYED):
        rng, params = np.random.default_rng(seed), bench.module.init_params(seed)
        for block in bench.case.blocks:
            values = np.asarray(getattr(params, block.name), np.float64).reshape(-1)
            if block.distribution == "normal":
                pairs[block.name].append((rng.standard_normal(values.size), values))
            elif block.distribution == "uniform":
                pairs[block.name].append((rng.random(values.size), values))
    for block in bench.case.blocks:
        if pairs[block.name] and block.scale:
            standard, values = map(np.concatenate, zip(*pairs[block.name], strict=True))
            slope, start = np.polyfit(standard, values, 1)
            is_replayed = np.abs(start + slope * standard - values).max() <= _EXACT * block.scale
            true = (block.scale, 0.0) if block.distribution == "normal" else (2 * block.scale, -block.scale)
            if is_replayed and not np.allclose((slope, start), true, rtol=0, atol=_EXACT * block.scale):
                yield f"init_params: {block.name} has another scale or location than {block.scale:.6g}"


def _distributed(block: DrawnParameter, values: Array) -> Iterator[str]:
    """Mean, deviation and range, within six standard errors; the rows or columns of matrices."""
    what, scale, count = f"init_params: {block.name}", block.scale, values.size
    if scale is None:
        return
    if block.distribution == "constant":
        if not np.allclose(values, scale, rtol=1e-6, atol=0):
            yield f"{what} is not {scale:g} everywhere"
        return
    if block.distribution in ("identity", "orthogonal"):
        yield from _matrices(block, values)
        return
    deviation, end = _DEVIATIONS[block.distribution] * scale, _ENDS[block.distribution] * scale
    if same(values[0], values[1]) and scale:
        yield f"{what} is the same for every seed"
    if abs(values.mean()) > _SIGMAS * deviation / math.sqrt(count):
        yield f"{what} has the mean {values.mean():.3g}, not 0"
    allowed = _SIGMAS * math.sqrt((_KURTOSES[block.distribution] - 1) / (4 * count))
    if abs(values.std() / deviation - 1) > allowed if deviation else values.any():
        yield f"{what} has the deviation {values.std():.4g}, its distribution {deviation:.4g}"
    elif np.abs(values).max() > end * (1 + 1e-6):
        yield f"{what} reaches {np.abs(values).max():.6g}, its distribution {end:.6g}"
    elif block.distribution == "normal" and count >= 1000 and np.abs(values).max() < 2 * scale:
        yield f"{what} is not distributed normally: nothing lies beyond two deviations"


def _matrices(block: DrawnParameter, values: Array) -> Iterator[str]:
    """A multiple of the identity, or matrices with orthonormal rows or columns, others for every seed."""
    what, scale = f"init_params: {block.name}", block.scale or 0.0
    matrices = values.reshape(len(values), -1, block.shape[-1])
    rows, columns = matrices.shape[1:]
    if block.distribution == "identity":
        if not np.allclose(matrices, scale * np.eye(rows, columns), rtol=1e-6, atol=0):
            yield f"{what} is not {scale:g} on its diagonal and 0 elsewhere"
        return
    turned = matrices if rows <= columns else matrices.transpose(0, 2, 1)
    products = turned @ turned.transpose(0, 2, 1)
    if not np.allclose(products, scale**2 * np.eye(min(rows, columns)), rtol=0, atol=1e-5 * scale**2):
        yield f"{what} is not orthogonal, or its gain is not {scale:g}"
    if abs(values.mean()) > _SIGMAS * scale / math.sqrt(
        max(rows, columns) * len(values) * min(rows, columns)
    ):
        yield f"{what} has the mean {values.mean():.3g}, not 0"
    if same(values[0], values[1]) and rows * columns > 1:
        yield f"{what} is the same for every seed"
