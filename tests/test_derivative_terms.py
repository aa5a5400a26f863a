"""d(u, x) in formulas: what programs and the judge make of it against mpmath's own nested differences."""

from __future__ import annotations

import random
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import mpmath
import numpy as np
import pytest
from seeds import SEED

from symgrad.graphs.interpret import interpret as compute
from symgrad.pipeline import Stages, stages_of
from symgrad.spec.reader import read
from symgrad.verifier.interpretation.arithmetic import FIFTY_DIGITS
from symgrad.verifier.interpretation.interpreter import interpret

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

ROWS = 3
mp = mpmath.mp.clone()
mp.dps = 60

Vector = list[Any]
Known = dict[str, Any]


# Random networks of x and t, each equation in the language and in mpmath ---------------------------------


@dataclass
class Network:
    """Equations by name, what they compute in mpmath from those above, widths, and shapes of parameters."""

    rng: random.Random
    texts: dict[str, str] = field(default_factory=dict)
    meanings: dict[str, Callable[[Known], Vector]] = field(default_factory=dict)
    widths: dict[str, int] = field(default_factory=lambda: {"x": 1, "t": 1})
    shapes: dict[str, list[int]] = field(default_factory=dict)

    def add(self, text: str, meaning: Callable[[Known], Vector], width: int) -> str:
        name = f"h{len(self.texts)}"
        self.texts[name], self.meanings[name], self.widths[name] = text, meaning, width
        return name

    def product(self, of: str, width: int) -> str:
        matrix = f"W{len(self.shapes)}"
        self.shapes[matrix] = [self.widths[of], width]

        def meaning(known: Known) -> Vector:
            rows = enumerate(known[of])
            terms = [[v * known[matrix][i][k] for k in range(width)] for i, v in rows]
            return [mp.fsum(column) for column in zip(*terms, strict=True)]

        return self.add(f"{of} @ {matrix}", meaning, width)

    def grow(self) -> str:
        """One more equation, of a random kind."""
        wide = [name for name, width in list(self.widths.items())[4:] if width > 1]  # of x and of t
        of = self.rng.choice(wide)
        other = self.rng.choice([name for name in wide if self.widths[name] == self.widths[of]])
        width = self.widths[of]
        text, function = self.rng.choice(ENTRYWISE)
        kind = self.rng.choice(["function", "function", "product", "times", "over", "softmax", "part"])
        match kind:
            case "function":
                return self.add(text.format(of), lambda k: [function(v) for v in k[of]], width)
            case "product":
                return self.product(of, self.rng.choice([2, 3]))
            case "times":
                text = f"{of} * {other}"
                return self.add(text, lambda k: _each(lambda a, b: a * b, k[of], k[other]), width)
            case "over":
                text = f"{of} / (1 + {other}**2)"
                return self.add(text, lambda k: _each(lambda a, b: a / (1 + b * b), k[of], k[other]), width)
            case "part":
                text = f"{of} - mean({of}, axis=-1, keepdims=true)"
                return self.add(text, lambda k: _centred(k[of]), width)
        return self.add(f"softmax({of})", lambda k: _shares(k[of]), width)

    def value(self, known: Known) -> Any:
        """The last equation, of width 1, at one row."""
        known = dict(known)
        for name, meaning in self.meanings.items():
            known[name] = meaning(known)
        return known[name][0]


def _each(function: Callable[..., Any], *vectors: Vector) -> Vector:
    return [function(*entries) for entries in zip(*vectors, strict=True)]


def _centred(vector: Vector) -> Vector:
    return [v - mp.fsum(vector) / len(vector) for v in vector]


def _shares(vector: Vector) -> Vector:
    powers = [mp.exp(v) for v in vector]
    return [p / mp.fsum(powers) for p in powers]


ENTRYWISE: list[tuple[str, Callable[[Any], Any]]] = [
    ("tanh({0})", mp.tanh),
    ("sin({0})", mp.sin),
    ("exp(-{0}**2)", lambda v: mp.exp(-v * v)),
    ("softplus({0})", lambda v: mp.log(1 + mp.exp(v))),
    ("sigmoid({0})", lambda v: 1 / (1 + mp.exp(-v))),
    ("sqrt(1 + {0}**2)", lambda v: mp.sqrt(1 + v * v)),
    ("gelu({0})", lambda v: v * mp.erfc(-v / mp.sqrt(2)) / 2),
    ("{0}**3", lambda v: v**3),
]


def _network(rng: random.Random) -> Network:
    network = Network(rng)
    first, second = network.product("x", 2), network.product("t", 2)
    text = f"tanh({first} + {second})"
    network.add(text, lambda k: _each(lambda a, b: mp.tanh(a + b), k[first], k[second]), 2)
    last = ""
    for _ in range(rng.randint(1, 5)):
        last = network.grow()
    network.product(last, 1)
    return network


def _spec(network: Network, by: tuple[str, ...]) -> dict[str, Any]:
    u = list(network.texts)[-1]
    return {
        "name": "drawn",
        "dtype": "float64",
        "inputs": {"x": ["batch", 1], "t": ["batch", 1]},
        "parameters": network.shapes,
        "equations": {**network.texts, "r": f"d({', '.join((u, *by))})"},
        "outputs": ["r"],
        "loss": "mean(sin(r))",
    }


def _point(stages: Stages, network: Network, seed: int) -> dict[str, np.ndarray]:
    rng = np.random.default_rng(seed)
    shapes = {"x": [ROWS, 1], "t": [ROWS, 1], **network.shapes}
    return {name: rng.normal(size=shape) * 0.8 for name, shape in shapes.items()}


def _truth(network: Network, arrays: Mapping[str, np.ndarray], by: tuple[str, ...]) -> list[Any]:
    """The derivative in every row, by mpmath's differences of the network alone."""
    matrices = {name: mp.matrix(arrays[name].tolist()).tolist() for name in network.shapes}
    orders = (by.count("x"), by.count("t"))

    def at(x: Any, t: Any) -> Any:
        return network.value({"x": [x], "t": [t], **matrices})

    rows = zip(arrays["x"][:, 0], arrays["t"][:, 0], strict=True)
    return [mp.diff(at, (mp.mpf(x), mp.mpf(t)), orders) for x, t in rows]


@pytest.mark.parametrize("number", range(12))
def test_a_random_network_has_the_derivatives_of_nested_differences(number: int) -> None:
    rng = random.Random(f"{SEED} {number}")
    network = _network(rng)
    by = tuple(rng.choice("xt") for _ in range(1 + number % 3))
    spec = _spec(network, by)
    stages = stages_of(read(spec))
    arrays = _point(stages, network, number)
    true = np.array([float(v) for v in _truth(network, arrays, by)])
    scale = np.abs(true).max() + 1e-3
    for program in (stages.formulas, stages.derived, stages.stable_roots):
        values = compute(program, arrays, {"batch": ROWS})
        assert np.abs(values["r"][:, 0] - true).max() < 1e-9 * scale, spec["equations"]
    judged = interpret(stages.model, arrays, FIFTY_DIGITS)
    assert np.abs(np.asarray(judged.outputs[0][:, 0], float) - true).max() < 1e-13 * scale, spec["equations"]


@pytest.mark.parametrize("number", range(4))
def test_so_has_the_gradient_of_a_loss_of_it(number: int) -> None:
    rng = random.Random(f"{SEED} gradient {number}")
    network = _network(rng)
    by = ("x", rng.choice("xt"))
    stages = stages_of(read(_spec(network, by)))
    arrays = _point(stages, network, number)
    values = compute(stages.derived, arrays, {"batch": ROWS})
    directions = {name: np.random.default_rng(number).normal(size=s) for name, s in network.shapes.items()}
    slope = sum(np.sum(values[g.name] * directions[g.of]) for g in stages.derived.gradients)

    def loss(step: float) -> Any:
        moved = {n: a + step * directions[n] if n in directions else a for n, a in arrays.items()}
        return mp.fsum(mp.sin(v) for v in _truth(network, moved, by)) / ROWS

    h = 2.0**-12
    first, second = ((loss(s) - loss(-s)) / (2 * s) for s in (h, h / 2))
    true = float((4 * second - first) / 3)
    assert abs(slope - true) < 1e-8 * (abs(true) + 1e-3)
