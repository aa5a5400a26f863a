"""Random chains and graphs of the library's rows: heads of unequal widths, latents, shared parameters."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from fuzz.drawing import Draw
from fuzz.reach import depends_on_parameters
from symgrad.spec import library

if TYPE_CHECKING:
    from random import Random

ARGUMENTS = {
    "leaky_relu": "negative_slope=0.2",
    "elu": "alpha=0.7",
    "celu": "alpha=1.7",
    "hardtanh": "min_val=-0.5, max_val=2",
    "softshrink": "lambd=0.3",
    "hardshrink": "lambd=0.2",
    "prelu": "per_channel=true",
    "swish": "per_channel=true",
}
VALUES = (
    "mse",
    "squared_error",
    "mae",
    "huber",
    "huber:delta=0.4",
    "smooth_l1:beta=0.5",
    "log_cosh",
    "quantile:q=0.9",
    "cosine",
    "poisson_nll",
    "binary_cross_entropy_with_logits",
    "binary_cross_entropy_with_logits:pos_weight=3",
    "binary_focal",
    "binary_focal:gamma=1.5",
    "hinge",
    "squared_hinge",
    "soft_margin",
)
CLASSES = (
    "softmax_cross_entropy",
    "softmax_cross_entropy:label_smoothing=0.1",
    "focal",
    "focal:gamma=1",
    "multi_margin",
    "multi_margin:p=2",
)
OTHERS = (
    "kl_div(log_softmax({y}), {t})",
    "binary_cross_entropy(sigmoid({y}), {t})",
    "gaussian_nll({y}, {t}, softplus({y}) + 0.1)",
    "softmax_cross_entropy({y}, {t})",
)
WIDTHS = (1, 2, 3, 4, 5, 6, 7, 9, 11)
PAIRS = (
    "{a} * {b}",
    "{a} + {b}",
    "{a} - tanh({b})",
    "max({a}, {b})",
    "where({a} > {b}, {a}, 0.3*{b})",
    "{a} * sigmoid({b})",
    "{a} / (1 + {b}**2)",
)
ALONE = (
    "{a} - mean({a}, axis=-1, keepdims=true)",
    "{a} / sqrt(0.1 + mean({a}**2, axis=-1, keepdims=true))",
    "({a} - mean({a}, axis=0, keepdims=true)) / sqrt(mean({a}**2, axis=0, keepdims=true) + 0.1)",
    "layer_norm({a})",
    "rms_norm({a})",
    "softmax({a})",
    "log_softmax({a})",
    "unit({a})",
    "exp(-{a}**2)",
    "{a}**3 / (1 + {a}**2)",
)


class Network(Draw):
    """Equations over [batch, width] and [batch, T, width], and losses of what they give."""

    def __init__(self, random: Random) -> None:
        super().__init__(random)
        self.width: dict[str, int] = {}
        self.equations: dict[str, str] = {}
        self.inputs: dict[str, Any] = {}
        self.targets: dict[str, Any] = {}
        self.parameters: dict[str, Any] = {}
        self.constants: dict[str, Any] = {}
        self.weights: list[str] = []

    def activation(self, own: bool = True) -> str:
        """An activation with or without arguments, as one names it after `activation=`."""
        names = [*library.activations, *(library.learned_activations if own else ())]
        name = self.one(names)
        return f"{name}({ARGUMENTS[name]})" if name in ARGUMENTS and self.chance(0.5) else name

    def units(self) -> int:
        return self.one(WIDTHS)

    def block(self) -> dict[str, Any]:
        """Layers of a chain beside their input, or several times in a row."""
        inside: list[Any] = [self.layer("") for _ in range(self.whole(1, 2))]
        kind = self.one(("repeat", "concat", "residual"))
        if kind == "residual":
            norms = ("layer_norm", "rms_norm")
            inside = [self.one((*norms, "tanh")), self.one((*norms, "swish", "prelu"))]
        if kind == "repeat":
            return {kind: {"times": self.whole(1, 3), "layers": [*inside, {"residual": ["tanh"]}]}}
        return {kind: inside}

    def layer(self, x: str) -> str:
        """A call of a layer with units on x; empty x is for a chain."""
        first = f"{x}, " if x else ""
        kind = self.one(("dense", "dense", "dense", "glu", "swiglu", "maxout"))
        if kind == "maxout":
            return f"maxout({first}{self.units()}{self.one(('', ', pieces=3'))})"
        bias = ", bias=false" if self.chance(0.2) else ""
        activation = f", activation={self.activation()}" if kind == "dense" and self.chance(0.6) else ""
        return f"{kind}({first}{self.units()}{bias}{activation})"

    # Graphs ---------------------------------------------------------------------------------------

    def add(self, formula: str, width: int) -> str:
        name = f"h{len(self.equations)}"
        self.equations[name], self.width[name] = formula, width
        return name

    def step(self) -> None:
        """One more equation over what there is."""
        a = self.one([*self.width])
        partners = [n for n, w in self.width.items() if w == self.width[a] and n != a]
        kind = self.whole(0, 10)
        if kind == 10:
            self.together(a)
        elif kind <= 4:
            call = self.layer(a)
            name = self.add(call, int(call.partition(", ")[2].partition(",")[0].rstrip(")")))
            self.weights += [f"{name}_W"]
        elif kind == 5 and partners:
            self.add(self.one(PAIRS).format(a=a, b=self.one(partners)), self.width[a])
        elif kind == 6:
            self.add(self.one(ALONE).format(a=a), self.width[a])
        elif kind == 7:
            self.shared(a)
        elif kind == 8:
            activation = self.activation()
            name, _, given = activation.partition("(")
            self.add(f"{name}({a}{', ' + given if given else ')'}", self.width[a])
        else:
            self.attention(a)

    def together(self, a: str) -> None:
        """Several layers in one equation."""
        units, inner = self.units(), self.units()
        gated = f"tanh(dense({a}, {units})) * sigmoid(dense({a}, {units}, bias=false))"
        nested = f"dense({self.one(('relu', 'swish', 'glu'))}(dense({a}, {inner})), {units})"
        self.add(self.one((gated, nested.replace(f"glu(dense({a}, {inner}))", f"glu({a}, {inner})"))), units)

    def shared(self, a: str) -> None:
        """A product with a parameter of one's own, which may be used before, or as its transpose."""
        fitting = [(n, p["axes"]) for n, p in self.parameters.items() if self.width[a] in p["axes"]]
        if fitting and self.chance(0.7):
            name, (rows, columns) = self.one(fitting)
            turned = rows != self.width[a]
            self.add(f"tanh({a} @ {name}{'.T' if turned else ''})", rows if turned else columns)
            return
        name, units = f"U{len(self.parameters)}", self.units()
        self.parameters[name] = {"axes": [self.width[a], units], "init": "normal(std=0.5)"}
        self.weights.append(name)
        self.add(f"{a} @ {name}", units)

    def attention(self, a: str) -> None:
        """Samples that look at each other."""
        b = self.one([n for n, w in self.width.items() if w == self.width[a]])
        scores = f"h{len(self.equations)}"
        self.equations[f"{scores}[i, j]"] = f"sum({a}[i, d] * {b}[j, d], d) / {self.width[a]}"
        self.add(f"softmax({scores}) @ {a}", self.width[a])

    # Losses ---------------------------------------------------------------------------------------

    def loss(self, y: str) -> str:
        """A loss of one head, with a target of its own."""
        target, width = f"t{len(self.targets)}", self.width[y]
        kind = self.whole(0, 9)
        if kind <= 5 or width == 1:
            self.targets[target] = ["batch", width]
            return self.call(self.one(VALUES), y, target)
        if kind == 6:
            self.targets[target] = ["batch", width]
            return self.one(OTHERS).format(y=y, t=target)
        self.targets[target] = {"axes": ["batch"], "classes": width}
        if self.chance(0.2):
            self.targets[target]["ignore"] = self.one((-100, 0))
        if kind == 7:
            return self.call("nll", f"log_softmax({y})", target)
        chosen = self.one(CLASSES)
        if not chosen.startswith("multi") and self.chance(0.25):
            name = f"cw{len(self.constants)}"
            self.constants[name] = [self.whole(1, 30) / 10 for _ in range(width)]
            chosen += f"{',' if ':' in chosen else ':'} class_weights={name}"
        return self.call(chosen, y, target)

    def call(self, chosen: str, y: str, target: str) -> str:
        name, _, given = chosen.partition(":")
        keywords = [given.strip()] if given else []
        if self.chance(0.25):
            keywords.append(f"reduction={self.one(('sum', 'mean', 'batchmean'))}")
        if self.chance(0.2):
            weights = f"w{len(self.targets)}"
            self.targets[weights] = {"axes": ["batch"], "probability": True}
            keywords.append(f"weights={weights}")
        return f"{name}({', '.join([y, target, *keywords])})"


def chain_spec(random: Random) -> dict[str, Any]:
    """A chain of layers and activations and the loss by its name."""
    draw = Network(random)
    layers: list[Any] = []
    for _ in range(draw.whole(1, 3)):
        layers.append(draw.layer(""))
        if draw.chance(0.3) and "activation" not in layers[-1]:
            layers.append(draw.activation())
        if draw.chance(0.3):
            layers.append(draw.block())
    width = draw.units()
    layers.append(f"dense({width})")
    draw.width["y"] = width
    name, _, arguments = draw.loss("y").partition("(y, t0")
    if "(" in name or name == "gaussian_nll":
        name, arguments = "mse", ")"
        draw.targets = {"t0": ["batch", width]}
    loss = f"{name}({arguments.removeprefix(', ')}" if arguments != ")" else name
    return spec_of("chain", draw, {"x": ["batch", draw.units()]}, {"layers": layers}, loss)


def graph_spec(random: Random) -> dict[str, Any]:
    """A graph whose loss depends on a parameter."""
    while True:
        spec = _drawn_graph(random)
        if depends_on_parameters(spec):
            return spec


def _drawn_graph(random: Random) -> dict[str, Any]:
    """A graph with one to three heads, regularised or not."""
    draw = Network(random)
    inputs = {f"x{k}": ["batch", draw.units()] for k in range(draw.whole(1, 2))}
    draw.width |= {name: axes[1] for name, axes in inputs.items()}
    for _ in range(draw.whole(1, 5)):
        draw.step()
    heads = [*draw.equations][-draw.whole(1, 3) :]
    terms = [draw.loss(h) for h in heads if "[" not in h]
    if draw.chance(0.2):
        terms.append(_latent(draw, inputs))
    if draw.weights and draw.chance(0.5):
        norms = ("0.1 * l2({})", "0.1 * l1({})", "0.1 * sum(sqrt(sum({}**2, axis=1)))", "mean({}**2)")
        chosen = random.sample(draw.weights, draw.whole(1, len(draw.weights)))
        terms += [draw.one(norms[:2] if w[0] == "h" else norms).format(w) for w in chosen]
    outputs = {"outputs": [h for h in heads if "[" not in h]} if draw.chance(0.5) else {}
    gradients = {"gradients": [n for n in inputs if draw.chance(0.5)]} if draw.chance(0.3) else {}
    return spec_of(
        "graph", draw, inputs, {"equations": draw.equations, **outputs, **gradients}, " + ".join(terms)
    )


def _latent(draw: Network, inputs: dict[str, Any]) -> str:
    """A latent normal variable of few numbers, drawn by its noise, and its divergence."""
    source, units = draw.one([*draw.width]), draw.units()
    mean, spread = draw.add(f"dense({source}, {units})", units), draw.add(f"dense({source}, {units})", units)
    inputs["noise"] = ["batch", units]
    drawn = draw.add(f"{mean} + exp({spread} / 2) * noise", units)
    wide = draw.units()
    decoded = draw.add(f"tanh(dense({drawn}, {wide}))", wide)
    return f"{draw.loss(decoded)} - 0.5 * mean(sum(1 + {spread} - {mean}**2 - exp({spread}), axis=1))"


def spec_of(
    name: str, draw: Network, inputs: dict[str, Any], body: dict[str, Any], loss: str
) -> dict[str, Any]:
    spec = {
        "name": name,
        "dtype": "float64" if draw.chance(0.85) else "float32",
        "inputs": inputs,
        "targets": draw.targets,
        "parameters": draw.parameters,
        "constants": draw.constants,
        **body,
        "loss": loss,
    }
    return {key: value for key, value in spec.items() if value}
