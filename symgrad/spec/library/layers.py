"""Layers: functions that bring parameters along, and activations that do."""

from symgrad.spec.library.layer_entries import Layer, LayerParameter

GATED = (
    LayerParameter("W", ("size(x, -1)", "units"), "init"),
    LayerParameter("b", ("units",), "bias_init", unless_false="bias"),
    LayerParameter("V", ("size(x, -1)", "units"), "init"),
    LayerParameter("c", ("units",), "bias_init", unless_false="bias"),
)

LAYERS = (
    Layer(
        "dense(x, units, bias=true, init=glorot_uniform, bias_init=zeros, activation=identity)",
        "fully connected layer; Rosenblatt 1958",
        "x is [..., in]; the batch stands in rows",
        formula="x @ W + b",
        parameters=(
            LayerParameter("W", ("size(x, -1)", "units"), "init"),
            LayerParameter("b", ("units",), "bias_init", unless_false="bias"),
        ),
    ),
    Layer(
        "maxout(x, units, pieces=2, init=glorot_uniform, bias_init=zeros)",
        "Goodfellow et al. 2013",
        "the largest of several affine maps; x is [batch, in]; pieces that tie share the slope",
        parts=(("Z", "(W.T @ x.T).T + b"),),
        formula="max(Z, axis=1)",
        usual=(("pieces", "[2, inf)", "that is a dense layer without an activation"),),
        parameters=(
            LayerParameter("W", ("size(x, -1)", "pieces", "units"), "init"),
            LayerParameter("b", ("pieces", "units"), "bias_init"),
        ),
    ),
    Layer(
        "glu(x, units, bias=true, init=glorot_uniform, bias_init=zeros)",
        "gated linear unit; Dauphin et al. 2017",
        "x is [..., in]; with weights of its own, where PyTorch's glu halves its input",
        parts=(("Z", "x @ W + b"), ("G", "x @ V + c")),
        formula="Z * sigmoid(G)",
        parameters=GATED,
    ),
    Layer(
        "swiglu(x, units, bias=true, init=glorot_uniform, bias_init=zeros)",
        "Shazeer 2020",
        "x is [..., in]; a gated linear unit whose gate is silu",
        parts=(("G", "x @ W + b"), ("Z", "x @ V + c")),
        formula="silu(G) * Z",
        parameters=GATED,
    ),
)

LEARNED_ACTIVATIONS = (
    Layer(
        "prelu(x, per_channel=false, init=0.25)",
        "He et al. 2015",
        "one slope a for all, or one for each entry of the last axis; the slope at 0 is a",
        formula="where(x > 0, x, a * x)",
        parameters=(LayerParameter("a", ("size(x, -1)",), "init", single_unless="per_channel"),),
    ),
    Layer(
        "swish(x, per_channel=false, init=1)",
        "Ramachandran, Zoph & Le 2017",
        "one beta for all, or one for each entry of the last axis; with beta = 1 it is silu",
        formula="x * sigmoid(beta * x)",
        parameters=(LayerParameter("beta", ("size(x, -1)",), "init", single_unless="per_channel"),),
    ),
)
