"""Random networks with derivatives in their formulas, called at several sets of points.

They are held to the same written out, where every argument of a call and every equation of a
network is an equation of its own, so that a derivative is one of a tensor by a tensor.
"""

from __future__ import annotations

import ast
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from fuzz.drawing import Draw

if TYPE_CHECKING:
    from collections.abc import Callable
    from random import Random

Spec = dict[str, Any]
ACTIVATIONS = ("tanh", "sigmoid", "sin", "softplus")
OF_LAYERS = ("tanh", "sigmoid", "softplus", "silu")
GIVEN = ("{}", "{}", "{}", "0.5 * {}", "sin({})", "{}**2 / 2")
AROUND = ("{}", "tanh({})", "{} - {u} / 2", "{} * {u}", "0.3 * {} + {u}**2")
CALL = re.compile(r"f\d")
MOST_ORDER = 2
"""The oracle moves all that a derivative is computed of again for every entry, for each derivative in it."""


@dataclass(frozen=True)
class SlopeNetwork:
    """The widths of its arguments and of its value, and its body.

    `equations` are the body with layers written out: formulas over `u`, `v` and each other's names that may
    call networks before it; the last is its value. `order` is that of the derivatives in it.
    """

    takes: tuple[int, ...]
    gives: int
    body: Any
    equations: dict[str, str]
    order: int = 0


class SlopeCalls(Draw):
    """Draws networks and what is computed with them, as a spec has it and written out."""

    def __init__(self, random: Random) -> None:
        super().__init__(random)
        self.wide = self.whole(2, 3)
        self.networks: list[SlopeNetwork] = []
        self.parameters: dict[str, list[int]] = {}
        self.width: dict[str, int] = {}
        self.inputs: dict[str, list[Any]] = {}
        for points in ("N", "M")[: self.whole(1, 2)]:
            for name, width in (("x", 1), ("y", 1), ("w", self.wide)):
                self.inputs[f"{name}{points}"] = [points, width]
                self.width[f"{name}{points}"] = width
        self.written: dict[str, str] = {}

    # Networks ---------------------------------------------------------------------------------

    def network(self) -> None:
        kinds: list[Callable[[str], SlopeNetwork]] = [self.layers]
        if self.networks:
            kinds = [self.of_others, self.of_others, self.of_own]
        self.networks.append(self.one(kinds)(f"f{len(self.networks)}"))

    def affine(self, x: str, name: str, fan_in: int, gives: int, number: str = "") -> str:
        self.parameters |= {f"{name}_W{number}": [fan_in, gives], f"{name}_b{number}": [gives]}
        return f"(({x}) @ {name}_W{number} + {name}_b{number})"

    def layers(self, name: str) -> SlopeNetwork:
        """Layers over the arguments side by side."""
        takes = self.one(((1,), (1, 1), (self.wide,), (self.wide, 1)))
        widths = [sum(takes), *(self.whole(1, 3) for _ in range(self.whole(0, 1))), self.one((1, 1, 2))]
        acting = [self.one(OF_LAYERS) for _ in widths[2:]] + [self.one(("", *OF_LAYERS))]
        body = [
            f"dense({width}{f', activation={act}' if act else ''})"
            for width, act in zip(widths[1:], acting, strict=True)
        ]
        x = "u" if len(takes) == 1 else "concat(u, v, axis=1)"
        for number, act in enumerate(acting, 1):
            x = f"{act}{self.affine(x, name, widths[number - 1], widths[number], str(number))}"
        return SlopeNetwork(takes, widths[-1], body, {"value": x})

    def of_own(self, name: str) -> SlopeNetwork:
        """A derivative of a tensor of the network itself by an argument, or of a product with it."""
        inner, act = self.whole(1, 3), self.one(ACTIVATIONS)
        times = self.one(("", " * u"))
        order = 1 + self.chance(0.35)
        formula = f"d(m, {', '.join(['u'] * order)})"
        body = {"m": f"{act}(dense(u, {inner})){times}", name: self.one(AROUND).format(formula, u="m")}
        written = {"m": f"{act}{self.affine('u', f'{name}_m', 1, inner)}{times}", "value": body[name]}
        return SlopeNetwork((1,), inner, {"equations": body}, written, order)

    def of_others(self, name: str) -> SlopeNetwork:
        """Derivatives of a network before it by what both are given."""
        number = self.whole(0, len(self.networks) - 1)
        inner = self.networks[number]
        letters = "uv"[: len(inner.takes)]
        call = f"f{number}({', '.join(letters)})"
        term, gives, order = self.slope(call, inner, letters)
        order += inner.order
        formula = self.one(AROUND).format(term, u=call if gives == inner.gives else "2")
        if self.chance(0.4):
            body = {"m": formula, name: f"dense(sin(m), {self.wide})"}
            written = {"m": formula, "value": self.affine("sin(m)", name, gives, self.wide)}
            return SlopeNetwork(inner.takes, self.wide, {"equations": body}, written, order)
        return SlopeNetwork(inner.takes, gives, formula, {"value": formula}, order)

    def slope(self, call: str, of: SlopeNetwork, given: Any) -> tuple[str, int, int]:
        """A derivative of a call by one of the tensors it is given, its width and its order."""
        possible = [n for n, width in zip(given, of.takes, strict=True) if width == 1 or of.gives == 1]
        if not possible or (of.order >= MOST_ORDER and self.chance(0.8)):
            return f"({call})", of.gives, 0
        by = self.one(possible)
        if of.takes[list(given).index(by)] > 1:
            return f"d({call}, {by})", self.wide, 1
        order = 1 + (not of.order and self.chance(0.35))
        return f"d({call}, {', '.join([by] * order)})", of.gives, order

    # Calls ------------------------------------------------------------------------------------

    def equation(self, number: int) -> tuple[str, str]:
        """A name and its formula, which calls a network at some points, or takes a derivative of that."""
        network = self.networks[number]
        points = self.one(list(dict.fromkeys(n[-1] for n in self.inputs)))
        plain = self.chance(0.5)
        given = []
        for width in network.takes:
            possible = [n for n, w in self.width.items() if w == width and n.endswith(points)]
            given.append(self.one(possible))
        if plain and len({*given}) == len(given):
            call = f"f{number}({', '.join(given)})"
            formula, *_ = self.slope(call, network, given)
        else:
            shown = [self.one(GIVEN).format(n) for n in given]
            formula = f"f{number}({', '.join(shown)})"
        return f"a{len(self.written)}{points}", formula

    def write(self, name: str, formula: str) -> None:
        """Add the equation to those written out, with all that it calls before it."""
        self.written[name] = self.without_calls(formula, name)

    def without_calls(self, formula: str, prefix: str) -> str:
        """The formula with names in place of calls, whose arguments and values are equations now."""
        return ast.unparse(_Called(self, prefix).visit(ast.parse(formula, mode="eval")))

    def called(self, network: SlopeNetwork, given: list[str], prefix: str) -> str:
        names = {}
        for letter, argument in zip("uv", given, strict=False):
            names[letter] = argument if argument.isidentifier() else self.put(f"{prefix}{letter}", argument)
        for own, formula in network.equations.items():
            here = re.sub(r"\b(u|v|m)\b", lambda found: names[found[0]], formula)
            names[own] = self.put(f"{prefix}{own}", self.without_calls(here, f"{prefix}{own}"))
        return names["value"]

    def put(self, wanted: str, formula: str) -> str:
        name = f"{wanted}_{len(self.written)}"
        self.written[name] = formula
        return name


class _Called(ast.NodeTransformer):
    """Calls of networks as the names of what they give."""

    def __init__(self, draw: SlopeCalls, prefix: str) -> None:
        self.draw, self.prefix = draw, prefix

    def visit_Call(self, node: ast.Call) -> ast.AST:
        self.generic_visit(node)
        if not isinstance(node.func, ast.Name) or CALL.fullmatch(node.func.id) is None:
            return node
        network = self.draw.networks[int(node.func.id[1:])]
        given = [ast.unparse(argument) for argument in node.args]
        value = self.draw.called(network, given, f"{self.prefix}_{node.func.id}")
        return ast.Name(value, ast.Load())


def slope_networks_spec(random: Random) -> Spec:
    """Two or three networks, and equations that call all of them at one or two sets of points."""
    draw = SlopeCalls(random)
    for _ in range(2 + draw.chance(0.25)):
        draw.network()
    equations: dict[str, str] = {}
    for number in range(len(draw.networks)):
        for _ in range(1 + draw.chance(0.3)):
            name, formula = draw.equation(number)
            equations[name] = formula
            draw.write(name, formula)
    loss = " + ".join(f"mean(tanh({name})**2)" for name in equations)
    read = " ".join(equations.values())
    return {
        "name": "slope_networks",
        "dtype": "float64",
        "inputs": {name: axes for name, axes in draw.inputs.items() if name in read},
        "networks": {
            f"f{n}({', '.join('uv'[: len(network.takes)])})": network.body
            for n, network in enumerate(draw.networks)
        },
        "equations": equations,
        "outputs": list(equations),
        "loss": loss,
        "instead": {"networks": {}, "parameters": draw.parameters, "equations": draw.written},
    }
