"""Pooling and its like: windows of x become one number for each channel, or numbers stand more often."""

from symgrad.spec.library.convolutions import OFFSETS, covered, known_numbers, padded, windows_of
from symgrad.spec.library.layer_entries import Layer, LayerDemand, LayerForm, LayerParameter, is_called
from symgrad.spec.library.window_settings import AXES, is_bilinear, numbers, upsampling, windows


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


def _divided(axis: int, entries: str) -> LayerDemand:
    return LayerDemand(
        f"size(x, {axis}) % output_size_{axis} == 0",
        f"{{size(x, {axis})}} {entries} do not divide into {{output_size_{axis}}} equal windows",
        "expected a size that divides that of its input",
    )


CHANNELS_FIRST = is_called("layout", "channels_first")
_STEP = "size(x, {k}) // output_size_{k}"
_TENT = "max(1 - abs(min(max((i + 0.5) / factor_{k} - 0.5, 0), size(x, {k}) - 1) - k), 0)"

POOLING = (
    *(_pooling(kind, rank) for kind in ("max", "avg") for rank in (1, 2, 3)),
    Layer(
        "global_avg_pool(x, layout=channels_last)",
        "Lin, Chen & Yan 2014",
        "x is [batch, ..., channels]; the mean of each channel, whatever lies between",
        takes=("batch", "...", "places", "channels"),
        formula="mean(flatten(x, start=1, end=-2), axis=1)",
        forms=((CHANNELS_FIRST, LayerForm(formula="mean(flatten(x, start=2), axis=2)")),),
        symbol="P",
    ),
    Layer(
        "global_max_pool(x, layout=channels_last)",
        "Oquab et al. 2015",
        "x is [batch, ..., channels]; the largest entry of each channel, whatever lies between",
        takes=("batch", "...", "places", "channels"),
        formula="max(flatten(x, start=1, end=-2), axis=1)",
        forms=((CHANNELS_FIRST, LayerForm(formula="max(flatten(x, start=2), axis=2)")),),
        symbol="P",
    ),
    Layer(
        "adaptive_avg_pool1d(x, output_size, layout=channels_last)",
        "He et al. 2014",
        "equal windows, so many of them; their number divides that of the steps",
        takes=("batch", *AXES[1], "channels"),
        settings=numbers("output_size", 1),
        indices="[n, i:output_size_1, c]",
        formula=f"mean(x[n, {_STEP.format(k=1)} * i + u, c], u={_STEP.format(k=1)})",
        demands=(_divided(1, "steps"),),
        symbol="P",
    ),
    Layer(
        "adaptive_avg_pool2d(x, output_size, layout=channels_last)",
        "He et al. 2014",
        "equal windows, so many of them along each axis; their numbers divide height and width",
        takes=("batch", *AXES[2], "channels"),
        settings=numbers("output_size", 2),
        indices="[n, i:output_size_1, j:output_size_2, c]",
        formula=f"mean(x[n, {_STEP.format(k=1)} * i + u, {_STEP.format(k=2)} * j + v, c], "
        f"u={_STEP.format(k=1)}, v={_STEP.format(k=2)})",
        demands=(_divided(1, "rows"), _divided(2, "columns")),
        symbol="P",
    ),
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
