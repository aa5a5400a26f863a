"""Random networks of the library's layers by name over sequences, images and volumes, with options."""

from __future__ import annotations

from math import prod
from typing import TYPE_CHECKING, Any

from fuzz.networks import Network, spec_of
from fuzz.reach import depends_on_parameters

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from random import Random

Spec = dict[str, Any]
MOST = 72
"""So many entries a row of a tensor may have."""
BIAS = ("", "", ", bias=false")
EPS = ("", "", ", eps=0.01")
CLASHING = (
    *(
        "W",
        "b",
        "Q",
        "K",
        "V",
        "S",
        "P",
        "O",
        "X",
        "G",
        "H",
        "N",
        "M",
        "U",
        "R",
        "F",
        "E",
        "C",
        "A",
        "B",
        "mu",
    ),
    *("n", "i", "j", "k", "c", "o", "u", "v", "w", "g", "d", "h", "s", "r", "t_", "q", "p", "l", "units"),
    *("kernel_1", "stride", "heads", "mask", "memory", "channels", "same", "hidden", "gamma", "mu"),
)
"""Names that layers give their own tensors, indices and arguments."""


def channels_first(shape: Sequence[int]) -> list[int]:
    """A shape whose channels stand last, with these first."""
    return [shape[-1], *shape[:-1]]


class Layered(Network):
    """Calls of layers, each on the value `now` before, whose axes after that of the batch are `shape`."""

    def __init__(self, random: Random) -> None:
        super().__init__(random)
        self.steps: list[tuple[str, str]] = []
        self.is_chain = True
        self.has_turned, self.is_turned = self.chance(0.4), False
        rank = self.one((0, 1, 1, 1, 2, 2, 2, 3))
        if rank == 1 and self.chance(0.3):
            self._start_with_labels()
            return
        while True:
            self.shape = self.random.sample(range(1, 8), rank + 1)
            if prod(self.shape) <= MOST:
                break
        self.now = self.name("x")
        self.inputs[self.now] = ["batch", *self.shape]

    def _start_with_labels(self) -> None:
        places, words, self.now = self.whole(1, 5), self.whole(2, 6), "k"
        self.inputs["k"] = {"axes": ["batch", places], "classes": words}
        padding = self.one(("", f", padding={self.whole(0, words - 1)}"))
        self.shape = [places]
        self.call_layer("embedding", f"{self.units()}{padding}", [places, self.last_units])

    def units(self) -> int:
        self.last_units = self.whole(1, 6)
        return self.last_units

    def name(self, plain: str = "") -> str:
        """A name of its own, which a layer may use inside."""
        free = [name for name in CLASHING if name not in (*self.equations, *self.inputs)]
        return self.one(free) if self.chance(0.3) else plain or f"h{len(self.equations)}"

    # Steps ----------------------------------------------------------------------------------------

    def step(self) -> None:
        """One more layer."""
        every = (self.dense, self.normed_rows, self.normed_places, self.activated, self.residual, self.fed)
        windows = (self.convolved, self.convolved, self.pooled, self.pooled_whole, self.resized)
        by_rank: dict[int, Sequence[Callable[[], None]]] = {
            0: (),
            1: (*windows, self.transposed, self.looked, self.looked, self.crossed, self.block, self.placed),
            2: (*windows, self.transposed, self.patched, self.squeezed, self.rotated),
            3: windows[:4],
        }
        own = by_rank[len(self.shape) - 1]
        step = self.one((*every, *own, *own))
        images = (*windows, self.transposed, self.patched, self.squeezed, self.normed_places)
        self.is_turned = self.has_turned and len(self.shape) > 1 and step in images and self.chance(0.8)
        if self.is_turned:  # drawn as if its channels stood last
            self.shape = [*self.shape[1:], self.shape[0]]
        before = self.shape
        step()
        if self.is_turned and self.shape is before:  # nothing was called
            self.shape = channels_first(before)
        self.is_turned = False

    def call_layer(self, name: str, arguments: str, shape: list[int]) -> None:
        """The value of a call, unless it is too large."""
        if prod(shape) > MOST:
            return
        if self.is_turned:
            arguments = f"{arguments}, layout=channels_first".removeprefix(", ")
            shape = channels_first(shape) if len(shape) == len(self.shape) else shape
        self.define(name, arguments, [*shape])

    def define(self, name: str, arguments: str, shape: list[int]) -> None:
        before, own = self.now, self.name()
        given = f", {arguments}" if arguments else ""
        self.equations[own] = f"{name}({before}{given})"
        self.steps.append((name, arguments))
        self.now, self.shape = own, shape

    def written(self, formula: str, shape: list[int]) -> None:
        """What no chain of layers has."""
        own = self.name()
        self.equations[own] = formula
        self.now, self.shape, self.is_chain = own, shape, False

    def activation_given(self) -> str:
        return f", activation={self.activation()}" if self.chance(0.5) else ""

    def dense(self) -> None:
        kind, units = self.one(("dense", "dense", "glu", "swiglu")), self.units()
        activation = self.activation_given() if kind == "dense" else ""
        self.call_layer(kind, f"{units}{self.one(BIAS)}{activation}", [*self.shape[:-1], units])

    def fed(self) -> None:
        hidden = self.one(("", "hidden=3", "5"))
        activation = f"activation={self.one(('tanh', 'relu', 'silu'))}"
        given = ", ".join(filter(None, (hidden, activation, self.one(("", "bias=false")))))
        self.call_layer("feed_forward", given, self.shape)

    def normed_rows(self) -> None:
        name = self.one(("layer_norm", "rms_norm"))
        given = f"{self.one(EPS)}{self.one(BIAS) if name == 'layer_norm' else ''}"
        self.call_layer(name, given.removeprefix(", "), self.shape)

    def normed_places(self) -> None:
        rank = len(self.shape) - 1
        kind = self.one(("batch", "group", "instance") if rank else ("batch", "group"))
        given = f"{self.one(EPS)}{self.one(BIAS) if kind != 'instance' else ''}"
        if kind == "batch":
            given = f"{given}, momentum=false"  # statistics of the batch, as the oracle has them
        if kind == "group":
            given = f"{self.divisor(self.shape[-1])}{given}"
        self.call_layer(f"{kind}_norm{f'{rank}d' if rank else ''}", given.removeprefix(", "), self.shape)

    def activated(self) -> None:
        name, _, given = self.activation().partition("(")
        self.call_layer(name, given.removesuffix(")"), self.shape)

    def residual(self) -> None:
        self.written(
            self.one(("{0} + tanh({0})", "{0} * sigmoid({0})", "sin({0}) - {0} / 3")).format(self.now),
            self.shape,
        )

    def divisor(self, number: int) -> int:
        return self.one([d for d in range(1, number + 1) if number % d == 0])

    # Windows --------------------------------------------------------------------------------------

    def tupled(self, numbers: Sequence[int]) -> str:
        """A number for each axis, or one for all."""
        if len({*numbers}) == 1 and (len(numbers) == 1 or self.chance(0.7)):
            return str(numbers[0])
        return f"({', '.join(map(str, numbers))})"

    def windows(self, words: Sequence[str], dilates: bool) -> tuple[str, list[int], list[int]]:
        """Arguments of windows that fit, their sizes, and how many places the result has along each axis."""
        word = self.one((*words, "", "")) if words else ""
        drawn = [self.window(size, word, dilates) for size in self.shape[:-1]]
        kernel, stride, dilation, padding, made = (list(z) for z in zip(*drawn, strict=True))
        given = f"kernel={self.tupled(kernel)}"
        given += f", stride={self.tupled(stride)}" if any(s > 1 for s in stride) or self.chance(0.5) else ""
        given += f", dilation={self.tupled(dilation)}" if any(d > 1 for d in dilation) else ""
        if word:
            given += f", padding={word}"
        elif any(padding):
            given += f", padding={self.tupled(padding)}"
        return given, kernel, made

    def window(self, size: int, word: str, dilates: bool) -> tuple[int, int, int, int, int]:
        while True:
            kernel, stride = self.whole(1, 4), self.whole(1, 3)
            dilation = self.whole(1, 3) if dilates and self.chance(0.4) else 1
            padding = self.whole(0, 2) if not word and self.chance(0.5) else 0
            reach = dilation * (kernel - 1) + 1
            missing = max(((size - 1) // stride) * stride + reach - size, 0)
            around = {"same": missing, "causal": reach - 1}.get(word, 2 * padding)
            made = (size + around - reach) // stride + 1
            if size + around >= reach and made >= 1:
                return kernel, stride, dilation, padding, made

    def convolved(self) -> None:
        rank, channels = len(self.shape) - 1, self.shape[-1]
        words = ("same", "valid", "causal") if rank == 1 else ("same", "valid")
        given, _, made = self.windows(words, dilates=True)
        groups = self.divisor(channels) if self.chance(0.4) else 1
        units = self.whole(1, 2 + 2 // groups) * groups
        if groups > 1 or self.chance(0.2):
            depthwise = groups == channels and self.chance(0.7)
            given += f", groups={'channels' if depthwise else groups}"
        given = f"{units}, {given}{self.one(BIAS)}{self.activation_given()}"
        self.call_layer(f"conv{rank}d", given, [*made, units])

    def transposed(self) -> None:
        rank, units, axes = len(self.shape) - 1, self.units(), []
        for size in self.shape[:-1]:
            while True:
                kernel, stride = self.whole(1, 4), self.whole(1, 3)
                padding, extra = self.whole(0, 2), self.whole(0, stride - 1)
                made = (size - 1) * stride + kernel + extra - 2 * padding
                if made >= 1:
                    break
            axes.append((kernel, stride, padding, extra, made))
        kernel, stride, padding, extra, made = (list(z) for z in zip(*axes, strict=True))
        given = f"{units}, kernel={self.tupled(kernel)}, stride={self.tupled(stride)}"
        given += f", padding={self.tupled(padding)}, output_padding={self.tupled(extra)}{self.one(BIAS)}"
        self.call_layer(f"conv_transpose{rank}d", f"{given}{self.activation_given()}", [*made, units])

    def pooled(self) -> None:
        """Windows of which each has an entry of the input."""
        kind, rank = self.one(("max", "avg")), len(self.shape) - 1
        drawn = []
        for size in self.shape[:-1]:
            while True:
                kernel, stride, dilation, padding, made = self.window(size, "", dilates=kind == "max")
                if padding < dilation * (kernel - 1) + 1 and (kernel == 1 or dilation <= size):
                    break
            drawn.append((kernel, stride, dilation, padding, made))
        kernels, strides, dilations, paddings, places = (list(z) for z in zip(*drawn, strict=True))
        given = (
            f"kernel={self.tupled(kernels)}, stride={self.tupled(strides)}, padding={self.tupled(paddings)}"
        )
        given += f", dilation={self.tupled(dilations)}" if kind == "max" else ""
        self.call_layer(f"{kind}_pool{rank}d", given, [*places, self.shape[-1]])

    def pooled_whole(self) -> None:
        rank = len(self.shape) - 1
        if rank < 3 and self.chance(0.5):
            to = [self.divisor(size) for size in self.shape[:-1]]
            self.call_layer(
                f"adaptive_avg_pool{rank}d", f"output_size={self.tupled(to)}", [*to, self.shape[-1]]
            )
        elif self.chance(0.5):
            self.call_layer(self.one(("global_avg_pool", "global_max_pool")), "", self.shape[-1:])

    def resized(self) -> None:
        rank = len(self.shape) - 1
        factors = [self.whole(1, 3) for _ in range(rank)]
        mode = self.one(("", ", mode=bilinear", ", mode=nearest")) if rank == 2 else ""
        made = [f * n for f, n in zip(factors, self.shape, strict=False)]
        self.call_layer(f"upsample{rank}d", f"factor={self.tupled(factors)}{mode}", [*made, self.shape[-1]])

    def patched(self) -> None:
        height, width, _ = self.shape
        patch, units = (self.divisor(height), self.divisor(width)), self.units()
        given = f"{units}, patch={self.tupled(patch)}{self.one(BIAS)}"
        self.call_layer("patch_embedding", given, [height // patch[0] * (width // patch[1]), units])

    def squeezed(self) -> None:
        self.call_layer("squeeze_excite", f"reduction={self.divisor(self.shape[-1])}", self.shape)

    # Places ---------------------------------------------------------------------------------------

    def heads(self) -> str:
        heads = self.divisor(self.shape[-1])
        shared = f", kv_heads={self.divisor(heads)}" if self.chance(0.3) else ""
        return f"{self.one(('', 'heads='))}{heads}{shared}{self.one(BIAS)}"

    def masked(self, places: int) -> str:
        """A mask that shows the first place to all."""
        if self.chance(0.7):
            return ""
        mask = f"m{len(self.inputs)}"
        self.inputs[mask] = ["batch", places]
        self.equations = {f"{mask}_shown[n, j]": f"where(j == 0, 1, {mask}[n, j])", **self.equations}
        self.is_chain = False
        return f", mask={mask}_shown"

    def looked(self) -> None:
        given = f"{self.heads()}{self.one(('', ', causal=true'))}"
        self.call_layer("attention", given + self.masked(self.shape[0]), self.shape)

    def crossed(self) -> None:
        memory, places, features = f"m{len(self.inputs)}", self.whole(1, 4), self.whole(1, 5)
        self.inputs[memory] = ["batch", places, features]
        self.call_layer("cross_attention", f"{memory}, {self.heads()}{self.masked(places)}", self.shape)
        self.is_chain = False

    def block(self) -> None:
        given = f"{self.heads()}{self.one(('', ', causal=true'))}{self.one(('', ', hidden=3'))}"
        given += self.one(("", ", norm=rms_norm")) + self.one((", activation=tanh", ", activation=silu"))
        self.call_layer("transformer_block", given + self.masked(self.shape[0]), self.shape)

    def placed(self) -> None:
        if self.shape[-1] % 2 == 0 and self.chance(0.5):
            self.call_layer("sinusoidal", self.one(("", "base=10")), self.shape)
        else:
            self.call_layer("positional", "", self.shape)

    def rotated(self) -> None:
        if self.shape[-1] % 2 == 0:
            self.call_layer("rotary", self.one(("", "base=7")), self.shape)


def layered_spec(random: Random) -> Spec:
    """One to four layers and a loss of what they give: of all places, or of rows.

    `chain` are the same layers as a chain, which only the judge here reads.
    """
    while True:
        spec = _drawn(random)
        if depends_on_parameters(spec):
            return spec


def _drawn(random: Random) -> Spec:
    draw = Layered(random)
    for _ in range(draw.whole(1, 4)):
        draw.step()
    spec = finished(draw)
    if draw.is_chain:
        chain = [call_of(name, given) for name, given in draw.steps]
        return {**spec, "chain": chain}
    return spec


def call_of(name: str, given: str) -> str:
    """A layer of a chain."""
    return f"{name}({given})" if given else name


def finished(draw: Layered) -> Spec:
    """What was drawn with a loss."""
    draw.width[draw.now] = draw.shape[-1]
    named = len(draw.shape) == 1
    loss = draw.loss(draw.now) if named else _of_places(draw)
    body = {"equations": draw.equations}
    body |= (
        {"gradients": [x for x, about in draw.inputs.items() if isinstance(about, list)]}
        if draw.chance(0.7)
        else {}
    )
    return spec_of("layered", draw, draw.inputs, body, loss)


def _of_places(draw: Layered) -> str:
    """A loss at every place: of numbers, or of classes of which some are ignored."""
    if draw.shape[-1] > 1 and draw.chance(0.5):
        draw.targets["t"] = {"axes": ["batch", *draw.shape[:-1]], "classes": draw.shape[-1]}
        draw.targets["t"] |= draw.one(({}, {"ignore": -100}, {"ignore": 0}))
        losses = ("softmax_cross_entropy({}, t)", "focal({}, t)", "nll(log_softmax({}), t)")
        return str(draw.one(losses)).format(draw.now)
    draw.targets["t"] = ["batch", *draw.shape]
    return str(draw.one(("mse({}, t)", "huber({}, t)", "sum({} * t) / 5"))).format(draw.now)
