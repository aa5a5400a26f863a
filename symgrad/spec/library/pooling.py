"""Pooling and its like: windows of x become one number for each channel, or numbers stand more often."""

from symgrad.spec.library.convolutions import OFFSETS, covered, known_numbers, padded, windows_of
from symgrad.spec.library.layer_entries import (
    Layer,
    LayerDemand,
    LayerForm,
    LayerParameter,
    all_given,
    both,
    is_called,
    is_false,
)
from symgrad.spec.library.settings.hidden_places import HIDING, hidden_by, seen_demands, where_seen
from symgrad.spec.library.settings.window_settings import (
    AXES,
    ENTRIES,
    adapting,
    is_bilinear,
    numbers,
    upsampling,
    windows,
)


def _pooling(kind: str, rank: int) -> Layer:
    """The largest entry, or the mean, of windows along `rank` axes."""
    is_max = kind == "max"
    along, _, read = windows_of(rank, *(() if is_max else ("{u}",)))
    each = range(1, rank + 1)
    sizes = ", ".join(f"{u}=kernel_{k}" for k, u in zip(each, OFFSETS, strict=False))
    met = tuple(demand for axis in each for demand in _meeting(axis)) if is_max else ()
    return Layer(
        f"{kind}_pool{rank}d(x, kernel, stride=kernel, padding=0{', dilation=1' if is_max else ''}, "
        "layout=channels_last)",
        "Ranzato et al. 2007" if is_max else "LeCun et al. 1989",
        "padding counts as -inf; entries that tie share the slope"
        if is_max
        else "padding counts as zeros that are there, as in PyTorch",
        takes=("batch", *AXES[rank], "channels"),
        settings=windows(rank),
        parts=(("X", padded(rank, "-inf" if is_max else "")),),
        indices=f"[n, {along}, c]",
        formula=f"{kind if is_max else 'mean'}(X[n, {read}, c], {sizes})",
        demands=(*known_numbers("stride", rank), *(covered(axis, rank) for axis in each), *met),
        symbol="P",
    )


def _meeting(axis: int) -> tuple[LayerDemand, ...]:
    """The demands that every window has an entry of the input, and not only padding."""
    remedy = "expected a padding smaller than the kernel, and a dilation no larger than the input"
    return (
        LayerDemand(
            f"max(before_{axis}, after_{axis}) < dilation_{axis} * (kernel_{axis} - 1) + 1",
            f"a padding of {{max(before_{axis}, after_{axis})}} leaves windows with no entry of the input",
            remedy,
        ),
        LayerDemand(
            f"min(kernel_{axis} - 1, 1) * dilation_{axis} <= size(x, {axis})",
            f"a dilation of {{dilation_{axis}}} leaves windows with no entry of the input",
            remedy,
        ),
    )


def _adaptive(kind: str, rank: int) -> Layer:
    """The mean, or the largest entry, of so many windows along `rank` axes, wherever these begin."""
    of = "mean" if kind == "avg" else "max"
    each = tuple(zip(range(1, rank + 1), "ij", "kl", OFFSETS, ENTRIES[rank], strict=False))
    places = ", ".join(f"{i}:output_size_{k}" for k, i, *_ in each)
    read = ", ".join(f"{_STEP.format(k=k)} * {i} + {u}" for k, i, _, u, _ in each)
    sizes = ", ".join(f"{u}={_STEP.format(k=k)}" for k, _, _, u, _ in each)
    return Layer(
        f"adaptive_{kind}_pool{rank}d(x, output_size, equal=true, layout=channels_last)",
        "He et al. 2014",
        "so many windows of equal size along each axis; equal=false has PyTorch's, which may overlap where "
        "their number does not divide that of the entries",
        takes=("batch", *AXES[rank], "channels"),
        settings=adapting(rank),
        indices=f"[n, {places}, c]",
        formula=f"{of}(x[n, {read}, c], {sizes})",
        demands=tuple(_divided(k, entries) for k, *_, entries in each),
        forms=((is_false("equal"), _overlapping(kind, rank)),),
        symbol="P",
    )


def _overlapping(kind: str, rank: int) -> LayerForm:
    """Window i of O over S entries begins at i·S/O, rounded down, and ends at (i + 1)·S/O, rounded up."""
    parts: list[tuple[str, str]] = []
    read = "x[n, k, c]" if rank == 1 else "x[n, k, l, c]"
    for axis, i, k in tuple(zip(range(1, rank + 1), "ij", "kl", strict=False)):
        size, windows = f"size(x, {axis})", f"output_size_{axis}"
        begun, not_ended = f"({k} + 1) * {windows} > {i} * {size}", f"{k} * {windows} < ({i} + 1) * {size}"
        inside = f"where({begun}, where({not_ended}, %s, %s), %s)"
        if kind == "avg":
            share = f"B{axis}[{i}, {k}] / sum(B{axis}[{i}, m], m)"
            parts += [
                (f"B{axis}[{i}:{windows}, {k}:{size}]", inside % (1, 0, 0)),
                (f"S{axis}[{i}, {k}]", share),
            ]
            made = f"sum(S{axis}[{i}, {k}] * {read}, {k})"
        else:
            made = f"max({inside % (read, '-inf', '-inf')}, {k})"
        if axis < rank:
            parts.append((f"R[n, {i}:{windows}, l, c]", made))
            read = "R[n, i, l, c]"
    last = f"{'ij'[rank - 1]}:output_size_{rank}"
    return LayerForm(parts=tuple(parts), indices=f"[n, {'i, ' if rank > 1 else ''}{last}, c]", formula=made)


def _global(kind: str, source: str, what: str) -> Layer:
    """The mean, or the largest entry, of each channel; of sequences maybe without what is hidden."""
    of = "mean" if kind == "avg" else "max"
    hidden = (("mask", "lengths"), ("mask",), ("lengths",))
    return Layer(
        f"global_{kind}_pool(x, mask=false, lengths=false, layout=channels_last)",
        source,
        f"x is [batch, ..., channels]; {what} of each channel, whatever lies between; of [batch, places, "
        "channels] without places where mask, [batch, places], is 0, or from lengths, [batch], on: of none 0",
        operands=("x", "mask", "lengths"),
        takes=("batch", "...", "places", "channels"),
        others_take=HIDING,
        formula=f"{of}(flatten(x, start=1, end=-2), axis=1)",
        forms=(
            *((both(all_given(chosen), CHANNELS_FIRST), _of_seen(kind, 2, chosen)) for chosen in hidden),
            *((all_given(chosen), _of_seen(kind, 1, chosen)) for chosen in hidden),
            (CHANNELS_FIRST, LayerForm(formula=f"{of}(flatten(x, start=2), axis=2)")),
        ),
        symbol="P",
    )


def _of_seen(kind: str, axis: int, chosen: tuple[str, ...]) -> LayerForm:
    """The mean, or the largest entry, along this axis, of what these operands do not hide."""
    read = "x[n, i, c]" if axis == 1 else "x[n, c, i]"
    mean = f"sum({where_seen(read, 0, 'i', chosen)}, i) / N[n]"
    largest = f"where(S[n] > 0, max({where_seen(read, '-inf', 'i', chosen)}, i), 0)"
    return LayerForm(
        parts=(
            ("S[n]", f"sum({where_seen(1, 0, 'i', chosen)}, i=size(x, {axis}))"),
            ("N[n]", "max(S[n], 1)"),
        ),
        indices="[n, c]",
        formula=mean if kind == "avg" else largest,
        demands=seen_demands("x", axis, chosen),
        hiding=hidden_by("x", axis, chosen),
    )


def _divided(axis: int, entries: str) -> LayerDemand:
    return LayerDemand(
        f"size(x, {axis}) % output_size_{axis} == 0",
        f"{{size(x, {axis})}} {entries} do not divide into {{output_size_{axis}}} equal windows",
        "expected a size that divides that of its input, or equal=false, which makes windows that overlap",
    )


CHANNELS_FIRST = is_called("layout", "channels_first")
_STEP = "size(x, {k}) // output_size_{k}"
_TENT = "max(1 - abs(min(max((i + 0.5) / factor_{k} - 0.5, 0), size(x, {k}) - 1) - k), 0)"

POOLING = (
    *(_pooling(kind, rank) for kind in ("max", "avg") for rank in (1, 2, 3)),
    _global("avg", "Lin, Chen & Yan 2014", "the mean"),
    _global("max", "Oquab et al. 2015", "the largest entry"),
    *(_adaptive(kind, rank) for kind in ("avg", "max") for rank in (1, 2)),
    Layer(
        "upsample1d(x, factor=2, layout=channels_last)",
        "definition",
        "every entry factor times, one after another",
        takes=("batch", *AXES[1], "channels"),
        settings=numbers("factor", 1),
        parts=(("U[n, i, r:factor_1, c]", "x[n, i, c]"),),
        formula="flatten(U, start=1, end=2)",
        demands=known_numbers("factor", 1),
        symbol="U",
    ),
    Layer(
        "upsample2d(x, factor=2, mode=nearest, layout=channels_last)",
        "definition",
        "mode is nearest, every entry factor times along both axes, or bilinear, between their middles",
        takes=("batch", *AXES[2], "channels"),
        settings=upsampling,
        forms=(
            (
                is_bilinear,
                LayerForm(
                    parts=(
                        ("P[i:factor_1 * size(x, 1), k:size(x, 1)]", _TENT.format(k=1)),
                        ("Q[i:factor_2 * size(x, 2), k:size(x, 2)]", _TENT.format(k=2)),
                        ("R[n, i, l, c]", "sum(P[i, k] * x[n, k, l, c], k)"),
                    ),
                    indices="[n, i, j, c]",
                    formula="sum(Q[j, l] * R[n, i, l, c], l)",
                    demands=known_numbers("factor", 2),
                ),
            ),
        ),
        parts=(("U[n, i, r:factor_1, j, s:factor_2, c]", "x[n, i, j, c]"),),
        formula="flatten(flatten(U, start=3, end=4), start=1, end=2)",
        demands=known_numbers("factor", 2),
        symbol="U",
    ),
    Layer(
        "squeeze_excite(x, reduction=16, init=glorot_uniform, bias_init=zeros, layout=channels_last)",
        "Hu, Shen & Sun 2018",
        "x is [batch, height, width, channels]; each channel times a gate of the means of all of them",
        takes=("batch", *AXES[2], "channels"),
        parts=(
            ("S[n, k]", "mean(x[n, i, j, k], i, j)"),
            ("E", "relu(S @ W + b)"),
            ("G", "sigmoid(E @ V + c)"),
        ),
        indices="[n, i, j, k]",
        formula="x[n, i, j, k] * G[n, k]",
        ranges=(("reduction", "[1, inf)"),),
        parameters=(
            LayerParameter("W", ("size(x, -1)", "size(x, -1) // reduction"), "init"),
            LayerParameter("b", ("size(x, -1) // reduction",), "bias_init"),
            LayerParameter("V", ("size(x, -1) // reduction", "size(x, -1)"), "init"),
            LayerParameter("c", ("size(x, -1)",), "bias_init"),
        ),
        demands=(
            LayerDemand(
                "size(x, -1) % reduction == 0",
                "{size(x, -1)} channels do not divide by {reduction}",
                "expected a reduction that divides the channels",
            ),
        ),
    ),
)
