"""Random trees over scalars: every function of the language, nested powers and quotients, choices."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from fuzz.drawing import Draw
from fuzz.reach import depends_on_parameters
from symgrad.spec import library

if TYPE_CHECKING:
    from random import Random

NAMES = ("x", "y", "z", "s", "w")
FREE = ("sin", "cos", "tanh", "atan", "erf", "exp", "sinh", "cosh", "abs", "expm1", "sign", "tan")
DOMAIN = {
    "log": ("log({})", "log(1 + ({})**2)", "log(2 + abs({}))"),
    "sqrt": ("sqrt({})", "sqrt(1 + ({})**2)", "sqrt(abs({}))"),
    "log1p": ("log1p({})", "log1p(({})**2)"),
    "asin": ("asin({})", "asin(({}) / 3)", "asin(tanh({}))"),
    "acos": ("acos({})", "acos(sin({}))", "acos(max(-1, min(1, {})))"),
}
POWERS = ("2", "3", "-1", "-2", "0.5", "1.5", "-0.5", "1/3", "2.5", "-3", "4", "-1.5")
ENTRYWISE = [
    *(n for n, e in library.activations.items() if "softmax" not in n and e.formula != f"{n}(x)"),
    *("square", "log2", "log10", "ln"),
]
TWO = ("atan2({}, {})", "pow(abs({}), {})", "clip({}, -0.7, 1.2)", "({}) / pi", "e**({})")


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
        name = self.one((*FREE, *DOMAIN))
        text = self.one(DOMAIN.get(name, (f"{name}({{}})",)))
        return text.format(self.tree(depth))

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
