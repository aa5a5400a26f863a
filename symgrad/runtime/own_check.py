"""The module checks its own gradients."""

import math
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np

from symgrad.runtime.given_arrays import _arguments, _in_memory
from symgrad.runtime.kept_memory import _with_constants
from symgrad.runtime.smallest_model import (
    AXES,
    CLASSES,
    FREE_AXES,
    GRADIENTS,
    IGNORED,
    INPUTS,
    LEAST_SIZES,
    SCORED,
    SHAPES,
    SIZE,
    SPEC_NAME,
    TARGETS,
    TASK,
    _gradient,
    _input_gradients,
    _loss,
    _work_size,
)


def _sample(rng: np.random.Generator, scale: Callable) -> Iterator[np.ndarray]:
    """Random data of sizes that differ from each other."""
    sizes: dict[Any, int] = {
        axis: LEAST_SIZES.get(axis, 1) + 4 + 2 * place for place, axis in enumerate(FREE_AXES)
    }
    shapes = {name: tuple(int(sizes.get(a, a)) for a in AXES[name]) for name in INPUTS + TARGETS}
    for name, shape in shapes.items():
        is_scored = name == SCORED if SCORED else name in TARGETS
        if name in CLASSES:
            labels = rng.integers(0, CLASSES[name], shape)
            is_none = name in IGNORED and rng.random(shape) < 0.25
            yield np.where(is_none, IGNORED.get(name, 0), labels)
        elif is_scored and TASK in ("binary", "sign"):
            yield rng.integers(0, 2, shape) * (2.0 if TASK == "sign" else 1.0) - (TASK == "sign")
        elif is_scored and TASK == "classes":
            weights = rng.uniform(0.1, 1.0, shape)
            yield weights / weights.sum(-1, keepdims=True)
        else:
            yield scale(rng, shape)


def _normal(rng: np.random.Generator, shape: tuple[int, ...]) -> np.ndarray:
    return rng.normal(0.0, 1.0, shape)


def _between(rng: np.random.Generator, shape: tuple[int, ...]) -> np.ndarray:
    return rng.uniform(0.1, 0.9, shape)


def _random_parameters(rng: np.random.Generator, scale: Callable) -> np.ndarray:
    """Parameters of the size that keeps a network's values moderate."""
    blocks = [scale(rng, math.prod(shape)) / math.sqrt(shape[0] if shape else 1) for shape in SHAPES.values()]
    return np.concatenate(blocks) if blocks else np.empty(0)


def _differences(value_at: Callable[[float], float], h: float) -> tuple[float, float]:
    """The slope of value_at at 0 by Richardson's extrapolation of central differences, and its noise."""
    wide, narrow = ((value_at(s) - value_at(-s)) / (2 * s) for s in (h, h / 2))
    noise = abs(narrow - wide) + 1e-14 * abs(value_at(0.0)) / h
    return narrow + (narrow - wide) / 3, noise if math.isfinite(noise) else math.inf


def _new_work(extents: list[int]) -> np.ndarray:
    return _with_constants(np.empty(_work_size(*extents)))


def _gradients_of(
    theta: np.ndarray, data: list[np.ndarray], extents: list[int]
) -> list[tuple[str, np.ndarray, np.ndarray]]:
    """Everything that has a gradient: its name, its numbers as a flat view, and their gradient."""
    work, grad = _new_work(extents), np.empty(SIZE)
    _gradient(theta, grad, *data, work, *extents)
    found, start = [], 0
    for name, shape in SHAPES.items():
        end = start + math.prod(shape)
        found.append((name, theta[start:end], grad[start:end]))
        start = end
    arrays = dict(zip(INPUTS + TARGETS, data, strict=True))
    for name, gradient in zip(GRADIENTS, _input_gradients(work, *extents), strict=True):
        if name in arrays:
            found.append((name, arrays[name].reshape(-1), _in_memory(name, gradient).reshape(-1)))
    return found


def _check(
    theta: np.ndarray, data: list[np.ndarray], extents: list[int], rng: np.random.Generator
) -> Iterator[tuple[str, float, float, float, float]]:
    """For every block and direction: error over allowance, error, the size of the gradient, allowance."""
    work, found = _new_work(extents), _gradients_of(theta, data, extents)
    steepest = max((float(np.abs(gradient).max()) for _, _, gradient in found), default=0.0)
    for name, numbers, gradient in found:
        middle, size = numbers.copy(), numbers.size
        for direction in np.eye(size) if size <= 64 else rng.choice((-1.0, 1.0), (8, size)):

            def value_at(
                s: float, numbers: Any = numbers, middle: Any = middle, direction: Any = direction
            ) -> float:
                numbers[:] = middle + s * direction
                value = _loss(theta, *data, work, *extents)
                numbers[:] = middle
                return value

            steps = (1e-3, 1e-4, 1e-5, 1e-6, 1e-7)
            slope, noise = min((_differences(value_at, h) for h in steps), key=lambda d: d[1])
            exact = float(gradient @ direction)
            scale = max(abs(exact), abs(slope), float(np.abs(gradient).max()))
            error, allowed = abs(exact - slope), noise + 1e-8 * scale
            told = scale == 0 or noise <= 1e-3 * max(scale, 1e-6 * steepest)  # or differences say nothing
            yield name, (error / allowed if error else 0.0) if told else math.inf, error, scale, allowed


def _worst_of_each(points: int, seed: int) -> dict[str, tuple[float, ...]]:
    """Of everything that has a gradient what `_check` found, where that was worst."""
    rng, worst = np.random.default_rng(seed), dict[str, tuple[float, ...]]()
    for _ in range(points):
        for weights, numbers in (
            (_normal, _normal),
            (_normal, _between),
            (_between, _normal),
            (_between, _between),
        ):
            theta = _random_parameters(rng, weights)
            data, extents = _arguments(INPUTS + TARGETS, list(_sample(rng, numbers)), np.float64)
            if math.isfinite(_loss(theta, *data, _new_work(extents), *extents)):
                break
        for name, share, *rest in _check(theta, data, extents, rng):
            if name not in worst or share > worst[name][0]:
                worst[name] = (share, *rest)
    return worst


def _told(worst: dict[str, tuple[float, ...]]) -> bool:
    """Whether all of these agree; a line for each is printed."""
    for name, (share, error, size, allowed) in worst.items():
        verdict = "wrong" if not share <= 1 else "agrees" if size else "is zero"
        print(
            f"{name:>12} {verdict:8} error {error:.1e} of {size:.1e}, differences are good to {allowed:.1e}"
        )
    return all(share <= 1 for share, *_ in worst.values())


def verify(points: int = 3, seed: int = 0) -> bool:
    """Compare every gradient with differences of the loss, in float64, and print the verdict.

    Returns True where all agree. symgrad's own `verify` also checks the loss against the spec.
    """
    passed = _told(_worst_of_each(points, seed))
    verdict = "every gradient agrees with differences of the loss" if passed else "a gradient is WRONG"
    print(f"{SPEC_NAME}: {verdict}")
    return passed
