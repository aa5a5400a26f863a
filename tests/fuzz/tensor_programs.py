"""Random tensor programs: ranks 0 to 4, unequal sizes, broadcasting, entries by number, index notation."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from fuzz.reach import depends_on_parameters
from fuzz.rearranged import Rearranged
from symgrad.spec.reductions import REDUCTIONS

if TYPE_CHECKING:
    from random import Random

    from fuzz.tensors import Shape

UNARY = (
    "tanh({})",
    "sin({})",
    "exp(-({})**2)",
    "sigmoid({})",
    "relu({})",
    "abs({})",
    "-({})",
    "({})**2",
    "({})**3",
    "sqrt(1 + ({})**2)",
    "log(2 + sin({}))",
    "1 / (1 + abs({}))",
    "softplus({})",
    "erf({})",
    "atan({})",
    "1 / (2 + ({})**2)**1.5",
    "f({})",
    "g({}, 2)",
    "g({}, beta=0.5)",
    "elu({})",
    "leaky_relu({})",
)
BINARY = (
    "({}) + ({})",
    "({}) - ({})",
    "({}) * ({})",
    "({}) * ({})",
    "max({}, {})",
    "min({}, {})",
    "({}) / (1 + ({})**2)",
    "abs({})**(1 + tanh({})**2)",
)
REDUCERS = ("sum", "mean", *REDUCTIONS, "var", "norm")
FUNCTIONS = {"f(z)": "z * tanh(z)", "g(z, beta)": "z / (1 + beta**2 * z**2)"}


class TensorFormulas(Rearranged):
    """Draws formulas of a wanted shape over tensors declared on the way."""

    def formula(self, shape: Shape, depth: int) -> str:
        if depth <= 0:
            return self.leaf(shape)
        kinds = [self.unary, self.unary, self.binary, self.binary, self.binary, self.reduced, self.where]
        if shape:
            kinds += [self.product, self.product, self.placement, *[self.rearranged] * 4]
            if len(shape) > 1:
                kinds.append(self.normed)
        else:
            kinds += [self.whole_reduction, self.whole_reduction, self.dot, self.index_reduction]
        return str(self.one(kinds)(shape, depth - 1))

    def leaf(self, shape: Shape) -> str:
        if not shape and self.chance(0.5):
            return self.numbered()
        if not shape and self.chance(0.15):
            return self.number()
        if len(shape) > 1 and self.chance(0.2):
            return f"{self.named(shape[::-1])}.T"
        if len(shape) == 2 and shape[1] == 4 and self.chance(0.2):
            return f"onehot({self.labels(shape[:1])})"
        return self.named(shape)

    def unary(self, shape: Shape, depth: int) -> str:
        return self.one(UNARY).format(self.formula(shape, depth))

    def binary(self, shape: Shape, depth: int) -> str:
        parts = [self.formula(shape, depth), self.formula(self.narrower(shape), depth)]
        self.random.shuffle(parts)
        return self.one(BINARY).format(*parts)

    def narrower(self, shape: Shape) -> Shape:
        """A shape that broadcasts to `shape`."""
        kind = self.whole(0, 6)
        if kind == 0:
            return shape[self.whole(0, len(shape)) :]
        if kind == 1:
            return ()
        if kind <= 3 and shape:
            at = self.whole(0, len(shape) - 1)
            return (*shape[:at], 1, *shape[at + 1 :])
        return shape

    def where(self, shape: Shape, depth: int) -> str:
        narrow = self.narrower(shape)  # one alone: an axis of 1 fits only tensors of the same rank
        left, right, other = (self.formula(self.one((shape, narrow)), depth - 1) for _ in range(3))
        relation = self.one(("<", "<=", ">", ">=", "!="))
        return f"where({left} {relation} {right}, {self.formula(shape, depth)}, {other})"

    def reduced(self, shape: Shape, depth: int) -> str:
        """A reduction over one axis, which may be kept."""
        function = self.one(REDUCERS)
        ones = [at for at, axis in enumerate(shape) if axis == 1]
        new = self.shape(1)[0]
        if ones and self.chance(0.6):
            at = self.one(ones)
            inner = (*shape[:at], new, *shape[at + 1 :])
            return f"{function}({self.formula(inner, depth)}, axis={self.either(at, inner)}, keepdims=true)"
        at = self.whole(0, len(shape))
        if len(shape) >= 4:
            return self.leaf(shape)
        inner = (*shape[:at], new, *shape[at:])
        return f"{function}({self.formula(inner, depth)}, axis={self.either(at, inner)})"

    def either(self, at: int, shape: Shape) -> int:
        """An axis counted from the front or from the back."""
        return self.one((at, at - len(shape)))

    def whole_reduction(self, _: Shape, depth: int) -> str:
        inner = self.formula(self.shape(self.whole(0, 3)), depth)
        return f"{self.one(REDUCERS)}({inner})"

    def dot(self, _: Shape, depth: int) -> str:
        axis = self.shape(1)
        return f"({self.formula(axis, depth)}) @ ({self.formula(axis, depth)})"

    def product(self, shape: Shape, depth: int) -> str:
        (inner,) = self.shape(1)
        if len(shape) == 1 and self.chance(0.5):
            return f"({self.formula((inner,), depth)}) @ ({self.formula((inner, *shape), depth)})"
        if len(shape) == 1:
            return f"({self.formula((*shape, inner), depth)}) @ ({self.formula((inner,), depth)})"
        right = (*self.one((shape[:-2], (), ())), inner, shape[-1])
        return f"({self.formula((*shape[:-1], inner), depth)}) @ ({self.formula(right, depth)})"

    def placement(self, shape: Shape, depth: int) -> str:
        """Smaller tensors put into one of this shape."""
        at = self.whole(0, len(shape) - 1)
        size, rest = shape[at], (shape[:at], shape[at + 1 :])
        if not isinstance(size, int):
            return self.leaf(shape)
        kind, axis = self.whole(0, 3), self.either(at, shape)
        if kind == 0 and size <= 3:
            parts = ", ".join(self.formula((*rest[0], *rest[1]), depth - 1) for _ in range(size))
            return f"stack({parts}, axis={axis})"
        if kind == 1 and size > 1:
            first = self.whole(1, size - 1)
            sizes = (first, size - first)
            parts = ", ".join(self.formula((*rest[0], s, *rest[1]), depth - 1) for s in sizes)
            return f"concat({parts}, axis={axis})" if at < len(shape) - 1 else f"concat({parts})"
        if kind == 2 and len(shape) < 4:
            inner = self.one([d for d in range(1, size + 1) if size % d == 0])
            wide = (*rest[0], size // inner, inner, *rest[1])
            return f"flatten({self.formula(wide, depth)}, {at}, {self.either(at + 1, wide)})"
        before = self.whole(0, size - 1)
        after = self.whole(0, size - 1 - before)
        numbers = f"{before}, {after}" if before != after else f"{before}"
        if self.chance(0.3):
            numbers += f", value={self.one((self.number(), '-1.5', self.formula((), depth - 1)))}"
        return f"pad({self.formula((*rest[0], size - before - after, *rest[1]), depth)}, {axis}, {numbers})"

    def normed(self, shape: Shape, depth: int) -> str:
        """A function over the last axis."""
        return f"{self.one(('softmax', 'log_softmax', 'unit'))}({self.formula(shape, depth)})"


def indexed_spec(random: Random) -> dict[str, Any]:
    """Equations in index notation, most of them."""
    return tensor_spec(random, indexed=0.9)


def tensor_spec(random: Random, indexed: float = 0.35) -> dict[str, Any]:
    """Up to three equations, in tensors or in index notation, and a loss of the last."""
    draw = TensorFormulas(random)
    equations: dict[str, str] = {}
    for number in range(draw.whole(1, 3)):
        name = f"y{number}"
        if draw.chance(indexed):
            key, shape, formula = draw.equation(name)
        else:
            key, shape = name, draw.shape(draw.whole(0, 4 if draw.chance(0.2) else 3))
            formula = draw.formula(shape, draw.whole(1, 3))
        equations[key] = formula
        draw.shapes[name] = shape
    loss = loss_of(draw, name, shape)
    if draw.chance(0.15):
        draw.declared(draw.shape(draw.whole(0, 2)))  # used by nothing
    numeric = [n for n, about in draw.inputs.items() if isinstance(about, list)]
    used = " ".join([*equations.values(), loss])
    spec = {
        "name": "tensors",
        "dtype": "float64" if draw.chance(0.9) else "float32",
        "axes": draw.axes if re.search(r"\bJ\b", " ".join((*equations, *equations.values(), loss))) else {},
        "inputs": draw.inputs or {"x": []},
        "parameters": draw.parameters,
        "constants": draw.constants,
        "functions": {key: f for key, f in FUNCTIONS.items() if f"{key[0]}(" in used},
        "equations": equations,
        "loss": loss,
        "gradients": [n for n in numeric if draw.chance(0.5)],
        "outputs": [n for n in draw.shapes if n[0] == "y" and (n == name or draw.chance(0.3))],
    }
    spec = {key: value for key, value in spec.items() if value or key in ("inputs", "equations")}
    if draw.parameters and not depends_on_parameters(spec):
        first, axes = next((n, p["axes"]) for n, p in draw.parameters.items())
        spec["loss"] += f" + 0.1 * {f'sum({first}**2)' if axes else first}"
    return spec


def loss_of(draw: TensorFormulas, name: str, shape: Shape) -> str:
    if not shape:
        return draw.one((name, f"{name}**2", f"tanh({name}) + {draw.formula((), 1)}"))
    return draw.one(
        (
            f"mean({name})",
            f"sum({name}**2) / 9",
            f"mean(tanh({name}))",
            f"mean({name}) + {draw.formula((), 2)}",
        )
    )
