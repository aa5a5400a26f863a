"""Layers that give their input a mean of 0 and a deviation of 1, and then what they learn."""

from symgrad.spec.library.layer_entries import Layer, LayerParameter

GAIN = LayerParameter("gamma", ("size(x, -1)",), "init")
SHIFT = LayerParameter("beta", ("size(x, -1)",), "bias_init", unless_false="bias")

NORMALISATIONS = (
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
        ranges=(("eps", "(0, inf)"),),
    ),
    Layer(
        "rms_norm(x, eps=1.1920929e-7, init=1)",
        "Zhang & Sennrich 2019",
        "x is [..., in]; over the last axis; eps is PyTorch's for float32, others take 1e-6",
        parts=(("H", "x / sqrt(mean(x**2, axis=-1, keepdims=true) + eps)"),),
        formula="gamma * H",
        parameters=(GAIN,),
        ranges=(("eps", "(0, inf)"),),
    ),
)
