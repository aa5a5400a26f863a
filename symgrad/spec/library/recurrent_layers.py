"""Layers that go through a sequence step by step and give what they hold at every step."""

from symgrad.spec.library.layer_entries import Layer, LayerParameter

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


RECURRENT_LAYERS = (
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
