"""Formulas exactly where they may have a kink or a tie: the value is what it is, and a slope is a number."""

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
    from collections.abc import Iterator
    from random import Random

Spec = dict[str, Any]

NUMBERS = (-1.0, 0.0, 0.0, 1.0, 1.0, 2.0, 0.5)
STEEP = 1e3


def kink_spec(random: Random) -> Spec:
    """A small formula of two numbers."""
    draw = ScalarFormulas(random, ("x", "y"))
    return {
        "name": "kinks",
        "dtype": "float64",
        "inputs": {"x": [], "y": []},
        "equations": {"f": draw.tree(draw.whole(2, 3))},
        "loss": "f",
        "gradients": ["x", "y"],
    }


def judge_kinks(spec: Spec, random: Random, by_rows: bool) -> Outcome:
    """The value at round numbers, and finite slopes wherever those on all sides are."""
    try:
        module = module_of(spec, by_rows)
    except SpecError:
        return Outcome("unsound")
    draw, outcome = Draw(random), Outcome("unsound")
    for _ in range(6):
        arrays = {name: np.array(draw.one(NUMBERS)) for name in ("x", "y")}
        exact = meaning(spec, arrays, {})
        if (
            not np.isfinite(exact.loss)
            or abs(exact.loss) > STEEP
            or not all(_tame(spec, near, exact.loss) for near in _around(arrays))
        ):
            continue
        for garbage in GARBAGE:
            with_garbage(module, garbage)
            params = module.init_params()
            value, _ = module.loss_and_grad(params, arrays["x"], arrays["y"])
            slopes = [float(s) for s in module.input_gradients(params, arrays["x"], arrays["y"])]
            where = f"at x = {arrays['x']}, y = {arrays['y']}"
            if not abs(value - exact.loss) <= 1e-9 * max(1, abs(exact.loss)):
                return Outcome("wrong value at a kink", f"{where}: {value:.9g}, not {exact.loss:.9g}")
            if not np.isfinite(slopes).all():
                return Outcome("no slope at a kink", f"{where}: {slopes}")
        outcome = Outcome("right")
    return outcome


def _around(arrays: dict[str, np.ndarray]) -> Iterator[dict[str, np.ndarray]]:
    """The point moved a little to either side along each axis, and both along both."""
    for dx, dy in ((1, 0), (-1, 0), (0, 1), (0, -1), (1, 1), (-1, -1), (1, -1), (-1, 1)):
        yield {"x": arrays["x"] + dx * 1e-7, "y": arrays["y"] + dy * 1.3e-7}


def _tame(spec: Spec, arrays: dict[str, np.ndarray], loss: float) -> bool:
    """Whether the formula comes near the loss there, and is not steep."""
    found = meaning(spec, arrays, {"x": np.array([0]), "y": np.array([0])})
    return (
        found.finite
        and abs(meaning(spec, arrays, {}).loss - loss) < 1e-2  # a complex step would move what is 0
        and all(np.abs(slope).max() < STEEP for slope in found.gradient.values())
    )
