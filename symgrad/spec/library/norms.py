"""Layers that give their input a mean of 0 and a deviation of 1, and then what they learn."""

from symgrad.errors import SpecError
from symgrad.spec.language.syntax import Boolean, Call
from symgrad.spec.language.unparse import unparse
from symgrad.spec.library.layer_entries import (
    Arguments,
    Layer,
    LayerDemand,
    LayerForm,
    LayerParameter,
    LayerState,
)
from symgrad.spec.numbers import number

GAIN = LayerParameter("gamma", ("size(x, -1)",), "init")
SHIFT = LayerParameter("beta", ("size(x, -1)",), "bias_init", unless_false="bias")
POSITIVE = (("eps", "(0, inf)"),)
SMALL = (("eps", "(0, 1)", "how many features there are, its input says"),)
PLACES = ("", "i", "i, j", "i, j, k")
"""Indices of the axes between that of the batch and that of the channels, by their number."""
NAMED = ((), ("steps",), ("height", "width"), ("depth", "height", "width"))
SOME = LayerDemand("groups >= 1", "groups is {groups}", "expected at least 1")
SHARED = LayerDemand(
    "size(x, -1) % groups == 0",
    "{groups} groups cannot share {size(x, -1)} channels",
    "expected a number of groups that divides them",
)


def _axes(rank: int) -> str:
    return ", ".join(("batch", *NAMED[rank], "channels"))


def _layout(rank: int) -> str:
    """The argument that says where the channels stand, if that is not said by having no places."""
    return ", layout=channels_last" if rank else ""


def _indices(*names: str) -> str:
    return ", ".join(name for name in names if name)


def _keeps_no_statistics(arguments: Arguments) -> bool:
    return isinstance(arguments["momentum"], Boolean)


def _share(call: Call, arguments: Arguments) -> Arguments:
    """Nothing follows from the momentum, a share or false.

    Raises:
        SpecError: it is neither.
    """
    momentum = arguments["momentum"]
    value = None if isinstance(momentum, Boolean) else number(momentum, {})
    if momentum != Boolean(False, momentum.at) and not (value is not None and 0 < value <= 1):
        problem = f"{call.function}: momentum is {unparse(momentum)}"
        raise SpecError(problem, at=momentum.at, remedy="expected a number above 0 and at most 1, or false")
    return {}


def _batch_norm(rank: int) -> Layer:
    places = _indices("n", PLACES[rank])
    entry, rows = f"x[{places}, c]", " * ".join(f"size(x, {place})" for place in range(rank + 1))
    parts = (("mu[c]", f"mean({entry}, {places})"), ("v[c]", f"mean(({entry} - mu[c])**2, {places})"))
    of_batch = (f"H[{places}, c]", f"({entry} - mu[c]) / sqrt(v[c] + eps)")
    mean, variance = "training(mu[c], running_mean[c])", "training(v[c], running_var[c])"
    by_mode = (f"H[{places}, c]", f"({entry} - {mean}) / sqrt({variance} + eps)")
    unbiased = f"{rows} / max({rows} - 1, 1) * v"
    # A batch of one entry, whose v is 0, says nothing of how far entries are apart.
    kept = f"1 - momentum * min({rows} - 1, 1)"
    return Layer(
        f"batch_norm{f'{rank}d' if rank else ''}(x, eps=1e-5, momentum=0.1, bias=true, init=1, "
        f"bias_init=zeros{_layout(rank)})",
        "Ioffe & Szegedy 2015",
        f"x is [{_axes(rank)}]; training takes mean and variance of the batch, inference running ones: "
        "a step moves these by the share momentum towards the batch's, the variance with rows - 1 below, of "
        "one row not at all; "
        "momentum=false keeps none: what is found of a row depends on those beside it then",
        takes=("batch", *NAMED[rank], "channels"),
        parts=(*parts, by_mode),
        formula="gamma * H + beta",
        parameters=(GAIN, SHIFT),
        states=(
            LayerState("running_mean", ("size(x, -1)",), 0, _moved("running_mean", "mu", "1 - momentum")),
            LayerState("running_var", ("size(x, -1)",), 1, _moved("running_var", unbiased, kept)),
        ),
        forms=(
            (
                _keeps_no_statistics,
                LayerForm(formula="gamma * H + beta", parts=(*parts, of_batch), parameters=(GAIN, SHIFT)),
            ),
        ),
        settings=_share,
        instead=f"batch_norm{f'{rank}d' if rank else ''}(momentum=false), which keeps no state",
        ranges=POSITIVE,
        usual=SMALL,
    )


def _moved(running: str, found: str, kept: str) -> str:
    return f"({kept}) * {running} + momentum * ({found})"


def _instance_norm(rank: int) -> Layer:
    places, inner = _indices("n", PLACES[rank]), PLACES[rank]
    entry = f"x[{places}, c]"
    return Layer(
        f"instance_norm{rank}d(x, eps=1e-5{_layout(rank)})",
        "Ulyanov, Vedaldi & Lempitsky 2016",
        f"x is [{_axes(rank)}]; over the places of each row and channel",
        takes=("batch", *NAMED[rank], "channels"),
        parts=(
            ("mu[n, c]", f"mean({entry}, {inner})"),
            ("v[n, c]", f"mean(({entry} - mu[n,c])**2, {inner})"),
        ),
        indices=f"[{places}, c]",
        formula=f"({entry} - mu[n,c]) / sqrt(v[n,c] + eps)",
        ranges=POSITIVE,
        usual=SMALL,
    )


def _group_norm(rank: int) -> Layer:
    places = _indices("n", PLACES[rank])
    inner = _indices(PLACES[rank], "s")
    entry = f"G[{places}, g, s]"
    return Layer(
        f"group_norm{f'{rank}d' if rank else ''}(x, groups, eps=1e-5, bias=true, init=1, bias_init=zeros"
        f"{_layout(rank)})",
        "Wu & He 2018",
        f"x is [{_axes(rank)}]; over the places and channels of each group",
        takes=("batch", *NAMED[rank], "channels"),
        parts=(
            (
                f"G[{places}, g:groups, s:size(x, -1) // groups]",
                f"x[{places}, size(x, -1) // groups * g + s]",
            ),
            ("mu[n, g]", f"mean({entry}, {inner})"),
            ("v[n, g]", f"mean(({entry} - mu[n,g])**2, {inner})"),
            (f"N[{places}, g, s]", f"({entry} - mu[n,g]) / sqrt(v[n,g] + eps)"),
            (
                f"H[{places}, c:size(x, -1)]",
                f"N[{places}, c // (size(x, -1) // groups), c % (size(x, -1) // groups)]",
            ),
        ),
        formula="gamma * H + beta",
        parameters=(GAIN, SHIFT),
        demands=(SOME, SHARED),
        ranges=POSITIVE,
        usual=SMALL,
    )


NORMS = (
    Layer(
        "layer_norm(x, eps=1e-5, bias=true, init=1, bias_init=zeros)",
        "Ba, Kiros & Hinton 2016",
        "x is [..., in]; over the last axis; the variance is divided by how many entries there are",
        parts=(
            (
                "H",
                "(x - mean(x, axis=-1, keepdims=true))"
                " / sqrt(mean((x - mean(x, axis=-1, keepdims=true))**2, axis=-1, keepdims=true) + eps)",
            ),
        ),
        formula="gamma * H + beta",
        parameters=(GAIN, SHIFT),
        ranges=POSITIVE,
        usual=SMALL,
    ),
    Layer(
        "rms_norm(x, eps=1.1920929e-7, init=1)",
        "Zhang & Sennrich 2019",
        "x is [..., in]; over the last axis; eps is PyTorch's for float32, others take 1e-6",
        parts=(("H", "x / sqrt(mean(x**2, axis=-1, keepdims=true) + eps)"),),
        formula="gamma * H",
        parameters=(GAIN,),
        ranges=POSITIVE,
        usual=SMALL,
    ),
    *map(_batch_norm, range(4)),
    *map(_group_norm, range(4)),
    *map(_instance_norm, range(1, 4)),
)
