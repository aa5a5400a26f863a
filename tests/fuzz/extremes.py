"""Functions of numbers far out and near 0, where a value or a slope is easily lost."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from fuzz.digits import value_and_slope
from fuzz.drawing import Draw
from fuzz.gradients import GARBAGE, NEAR, NOISE, Outcome, module_of
from fuzz.meaning import formula_of, meaning
from fuzz.modules import with_garbage
from fuzz.scalar_formulas import ENTRYWISE

if TYPE_CHECKING:
    from collections.abc import Iterator
    from random import Random

Spec = dict[str, Any]

INNER = ("x", "x", "x", "-x", "2*x", "x + 1", "x - 3", "abs(x)", "x / 2")
FUNCTIONS = ("exp", "tanh", "atan", "erf", "expm1", "sinh", "cosh", "sqrt", "log", "log1p", "sin", "cos")
OUTER = (
    *("{}", "{}", "{}", "log({})", "({})**2", "1 / (1 + {})", "x * ({})", "1 - {}", "sqrt({})"),
    *("({})**1.5", "1 / ({})", "({})**3", "tanh({})", "exp(-({}))", "sin({})", "atan({})"),
    *("x * (x * ({}))", "(({}) / (1 + abs(x)))**2", "(({}) / x)**2"),
    *("x * (({}) / (1 + abs(x)))", "x * (({}) / sqrt(1 + abs(x)))", "({}) / (1 + abs(x))**2"),
)
SIZES = (1e-12, 1e-5, 0.3, 1.0, 4.0, 9.0, 17.0, 23.0, 37.0, 41.0, 90.0, 300.0, 700.0, 1e25, 1e200)
MOST = 1e30
GOOD = {"float64": 1e-9, "float32": 1e-4}


def extreme_spec(random: Random) -> Spec:
    """The sum of a function of each of some numbers, so that each slope is a number of its own."""
    draw = Draw(random)
    function = draw.one((*FUNCTIONS, *ENTRYWISE))
    outer, inner = draw.one(OUTER), f"{function}({draw.one(INNER)})"
    formulas = {"f": outer.format(inner)} if draw.chance(0.7) else {"h": inner, "f": outer.format("h")}
    return {
        "name": "extremes",
        "dtype": "float64" if draw.chance(0.7) else "float32",
        "inputs": {"x": ["n"]},
        "equations": formulas,
        "loss": "sum(f)",
        "gradients": ["x"],
    }


def judge_extremes(spec: Spec, random: Random, by_rows: bool) -> Outcome:
    """Every value and slope to its own size, where the text itself, in the type of the spec, keeps it."""
    sound = list(_sound(spec))
    if not sound:
        return Outcome("unsound")
    module = module_of(spec, by_rows)
    x, *right, off, allowed = (np.array(column) for column in zip(*sound, strict=True))
    for garbage in GARBAGE:
        with_garbage(module, garbage)
        params = module.init_params()
        values = np.asarray(module.forward(params, x), float)
        for at in np.flatnonzero(~(np.abs(values - right[0]) <= off)):
            return Outcome("lost value", f"at {x[at]:g}: {values[at]:.9g}, not {right[0][at]:.9g}")
        ours, slope = module.input_gradients(params, x).x.astype(float), right[1]
        bad = ~(np.abs(ours - slope) <= allowed)
        for at in np.flatnonzero(bad):
            if not abs(ours[at] - slope[at]) <= allowed[at] + _change_nearby(spec, x[at], slope[at]):
                return Outcome("lost slope", f"at {x[at]:g}: {ours[at]:.9g}, not {slope[at]:.9g}")
    return Outcome("right")


def _change_nearby(spec: Spec, x: float, slope: float) -> float:
    """How much the slope changes over a few numbers: so far may it be from 0 where it passes through 0."""
    near = x * (1 + 16 * float(np.finfo(spec["dtype"]).eps))
    return abs(float(value_and_slope(formula_of(spec), near)[1]) - slope)


def _sound(spec: Spec) -> Iterator[tuple[float, float, float, float, float]]:
    """A number, the value and the slope there, and how far the module may be from each."""
    dtype = spec["dtype"]
    tiny = float(np.finfo(dtype).smallest_normal)
    formula = formula_of(spec)
    for number in (sign * size for size in SIZES for sign in (1, -1)):
        x = np.array([number], dtype).astype(float)
        rounded = meaning(spec, {"x": x}, {"x": np.array([0])}, NOISE[dtype])
        if not (rounded.finite and rounded.clean and rounded.margin > NEAR[dtype] * 1e-6):
            continue
        try:
            value, exact = value_and_slope(formula, x[0])
        except ArithmeticError:
            continue
        slope = float(exact)
        if abs(rounded.loss - value) <= 1e-3 * abs(value) and abs(slope) < MOST:
            off, noise = abs(float(rounded.loss - value)), abs(float(rounded.gradient["x"][0]) - slope)
            good = GOOD[dtype]
            yield (
                x[0],
                float(value),
                slope,
                good * abs(float(value)) + 1e3 * off + tiny,
                good * abs(slope) + 1e3 * noise + tiny,
            )
