"""Random networks over sequences: embeddings, convolutions, attention, unrolled recurrence, pooling."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from fuzz.networks import ALONE, Network, spec_of

if TYPE_CHECKING:
    from random import Random

POOLING = (
    "mean({}, axis=1)",
    "sum({}, axis=1) / 3",
    "max({}, axis=1)",
    "logsumexp({}, axis=1)",
    "min({}, axis=1)",
    "std({}, axis=1)",
)


class Sequences(Network):
    """Equations over one tensor [batch, length, width], which each step changes."""

    def __init__(self, random: Random) -> None:
        super().__init__(random)
        self.length = self.one((2, 3, 4, 6))
        self.now = self.embedded() if self.chance(0.4) else self.given()

    def given(self) -> str:
        self.width["x"] = self.units()
        self.inputs["x"] = ["batch", self.length, self.width["x"]]
        return "x"

    def embedded(self) -> str:
        """Words, looked up in a table by index or by a product."""
        words, units = self.whole(2, 6), self.units()
        self.inputs["k"] = {"axes": ["batch", self.length], "classes": words}
        table = self.parameter(words, units)
        if self.chance(0.5):
            return self.add(f"onehot(k) @ {table}", units)
        return self.indexed("n, i, d", f"{table}[k[n, i], d]", units)

    def parameter(self, *axes: int) -> str:
        name = f"U{len(self.parameters)}"
        self.parameters[name] = {"axes": [*axes], "init": "normal(std=0.5)"}
        return name

    def indexed(self, indices: str, formula: str, width: int) -> str:
        """An equation in index notation."""
        name = f"h{len(self.equations)}"
        self.equations[f"{name}[{indices}]"], self.width[name] = formula, width
        return name

    def step(self) -> None:
        steps = (self.dense, self.normed, self.placed, self.convolution, self.attention, self.heads)
        self.now = self.one(steps)(self.now, self.width[self.now])

    def units(self) -> int:
        return self.whole(1, 5)

    def dense(self, x: str, _: int) -> str:
        units, kind = self.units(), self.one(("dense", "dense", "glu", "swiglu"))
        activation = f", activation={self.activation()}" if kind == "dense" and self.chance(0.6) else ""
        return self.add(f"{kind}({x}, {units}{activation})", units)

    def normed(self, x: str, width: int) -> str:
        return self.add(self.one(ALONE).format(a=x), width)

    def placed(self, x: str, width: int) -> str:
        """A learned place of each entry."""
        return self.add(f"{x} + {self.parameter(self.length, width)}", width)

    def convolution(self, x: str, width: int) -> str:
        """Over neighbours, with a stride of 1 or 2; the range of i is what fits."""
        taps, units, stride = self.whole(1, min(3, self.length)), self.units(), self.one(("", "2*"))
        kernel = self.parameter(taps, width, units)
        self.length = (self.length - taps) // (2 if stride else 1) + 1
        return self.indexed("n, i, o", f"sum({x}[n, {stride}i + u, c] * {kernel}[u, c, o], u, c)", units)

    def attention(self, x: str, width: int) -> str:
        own = self.one((x, self.add(f"{x} @ {self.parameter(width, width)}", width)))
        scores = f"h{len(self.equations)}"
        self.equations[f"{scores}[n, i, j]"] = f"sum({own}[n, i, d] * {x}[n, j, d], d) / sqrt({width})"
        return self.add(f"softmax({scores}) @ {x}", width)

    def heads(self, x: str, width: int) -> str:
        """Two heads of three numbers each, joined again by a product."""
        units = self.units()
        query, key = self.parameter(width, 2, 3), self.parameter(width, 2, 3)
        joined = self.parameter(2, width, units)
        q = self.indexed("n, h, i, e", f"sum({x}[n, i, d] * {query}[d, h, e], d)", 3)
        k = self.indexed("n, h, i, e", f"sum({x}[n, i, d] * {key}[d, h, e], d)", 3)
        scores = self.indexed("n, h, i, j", f"sum({q}[n, h, i, e] * {k}[n, h, j, e], e)", 0)
        weights = self.add(f"softmax({scores})", 0)
        formula = f"sum({weights}[n, h, i, j] * {x}[n, j, d] * {joined}[h, d, o], j, d, h)"
        return self.indexed("n, i, o", formula, units)

    def pooled(self) -> str:
        """One row for each sample: by pooling, or as the last state of a recurrence."""
        x, width = self.now, self.width[self.now]
        if self.chance(0.6):
            return self.add(self.one(POOLING).format(x), width)
        units = self.units()
        own, back = self.parameter(width, units), self.parameter(units, units)
        state = ""
        for time in range(min(self.length, 3)):
            formula = f"sum({x}[n, {time}, d] * {own}[d, k], d)"
            formula += f" + sum({state}[n, j] * {back}[j, k], j)" if state else ""
            state = self.indexed("n, k", f"tanh({formula})", units)
        return state


def sequence_spec(random: Random) -> dict[str, Any]:
    """Some steps over a sequence, and losses of its pooled rows."""
    draw = Sequences(random)
    for _ in range(draw.whole(0, 3)):
        draw.step()
    y = draw.pooled()
    units = draw.units()
    head = draw.add(f"dense({y}, {units})", units)
    loss = draw.loss(head)
    if draw.chance(0.3):
        loss += f" + {draw.loss(y)}"
    return spec_of("sequence", draw, draw.inputs, {"equations": draw.equations}, loss)
