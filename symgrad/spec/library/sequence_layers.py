"""Layers of sequences: what stands for labels, and for their places; what goes through them step by step."""

from symgrad.spec.library.layer_entries import Layer, LayerDemand, LayerForm, LayerParameter, is_given

TABLE = LayerParameter("W", ("classes", "units"), "init")
NO_LABEL = "the padding {padding} is none of the labels below {classes}"
EVEN = LayerDemand(
    "size(x, -1) % 2 == 0", "half of {size(x, -1)} features are needed", "expected an even number of features"
)

_TAKES = ("batch", "steps", "features")
_INITS = "init=glorot_uniform, recurrent_init=orthogonal, bias_init=zeros"
_NOTE = "x is [batch, steps, features]; gives all steps, h[:, -1] is the last"


def _parameters(gates: int) -> tuple[LayerParameter, ...]:
    width = f"{gates} * units" if gates > 1 else "units"
    return (
        LayerParameter("W", ("size(x, 2)", width), "init"),
        LayerParameter("U", ("units", width), "recurrent_init"),
        LayerParameter("b", (width,), "bias_init"),
    )


SEQUENCE_LAYERS = (
    Layer(
        "embedding(x, units, padding=false, init=normal(std=1))",
        "a row of the table W for each label; Bengio et al. 2003",
        "x holds labels, of any axes; padding is a label whose row is 0 and stays so",
        takes_labels=True,
        unnamed=2,
        x_says="how many labels there are",
        formula="onehot(x) @ W",
        parameters=(TABLE,),
        forms=(
            (
                is_given("padding"),
                LayerForm(
                    parts=(("M[k, d:units]", "where(k == padding, 0, W[k, d])"),),
                    formula="onehot(x) @ M",
                    parameters=(TABLE,),
                    demands=(
                        LayerDemand("padding < classes", NO_LABEL, "expected one of them"),
                        LayerDemand("padding >= 0", NO_LABEL, "expected one of them"),
                    ),
                ),
            ),
        ),
    ),
    Layer(
        "positional(x, init=normal(std=0.02))",
        "Gehring et al. 2017",
        "x is [..., places, features]; what each place adds is learned",
        takes=("...", "places", "features"),
        usual=(("init", "(-1, 1)", "how many places there are, its input says"),),
        formula="x + P",
        parameters=(LayerParameter("P", ("size(x, -2)", "size(x, -1)"), "init"),),
    ),
    Layer(
        "sinusoidal(x, base=10000)",
        "Vaswani et al. 2017",
        "x is [batch, places, features]; waves of each place, sines in even features and cosines in odd ones",
        takes=("batch", "places", "features"),
        parts=(
            (
                "waves[i:size(x, 1), k:size(x, 2)//2, s:2]",
                "where(s == 0, sin(i / base**(2*k / size(x, 2))), cos(i / base**(2*k / size(x, 2))))",
            ),
            ("P", "flatten(waves)"),
        ),
        formula="x + P",
        demands=(EVEN,),
        ranges=(("base", "(0, inf)"),),
    ),
    Layer(
        "rotary(x, base=10000)",
        "Su et al. 2021",
        "x is [batch, places, heads, features]; feature d turns with feature d + features//2, by the place",
        takes=("batch", "places", "heads", "features"),
        parts=(
            ("angle[i:size(x, 1), k:size(x, 3)//2]", "i / base**(2*k / size(x, 3))"),
            ("C", "cos(angle)"),
            ("S", "sin(angle)"),
            ("A[n, i, h, k:size(x, 3)//2]", "x[n,i,h,k] * C[i,k] - x[n,i,h,k + size(x, 3)//2] * S[i,k]"),
            ("B[n, i, h, k:size(x, 3)//2]", "x[n,i,h,k + size(x, 3)//2] * C[i,k] + x[n,i,h,k] * S[i,k]"),
        ),
        formula="concat(A, B, axis=-1)",
        demands=(EVEN,),
        ranges=(("base", "(0, inf)"),),
    ),
    Layer(
        f"rnn(x, units, {_INITS})",
        "Elman 1990",
        _NOTE,
        takes=_TAKES,
        unnamed=2,
        parts=(
            ("a[n, t, k:units]", "sum(x[n,t,d] * W[d,k], d) + b[k]"),
            ("h[n, t, k:units]", "tanh(a[n,t,k] + sum(h[n,t-1,j] * U[j,k], j))"),
            ("h[n, -1, k]", "0"),
        ),
        formula="h",
        parameters=_parameters(1),
    ),
    Layer(
        f"gru(x, units, {_INITS})",
        "Cho et al. 2014",
        f"{_NOTE}; gates r, z, n side by side, and a bias c beside U, as in PyTorch",
        takes=_TAKES,
        unnamed=2,
        parts=(
            ("a[n, t, k:3*units]", "sum(x[n,t,d] * W[d,k], d) + b[k]"),
            ("s[n, t, k:3*units]", "sum(h[n,t-1,j] * U[j,k], j) + c[k]"),
            ("r[n, t, k:units]", "sigmoid(a[n,t,k] + s[n,t,k])"),
            ("z[n, t, k:units]", "sigmoid(a[n,t,k + units] + s[n,t,k + units])"),
            ("q[n, t, k:units]", "tanh(a[n,t,k + 2*units] + r[n,t,k] * s[n,t,k + 2*units])"),
            ("h[n, t, k:units]", "(1 - z[n,t,k]) * q[n,t,k] + z[n,t,k] * h[n,t-1,k]"),
            ("h[n, -1, k]", "0"),
        ),
        formula="h",
        parameters=(*_parameters(3), LayerParameter("c", ("3 * units",), "bias_init")),
    ),
    Layer(
        f"lstm(x, units, {_INITS})",
        "Hochreiter & Schmidhuber 1997, Gers et al. 2000",
        f"{_NOTE}; gates i, f, g, o side by side, as in PyTorch",
        takes=_TAKES,
        unnamed=2,
        parts=(
            ("a[n, t, k:4*units]", "sum(x[n,t,d] * W[d,k], d) + b[k]"),
            ("s[n, t, k:4*units]", "a[n,t,k] + sum(h[n,t-1,j] * U[j,k], j)"),
            ("i[n, t, k:units]", "sigmoid(s[n,t,k])"),
            ("f[n, t, k:units]", "sigmoid(s[n,t,k + units])"),
            ("g[n, t, k:units]", "tanh(s[n,t,k + 2*units])"),
            ("o[n, t, k:units]", "sigmoid(s[n,t,k + 3*units])"),
            ("c[n, t, k:units]", "f[n,t,k] * c[n,t-1,k] + i[n,t,k] * g[n,t,k]"),
            ("h[n, t, k:units]", "o[n,t,k] * tanh(c[n,t,k])"),
            ("c[n, -1, k]", "0"),
            ("h[n, -1, k]", "0"),
        ),
        formula="h",
        parameters=_parameters(4),
    ),
)
