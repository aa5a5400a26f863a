"""The gradient that all ways are held against, and how far it can be trusted."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from symgrad.comparison.manual import AFFORDABLE
from symgrad.comparison.slopes import LossSlopes
from symgrad.verifier.interpretation.arithmetic import FIFTY_DIGITS, choose

if TYPE_CHECKING:
    from symgrad.comparison.problem import Problem
    from symgrad.verifier.interpretation.array_library import Array


@dataclass(frozen=True)
class ReferenceGradient:
    """A loss and its gradient, and `text`, which says what they are.

    `shown` is the place of the largest entry. Where the gradient `is_symbolic`, `error` is its own distance
    from the slopes of the loss, relative.
    """

    text: str
    loss: float
    gradient: Array
    shown: int
    error: float = 0.0
    is_symbolic: bool = False


def reference_of(problem: Problem, symbolic: Array) -> ReferenceGradient:
    """The slopes of the loss in 50 digits, or for a large network the symbolic gradient.

    That one is itself held against slopes along one random direction in each tensor, in which every entry
    takes part, in the best arithmetic that is affordable.
    """
    evaluation, names = problem.evaluate(), problem.names
    work, loss = evaluation.work, float(np.asarray(evaluation.loss))
    if 2 * work * symbolic.size <= AFFORDABLE:
        slopes = LossSlopes(problem.model, problem.sample, FIFTY_DIGITS)
        blocks = [slopes.gradient(n, block) for n, block in problem.blocks(symbolic).items()]
        gradient = np.concatenate([np.ravel(block) for block in blocks]).astype(np.float64)
        return ReferenceGradient("slopes of the loss in 50 digits", loss, gradient, _shown(gradient))
    is_affordable = 2 * work * len(names) <= AFFORDABLE
    arithmetic = FIFTY_DIGITS if is_affordable else choose(float("inf"))
    slopes, rng = LossSlopes(problem.model, problem.sample, arithmetic), np.random.default_rng(0)
    error = max(_error_along(slopes, n, b, rng) for n, b in problem.blocks(symbolic).items())
    text = (
        f"the symbolic gradient (which agrees with slopes in {arithmetic.name} along a random direction"
        f" in each tensor to {error:.0e})"
    )
    return ReferenceGradient(text, loss, symbolic, _shown(symbolic), error, is_symbolic=True)


def _shown(gradient: Array) -> int:
    return int(np.argmax(np.abs(gradient)))


def _error_along(slopes: LossSlopes, name: str, block: Array, rng: np.random.Generator) -> float:
    direction = np.asarray(rng.normal(size=block.shape))
    parts = block * direction
    claimed = float(parts.sum())
    true = float(slopes.along(name, direction, claimed)[0])
    scale = max(float(np.max(np.abs(parts))), abs(true))
    return abs(claimed - true) / scale if scale else 0.0
