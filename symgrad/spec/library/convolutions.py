"""Convolutions: windows of x times one kernel, a correlation, as networks have it; and their transposes.

Of images the axes are [batch, height, width, channels], of kernels [height, width, channels, units].
"""

from dataclasses import replace

from symgrad.spec.library.layer_entries import Layer, LayerDemand, LayerForm, LayerParameter
from symgrad.spec.library.settings.window_settings import (
    AXES,
    ENTRIES,
    convolving,
    is_depthwise,
    is_grouped,
    numbers,
    transposing,
)

PLACES, OFFSETS = "ijk", "uvw"
"""Indices of the result's places along each axis, and of what lies in a window."""

CHANNELS = "how many channels it has"
BIAS = LayerParameter("b", ("units",), "bias_init", unless_false="bias")
GROUPS = (
    LayerDemand(
        "size(x, -1) % groups == 0",
        "the {size(x, -1)} channels of its input do not divide into {groups} groups",
        "expected a number of groups that divides the channels and the units",
    ),
    LayerDemand(
        "units % groups == 0",
        "{units} units do not divide into {groups} groups",
        "expected a number of groups that divides the channels and the units",
    ),
)


def covered(axis: int, rank: int) -> LayerDemand:
    """The demand that a window fits into what it slides along."""
    reach = f"dilation_{axis} * (kernel_{axis} - 1) + 1"
    given = f"size(x, {axis}) + before_{axis} + after_{axis}"
    entries = ENTRIES[rank][axis - 1]
    return LayerDemand(
        f"{given} >= {reach}",
        f"the kernel reaches over {{{reach}}} {entries}, its padded input has {{{given}}}",
        "expected a smaller kernel, or padding=same",
    )


def padded(rank: int, value: str = "") -> str:
    """The formula of x with what is put around it along `rank` axes, 0 or another value."""
    formula = "x"
    for axis in range(1, rank + 1):
        formula = f"pad({formula}, {axis}, before_{axis}, after_{axis}{value and f', value={value}'})"
    return formula


def windows_of(rank: int, spread: str = "dilation_{k}*{u}") -> tuple[str, str, str]:
    """Places of windows along `rank` axes, offsets inside them, and the indices of x that both make."""
    each = tuple(zip(range(1, rank + 1), PLACES, OFFSETS, strict=False))
    read = ", ".join(f"stride_{k}*{i} + {spread.format(k=k, u=u)}" for k, i, u in each)
    return ", ".join(i for _, i, _ in each), ", ".join(u for _, _, u in each), read


def _in_groups(rank: int) -> LayerForm:
    """A convolution whose groups of channels do not see each other."""
    along, inside, read = windows_of(rank)
    group = "size(x, -1) // groups"
    kernels = f"W[{inside}, c, units // groups * g + o]"
    return LayerForm(
        parts=(
            ("X", padded(rank)),
            (
                f"G[n, {along}, g:groups, o:units // groups]",
                f"sum(X[n, {read}, {group} * g + c] * {kernels}, {inside}, c)",
            ),
        ),
        formula=f"flatten(G, start={rank + 1}) + b",
        parameters=(LayerParameter("W", (*_kernel(rank), group, "units"), "init"), BIAS),
        demands=(*_fits(rank), *GROUPS),
    )


def _of_channels(rank: int) -> LayerForm:
    """A depthwise convolution, each of whose channels is a group of its own."""
    along, inside, read = windows_of(rank)
    each = "units // size(x, -1)"
    kernels = f"W[{inside}, 0, {each} * g + o]"
    whole = (f"G[n, {along}, g, o:{each}]", f"sum(X[n, {read}, g] * {kernels}, {inside})")
    return replace(_in_groups(rank), parts=(("X", padded(rank)), whole))


def _convolution(rank: int, source: str, words: tuple[str, ...]) -> Layer:
    """A convolution along `rank` axes."""
    along, inside, read = windows_of(rank)
    return Layer(
        f"conv{rank}d(x, units, kernel, stride=1, padding=0, dilation=1, groups=1, bias=true, "
        "init=glorot_uniform, bias_init=zeros, activation=identity, layout=channels_last)",
        source,
        f"x is [batch, {', '.join(AXES[rank])}, channels]; padding is a number, {', '.join(words)}; a tuple "
        "gives each axis its own; of groups=channels each is on its own",
        takes=("batch", *AXES[rank], "channels"),
        unnamed=3,
        x_says=CHANNELS,
        settings=convolving(rank, words),
        forms=((is_depthwise, _of_channels(rank)), (is_grouped, _in_groups(rank))),
        parts=(("X", padded(rank)),),
        indices=f"[n, {along}, o]",
        formula=f"sum(X[n, {read}, c] * W[{inside}, c, o], {inside}, c) + b[o]",
        parameters=(LayerParameter("W", (*_kernel(rank), "size(x, -1)", "units"), "init"), BIAS),
        demands=_fits(rank),
    )


def _kernel(rank: int) -> tuple[str, ...]:
    return tuple(f"kernel_{axis}" for axis in range(1, rank + 1))


def _fits(rank: int) -> tuple[LayerDemand, ...]:
    axes = range(1, rank + 1)
    return (*known_numbers("stride", rank), *(covered(axis, rank) for axis in axes))


def known_numbers(name: str, rank: int) -> tuple[LayerDemand, ...]:
    """The demands that numbers of each axis are known before the data: a place is computed with them."""
    problem = f"{name} is {{{name}_%d}}"
    return tuple(
        LayerDemand(f"1 // {name}_{k} <= {name}_{k}", problem % k, "expected a whole number")
        for k in range(1, rank + 1)
    )


def _transposed_convolution(rank: int) -> Layer:
    """The adjoint of a convolution: the phases of a stride, each with the taps that meet in it."""
    each = tuple(zip(range(1, rank + 1), PLACES, "qpl", "tse", "rwh", strict=False))
    starts, taps, phases = (
        ", ".join(letters) for letters in zip(*(found[2:] for found in each), strict=True)
    )
    padded_x, filled, joined = "x", "W", "R" if rank > 1 else "Y"
    for k in range(1, rank + 1):
        padded_x, filled = f"pad({padded_x}, {k}, reach_{k})", f"pad({filled}, {k - 1}, 0, fill_{k})"
        joined = f"flatten({joined}, start={2 * (rank - k) + 1}, end={2 * (rank - k) + 2})"
    sizes = (
        *(f"{t}:taps_{k}" for k, _, _, t, _ in each),
        "c",
        *(f"{r}:stride_{k}" for k, *_, r in each),
        "o",
    )
    entry = ", ".join(f"stride_{k} * (reach_{k} - {t}) + {r}" for k, _, _, t, r in each)
    met = ", ".join(f"{q} + {t}" for _, _, q, t, _ in each)
    turned = (f"R[n, {', '.join(f'{q}, {r}' for _, _, q, _, r in each)}, o]", f"Y[n, {starts}, {phases}, o]")
    return Layer(
        f"conv_transpose{rank}d(x, units, kernel, stride=1, padding=0, output_padding=0, bias=true, "
        "init=glorot_uniform, bias_init=zeros, activation=identity, layout=channels_last)",
        "Zeiler et al. 2010",
        f"the adjoint of conv{rank}d in x; K holds the taps of each of the "
        f"{' * '.join(f'stride_{k}' for k, *_ in each)} phases",
        takes=("batch", *AXES[rank], "channels"),
        unnamed=3,
        x_says=CHANNELS,
        settings=transposing(rank),
        parts=(
            ("X", padded_x),
            ("V", filled),
            (f"K[{', '.join(sizes)}]", f"V[{entry}, c, o]"),
            (f"Y[n, {starts}, {phases}, o]", f"sum(X[n, {met}, c] * K[{taps}, c, {phases}, o], {taps}, c)"),
            *((turned,) if rank > 1 else ()),
            ("F", joined),
        ),
        indices=f"[n, {', '.join(f'{i}:length_{k}' for k, i, *_ in each)}, o]",
        formula=f"F[n, {', '.join(f'{i} + padding_{k}' for k, i, *_ in each)}, o] + b[o]",
        parameters=(LayerParameter("W", (*_kernel(rank), "size(x, -1)", "units"), "init"), BIAS),
        demands=_transposed(rank),
    )


def _transposed(rank: int) -> tuple[LayerDemand, ...]:
    """The demands that something is left, and that what is added lies within a stride."""
    axes = range(1, rank + 1)
    return (
        *known_numbers("stride", rank),
        *(
            LayerDemand(
                f"output_padding_{axis} < stride_{axis}",
                f"an output_padding of {{output_padding_{axis}}} where the stride is {{stride_{axis}}}",
                "expected one below the stride",
            )
            for axis in axes
        ),
        *(
            LayerDemand(
                f"length_{axis} >= 1",
                f"a padding of {{padding_{axis}}} takes away all {ENTRIES[rank][axis - 1]} of the result",
                "expected a smaller one",
            )
            for axis in axes
        ),
    )


CONVOLUTIONS = (
    _convolution(1, "Waibel et al. 1989", ("valid", "same", "causal")),
    _convolution(2, "LeCun et al. 1989", ("valid", "same")),
    _convolution(3, "Ji et al. 2010", ("valid", "same")),
    *map(_transposed_convolution, (1, 2, 3)),
    Layer(
        "patch_embedding(x, units, patch=16, bias=true, init=glorot_uniform, bias_init=zeros, "
        "layout=channels_last)",
        "Dosovitskiy et al. 2021",
        "x is [batch, height, width, channels], the result [batch, patches, units], row by row",
        takes=("batch", *AXES[2], "channels"),
        settings=numbers("patch", 2),
        parts=(
            (
                "P[n, i, j, o]",
                "sum(x[n, patch_1*i + u, patch_2*j + v, c] * W[u, v, c, o], u, v, c) + b[o]",
            ),
        ),
        formula="flatten(P, start=1, end=2)",
        parameters=(LayerParameter("W", ("patch_1", "patch_2", "size(x, -1)", "units"), "init"), BIAS),
        demands=tuple(
            LayerDemand(
                f"size(x, {axis}) % patch_{axis} == 0",
                f"{{size(x, {axis})}} {entries} do not divide into patches of {{patch_{axis}}}",
                "expected a patch that divides height and width",
            )
            for axis, entries in ((1, "rows"), (2, "columns"))
        ),
        symbol="Z",
        joins_places=True,
    ),
)
