"""Layers of sequences: what stands for labels, and for their places; what goes through them step by step."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import chain
from typing import TYPE_CHECKING, TypeAlias

from symgrad.errors import SpecError
from symgrad.spec.language.syntax import Boolean
from symgrad.spec.library.layer_entries import (
    Layer,
    LayerDemand,
    LayerForm,
    LayerParameter,
    both,
    is_given,
)
from symgrad.spec.library.settings.hidden_places import hidden_by, seen_demands

if TYPE_CHECKING:
    from collections.abc import Callable

    from symgrad.spec.language.syntax import Call
    from symgrad.spec.library.layer_entries import Arguments

TABLE = LayerParameter("W", ("classes", "units"), "init")
NO_LABEL = "the padding {padding} is none of the labels below {classes}"
EVEN = LayerDemand(
    "size(x, -1) % 2 == 0", "half of {size(x, -1)} features are needed", "expected an even number of features"
)

_TAKES = ("batch", "steps", "features")
_LENGTHS = (("lengths", ("batch",)),)
OF_EACH_ROW = seen_demands("x", 1, ("lengths",))
BY_LENGTHS = hidden_by("x", 1, ("lengths",))
_SIGNATURE = (
    "(x, units, lengths=false, bidirectional=false, "
    "init=glorot_uniform, recurrent_init=orthogonal, bias_init=zeros)"
)
_NOTE = (
    "x is [batch, steps, features]; gives all steps, last(h) is the last; 0 from lengths, [batch], on; "
    "bidirectional: behind it that of the steps the other way"
)


@dataclass(frozen=True)
class _Way:
    """One way through the steps, and whether rows have lengths: what formulas read and give then."""

    suffix: str
    before: str
    start: str
    has_lengths: bool

    def seen(self, formula: str) -> str:
        """The formula at the steps of a row, and 0 behind them: where the other way is still at its start."""
        return f"where(t < lengths[n], {formula}, 0)" if self.has_lengths else formula


_Parts: TypeAlias = tuple[tuple[str, str], ...]


def _recurrent(
    name: str, source: str, note: str, gates: int, parts: Callable[[_Way], _Parts], *, biases: str = "b"
) -> Layer:
    """A layer over steps: its equations forward, or both ways, with rows of one length or of each its own."""

    def form(*, has_lengths: bool, both_ways: bool) -> LayerForm:
        ways = [_Way("", "t-1", "-1", has_lengths), _Way("_r", "t+1", "end", has_lengths)][: 1 + both_ways]
        width = f"{gates} * units" if gates > 1 else "units"
        parameters = (
            (
                LayerParameter(f"W{way.suffix}", ("size(x, 2)", width), "init"),
                LayerParameter(f"U{way.suffix}", ("units", width), "recurrent_init"),
                *(LayerParameter(f"{bias}{way.suffix}", (width,), "bias_init") for bias in biases),
            )
            for way in ways
        )
        return LayerForm(
            parts=tuple(part for way in ways for part in parts(way)),
            formula="concat(h, h_r)" if both_ways else "h",
            parameters=tuple(chain.from_iterable(parameters)),
            demands=OF_EACH_ROW if has_lengths else (),
            hiding=BY_LENGTHS if has_lengths else (),
        )

    one = form(has_lengths=False, both_ways=False)
    others = (
        (both(is_given("lengths"), is_given("bidirectional")), form(has_lengths=True, both_ways=True)),
        (is_given("bidirectional"), form(has_lengths=False, both_ways=True)),
        (is_given("lengths"), form(has_lengths=True, both_ways=False)),
    )
    return Layer(
        f"{name}{_SIGNATURE}",
        source,
        f"{_NOTE}{note}",
        takes=_TAKES,
        operands=("x", "lengths"),
        others_take=_LENGTHS,
        unnamed=2,
        settings=_checked,
        parts=one.parts,
        formula=one.formula,
        parameters=one.parameters,
        forms=others,
    )


def _checked(call: Call, values: Arguments) -> Arguments:
    """Nothing else, where there are one or two ways.

    Raises:
        SpecError: bidirectional is not true or false.
    """
    if not isinstance(values["bidirectional"], Boolean):
        problem = f"{call.function}: bidirectional: expected true or false"
        at = values["bidirectional"].at
        raise SpecError(problem, at=at, remedy="write bidirectional=true, for example")
    return {}


def _rnn(way: _Way) -> _Parts:
    s = way.suffix
    step = f"tanh(a{s}[n,t,k] + sum(h{s}[n,{way.before},j] * U{s}[j,k], j))"
    return (
        (f"a{s}[n, t, k:units]", f"sum(x[n,t,d] * W{s}[d,k], d) + b{s}[k]"),
        (f"h{s}[n, t, k:units]", way.seen(step)),
        (f"h{s}[n, {way.start}, k]", "0"),
    )


def _gru(way: _Way) -> _Parts:
    s = way.suffix
    step = f"(1 - z{s}[n,t,k]) * q{s}[n,t,k] + z{s}[n,t,k] * h{s}[n,{way.before},k]"
    return (
        (f"a{s}[n, t, k:3*units]", f"sum(x[n,t,d] * W{s}[d,k], d) + b{s}[k]"),
        (f"s{s}[n, t, k:3*units]", f"sum(h{s}[n,{way.before},j] * U{s}[j,k], j) + c{s}[k]"),
        (f"r{s}[n, t, k:units]", f"sigmoid(a{s}[n,t,k] + s{s}[n,t,k])"),
        (f"z{s}[n, t, k:units]", f"sigmoid(a{s}[n,t,k + units] + s{s}[n,t,k + units])"),
        (
            f"q{s}[n, t, k:units]",
            f"tanh(a{s}[n,t,k + 2*units] + r{s}[n,t,k] * s{s}[n,t,k + 2*units])",
        ),
        (f"h{s}[n, t, k:units]", way.seen(step)),
        (f"h{s}[n, {way.start}, k]", "0"),
    )


def _lstm(way: _Way) -> _Parts:
    s = way.suffix
    cell = f"f{s}[n,t,k] * c{s}[n,{way.before},k] + i{s}[n,t,k] * g{s}[n,t,k]"
    return (
        (f"a{s}[n, t, k:4*units]", f"sum(x[n,t,d] * W{s}[d,k], d) + b{s}[k]"),
        (f"s{s}[n, t, k:4*units]", f"a{s}[n,t,k] + sum(h{s}[n,{way.before},j] * U{s}[j,k], j)"),
        (f"i{s}[n, t, k:units]", f"sigmoid(s{s}[n,t,k])"),
        (f"f{s}[n, t, k:units]", f"sigmoid(s{s}[n,t,k + units])"),
        (f"g{s}[n, t, k:units]", f"tanh(s{s}[n,t,k + 2*units])"),
        (f"o{s}[n, t, k:units]", f"sigmoid(s{s}[n,t,k + 3*units])"),
        (f"c{s}[n, t, k:units]", way.seen(cell)),
        (f"h{s}[n, t, k:units]", f"o{s}[n,t,k] * tanh(c{s}[n,t,k])"),
        (f"c{s}[n, {way.start}, k]", "0"),
        (f"h{s}[n, {way.start}, k]", "0"),
    )


SEQUENCE_LAYERS = (
    Layer(
        "embedding(x, units, padding=false, init=normal(std=1))",
        "a row of the table W for each label; Bengio et al. 2003",
        "x holds labels, of any axes; padding is a label whose row is 0 and stays so",
        takes_labels="x",
        unnamed=2,
        x_says="how many labels there are",
        formula="onehot(x) @ W",
        parameters=(TABLE,),
        forms=(
            (
                is_given("padding"),
                LayerForm(
                    parts=(("M[k, d:units]", "where(k == padding, 0, W[k, d])"),),
                    formula="onehot(x) @ M",
                    parameters=(TABLE,),
                    demands=(
                        LayerDemand("padding < classes", NO_LABEL, "expected one of them"),
                        LayerDemand("padding >= 0", NO_LABEL, "expected one of them"),
                    ),
                ),
            ),
        ),
    ),
    Layer(
        "positional(x, init=normal(std=0.02))",
        "Gehring et al. 2017",
        "x is [..., places, features]; what each place adds is learned",
        takes=("...", "places", "features"),
        usual=(("init", "(-1, 1)", "how many places there are, its input says"),),
        formula="x + P",
        parameters=(LayerParameter("P", ("size(x, -2)", "size(x, -1)"), "init"),),
    ),
    Layer(
        "sinusoidal(x, base=10000)",
        "Vaswani et al. 2017",
        "x is [batch, places, features]; waves of each place, sines in even features and cosines in odd ones",
        takes=("batch", "places", "features"),
        parts=(
            (
                "waves[i:size(x, 1), k:size(x, 2)//2, s:2]",
                "where(s == 0, sin(i / base**(2*k / size(x, 2))), cos(i / base**(2*k / size(x, 2))))",
            ),
            ("P", "flatten(waves)"),
        ),
        formula="x + P",
        demands=(EVEN,),
        ranges=(("base", "(0, inf)"),),
    ),
    Layer(
        "rotary(x, base=10000)",
        "Su et al. 2021",
        "x is [batch, places, heads, features]; feature d turns with feature d + features//2, by the place",
        takes=("batch", "places", "heads", "features"),
        parts=(
            ("angle[i:size(x, 1), k:size(x, 3)//2]", "i / base**(2*k / size(x, 3))"),
            ("C", "cos(angle)"),
            ("S", "sin(angle)"),
            ("A[n, i, h, k:size(x, 3)//2]", "x[n,i,h,k] * C[i,k] - x[n,i,h,k + size(x, 3)//2] * S[i,k]"),
            ("B[n, i, h, k:size(x, 3)//2]", "x[n,i,h,k + size(x, 3)//2] * C[i,k] + x[n,i,h,k] * S[i,k]"),
        ),
        formula="concat(A, B, axis=-1)",
        demands=(EVEN,),
        ranges=(("base", "(0, inf)"),),
    ),
    Layer(
        "last(x, lengths=false)",
        "definition",
        "x is [batch, steps, features]; its last step, or of each row that before lengths, [batch]; 0 where "
        "that is 0",
        operands=("x", "lengths"),
        takes=_TAKES,
        others_take=_LENGTHS,
        formula="x[:, -1]",
        forms=(
            (
                is_given("lengths"),
                LayerForm(
                    indices="[n, k]",
                    demands=OF_EACH_ROW,
                    hiding=BY_LENGTHS,
                    formula="sum(where(t + 1 == min(lengths[n], size(x, 1)), x[n,t,k], 0), t)",
                ),
            ),
        ),
        symbol="F",
    ),
    _recurrent("rnn", "Elman 1990", "", 1, _rnn),
    _recurrent(
        "gru",
        "Cho et al. 2014",
        "; gates r, z, n side by side, and a bias c beside U, as in PyTorch",
        3,
        _gru,
        biases="bc",
    ),
    _recurrent(
        "lstm",
        "Hochreiter & Schmidhuber 1997, Gers et al. 2000",
        "; gates i, f, g, o side by side, as in PyTorch",
        4,
        _lstm,
    ),
)
