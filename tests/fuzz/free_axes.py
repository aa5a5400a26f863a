"""Random networks over sequences whose length the data decides, tried from the shortest one on that fits."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from fuzz.gradients import (
    GARBAGE,
    Outcome,
    as_the_verifier_reads,
    compared,
    drawn_data,
    module_of,
    sound_point,
)
from fuzz.modules import with_garbage
from fuzz.networks import spec_of
from fuzz.reach import depends_on_parameters
from fuzz.sequences import POOLING, Sequences

if TYPE_CHECKING:
    from random import Random
    from types import ModuleType

Spec = dict[str, Any]

LONGER = (0, 1, 2, 5)
"""So much longer than the shortest that fits are the sequences of a spec."""
LENGTHS = range(1, 60)


class FreeSequences(Sequences):
    """Equations over one tensor [batch, L, width], where L is a formula of T, the length that data have."""

    def __init__(self, random: Random) -> None:
        self.formula, self.formulas = "T", ["T"]
        super().__init__(random)

    def given(self) -> str:
        self.width["x"] = self.units()
        self.inputs["x"] = ["batch", "T", self.width["x"]]
        return "x"

    def embedded(self) -> str:
        words, units = self.whole(2, 6), self.units()
        self.inputs["k"] = {"axes": ["batch", "T"], "classes": words}
        return self.indexed("n, i, d", f"{self.parameter(words, units)}[k[n, i], d]", units)

    def step(self) -> None:
        lengths = (self.convolution, self.padded, self.joined, self.windows, self.upsampled, self.sliced)
        places = (self.shifted, self.reversed, self.numbered, self.running, self.ended, self.summed)
        others = (self.dense, self.normed, self.attention, self.masked, *(self.named,) * 4)
        self.now = self.one((*lengths, *places, *others))(self.now, self.width[self.now])

    def fits(self, formula: str) -> bool:
        """Take over a new length, unless only two lengths together decide whether there is one."""
        formula = formula.replace("L", f"({self.formula})")
        if "S" in formula and length_at(formula, 1, 1) < 1:
            return False
        self.formula = formula
        self.formulas.append(formula)
        return True

    def convolution(self, x: str, width: int) -> str:
        taps, units, stride = self.whole(1, 3), self.units(), self.whole(1, 3)
        kernel, gap = self.parameter(taps, width, units), self.one(("", "2*"))
        reach = (taps - 1) * (2 if gap else 1)
        if not self.fits(f"(L - {reach + 1})//{stride} + 1"):
            return self.dense(x, width)
        places = f"{stride}*i + {gap}u" if stride > 1 else f"i + {gap}u"
        return self.indexed("n, i, o", f"sum({x}[n, {places}, c] * {kernel}[u, c, o], u, c)", units)

    def windows(self, x: str, width: int) -> str:
        """Pooling over windows that touch or overlap."""
        size, stride, reducer = self.whole(1, 3), self.whole(1, 3), self.one(("max", "mean", "logsumexp"))
        if not self.fits(f"(L - {size})//{stride} + 1"):
            return self.dense(x, width)
        return self.indexed("n, i, o", f"{reducer}({x}[n, {stride}*i + u, o], u={size})", width)

    def padded(self, x: str, width: int) -> str:
        before, after = self.whole(0, 2), self.whole(0, 2)
        self.fits(f"L + {before + after}")
        value = self.one(("", ", value=-1", ", value=1 / 2"))
        return self.add(f"pad({x}, 1, {before}, {after}{value})", width)

    def joined(self, x: str, width: int) -> str:
        """With itself, or with another sequence of a length of its own."""
        if "s" in self.inputs or self.chance(0.5):
            self.fits("L * 2")
            return self.add(f"concat({x}, sin({x}), axis=1)", width)
        self.inputs["s"] = ["batch", "S", width]
        self.fits("L + S")
        return self.add(f"concat({x}, s, axis=1)", width)

    def shifted(self, x: str, width: int) -> str:
        """Read one place before, with a border of zeros."""
        padded, length = self.add(f"pad({x}, 1, 1, 0)", width), self.formula
        return self.indexed(f"n, i:{length}, o", f"{x}[n, i, o] - {padded}[n, i, o] / 2", width)

    def reversed(self, x: str, width: int) -> str:
        if self.formula != "T":
            return self.dense(x, width)
        return self.indexed("n, i:T, o", f"{x}[n, T - 1 - i, o] * {x}[n, i, o]", width)

    def numbered(self, x: str, width: int) -> str:
        return self.indexed("n, i, o", f"{x}[n, i, o] * cos(i / 2) / (i + 1)", width)

    def upsampled(self, x: str, width: int) -> str:
        """Each entry repeated, by quotients of an index."""
        times = self.whole(2, 3)
        self.fits(f"L * {times}")
        formula = f"{x}[n, i // {times}, o] * (1 + i % {times})"
        return self.indexed(f"n, i:{self.formula}, o", formula, width)

    def sliced(self, x: str, width: int) -> str:
        """A part of the sequence, from its front or its back, or all of it backwards."""
        parts = ((":, 1:", "L - 1"), (":, :-1", "L - 1"), (":, ::2", "(L + 1)//2"), (":, ::-1", "L"))
        text, length = self.one((*parts, (":, 1:-1", "L - 2"), (":, -2::-2", "L//2")))
        if not self.fits(length):
            return self.dense(x, width)
        return self.add(f"{x}[{text}]", width)

    def summed(self, x: str, width: int) -> str:
        return self.add(f"cumsum({x}, axis=1) / 3", width)

    def running(self, x: str, width: int) -> str:
        """Sums of what came before."""
        formula = f"sum(where(j {self.one(('<', '<='))} i, {x}[n, j, o], 0), j) / (1 + i)"
        return self.indexed(f"n, i:{self.formula}, o", formula, width)

    def masked(self, x: str, width: int) -> str:
        """Causal attention."""
        scores = f"h{len(self.equations)}"
        formula = f"where(j <= i, sum({x}[n, i, d] * {x}[n, j, d], d) / sqrt({width}), -1e9)"
        self.equations[f"{scores}[n, i:{self.formula}, j:{self.formula}]"] = formula
        return self.add(f"softmax({scores}) @ {x}", width)

    def ended(self, x: str, width: int) -> str:
        """Each beside the first one."""
        return self.indexed("n, i, o", f"{x}[n, i, o] + {x}[n, 0, o] / 3", width)

    def named(self, x: str, width: int) -> str:
        """A layer of the library, whose sizes then follow from the length; or some in a row, joined to x."""
        heads = self.one([d for d in range(1, width + 1) if width % d == 0])
        causal = self.one(("", ", causal=true"))
        looked = f"attention({{}}, {heads}{causal})", f"transformer_block({{}}, {heads}, hidden=3{causal})"
        norms = (
            "layer_norm({})",
            "rms_norm({})",
            "batch_norm1d({}, momentum=false)",
            "instance_norm1d({})",
            "group_norm1d({}, 1)",
        )
        fed = "feed_forward({}, hidden=3, activation=tanh)", "dense({}, " + f"{width}, activation=sigmoid)"
        same = f"conv1d({{}}, {width}, kernel={self.whole(1, 3)}, padding={self.one(('same', 'causal'))})"
        kind = self.one((*looked, *norms, *fed, same, same, "window", "window", "upsample1d({}, factor=2)"))
        if kind == "window":
            return self.named_window(x, width)
        if "upsample" in kind:
            self.fits("L * 2")
        elif self.chance(0.3):
            for _ in range(self.whole(1, 4)):
                x = self.add(f"{x} + {self.add(kind.format(x), width)}", width)
            return x
        return self.add(kind.format(x), width)

    def named_window(self, x: str, width: int) -> str:
        """A layer that makes sequences shorter or longer."""
        size, stride, around = self.whole(1, 3), self.whole(1, 3), self.whole(0, 1)
        units = self.units()
        kind = self.one(("conv1d", "max_pool1d", "avg_pool1d", "conv_transpose1d"))
        given = f"kernel={size}, stride={stride}, padding={around if size > 2 * around else 0}"
        added = 2 * around if size > 2 * around else 0
        length = f"(L + {added - size})//{stride} + 1"
        if kind == "conv_transpose1d":
            length = f"(L - 1) * {stride} + {size - added}"
        if not self.fits(length):
            return self.dense(x, width)
        if "pool" in kind:
            return self.add(f"{kind}({x}, {given})", width)
        return self.add(f"{kind}({x}, {units}, {given})", units)

    @property
    def least(self) -> int:
        """The shortest T for which no axis is empty, by trying."""
        return next(t for t in LENGTHS if all(length_at(f, t, 1) >= 1 for f in self.formulas))


def length_at(formula: str, t: int, s: int) -> int:
    """A length where the sequences are so long."""
    return int(eval(formula, {"__builtins__": {}}, {"T": t, "S": s}))


def free_axes_spec(random: Random) -> Spec:
    """Some steps over a sequence of free length, and a loss of its pooled rows or of every place.

    `least` is the shortest sequence that fits, which only the judge here reads.
    """
    while True:
        spec = _drawn(random)
        if depends_on_parameters(spec):
            return spec


def _drawn(random: Random) -> Spec:
    draw = FreeSequences(random)
    for _ in range(draw.whole(1, 4)):
        draw.step()
    if draw.formula == "T" and draw.width[draw.now] > 1 and draw.chance(0.5):
        draw.targets["t"] = {"axes": ["batch", "T"], "classes": draw.width[draw.now]}
        draw.targets["t"] |= draw.one(({}, {"ignore": -100}, {"ignore": 0}))
        loss = draw.one(("softmax_cross_entropy({}, t)", "focal({}, t)", "nll(log_softmax({}), t)"))
        loss = loss.format(draw.now)
    else:
        loss = draw.loss(draw.add(draw.one(POOLING).format(draw.now), draw.width[draw.now]))
    spec = spec_of("free_axes", draw, draw.inputs, {"equations": draw.equations}, loss)
    return {**spec, "least": draw.least}


def judge_free_axes(spec: Spec, random: Random, by_rows: bool) -> Outcome:
    """The module at several lengths, the shortest among them; one that is shorter is refused by its axis."""
    least, spec = int(spec["least"]), {k: v for k, v in spec.items() if k != "least"}
    module, outcomes = module_of(spec, by_rows), []
    for longer in LONGER:
        fixed = {"T": least + longer, "S": random.randint(1, 4), "batch": random.randint(1, 3)}
        point = sound_point(spec, dict(module.SHAPES), random, fixed)
        if point is None:
            continue
        outcomes += [compared(spec, with_garbage(module, garbage), point) for garbage in GARBAGE]
        outcomes.append(as_the_verifier_reads(spec, point))
        if wrong := next((outcome for outcome in outcomes if outcome.failed), None):
            return Outcome(wrong.kind, f"at {fixed}: {wrong.detail}")
    if not _refuses(spec, module, least - 1):
        return Outcome("a sequence too short is taken", f"T = {least - 1}")
    return outcomes[0] if outcomes else Outcome("unsound")


def _refuses(spec: Spec, module: ModuleType, length: int) -> bool:
    """Whether the module names the axis and the size of sequences of this length."""
    rng, fixed = np.random.default_rng(0), {"T": length, "S": 2, "batch": 2}
    arrays = drawn_data(spec, dict(module.SHAPES), rng, False, fixed)
    try:
        module.predict(module.init_params(), *(arrays[name] for name in module.INPUTS))
    except ValueError as error:
        expected = (
            f"expected at least {length + 1} along 'T', got {length}" if length else "no entries along 'T'"
        )
        return expected in str(error)
    return False
