"""Random networks that draw: noise between layers, draws of every form at every place, states beside them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from fuzz.free_axes import FreeSequences
from fuzz.layered import Layered, call_of, finished
from fuzz.networks import Network, spec_of
from fuzz.reach import depends_on_parameters
from fuzz.repeated import LARGEST, Block, Repeated, is_joined_alike
from fuzz.sequences import POOLING

if TYPE_CHECKING:
    from random import Random

Spec = dict[str, Any]

SHARES = ("0.3", "0.5", "1/4", "0.01", "0")
NOISE = (
    "dropout({x}{p})",
    "dropout(relu({x}){p})",
    "dropout1d({x}{p})",
    "alpha_dropout({x}{p})",
    "gaussian_dropout({x}{p})",
    "gaussian_noise({x}, std=0.3)",
    "stochastic_depth({x}{p})",
    "{x} + stochastic_depth(tanh({x}){p})",
    "noisy({x})",
    "noisy(dropout({x}{p}), s=0.2)",
)
FORMULAS = (
    "{x} + 0.5 * normal(like={x})",
    "{x} * bernoulli(0.6, like={x})",
    "1.5 * relu({x}) * bernoulli(0.6, like=mean({x}, axis=1, keepdims=true))",
    "where(uniform(like={x}) < sigmoid({x}), {x}, 0.3 * {x})",
    "softmax({x} + gumbel(like={x}))",
    "{x} * exponential(like={x})",
    "{x} * (2 * uniform(like={x}) - 1)",
    "{x} - mean(dropout({x}), axis=-1, keepdims=true)",
    "std(dropout({x}{p}) + 0.1 * normal(like={x}), axis=-1, keepdims=true) + {x}",
    "{x} * uniform(like=mean({x}, axis=1, keepdims=true))",
    "{x} * uniform(like=mean({x}, axis=0))",
    "layer_norm(dropout({x}{p}))",
    "training(sin({x}) + normal(like={x}), {x} / 2)",
    "training({x}, {x} * uniform(like={x}))",
    "max({x}, 2 * uniform(like={x}) - 1)",
    "cumsum(dropout({x}{p}), axis=1)",
    "concat({x}, uniform(like={x}), axis=2)",
)
CALLED = ("dropout(0.4)", "gaussian_noise(0.3)", "alpha_dropout", "stochastic_depth(0.2)")
INDEXED = (
    "{x}[n, i, o] * bernoulli(0.7) / 0.7",
    "{x}[n, i, o] + 0.3 * normal()",
    "{x}[n, i, o] * sum(bernoulli(0.5) * {x}[n, i, c], c)",
    "{x}[n, i, o] + mean(noisy({x}[n, j, o]), j)",
    "max({x}[n, j, o] * (0.5 + uniform()), j) + {x}[n, i, o]",
)


class Chance(FreeSequences):
    """Sequences of free length between whose layers numbers are drawn."""

    def step(self) -> None:
        if self.chance(0.4):
            super().step()
            return
        draws = (
            self.noised,
            self.noised,
            self.formed,
            self.formed,
            self.placed_draws,
            self.apart,
            self.connected,
        )
        self.now = self.one(draws)(self.now, self.width[self.now])

    def share(self) -> str:
        return self.one(("", f", {self.one(SHARES)}", f", p={self.one(SHARES)}"))

    def noised(self, x: str, width: int) -> str:
        call = self.one(NOISE).format(x=x, p=self.share())
        if self.chance(0.25):
            units = self.units()
            return self.add(f"dense({call}, {units}, activation=tanh)", units)
        return self.add(call, width)

    def formed(self, x: str, width: int) -> str:
        formula = self.one(FORMULAS)
        wide = 2 * width if formula.startswith("concat") else width
        return self.add(formula.format(x=x, p=self.share()), wide)

    def placed_draws(self, x: str, width: int) -> str:
        return self.indexed("n, i, o", self.one(INDEXED).format(x=x), width)

    def apart(self, x: str, width: int) -> str:
        """Draws in an equation of their own, whose axes stand in any order, or leave some out."""
        name = f"h{len(self.equations)}"
        letters = {"n": "n:batch", "i": f"i:{self.formula}", "o": f"o:{width}"}
        chosen = self.random.sample(list(letters), self.whole(1, 3))
        draws = self.one(
            ("uniform()", "normal()", "bernoulli(0.4)", "0.3 * gumbel()", "training(normal(), 0.1)")
        )
        self.equations[f"{name}[{', '.join(letters[c] for c in chosen)}]"] = draws
        return self.indexed("n, i, o", f"{x}[n, i, o] * (1 + 0.2 * {name}[{', '.join(chosen)}])", width)

    def connected(self, x: str, width: int) -> str:
        """Weights of which some are lost."""
        units = self.units()
        weights = self.parameter(width, units)
        if self.chance(0.5):
            return self.add(f"{x} @ ({weights} * training(bernoulli(0.6, like={weights}), 0.6))", units)
        formula = f"sum({x}[n, i, c] * {weights}[c, o] * training(bernoulli(0.6), 0.6), c)"
        return self.indexed("n, i, o", formula, units)


def chance_spec(random: Random) -> Spec:
    """Some steps over a sequence of free length that draw, a chain of layers with noise between them, or a
    network that is called often.

    `least` is the shortest sequence, which only the judge reads, as `chain` and what is `written`.
    """
    while True:
        spec = random.choice((_sequence, _sequence, _sequence, _chain, _chain, _network))(random)
        if "networks" in spec or depends_on_parameters(spec):
            return {**spec, "name": "chance"}


def _sequence(random: Random) -> Spec:
    draw = Chance(random)
    for _ in range(draw.whole(1, 4)):
        draw.step()
    last = draw.width[draw.now]
    pooled = draw.add(draw.one(POOLING).format(draw.now), last)
    units = draw.units()
    head = draw.add(f"dense({pooled}, {units})", units)
    loss = draw.loss(head)
    if draw.chance(0.3):
        loss += f" + 0.1 * mean(dropout({pooled})**2)"
    spec = spec_of("chance", draw, draw.inputs, {"equations": draw.equations, "outputs": [head]}, loss)
    spec |= {"functions": {"noisy(z, s=0.4)": "z + training(s * normal(like=z), 0)"}, "least": draw.least}
    if draw.chance(0.4):
        spec["gradients"] = [x for x, about in draw.inputs.items() if isinstance(about, list)]
    if draw.chance(0.4):
        spec |= _states(draw, spec, head, units)
    if draw.chance(0.5):
        spec["train"] = {"micro_batch_size": draw.whole(1, 3)}
    return spec


def _states(draw: Chance, spec: Spec, head: str, units: int) -> Spec:
    """A state that moves what the head gives, and noise on its way."""
    noise = draw.one(("", " + 0.1 * normal(like=m0)", " * bernoulli(0.9, like=m0)"))
    nexts = f"0.75 * m0 + 0.25 * mean({head}, axis=0){noise}"
    moved = f"s{head}"
    equations = {**spec["equations"], moved: f"training({head} - m0, {head} + m0 / 2)"}
    loss = str(spec["loss"]).replace(f"({head},", f"({moved},")
    state = {"m0": {"axes": [units], "init": 0.2, "next": nexts}}
    return {"equations": equations, "loss": loss, "outputs": [moved], "state": state}


class NoisyLayers(Layered):
    """Layers by name with noise between them."""

    def step(self) -> None:
        if self.chance(0.6):
            super().step()
            return
        names = ["dropout", "alpha_dropout", "gaussian_dropout", "gaussian_noise", "stochastic_depth"]
        names += {2: ["dropout1d"], 3: ["dropout2d"]}.get(len(self.shape), [])
        name = self.one(names)
        self.is_turned = False
        given = ("", "0.2") if name == "gaussian_noise" else ("", "0.3", "p=0.25")
        self.call_layer(name, self.one(given), self.shape)


def _chain(random: Random) -> Spec:
    """Equations, and `chain`, the same as layers by name, some of them in blocks."""
    draw = NoisyLayers(random)
    if draw.chance(0.5) and not draw.steps:
        made = Repeated(draw, [*draw.shape])
        parts = made.parts(0, LARGEST)
        if any(isinstance(part, Block) for part in parts) and is_joined_alike(parts):
            made.write(parts)
            draw.shape = made.shape
            return {**finished(draw), "chain": [part.layer for part in parts]}
    for _ in range(draw.whole(2, 4)):
        draw.step()
    spec = finished(draw)
    return {**spec, "chain": [call_of(*step) for step in draw.steps]} if draw.is_chain else spec


def _network(random: Random) -> Spec:
    """A network that is called twice or three times, and `written` out by hand with its parameters."""
    draw = Network(random)
    units = [draw.units() for _ in range(draw.whole(2, 3))]
    layers: list[str] = []
    for number, size in enumerate(units[1:], 1):
        layers.append(f"dense({size}{', activation=tanh' if number < len(units) - 1 else ''})")
        layers += [draw.one(CALLED)] * draw.chance(0.7)
    given = [draw.one(("x", "sin(x)", "dropout(x)", "x + normal(like=x)")) for _ in range(draw.whole(2, 3))]
    written: dict[str, str] = {}
    for time, argument in enumerate(given):
        now = f"g{time}"
        written[now] = argument
        for place, layer in enumerate(layers):
            name, before = f"g{time}_{place}", now
            number = sum(other.startswith("dense") for other in layers[: place + 1])
            written[name] = f"{before} @ net_W{number} + net_b{number}"
            if "tanh" in layer:
                written[name] = f"tanh({written[name]})"
            elif not layer.startswith("dense"):
                called, _, more = layer.rstrip(")").partition("(")
                written[name] = f"{called}({before}{', ' + more if more else ''})"
            now = name
        written[f"last{time}"] = now
    written["y"] = " + ".join(f"{time + 1} * last{time}" for time in range(len(given)))
    equation = " + ".join(f"{time + 1} * net({argument})" for time, argument in enumerate(given))
    return {
        "name": "chance",
        "dtype": "float64",
        "inputs": {"x": ["batch", units[0]]},
        "targets": {"t": ["batch", units[-1]]},
        "networks": {"net(z)": layers},
        "equations": {"y": equation},
        "loss": "mse(y, t)",
        "train": {"micro_batch_size": 2} if draw.chance(0.4) else {},
        "written": written,
        "marked": ([], []),
    }
