"""Random specs: each is refused with a located message or compiled, and what is compiled is right.

The formulas are drawn so that most of them fit together; a few things in each spec are drawn wild.
"""

from __future__ import annotations

import re
from contextlib import nullcontext
from random import Random
from typing import TYPE_CHECKING, Any

import pytest
from building import by_rows, judged
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from seeds import SEED

from symgrad.errors import SpecError
from symgrad.pipeline import module_text
from symgrad.spec.reader import read

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path


Shape = tuple[int | str, ...]
"""The axes of a tensor: sizes and the free axis n."""

DECLARED: dict[str, Shape] = {
    "x": ("n", 3),
    "v": ("n",),
    "s": (),
    "q": ("n", 2, 3),
    "t": ("n", 3),
    "W": (3, 3),
    "U": (1, 3),
    "V": (3, 2),
    "b": (3,),
    "a": (),
    "M": (2, 3, 2),
    "w": ("n", 1),
    "u": ("n", 2),
    "p": ("n", 3, 2),
    "d": (2,),
    "o": (1,),
    "C": (3, 1),
    "E": (2, 2),
    "F": (1, 1),
    "G": (2, 1),
}
PARAMETERS = "WUVbaMdoCEFG"
UNARY = ("tanh({})", "sin({})", "exp(-({})**2)", "sigmoid({})", "relu({})", "abs({})", "-({})", "({})**2")
DOMAIN = ("sqrt(1 + ({})**2)", "log(2 + sin({}))", "1 / (1 + abs({}))", "f({})", "g({}, 2)", "g({}, beta=s)")
BINARY = ("({}) + ({})", "({}) - ({})", "({}) * ({})", "max({}, {})", "min({}, {})", "h({}, {})")
NUMBERS = ("2", "0.5", "-1", "1e-3", "3", "0", "1", "n", "D")
WILD = (
    "log(0)", "0**-1", "(-1)**0.5", "c", "k", "n", "D", "W[0, 5]", "x[n, 0]", "y9", "x @ x", "x.T", "V",
    "onehot(c)", "onehot(x)", "where(1 > 2, x, 0)", "where(n > 0, x, log(x))", "1/(s - s)", "log(-exp(s))",
    "s**s", "0 * log(s - s)", "sum(W[i, i], i)", "sum(2, i)", "mean(s)", "max(x, n)", "sum(x, axis=5)",
    "sum(x[i, j], i, j)", "sum(x, W)", "max(s, s)", "min(3)", "f", "f(1, 2)", "dense(x, 2)", "W[i, 0]",
    "sum(W[2*i, i], i)", "sum(W[i - 1, 0], i)", "sum(x[i, c[i]], i)", "mse(x, t)", "mse(v, t)", "abs(0)",
    "mse(x, t, reduction=none)", "softmax_cross_entropy(x, c)", "softmax(s)", "1e300 * 1e300 * s",
    "sign(v)", "s**1000", "2**s", "(s + 1)**0.5", "x**0", "0**s", "asin(2 * s)", "tan(s)", "erf(s)",
    "logsumexp(s)", "sum(c)", "W[c[0], k[0]]", "U[c, 0]", "W[0.5, 1]", "sum(W[i, j], i, i)", "v @ v",
    "v @ x", "s @ s", "q @ V", "q.T", "M @ V.T", "sqrt(0)", "sqrt(s**2)", "exp(log(s))",
    "where(s == s, 1, 2)", "max(1, 2)", "prediction", "loss", "sum(x, axis=0, keepdims=true)",
    "sum(x, keepdims=true)", "logsumexp(x, axis=1, keepdims=true)",
)  # fmt: skip


def pick(random: Random, options: Any) -> Any:
    """One of `options`."""
    return options[random.randrange(len(options))]


class Formulas:
    """Draws formulas over named tensors of known shapes."""

    def __init__(self, random: Random, tensors: Mapping[str, Shape], wild: float) -> None:
        self.random, self.tensors, self.wild = random, dict(tensors), wild

    def drawn(self, shape: Shape, depth: int) -> str:
        """A formula of this shape, or rarely of another."""
        if self.random.random() < self.wild:
            return str(pick(self.random, WILD))
        if depth <= 0:
            return self.leaf(shape)
        kinds = [self.unary, self.unary, self.binary, self.binary, self.binary, self.reduced, self.where]
        if len(shape) >= 1:
            kinds.append(self.product)
        if not shape:
            kinds += [self.indexed_reduction, self.dot]
        if shape == ("n", 3):
            kinds += [lambda *_: f"onehot({pick(self.random, ('c', 'k'))})", self.softmax]
        return str(pick(self.random, kinds)(shape, depth - 1))

    def leaf(self, shape: Shape) -> str:
        fitting = [name for name, axes in self.tensors.items() if axes == shape]
        turned = [f"{name}.T" for name, axes in self.tensors.items() if axes[::-1] == shape and len(axes) > 1]
        shorter = [
            name for name, axes in self.tensors.items() if axes and axes == shape[len(shape) - len(axes) :]
        ]
        options = fitting * 3 + turned + (shorter if self.random.random() < 0.3 else [])
        return str(pick(self.random, options or NUMBERS))

    def unary(self, shape: Shape, depth: int) -> str:
        return str(pick(self.random, UNARY + DOMAIN)).format(self.drawn(shape, depth))

    def binary(self, shape: Shape, depth: int) -> str:
        parts = [self.drawn(shape, depth), self.drawn(self.narrower(shape), depth)]
        self.random.shuffle(parts)
        return str(pick(self.random, BINARY)).format(*parts)

    def narrower(self, shape: Shape) -> Shape:
        """A shape that broadcasts to `shape`."""
        kind = self.random.randrange(6)
        if kind == 0:
            return shape[1:]
        if kind == 1:
            return ()
        if kind == 2 and shape:
            at = self.random.randrange(len(shape))
            return (*shape[:at], 1, *shape[at + 1 :])
        return shape

    def where(self, shape: Shape, depth: int) -> str:
        parts = [self.drawn(self.narrower(shape), depth - 1) for _ in range(3)]
        relation = pick(self.random, ("<", "<=", ">", ">=", "==", "!="))
        return f"where({parts[0]} {relation} {parts[1]}, {self.drawn(shape, depth)}, {parts[2]})"

    def reduced(self, shape: Shape, depth: int) -> str:
        function = pick(self.random, ("sum", "mean", "max", "min", "logsumexp"))
        at = self.random.randrange(len(shape) + 1)
        if shape and 1 in shape and self.random.random() < 0.5:
            at = shape.index(1)
            inner = (*shape[:at], pick(self.random, (2, 3)), *shape[at + 1 :])
            return f"{function}({self.drawn(inner, depth)}, axis={at}, keepdims=true)"
        size = "n" if at == 0 and "n" not in shape else pick(self.random, (1, 2, 3))
        inner = (*shape[:at], size, *shape[at:])
        if not shape and self.random.random() < 0.5:
            return f"{function}({self.drawn(pick(self.random, (('n', 3), (3, 3), (3,))), depth)})"
        axis = pick(self.random, (at, at - len(inner)))
        return f"{function}({self.drawn(inner, depth)}, axis={axis})"

    def product(self, shape: Shape, depth: int) -> str:
        inner = pick(self.random, (2, 3))
        if len(shape) == 1 and self.random.random() < 0.5:
            return f"({self.drawn((inner,), depth)}) @ ({self.drawn((inner, *shape), depth)})"
        if len(shape) == 1:
            return f"({self.drawn((*shape, inner), depth)}) @ ({self.drawn((inner,), depth)})"
        stack = pick(self.random, (shape[:-2], ()))
        right = (*stack, inner, shape[-1])
        return f"({self.drawn((*shape[:-1], inner), depth)}) @ ({self.drawn(right, depth)})"

    def dot(self, _: Shape, depth: int) -> str:
        return f"({self.drawn((3,), depth)}) @ ({self.drawn((3,), depth)})"

    def softmax(self, shape: Shape, depth: int) -> str:
        return f"{pick(self.random, ('softmax', 'log_softmax'))}({self.drawn(shape, depth)})"

    # Index notation -------------------------------------------------------------------------

    def indexed_reduction(self, _: Shape, depth: int, scope: Mapping[str, int | str] | None = None) -> str:
        name, axis = pick(self.random, ("i", "j", "l")), pick(self.random, ("n", 2, 3))
        outer = dict(scope or {})
        if name in outer:
            return self.entry(outer, depth)
        function = pick(self.random, ("sum", "mean", "max", "min", "logsumexp"))
        anchor = self.anchor(name, axis, outer)
        return f"{function}({anchor} * ({self.indexed({**outer, name: axis}, depth)}), {name})"

    def anchor(self, name: str, axis: int | str, scope: Mapping[str, int | str]) -> str:
        """An entry that gives the index its range."""
        return {"n": f"v[{name}]", 3: f"b[{name}]", 2: f"V[0, {name}]"}[axis]

    def indexed(self, scope: Mapping[str, int | str], depth: int) -> str:
        if self.random.random() < self.wild:
            return str(pick(self.random, WILD))
        if depth <= 0 or self.random.random() < 0.3:
            return self.entry(scope, depth)
        kind = self.random.randrange(5)
        if kind == 0:
            return str(pick(self.random, UNARY + DOMAIN)).format(self.indexed(scope, depth - 1))
        if kind == 1:
            return self.indexed_reduction((), depth - 1, scope)
        left, right = self.indexed(scope, depth - 1), self.indexed(scope, depth - 1)
        return str(pick(self.random, BINARY)).format(left, right)

    def entry(self, scope: Mapping[str, int | str], _depth: int) -> str:
        name = pick(
            self.random, [n for n, axes in self.tensors.items() if "n" in scope.values() or "n" not in axes]
        )
        places = [self.place(axis, scope) for axis in self.tensors[name]]
        return f"{name}[{', '.join(places)}]" if places else str(name)

    def place(self, axis: int | str, scope: Mapping[str, int | str]) -> str:
        fitting = [i for i, a in scope.items() if a == axis]
        rows = [i for i, a in scope.items() if a == "n"]
        options = [*fitting, *fitting]
        if isinstance(axis, int):
            options.append(str(self.random.randrange(axis)))
            options += [f"{i} + 1" for i, a in scope.items() if isinstance(a, int) and a == axis - 1]
            options += [f"{axis - 1} - {i}" for i in fitting]
            options += [f"{pick(self.random, ('c', 'k'))}[{i}]" for i in rows if axis == 3]
        return str(pick(self.random, options or ["0"]))


def drawn_spec(random: Random, wild: float = 0.03) -> dict[str, Any]:
    """A spec of up to five equations over all kinds of tensors."""
    formulas = Formulas(random, DECLARED, wild)
    equations: dict[str, str] = {}
    for number in range(random.randrange(1, 4)):
        name = (
            f"y{number}"
            if random.random() > wild
            else str(pick(random, ("prediction", "loss", "dW", "theta", "W")))
        )
        shape = pick(random, (("n", 3), ("n",), (), (3, 3), (3,), ("n", 2, 3), ("n", 2), (1, 3), (1, 1)))
        key = name
        if random.random() < 0.3:
            key, shape, formula = indexed_equation(formulas, name)
        elif random.random() < 0.15 and shape == ("n", 2):
            formula = f"dense({formulas.drawn(('n', 3), 2)}, 2, activation=tanh)"
        else:
            formula = formulas.drawn(shape, random.randrange(1, 4))
        equations[key] = formula
        formulas.tensors[name] = shape
    loss = pick(
        random,
        ("{}", "mean({})", "sum(({})**2) / 9", "mse({}, t)", "huber({}, t)", "softmax_cross_entropy({}, k)"),
    )
    shape = () if loss == "{}" else ("n", 3)
    names = [n for n in (*formulas.tensors, "c") if n not in PARAMETERS]
    return {
        "name": "wild",
        "dtype": "float64",
        "axes": {"D": 3},
        "inputs": {**{n: list(DECLARED[n]) for n in "xvsqwup"}, "c": {"axes": ["n"], "classes": 3}},
        "targets": {"t": ["n", "D"], "k": {"axes": ["n"], "classes": 3}},
        "parameters": {n: {"axes": list(DECLARED[n]), "init": "normal(std=0.7)"} for n in PARAMETERS},
        "functions": {"f(z)": "z * tanh(z)", "g(z, beta)": "z / (1 + beta**2)", "h(z, m=2)": "z * m + f(m)"},
        "equations": equations,
        "loss": loss.format(formulas.drawn(shape, 2)),
        "outputs": [pick(random, names) if random.random() < 0.1 else [*equations][-1].partition("[")[0]],
        "gradients": [pick(random, names)] if random.random() < 0.1 else [],
    }  # fmt: skip


def indexed_equation(formulas: Formulas, name: str) -> tuple[str, Shape, str]:
    """An equation in index notation: its left side, shape and formula."""
    random = formulas.random
    scope = {"r": "n", **{i: pick(random, (2, 3)) for i in ("e", "g")[: random.randrange(3)]}}
    parts = [formulas.anchor(i, axis, scope) for i, axis in scope.items()]
    formula = f"{' * '.join(parts)} + {formulas.indexed(scope, 2)}"
    return f"{name}[{', '.join(scope)}]", tuple(scope.values()), formula


@settings(max_examples=250, deadline=None, derandomize=True, suppress_health_check=list(HealthCheck))
@given(random=st.randoms(use_true_random=False))
def test_every_spec_is_compiled_or_refused_with_a_place_and_a_remedy(random: Random) -> None:
    spec = drawn_spec(random, wild=0.06)
    try:
        message = module_text(read(spec)) and ""
    except SpecError as error:
        message = str(error)
    assert not message or re.fullmatch(r"<dict>[^:]*:\d+:\d+: [^;].*; .+", message), message


@pytest.mark.parametrize("seed", [2 * n + (n + SEED) % 2 for n in range(6)])
def test_what_is_compiled_is_right(seed: int, tmp_path: Path) -> None:
    """Ten of twenty specs, the others with other sources; every second by rows."""
    spec = compiling_spec(Random(seed))
    with by_rows() if seed % 4 > 1 else nullcontext():
        report = judged(spec, tmp_path, compiled=False)
    assert report.passed, f"{spec}\n{report}"


def compiling_spec(random: Random) -> dict[str, Any]:
    """The first spec drawn that is not refused."""
    while True:
        spec = drawn_spec(random, wild=0.0)
        try:
            module_text(read(spec))
        except SpecError:
            continue
        return spec
