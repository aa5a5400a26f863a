"""Random programs with derivatives among their terms, and derivatives of these."""

from __future__ import annotations

from itertools import count
from math import prod
from typing import TYPE_CHECKING, Any

from fuzz.tensor_programs import FUNCTIONS, TensorFormulas

if TYPE_CHECKING:
    from random import Random

    from fuzz.tensors import Shape

MOST_SLOPES = 24
"""So many slopes has a derivative here, a free axis counted as 3."""
LETTERS = "abcefghklopqrsuv"
AROUND = ("{}", "tanh({})", "{} * {u}", "sin({}) - {u} / 2", "{} + stop_gradient({u}) * {u}", "-({})**2")
OF = ("{u}", "{u}", "{u}", "tanh({u})", "{u} * stop_gradient({u})", "{u}**2 / 2", "exp(-{u}**2)")


class DerivativePrograms(TensorFormulas):
    """Equations, and then derivatives of some by others, in matrix and in index notation."""

    def __init__(self, random: Random) -> None:
        super().__init__(random)
        self.sizes = self.random.sample((1, 2, 3, 4, 5), 4)
        self.equations: dict[str, str] = {}
        self.slopes_as_functions: dict[str, str] = {}

    def derivative(self, name: str) -> None:
        """One more equation: a derivative of a tensor by one that stands above it."""
        made = [n for n in self.shapes if n[0] in "yD"]
        of = self.one(made)
        possible = [n for n in self.shapes if n[0] in "xpyD" and n in self.above(of)] or [of]
        by = self.one(possible)
        if self.chance(0.35) and self.in_matrices(name, of, by):
            return
        self.in_indices(name, of, [by, *(self.one(possible) for _ in range(self.one((0, 0, 1, 1, 2))))])

    def above(self, name: str) -> set[str]:
        """What a tensor is made of, as its text says."""
        found, waiting = {name}, [name]
        texts = {key.partition("[")[0]: formula for key, formula in self.equations.items()}
        while waiting:
            text = texts.get(waiting.pop(), "")
            new = {n for n in self.shapes if n in text and n not in found}  # names end in their number
            found |= new
            waiting += new
        return found

    def in_matrices(self, name: str, of: str, by: str) -> bool:
        """Row by row, if one of them has one number in a row."""
        own, varied = self.shapes[of], self.shapes[by]
        rows = int(bool(own and varied) and own[0] == varied[0] != 1)
        if self.slopes((*own, *varied)) > MOST_SLOPES:
            return False
        if prod(_plain(varied[rows:])) == 1:
            shape, order = own, self.one((1, 1, 2, 3, 4) if self.slopes(varied) < 4 else (1, 1, 2))
        elif prod(_plain(own[rows:])) == 1:
            shape, order = varied, 1
        else:
            return False
        inner = self.one(OF).format(u=of)
        term = f"d({inner}, {', '.join([by] * order)})"
        if self.chance(0.4):
            term = self.as_function(inner, by, order)
        same = [n for n, axes in self.shapes.items() if axes == shape and n[0] in "xpy"]
        self.put(name, name, shape, self.one(AROUND).format(term, u=self.one(same) if same else "2"))
        return True

    def as_function(self, inner: str, by: str, order: int) -> str:
        """The call of a function of the spec that takes the derivative, once or in steps."""
        name = f"slope{len(self.slopes_as_functions)}"
        body = f"d(u, {', '.join(['v'] * order)})"
        if order > 1 and self.chance(0.5):
            body = f"d({body.replace(', v', '', 1)}, v)"
        self.slopes_as_functions[f"{name}(u, v)"] = body
        return f"{name}({inner}, {by})"

    def in_indices(self, name: str, of: str, by: list[str]) -> None:
        """Entry by entry, along indices of their own, shared ones, and numbers."""
        letters = iter(LETTERS)
        left: dict[str, int | str] = {}
        while self.slopes(tuple(a for n in (of, *by) for a in self.shapes[n])) > 3 * MOST_SLOPES:
            by.pop()
            if not by:
                return
        entries = []
        for tensor in (of, *by):
            places = []
            for axis in self.shapes[tensor]:
                shared = [i for i, a in left.items() if a == axis]
                full = self.slopes(tuple(left.values())) > MOST_SLOPES / 3
                if shared and self.chance(0.9 if full else 0.5):
                    places.append(self.one(shared))
                elif isinstance(axis, int) and (full or self.chance(0.3)):
                    places.append(str(self.whole(0, axis - 1)))
                else:
                    places.append(next(letters))
                    left[places[-1]] = axis
            entries.append(f"{tensor}[{', '.join(places)}]" if places else tensor)
        own, *others = entries
        term = f"d({self.one(OF).format(u=own)}, {', '.join(others)})"
        formula = self.one(AROUND).format(term, u=own)
        summed = [i for i in left if self.chance(0.2)]
        if summed:
            formula = f"{self.one(('sum', 'mean', 'max'))}({formula}, {', '.join(summed)})"
        kept = [i for i in left if i not in summed][:4]
        if len(kept) < len(left) - len(summed):
            formula = f"sum({formula}, {', '.join(i for i in left if i not in (*summed, *kept))})"
        key = f"{name}[{', '.join(kept)}]" if kept else name
        self.put(name, key, tuple(left[i] for i in kept), formula)

    def put(self, name: str, key: str, shape: Shape, formula: str) -> None:
        self.equations[key], self.shapes[name] = formula, shape

    def slopes(self, shape: Shape) -> int:
        return prod(_plain(shape))


def _plain(shape: Shape) -> list[int]:
    return [3 if isinstance(a, str) else a for a in shape]


def derivative_spec(random: Random) -> dict[str, Any]:
    """One or two equations, one or two derivatives, and a loss of the last."""
    for _ in count():
        draw = DerivativePrograms(random)
        for number in range(draw.whole(1, 2)):
            name = f"y{number}"
            if draw.chance(0.35):
                key, shape, formula = draw.equation(name)
            else:
                key, shape = name, draw.shape(draw.whole(0, 3))
                formula = draw.formula(shape, draw.whole(1, 2))
            draw.put(name, key, shape, formula)
        for number in range(draw.whole(1, 2)):
            draw.derivative(f"D{number}")
        made = [n for n in draw.shapes if n[0] == "D"]
        if not made:
            continue
        numeric = [n for n in draw.shapes if n[0] in "xp"]
        if not draw.parameters or not numeric:
            continue
        return {
            key: value
            for key, value in {
                "name": "derivatives",
                "dtype": "float64" if draw.chance(0.95) else "float32",
                "axes": draw.axes if "J" in " ".join((*draw.equations, *draw.equations.values())) else {},
                "inputs": draw.inputs or {"x": []},
                "parameters": draw.parameters,
                "constants": draw.constants,
                "functions": {
                    k: f for k, f in FUNCTIONS.items()
                    if any(f"{k[0]}(" in text for text in draw.equations.values())
                } | draw.slopes_as_functions,
                "equations": draw.equations,
                "loss": " + ".join([f"mean(tanh({made[-1]}))", *(f"sum({n}**2)" for n in draw.parameters)]),
                "outputs": made,
            }.items()
            if value
        }  # fmt: skip
    raise AssertionError
