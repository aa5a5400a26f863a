"""Convolutions: windows of x times one kernel, in the usual sense of networks, a correlation."""

from symgrad.spec.library.layer_entries import Layer, LayerDemand, LayerParameter
from symgrad.spec.library.window_settings import windows

BIAS = LayerParameter("b", ("units",), "bias_init", unless_false="bias")


def _covered(axis: int, entries: str) -> LayerDemand:
    """The demand that a window fits into what it slides along."""
    return LayerDemand(
        f"size(x, {axis}) + before_{axis} + after_{axis} >= dilation_{axis} * (kernel_{axis} - 1) + 1",
        f"the kernel reaches over {{dilation_{axis} * (kernel_{axis} - 1) + 1}} {entries}, its input has "
        f"{{size(x, {axis}) + before_{axis} + after_{axis}}}",
        "expected a smaller kernel, or padding=same",
    )


CONVOLUTIONS = (
    Layer(
        "conv1d(x, units, kernel, stride=1, padding=0, dilation=1, bias=true, init=glorot_uniform, "
        "bias_init=zeros, activation=identity)",
        "Waibel et al. 1989",
        "x is [batch, steps, channels]; padding is a number, same, valid or causal",
        takes=("batch", "steps", "channels"),
        settings=windows(1, ("valid", "same", "causal")),
        parts=(("X", "padded"),),
        indices="[n, i, o]",
        formula="sum(X[n, stride_1*i + dilation_1*u, c] * W[u, c, o], u, c) + b[o]",
        parameters=(LayerParameter("W", ("kernel_1", "size(x, -1)", "units"), "init"), BIAS),
        demands=(_covered(1, "steps"),),
    ),
    Layer(
        "conv2d(x, units, kernel, stride=1, padding=0, dilation=1, bias=true, init=glorot_uniform, "
        "bias_init=zeros, activation=identity)",
        "LeCun et al. 1989",
        "x is [batch, height, width, channels]; padding is a number, same or valid; kernel=(3, 5) too",
        takes=("batch", "height", "width", "channels"),
        settings=windows(2),
        parts=(("X", "padded"),),
        indices="[n, i, j, o]",
        formula="sum(X[n, stride_1*i + dilation_1*u, stride_2*j + dilation_2*v, c] * W[u, v, c, o], u, v, c)"
        " + b[o]",
        parameters=(LayerParameter("W", ("kernel_1", "kernel_2", "size(x, -1)", "units"), "init"), BIAS),
        demands=(_covered(1, "rows"), _covered(2, "columns")),
    ),
)
