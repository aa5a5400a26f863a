"""Attention, and the blocks that transformers are made of."""

from __future__ import annotations

from fractions import Fraction
from itertools import combinations
from typing import TYPE_CHECKING

from symgrad.errors import SpecError
from symgrad.spec.language.formula import parse_formula
from symgrad.spec.language.sizes.whole_numbers import whole_number
from symgrad.spec.language.syntax import Boolean, Number
from symgrad.spec.language.trees import names_in, placed, substitute
from symgrad.spec.language.unparse import unparse
from symgrad.spec.library.layer_entries import (
    Layer,
    LayerDemand,
    LayerForm,
    LayerParameter,
    all_given,
    is_called,
)
from symgrad.spec.library.settings.hidden_places import HIDING, hidden_by, seen_demands, where_seen

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from symgrad.spec.language.syntax import Call, Node
    from symgrad.spec.library.layer_entries import Arguments

FEATURES = ("batch", "places", "features")
HEAD = "size(x, -1) // heads"
HALF = f"{HEAD} // 2"
SHARED = LayerDemand(
    "size(x, -1) % heads == 0",
    "{heads} heads cannot share {size(x, -1)} features",
    "expected a number of heads that divides them",
)
GROUPED = LayerDemand(
    "heads % kv_heads == 0",
    "{heads} heads cannot share {kv_heads} heads of keys and values",
    "expected a number of kv_heads that divides the heads",
)
PAIRED = LayerDemand(
    f"{HEAD} % 2 == 0",
    f"half of the {{{HEAD}}} features of a head are needed",
    "expected an even number of features for each head, or rotary=false",
)
NORMS = ("layer_norm", "rms_norm")


def _attention(source: str, *chosen: str) -> LayerForm:
    """Attention of x to `source`, with the options that are chosen: those of _forms.

    Where `kv_heads` are, g heads of queries share the keys and values of a head k.
    """
    grouped, rotary = "kv_heads" in chosen, "rotary" in chosen
    head, of_keys = ("k, g", "k") if grouped else ("h", "h")
    heads, kv_heads = (("kv_heads", "heads // kv_heads"), "kv_heads") if grouped else (("heads",), "heads")
    query, key = ("QT", "KT") if rotary else ("Q", "K")
    scores = f"sum({query}[n,i,{head},d] * {key}[n,j,{of_keys},d], d) / sqrt(size(Wq, -1))"
    scores = where_seen(scores, "-inf", "j", chosen)
    scores = f"where(j <= i, {scores}, -inf)" if "causal" in chosen else scores
    features = f"size({source}, -1)"

    def weight(name: str, *axes: str) -> LayerParameter:
        return LayerParameter(name, axes, "init")

    def bias(name: str, *axes: str) -> LayerParameter:
        return LayerParameter(name, axes, "bias_init", unless_false="bias")

    return LayerForm(
        parts=(
            (f"Q[n, i, {head}, d]", f"sum(x[n,i,c] * Wq[c,{head},d], c) + bq[{head},d]"),
            (f"K[n, j, {of_keys}, d]", f"sum({source}[n,j,c] * Wk[c,{of_keys},d], c) + bk[{of_keys},d]"),
            (f"V[n, j, {of_keys}, d]", f"sum({source}[n,j,c] * Wv[c,{of_keys},d], c) + bv[{of_keys},d]"),
            *(_turned(head, of_keys) if rotary else ()),
            (f"S[n, {head}, i, j]", scores),
            ("P", "softmax(S)"),
            (f"O[n, i, {head}, d]", f"sum(P[n,{head},i,j] * V[n,j,{of_keys},d], j)"),
        ),
        indices="[n, i, c]",
        formula=f"sum(O[n,i,{head},d] * Wo[{head},d,c], {head}, d) + bo[c]",
        parameters=(
            weight("Wq", "size(x, -1)", *heads, HEAD),
            bias("bq", *heads, HEAD),
            weight("Wk", features, kv_heads, HEAD),
            bias("bk", kv_heads, HEAD),
            weight("Wv", features, kv_heads, HEAD),
            bias("bv", kv_heads, HEAD),
            weight("Wo", *heads, HEAD, "size(x, -1)"),
            bias("bo", "size(x, -1)"),
        ),
        demands=(
            SHARED,
            *((GROUPED,) if grouped else ()),
            *((PAIRED,) if rotary else ()),
            *seen_demands(source, 1, chosen),
        ),
        hiding=hidden_by(source, 1, chosen),
    )


def _turned(head: str, of_keys: str) -> Iterator[tuple[str, str]]:
    """Queries and keys turned by their places, as the layer rotary does it: QT and KT."""
    yield f"angle[i:size(x, 1), d:{HALF}]", "i / base**(2*d / size(Wq, -1))"
    yield "C", "cos(angle)"
    yield "D", "sin(angle)"
    for name, group in (("Q", head), ("K", of_keys)):
        first, second = (f"{name}[n,i,{group},{d}]" for d in ("d", f"d + {HALF}"))
        yield f"{name}1[n, i, {group}, d:{HALF}]", f"{first} * C[i,d] - {second} * D[i,d]"
        yield f"{name}2[n, i, {group}, d:{HALF}]", f"{second} * C[i,d] + {first} * D[i,d]"
        yield f"{name}T", f"concat({name}1, {name}2, axis=-1)"


def _forms(source: str, *options: str) -> Iterator[tuple[Callable[[Arguments], bool], LayerForm]]:
    """One for each choice of these options, but that of none."""
    for number in range(len(options), 0, -1):
        for chosen in combinations(options, number):
            yield all_given(chosen), _attention(source, *chosen)


def _checked(call: Call, values: Arguments) -> Arguments:
    """What rotary positions turn by, where each option is what it may be.

    Raises:
        SpecError: causal is not true or false, or rotary is no base.
    """
    none = Boolean(False, call.at)
    causal = values.get("causal", none)
    if not isinstance(causal, Boolean):
        remedy = "write causal=true, for example"
        raise SpecError("causal: expected true or false", at=causal.at, remedy=remedy)
    rotary = values.get("rotary", none)
    if not isinstance(rotary, Boolean) and (not isinstance(rotary, Number) or rotary.value <= 0):
        problem = f"{call.function}: rotary is {unparse(rotary)}"
        raise SpecError(problem, at=rotary.at, remedy="expected true, or the base of its angles, as 10000")
    base = Number(Fraction(10000), call.at) if isinstance(rotary, Boolean) else rotary
    return {"base": base}


def _block_settings(call: Call, values: Arguments) -> Arguments:
    """The width of the inner layer, and whether the norm is one that is known.

    Raises:
        SpecError: it is not, or as `_checked` does.
    """
    if getattr(values["norm"], "id", "") not in NORMS:
        remedy = "write norm=layer_norm or norm=rms_norm"
        raise SpecError("unknown norm of a block", at=values["norm"].at, remedy=remedy)
    return {**_checked(call, values), **_hidden(call, values)}


def _hidden(call: Call, values: Arguments) -> dict[str, Node]:
    """The width of the inner layer.

    Raises:
        SpecError: it is none.
    """
    hidden = values["hidden"]
    if names_in(hidden):
        return {}
    if hidden != Boolean(False, hidden.at):
        if whole_number(hidden, "hidden", {}) < 1:
            problem = f"{call.function}: hidden is {unparse(hidden)}"
            raise SpecError(problem, at=hidden.at, remedy="expected a whole number from 1")
        return {}
    formula = substitute(parse_formula("4 * size(x, -1)", call.at), {"x": values["x"]})
    return {"hidden": placed(formula, call.at)}


def _block(norm: str) -> LayerForm:
    return LayerForm(
        parts=(
            ("N", f"{norm}(x)"),
            (
                "A",
                "attention(N, heads, causal=causal, mask=mask, lengths=lengths, rotary=rotary, "
                "kv_heads=kv_heads, bias=bias, init=init, bias_init=bias_init)",
            ),
            ("R", "x + A"),
            ("M", f"{norm}(R)"),
            (
                "F",
                "feed_forward(M, hidden, activation=activation, bias=bias, init=init, bias_init=bias_init)",
            ),
        ),
        formula="R + F",
        hiding=hidden_by("x", 1, ("mask", "lengths")),
    )


OF_ATTENTION = _attention("x")
OF_CROSS_ATTENTION = _attention("memory")
OF_BLOCK = _block("layer_norm")
OPTIONS = "mask=false, lengths=false, kv_heads=false, bias=true, init=glorot_uniform, bias_init=zeros"

TRANSFORMERS = (
    Layer(
        f"attention(x, heads, causal=false, rotary=false, {OPTIONS})",
        "Vaswani et al. 2017; kv_heads: Ainslie et al. 2023; rotary: Su et al. 2021",
        "x is [batch, places, features], each of which looks at all, or where it is causal at none behind "
        "it; nobody looks where mask, [batch, places], is 0, nor from place lengths, [batch], of a row on: "
        "what sees nothing finds 0; rotary=500000 turns by another base than 10000",
        operands=("x", "mask", "lengths"),
        takes=FEATURES,
        others_take=HIDING,
        settings=_checked,
        parts=OF_ATTENTION.parts,
        indices=OF_ATTENTION.indices,
        formula=OF_ATTENTION.formula,
        parameters=OF_ATTENTION.parameters,
        demands=OF_ATTENTION.demands,
        forms=tuple(_forms("x", "causal", "rotary", "mask", "lengths", "kv_heads")),
    ),
    Layer(
        f"cross_attention(x, memory, heads, {OPTIONS})",
        "Vaswani et al. 2017",
        "x and memory are [batch, places, features]; mask, [batch, places], and lengths, [batch], are "
        "those of memory",
        operands=("x", "memory", "mask", "lengths"),
        takes=FEATURES,
        others_take=(("memory", FEATURES), *HIDING),
        settings=_checked,
        parts=OF_CROSS_ATTENTION.parts,
        indices=OF_CROSS_ATTENTION.indices,
        formula=OF_CROSS_ATTENTION.formula,
        parameters=OF_CROSS_ATTENTION.parameters,
        demands=OF_CROSS_ATTENTION.demands,
        forms=tuple(_forms("memory", "mask", "lengths", "kv_heads")),
    ),
    Layer(
        "feed_forward(x, hidden=false, activation=gelu, bias=true, init=glorot_uniform, bias_init=zeros)",
        "Vaswani et al. 2017",
        "x is [..., in]; hidden is 4 times as wide as x where nothing is said",
        settings=_hidden,
        parts=(("U", "dense(x, hidden, bias=bias, init=init, bias_init=bias_init, activation=activation)"),),
        formula="dense(U, size(x, -1), bias=bias, init=init, bias_init=bias_init)",
    ),
    Layer(
        f"transformer_block(x, heads, hidden=false, causal=false, rotary=false, {OPTIONS}, "
        "activation=gelu, norm=layer_norm)",
        "Vaswani et al. 2017; the norms first: Xiong et al. 2020",
        "x is [batch, places, features]; hidden is 4 times as wide as x where nothing is said",
        operands=("x", "mask", "lengths"),
        takes=FEATURES,
        others_take=HIDING,
        settings=_block_settings,
        parts=OF_BLOCK.parts,
        formula=OF_BLOCK.formula,
        forms=((is_called("norm", "rms_norm"), _block("rms_norm")),),
    ),
)
