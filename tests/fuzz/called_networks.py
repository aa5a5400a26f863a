"""Random calls of networks that have parameters of their own, beside the same formulas written out."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from fuzz.drawing import Draw
from fuzz.gradients import (
    FLOOR,
    GARBAGE,
    NOISE,
    Outcome,
    as_the_verifier_reads,
    compared,
    differs,
    module_of,
    plain,
    sound_point,
)
from fuzz.meaning import meaning
from fuzz.modules import with_garbage

if TYPE_CHECKING:
    from random import Random

    from fuzz.gradients import Point

Spec = dict[str, Any]
ACTIVATIONS = ("tanh", "sigmoid", "silu", "softplus", "sin")
OF_LAYERS = ACTIVATIONS[:4]
WHOLE = ("{}", "{}", "0.5 * {}", "sin({})", "{} / 3 + 0.2")


@dataclass(frozen=True)
class CalledNetwork:
    """The widths of its arguments, 0 for one number a row, that of its value, and its value written out."""

    name: str
    takes: tuple[int, ...]
    gives: int
    value: Callable[..., str]


class Calls(Draw):
    """Draws networks, each of which may call those before it, and equations that call them."""

    def __init__(self, random: Random) -> None:
        super().__init__(random)
        self.sizes = random.sample([1, 2, 3, 4], 3)
        self.inputs: dict[str, Any] = {f"x{size}": ["batch", size] for size in self.sizes} | {"s": ["batch"]}
        self.width = {f"x{size}": size for size in self.sizes} | {"s": 0}
        self.networks: dict[str, Any] = {}
        self.parameters: dict[str, Any] = {}
        self.known: list[CalledNetwork] = []
        self.formulas: list[tuple[str, str, str]] = []
        """Names of equations, what they are, and what they are written out."""

    def network(self) -> None:
        name = f"f{len(self.known)}"
        inner = [known for known in self.known if all(known.takes)]
        kinds = [self.chain, self.chain, self.equations, *([self.calling] if inner else [])]
        takes, gives, body, value = self.one(kinds)(name)
        self.networks[f"{name}({', '.join('uvw'[: len(takes)])})"] = body
        self.known.append(CalledNetwork(name, takes, gives, value))

    def affine(self, x: str, name: str, fan_in: int, gives: int, suffix: str = "") -> str:
        """A dense layer written out; its parameters are noted."""
        self.parameters |= {f"{name}_W{suffix}": [fan_in, gives], f"{name}_b{suffix}": [gives]}
        return f"(({x}) @ {name}_W{suffix} + {name}_b{suffix})"

    def chain(self, name: str) -> tuple[tuple[int, ...], int, Any, Callable[..., str]]:
        """Layers over the arguments side by side."""
        takes = tuple(self.one((0, *self.sizes)) for _ in range(self.whole(1, 3)))
        widths = [sum(max(1, width) for width in takes)] + [
            self.one(self.sizes) for _ in range(self.whole(1, 3))
        ]
        acting = [self.one(("", *OF_LAYERS)) for _ in widths[1:]]
        body = [
            f"dense({width}{f', activation={act}' if act else ''})"
            for width, act in zip(widths[1:], acting, strict=True)
        ]
        for number in range(1, len(widths)):
            self.affine("", name, widths[number - 1], widths[number], str(number))

        def value(*given: str) -> str:
            columns = [a if w else f"stack({a}, axis=1)" for a, w in zip(given, takes, strict=True)]
            x = columns[0] if len(columns) == 1 else f"concat({', '.join(columns)}, axis=1)"
            for number, act in enumerate(acting, 1):
                x = f"{act}(({x}) @ {name}_W{number} + {name}_b{number})"
            return x

        return takes, widths[-1], body, value

    def equations(self, name: str) -> tuple[tuple[int, ...], int, Any, Callable[..., str]]:
        """A matrix of numbers, and a number of each row that multiplies it."""
        takes = (self.one(self.sizes), *([0] * self.chance(0.5)))
        inner, gives, act = self.one(self.sizes), self.one(self.sizes), self.one(ACTIVATIONS)
        factor = "spread({}, {})" if len(takes) > 1 else "0.7"
        body = {
            "equations": {
                "m": f"{act}(dense(u, {inner}))",
                name: f"dense(m, {gives}) * {factor.format('v', 'm')}",
            }
        }
        if len(takes) > 1 and inner != gives:
            body["equations"][name] = f"dense(m, {gives}) * spread(v, dense(m, {gives}, bias=false))"
        for x, suffix in (("m_", (takes[0], inner)), ("", (inner, gives))):
            self.affine("", f"{name}_{x}".rstrip("_"), *suffix)
        is_twice = len(takes) > 1 and inner != gives
        if is_twice:
            for letter in ("W", "b"):
                self.parameters[f"{name}_{letter}1"] = self.parameters.pop(f"{name}_{letter}")
            self.parameters[f"{name}_W2"] = [inner, gives]
        one = "1" if is_twice else ""

        def value(*given: str) -> str:
            m = f"{act}(({given[0]}) @ {name}_m_W + {name}_m_b)"
            found = f"(({m}) @ {name}_W{one} + {name}_b{one})"
            return f"{found} * spread({given[1]}, {found})" if len(given) > 1 else f"{found} * 0.7"

        return takes, gives, body, value

    def calling(self, name: str) -> tuple[tuple[int, ...], int, Any, Callable[..., str]]:
        """A network that calls one before it, twice."""
        inner = self.one([known for known in self.known if all(known.takes)])
        letters, gives = "uvw"[: len(inner.takes)], self.one(self.sizes)
        first = f"{inner.name}({', '.join(letters)})"
        second = f"{inner.name}({', '.join(f'0.5 * {letter}' for letter in letters)})"
        body = {"equations": {"m": f"{first} - {second}", name: f"dense(sin(m), {gives})"}}
        self.affine("", name, inner.gives, gives)

        def value(*given: str) -> str:
            halves = [f"0.5 * ({a})" for a in given]
            return f"(sin({inner.value(*given)} - {inner.value(*halves)}) @ {name}_W + {name}_b)"

        return inner.takes, gives, body, value

    # Equations --------------------------------------------------------------------------------

    def call(self, network: CalledNetwork) -> tuple[str, str]:
        """A call, and what it is written out."""
        own, written = [], []
        for width in network.takes:
            if not width and any(network.takes) and self.chance(0.3):
                number = self.one(("0.3", "-1", "2"))
                own.append(number)
                written.append(f"({number} + 0 * s)")
                continue
            given = self.one([name for name, found in self.width.items() if found == width])
            formula = self.one(WHOLE).format(given)
            own.append(formula)
            written.append(f"({formula})")
        return f"{network.name}({', '.join(own)})", network.value(*written)

    def equation(self, network: CalledNetwork) -> None:
        name, (own, written) = f"a{len(self.formulas)}", self.call(network)
        if self.chance(0.5):
            text = self.one(("tanh({}) + 0.1", "({}) ** 2", "0.5 * {}"))
            own, written = text.format(own), text.format(f"({written})")
        elif self.chance(0.5):
            more = self.call(network)
            own, written = f"{own} - {more[0]}", f"({written}) - ({more[1]})"
        self.formulas.append((name, own, written))
        self.width[name] = network.gives


def called_networks_spec(random: Random) -> Spec:
    """One to three networks, and calls of all of them in equations and in the loss."""
    draw = Calls(random)
    for _ in range(draw.whole(1, 3)):
        draw.network()
    for network in random.sample(draw.known, len(draw.known)):
        for _ in range(draw.whole(1, 2)):
            draw.equation(network)
    own, written = draw.call(draw.one(draw.known))
    names = [name for name, *_ in draw.formulas]
    loss = " + ".join(f"mean({name}**2)" for name in names)
    used = {name for name in draw.inputs if any(name in f"{f} {own}" for _, f, _ in draw.formulas)}
    return {
        "name": "called_networks",
        "dtype": "float64",
        "inputs": {name: axes for name, axes in draw.inputs.items() if name in {*used, "s"}},
        "networks": draw.networks,
        "equations": {name: formula for name, formula, _ in draw.formulas},
        "outputs": names,
        "loss": f"{loss} + mean(({own} - 0.1)**2)",
        "gradients": sorted(used) if draw.chance(0.5) else [],
        "train": {"optimizer": "sgd(learning_rate=0.1)", "epochs": 1},
        "instead": {
            "networks": {},
            "parameters": draw.parameters,
            "equations": {name: text for name, _, text in draw.formulas},
            "loss": f"{loss} + mean((({written}) - 0.1)**2)",
        },
        "alone": [(n.name, n.takes, n.value(*"uvw"[: len(n.takes)])) for n in draw.known],
    }


def judge_called_networks(spec: Spec, random: Random, by_rows: bool) -> Outcome:
    """The module, the verifier's reading and each network by itself against the formulas written out."""
    own, written = plain(spec), {**plain(spec), **spec["instead"]}
    module = module_of(own, by_rows)
    point = sound_point(written, dict(module.SHAPES), random)
    if point is None:
        return Outcome("unsound")
    outcomes = [compared(written, with_garbage(module, garbage), point) for garbage in GARBAGE]
    outcomes += [as_the_verifier_reads(own, point), _alone(spec, module, point)]
    return next((outcome for outcome in outcomes if outcome.failed), outcomes[0])


def _alone(spec: Spec, module: Any, point: Point) -> Outcome:
    """The networks by themselves that a module has, at other points than those of the model."""
    params = module.unflatten(
        np.concatenate([np.empty(0), *(point.arrays[n].ravel() for n in module.SHAPES)])
    )
    rng = np.random.default_rng(len(spec["alone"]))
    for name, takes, formula in spec["alone"]:
        if not hasattr(module, name):
            continue
        given = {
            letter: rng.normal(size=(4, width) if width else 4)
            for letter, width in zip("uvw", takes, strict=False)
        }
        axes = {
            letter: ["rows", width] if width else ["rows"]
            for letter, width in zip("uvw", takes, strict=False)
        }
        parameters = {key: point.arrays[key] for key in module.SHAPES}
        text = {"inputs": axes, "equations": {"y": formula}, "loss": "mean(y)", "outputs": ["y"]}
        right, noise = (
            meaning(text, {**given, **parameters}, {}, kind) for kind in (np.clongdouble, NOISE["float64"])
        )
        ours, exact = getattr(module, name)(params, *given.values()), right.outputs[0]
        if wrong := differs(np.ravel(ours), np.ravel(exact), [np.ravel(noise.outputs[0])], FLOOR["float64"]):
            return Outcome("wrong network", f"{name}: {wrong}")
    return Outcome("right")
