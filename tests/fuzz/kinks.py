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
            or not all(_tame(spec, arrays, way, exact.loss) for way in WAYS)
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


WAYS = ((1, 0), (-1, 0), (0, 1), (0, -1), (1, 1), (-1, -1), (1, -1), (-1, 1))
FAR, NEAR = 1e-7, 1e-10


def _tame(spec: Spec, arrays: dict[str, np.ndarray], way: tuple[int, int], loss: float) -> bool:
    """Whether the formula comes near the loss from there, and is not steep, nor steeper the nearer it is."""
    far, near = (
        _steepness(spec, {"x": arrays["x"] + way[0] * h, "y": arrays["y"] + way[1] * 1.3 * h}, loss)
        for h in (FAR, NEAR)
    )
    return near < STEEP and near <= 1.01 * far + 1e-3


def _steepness(spec: Spec, arrays: dict[str, np.ndarray], loss: float) -> float:
    """The largest slope; infinite where the formula has no value near the loss."""
    found = meaning(spec, arrays, {"x": np.array([0]), "y": np.array([0])})
    # The loss without slopes, as a complex step would move what is 0.
    if not found.finite or not abs(meaning(spec, arrays, {}).loss - loss) < 1e-2:
        return np.inf
    return max(float(np.abs(slope).max()) for slope in found.gradient.values())
