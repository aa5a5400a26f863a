"""Attention, and the blocks that transformers are made of."""

from __future__ import annotations

from itertools import product
from typing import TYPE_CHECKING

from symgrad.errors import SpecError
from symgrad.spec.language.formula import parse_formula
from symgrad.spec.language.sizes.whole_numbers import whole_number
from symgrad.spec.language.syntax import Boolean
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

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from symgrad.spec.language.syntax import Call, Node
    from symgrad.spec.library.layer_entries import Arguments

FEATURES = ("batch", "places", "features")
MASKED = ("mask", ("batch", "places"))
HEAD = "size(x, -1) // heads"
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
NORMS = ("layer_norm", "rms_norm")


def _attention(source: str, causal: bool = False, masked: bool = False, grouped: bool = False) -> LayerForm:
    """Attention of x to `source`; grouped, g heads of queries share the keys and values of a head k."""
    head, of_keys = ("k, g", "k") if grouped else ("h", "h")
    heads, kv_heads = (("kv_heads", "heads // kv_heads"), "kv_heads") if grouped else (("heads",), "heads")
    scores = f"sum(Q[n,i,{head},d] * K[n,j,{of_keys},d], d) / sqrt(size(Wq, -1))"
    scores = f"where(mask[n,j] > 0, {scores}, -inf)" if masked else scores
    scores = f"where(j <= i, {scores}, -inf)" if causal else scores
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
        demands=(SHARED, GROUPED) if grouped else (SHARED,),
    )


def _forms(source: str, may_be_causal: bool) -> Iterator[tuple[Callable[[Arguments], bool], LayerForm]]:
    """One for each choice of a causal mask, a mask of keys and grouped heads, but that of none."""
    for causal, masked, grouped in product((True, False), repeat=3):
        wanted = {"causal": causal, "mask": masked, "kv_heads": grouped}
        if not any(wanted.values()) or (causal and not may_be_causal):
            continue
        chosen = [name for name, asked in wanted.items() if asked]
        yield all_given(chosen), _attention(source, causal, masked, grouped)


def _checked(_call: Call, values: Arguments) -> Arguments:
    """The arguments, of which causal is true or false, and no mask is `true`.

    Raises:
        SpecError: they are something else.
    """
    for name, wanted in (("causal", "true or false"), ("mask", "a tensor [batch, places]")):
        value = values.get(name, Boolean(False, _call.at))
        is_flag = isinstance(value, Boolean)
        if is_flag is not (name == "causal") and value != Boolean(False, value.at):
            remedy = f"write {name}={'true' if name == 'causal' else 'm, the name of an input'}, for example"
            raise SpecError(f"{name}: expected {wanted}", at=value.at, remedy=remedy)
    return {}


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
                "attention(N, heads, causal=causal, mask=mask, kv_heads=kv_heads, bias=bias, init=init, "
                "bias_init=bias_init)",
            ),
            ("R", "x + A"),
            ("M", f"{norm}(R)"),
            (
                "F",
                "feed_forward(M, hidden, activation=activation, bias=bias, init=init, bias_init=bias_init)",
            ),
        ),
        formula="R + F",
    )


OF_ATTENTION = _attention("x")
OF_CROSS_ATTENTION = _attention("memory")
OF_BLOCK = _block("layer_norm")
OPTIONS = "mask=false, kv_heads=false, bias=true, init=glorot_uniform, bias_init=zeros"

TRANSFORMERS = (
    Layer(
        f"attention(x, heads, causal=false, {OPTIONS})",
        "Vaswani et al. 2017; kv_heads: Ainslie et al. 2023",
        "x is [batch, places, features], each of which looks at all, or where it is causal at none behind "
        "it; nobody looks where mask, [batch, places], is 0",
        operands=("x", "mask"),
        takes=FEATURES,
        others_take=(MASKED,),
        settings=_checked,
        parts=OF_ATTENTION.parts,
        indices=OF_ATTENTION.indices,
        formula=OF_ATTENTION.formula,
        parameters=OF_ATTENTION.parameters,
        demands=OF_ATTENTION.demands,
        forms=tuple(_forms("x", may_be_causal=True)),
    ),
    Layer(
        f"cross_attention(x, memory, heads, {OPTIONS})",
        "Vaswani et al. 2017",
        "x and memory are [batch, places, features]; mask, [batch, places], is of the places of memory",
        operands=("x", "memory", "mask"),
        takes=FEATURES,
        others_take=(("memory", FEATURES), MASKED),
        settings=_checked,
        parts=OF_CROSS_ATTENTION.parts,
        indices=OF_CROSS_ATTENTION.indices,
        formula=OF_CROSS_ATTENTION.formula,
        parameters=OF_CROSS_ATTENTION.parameters,
        demands=OF_CROSS_ATTENTION.demands,
        forms=tuple(_forms("memory", may_be_causal=False)),
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
        f"transformer_block(x, heads, hidden=false, causal=false, {OPTIONS}, activation=gelu, "
        "norm=layer_norm)",
        "Vaswani et al. 2017; the norms first: Xiong et al. 2020",
        "x is [batch, places, features]; hidden is 4 times as wide as x where nothing is said",
        operands=("x", "mask"),
        takes=FEATURES,
        others_take=(MASKED,),
        settings=_block_settings,
        parts=OF_BLOCK.parts,
        formula=OF_BLOCK.formula,
        forms=((is_called("norm", "rms_norm"), _block("rms_norm")),),
    ),
)
