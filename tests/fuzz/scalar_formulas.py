"""Random trees over scalars: every function of the language, nested powers and quotients, choices."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

from fuzz.drawing import Draw
from fuzz.reach import depends_on_parameters
from symgrad.spec import library
from symgrad.spec.language.builtins import SCALAR_FUNCTIONS
from symgrad.spec.scalars import SCALARS

if TYPE_CHECKING:
    from random import Random

    from symgrad.spec.scalars import ScalarFunction

NAMES = ("x", "y", "z", "s", "w")
POWERS = ("2", "3", "-1", "-2", "0.5", "1.5", "-0.5", "1/3", "2.5", "-3", "4", "-1.5")
ENTRYWISE = [
    *(n for n, e in library.activations.items() if "softmax" not in n and e.formula != f"{n}(x)"),
    *("square", "log2", "log10", "ln"),
]
TWO = ("atan2({}, {})", "pow(abs({}), {})", "clip({}, -0.7, 1.2)", "({}) / pi", "e**({})")


def forms(row: ScalarFunction) -> tuple[str, ...]:
    """Calls of a function anywhere, and where it has values."""
    anywhere, least, most = f"{row.name}({{}})", row.arguments.least, row.arguments.most
    if least == -math.inf and most == math.inf:
        return (anywhere,)
    if math.isinf(least - most):
        end, sign = (least, 1) if math.isfinite(least) else (most, -1)
        inside = end + sign * (row.arguments.open_least or row.arguments.open_most)
        return (anywhere, *(f"{row.name}({inside:g} + {sign} * {text})" for text in ("({})**2", "abs({})")))
    middle, half = (least + most) / 2, (most - least) / 2
    inside = ("({}) / 3", "tanh({})", "sin({})", "max(-1, min(1, {}))")
    return (anywhere, *(f"{row.name}({middle:g} + {half:g} * ({text}))" for text in inside))


class ScalarFormulas(Draw):
    """Draws formulas of one number over `names`."""

    def __init__(self, random: Random, names: tuple[str, ...]) -> None:
        super().__init__(random)
        self.names = names

    def leaf(self) -> str:
        return self.one(self.names) if self.chance(0.8) else self.number()

    def tree(self, depth: int) -> str:
        """A formula of at most this depth."""
        if depth <= 0 or self.chance(0.08):
            return self.leaf()
        kinds = (
            self.power,
            self.power,
            self.quotient,
            self.quotient,
            self.sum,
            self.sum,
            self.product,
            self.product,
        )
        return self.one(
            (*kinds, self.function, self.function, self.extreme, self.where, self.activation, self.minus)
        )(depth - 1)

    def power(self, depth: int) -> str:
        base = self.tree(depth)
        kind = self.whole(0, 9)
        if kind < 7:
            return f"({base})**{self.exponent()}"
        return f"({base})**({self.tree(depth - 1)})" if kind < 9 else f"abs({base})**{self.one(self.names)}"

    def exponent(self) -> str:
        power = self.one(POWERS)
        return power if power.replace(".", "").isdigit() else f"({power})"

    def quotient(self, depth: int) -> str:
        return f"({self.tree(depth)}) / ({self.tree(depth)})"

    def sum(self, depth: int) -> str:
        return f"({self.tree(depth)}) {self.one('+-')} ({self.tree(depth)})"

    def product(self, depth: int) -> str:
        return f"({self.tree(depth)}) * ({self.tree(depth)})"

    def minus(self, depth: int) -> str:
        return f"-({self.tree(depth)})"

    def function(self, depth: int) -> str:
        row = SCALARS[self.one(sorted(SCALAR_FUNCTIONS))]
        return self.one(forms(row)).format(self.tree(depth))

    def activation(self, depth: int) -> str:
        if self.chance(0.2):
            return self.one(TWO).format(self.tree(depth), self.tree(depth))
        return f"{self.one(ENTRYWISE)}({self.tree(depth)})"

    def extreme(self, depth: int) -> str:
        return f"{self.one(('max', 'min'))}({self.tree(depth)}, {self.tree(depth)})"

    def where(self, depth: int) -> str:
        relation = self.one(("<", "<=", ">", ">=", "!=", "=="))
        condition = f"{self.tree(depth - 1)} {relation} {self.tree(depth - 1)}"
        return f"where({condition}, {self.tree(depth)}, {self.tree(depth)})"


def scalar_spec(random: Random) -> dict[str, Any]:
    """One to three equations over numbers or vectors, and a loss."""
    draw = Draw(random)
    names = NAMES[: draw.whole(1, 5)]
    axes: list[Any] = draw.one(([], [], ["n"]))
    parameters = [n for n in names if draw.chance(0.3)] if not axes else []
    formulas = ScalarFormulas(random, names)
    equations = {}
    for number in range(draw.whole(1, 2)):
        equations[f"f{number}"] = formulas.tree(draw.whole(1, 4))
        formulas.names = (*formulas.names, f"f{number}")
    last = [*equations][-1]
    spec: dict[str, Any] = {
        "name": "scalars",
        "dtype": "float64" if draw.chance(0.9) else "float32",
        "inputs": {n: axes for n in names if n not in parameters},
        "equations": equations,
        "loss": draw.one((f"sum({last})", f"mean({last})", f"1/mean({last})**2")) if axes else last,
        "gradients": [n for n in names if n not in parameters],
    }
    if not spec["inputs"]:
        spec["inputs"] = {"unused": []}
    if parameters:
        spec["parameters"] = {n: {"axes": [], "init": 1} for n in parameters}
        if not depends_on_parameters(spec):
            spec["loss"] += f" + {parameters[0]}"
    return spec
