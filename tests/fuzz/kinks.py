"""Formulas exactly where they may have a kink or a tie: the value is what it is, and a slope is a number.

It is the number that slopes come near from all sides, where there is one.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from fuzz.drawing import Draw
from fuzz.gradients import GARBAGE, Outcome, module_of
from fuzz.meaning import meaning
from fuzz.modules import with_garbage
from fuzz.scalar_formulas import ScalarFormulas
from symgrad.errors import SpecError

if TYPE_CHECKING:
    from random import Random

Spec = dict[str, Any]

NUMBERS = (-1.0, 0.0, 0.0, 1.0, 1.0, 2.0, 0.5)
STEEP = 1e3


FALLING = (
    *(
        "atan({})",
        "1 / (1 + {})",
        "1 / (1 + ({})**2)",
        "1 / (2 + {})**2",
        "x * atan({})",
        "({0}) / (1 + {0})",
    ),
    *("1 / ({} + y)", "tanh({})", "sin(atan({}))", "x / (y + {})"),
)
"""What stays finite where its argument is infinite."""


def kink_spec(random: Random) -> Spec:
    """A small formula of two numbers; or of a quotient, what may be finite at its pole, perhaps by a name."""
    draw = ScalarFormulas(random, ("x", "y"))
    equations = {"f": draw.tree(draw.whole(2, 3))}
    if draw.chance(0.4):
        quotient, falling = f"({draw.tree(1)}) / ({draw.tree(1)})", draw.one(FALLING)
        equations = {"h": quotient, "f": falling.format("h")}
        if draw.chance(0.5):
            equations = {"f": falling.format(quotient)}
        if draw.chance(0.4):
            equations["f"] = draw.one(FALLING).format(f"({equations['f']})")
    return {
        "name": "kinks",
        "dtype": "float64",
        "inputs": {"x": [], "y": []},
        "equations": equations,
        "loss": "f",
        "gradients": ["x", "y"],
    }


def judge_kinks(spec: Spec, random: Random, by_rows: bool) -> Outcome:
    """The value at round numbers, and slopes where those on all sides are finite; theirs, if they agree."""
    if spec.get("gradients") != ["x", "y"]:  # by shrinking
        return Outcome("unsound")
    try:
        module = module_of(spec, by_rows)
    except SpecError:
        return Outcome("unsound")
    draw, outcome = Draw(random), Outcome("unsound")
    for _ in range(6):
        arrays = {name: np.array(draw.one(NUMBERS)) for name in ("x", "y")}
        exact = meaning(spec, arrays, {})
        if not np.isfinite(exact.loss) or abs(exact.loss) > STEEP:
            continue
        around = [_slopes(spec, arrays, way, exact.loss) for way in WAYS]
        if not all(_is_tame(far, near) for far, near in around):
            continue
        if not all(_is_without_poles(spec, arrays, way) for way in WAYS):
            continue  # it divides by 0 there too
        limit = _limit(spec, np.array(around), exact.ties)
        for garbage in GARBAGE:
            with_garbage(module, garbage)
            params = module.init_params()
            value, _ = module.loss_and_grad(params, arrays["x"], arrays["y"])
            slopes = np.array([float(s) for s in module.input_gradients(params, arrays["x"], arrays["y"])])
            where = f"at x = {arrays['x']}, y = {arrays['y']}"
            if not abs(value - exact.loss) <= 1e-9 * max(1, abs(exact.loss)):
                return Outcome("wrong value at a kink", f"{where}: {value:.9g}, not {exact.loss:.9g}")
            if not np.isfinite(slopes).all():
                return Outcome("no slope at a kink", f"{where}: {slopes}")
            if limit is not None and not np.allclose(slopes, limit, rtol=AGREE, atol=AGREE):
                return Outcome("wrong slope where all sides agree", f"{where}: {slopes}, not {limit}")
        outcome = Outcome("right")
    return outcome


WAYS = ((1, 0), (-1, 0), (0, 1), (0, -1), (1, 1), (-1, -1), (1, -1), (-1, 1))
FAR, NEAR = 1e-7, 1e-10
AGREE = 1e-4


def _slopes(
    spec: Spec, arrays: dict[str, np.ndarray], way: tuple[int, int], loss: float
) -> tuple[np.ndarray, np.ndarray]:
    """The slopes far and near that way; infinite where the formula has no value near the loss."""
    found = []
    for h in (FAR, NEAR):
        there = {"x": arrays["x"] + way[0] * h, "y": arrays["y"] + way[1] * 1.3 * h}
        known = meaning(spec, there, {"x": np.array([0]), "y": np.array([0])})
        # The loss without slopes, as a complex step would move what is 0.
        is_near = known.finite and abs(meaning(spec, there, {}).loss - loss) < 1e-2
        found.append(np.concatenate([*known.gradient.values()]) if is_near else np.full(2, np.inf))
    return found[0], found[1]


def _is_without_poles(spec: Spec, arrays: dict[str, np.ndarray], way: tuple[int, int]) -> bool:
    there = {"x": arrays["x"] + way[0] * FAR, "y": arrays["y"] + way[1] * 1.3 * FAR}
    return meaning(spec, there, {}).clean


def _is_tame(far: np.ndarray, near: np.ndarray) -> bool:
    """Whether slopes are not steep, nor steeper the nearer they are."""
    steep, before = (float(np.abs(slopes).max()) for slopes in (near, far))
    return steep < STEEP and steep <= 1.01 * before + 1e-3


def _limit(spec: Spec, around: np.ndarray, ties: int) -> np.ndarray | None:
    """The slopes that those on all sides, far and near, agree on; none where one point may have its own, and
    where several functions choose theirs there, as those of relu(x) - relu(-x) at 0.
    """
    middle = around.mean(axis=(0, 1))
    text = " ".join(spec["equations"].values())
    is_own = any(relation in text for relation in ("==", "!=")) or ties > 1
    agree = np.abs(around - middle).max(axis=(0, 1)) <= AGREE / 10 * np.maximum(1, np.abs(middle))
    return middle if agree.all() and not is_own else None
