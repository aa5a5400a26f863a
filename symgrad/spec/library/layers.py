"""Layers: functions that bring parameters along, and activations that do."""

from symgrad.spec.library.layer_entries import (
    Layer,
    LayerDemand,
    LayerForm,
    LayerHiding,
    LayerParameter,
    LayerState,
    is_false,
)

GATED = (
    LayerParameter("W", ("size(x, -1)", "units"), "init"),
    LayerParameter("b", ("units",), "bias_init", unless_false="bias"),
    LayerParameter("V", ("size(x, -1)", "units"), "init"),
    LayerParameter("c", ("units",), "bias_init", unless_false="bias"),
)

FACTORS = (("U", "embedding(x, units, init=init)"), ("V", "embedding(other, units, init=init)"))

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
        "weight_norm(x, units, bias=true, init=glorot_uniform, scale_init=1, bias_init=zeros, "
        "activation=identity)",
        "Salimans & Kingma 2016",
        "x is [..., in]; a dense layer whose weights are V by its columns' lengths, times g: the length g of "
        "what a unit weighs with is learnt apart from its direction, as in PyTorch's weight_norm",
        parts=(("W[i, o]", "g[o] * V[i, o] / sqrt(sum(V[j, o]**2, j))"),),
        formula="x @ W + b",
        parameters=(
            LayerParameter("V", ("size(x, -1)", "units"), "init"),
            LayerParameter("g", ("units",), "scale_init"),
            LayerParameter("b", ("units",), "bias_init", unless_false="bias"),
        ),
    ),
    Layer(
        "spectral_norm(x, units, eps=1e-12, bias=true, init=glorot_uniform, bias_init=zeros, "
        "activation=identity)",
        "Miyato et al. 2018",
        "x is [..., in]; a dense layer whose weights are W by their largest singular value, as far as a step "
        "of power iteration in training knows it; no slope goes through its vectors u and v, as in PyTorch; "
        "both begin with ones",
        parts=(
            ("p[o]", "stop_gradient(sum(W[i, o] * v[i], i))"),
            ("u_next[o]", "p[o] / max(sqrt(sum(p[k]**2, k)), eps)"),
            ("q[i]", "stop_gradient(sum(W[i, o] * u_next[o], o))"),
            ("v_next[i]", "q[i] / max(sqrt(sum(q[k]**2, k)), eps)"),
            ("s", "training(sum(v_next[i] * W[i, o] * u_next[o], i, o), sum(v[i] * W[i, o] * u[o], i, o))"),
        ),
        formula="x @ W / s + b",
        parameters=(
            LayerParameter("W", ("size(x, -1)", "units"), "init"),
            LayerParameter("b", ("units",), "bias_init", unless_false="bias"),
        ),
        states=(
            LayerState("u", ("units",), 1, "u_next"),
            LayerState("v", ("size(x, -1)",), 1, "v_next"),
        ),
        instead="weight_norm, which keeps no state",
        ranges=(("eps", "(0, inf)"),),
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
    Layer(
        "bilinear(x, other, units, bias=true, init=glorot_uniform, bias_init=zeros, activation=identity)",
        "Tenenbaum & Freeman 2000",
        "x and other are [batch, in], of as many features as each has; every product of two has a weight",
        operands=("x", "other"),
        takes=("batch", "in"),
        others_take=(("other", ("batch", "in")),),
        parts=(("T[n, j, o]", "sum(x[n, i] * W[i, j, o], i)"),),
        indices="[n, o]",
        formula="sum(T[n, j, o] * other[n, j], j) + b[o]",
        parameters=(
            LayerParameter("W", ("size(x, -1)", "size(other, -1)", "units"), "init"),
            LayerParameter("b", ("units",), "bias_init", unless_false="bias"),
        ),
    ),
    Layer(
        "graph_conv(x, adjacency, units, bias=true, init=glorot_uniform, bias_init=zeros, "
        "activation=identity)",
        "Kipf & Welling 2017",
        "x is [..., nodes, in], adjacency [..., nodes, nodes], or [nodes, nodes] for all rows, with weights "
        "that are not negative and no loops: every node is its own neighbour besides",
        operands=("x", "adjacency"),
        takes=("...", "nodes", "in"),
        others_take=(("adjacency", ("...", "nodes", "nodes")),),
        hiding=(LayerHiding("adjacency"),),
        ranges=(("adjacency", "[0, inf)"),),
        parts=(
            ("D", "sqrt(1 + sum(adjacency, axis=-1, keepdims=true))"),
            ("H", "(x @ W) / D"),
        ),
        formula="(adjacency @ H + H) / D + b",
        parameters=(
            LayerParameter("W", ("size(x, -1)", "units"), "init"),
            LayerParameter("b", ("units",), "bias_init", unless_false="bias"),
        ),
        demands=(
            LayerDemand(
                "size(adjacency, -1) == size(x, -2)",
                "the adjacency is of {size(adjacency, -1)} nodes, x has {size(x, -2)}",
                "expected as many nodes of both",
            ),
        ),
    ),
    Layer(
        "factorization(x, other, units, bias=true, init=normal(std=0.1), bias_init=zeros)",
        "Koren, Bell & Volinsky 2009",
        "x and other hold labels, of users and items; how well two go together, [..., 1]: the product of "
        "their rows of two tables, and with bias what each has by itself and all have",
        operands=("x", "other"),
        takes=("...",),
        parts=(
            *FACTORS,
            ("B", "embedding(x, 1, init=bias_init)"),
            ("C", "embedding(other, 1, init=bias_init)"),
        ),
        formula="sum(U * V, axis=-1, keepdims=true) + B + C + m",
        parameters=(LayerParameter("m", (), "bias_init"),),
        forms=(
            (
                is_false("bias"),
                LayerForm(parts=FACTORS, formula="sum(U * V, axis=-1, keepdims=true)"),
            ),
        ),
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
