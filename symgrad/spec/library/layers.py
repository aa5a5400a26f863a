"""Layers: functions that bring parameters along."""

from symgrad.spec.library.entries import Layer, LayerParameter

LAYERS = (
    Layer(
        "dense(x, units, bias=true, init=glorot_uniform, bias_init=zeros, activation=identity)",
        "fully connected layer; Rosenblatt 1958",
        "x is [..., in]; the batch stands in rows",
        formula="x @ W + b",
        parameters=(
            LayerParameter("W", ("in", "units"), "init"),
            LayerParameter("b", ("units",), "bias_init", unless_false="bias"),
        ),
    ),
)
