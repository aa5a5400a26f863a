"""Specs that can be read but not elaborated: shapes, indices, labels and numbers that do not fit.

Their messages go to tests/golden/bad_shapes.txt.
"""

from __future__ import annotations

from bad_formulas import graph


def spec(equations: str, head: str = "", tail: str = "") -> str:
    """A spec over an input x, a square W, a vector w, a scalar a and labels c."""
    declared = "parameters: {W: [3, 3], V: [2, 4], w: [3], a: []}\n"
    labels = "targets: {t: [N, 3], c: {axes: [N], classes: 5}}\n"
    return graph(equations, head=head + declared + labels, tail=tail)


def doubling(times: int) -> str:
    """Functions of which each calls the one before it twice."""
    lines = ["  f0(z): z", *(f"  f{i}(z): f{i - 1}(z) + f{i - 1}(z)" for i in range(1, times + 1))]
    return "functions:\n" + "\n".join(lines) + "\n"


def nesting(times: int) -> str:
    """Functions of which each calls the one before it."""
    lines = ["  f0(z): z", *(f"  f{i}(z): f{i - 1}(z) / 2" for i in range(1, times + 1))]
    return "functions:\n" + "\n".join(lines) + "\n"


BROADCASTING = {
    "axes that differ": spec("y: x + V"),
    "column against row": spec("y: sum(x, axis=1, keepdims=true) * sum(x, axis=1)"),
    "batch against features": spec("y: x - sum(x, axis=1)"),
    "where of two shapes": spec("y: where(x > 0, V, x)"),
    "max of two shapes": spec("y: max(x, V)"),
    "inside a function": spec("y: f(x, V)", head='functions: {"f(p, q)": p * q}\n'),
    "inside a library function": spec("y: softmax(a)"),
    "tensor of too many entries": spec("y: u @ u.T", head="axes: {B: 100000}\n").replace(
        "a: []", "u: [B, 1]"
    ),
    "layer of too many entries": spec("y: dense(x, 1000000000)"),
}

PRODUCTS = {
    "axes that do not meet": spec("y: x @ V"),
    "right one not transposed": spec("y: V @ x.T @ x @ V"),
    "left one not transposed": spec("y: x @ x"),
    "right one of three axes": spec("y: x @ U").replace("a: []", "U: [7, 2, 3]"),
    "left one of three axes": spec("y: U @ W").replace("a: []", "U: [7, 3, 2]"),
    "scalar on the left": spec("y: a @ x"),
    "scalar on the right": spec("y: x @ 2"),
    "vectors of two sizes": spec("y: w @ V"),
}

REDUCED = {
    "axis too large": spec("y: sum(x, axis=2)"),
    "axis too small": spec("y: mean(x, axis=-3)"),
    "axis of a scalar": spec("y: max(a, axis=0)"),
    "axis that is a half": spec("y: sum(x, axis=0.5)"),
    "axis that is a name": spec("y: sum(x, axis=N)"),
    "keepdims that is a number": spec("y: sum(x, keepdims=1)"),
    "unknown keyword of a reduction": spec("y: sum(x, axes=1)"),
    "nothing to reduce": spec("y: sum()"),
    "reduction over a formula": spec("y: sum(x, 2 * a)"),
    "reduction over a tensor": spec("y: sum(x, w)"),
    "reduction over an axis name": spec("y: sum(x, N)"),
    "index twice in a reduction": spec("y: sum(W[i, i], i, i)"),
    "whole tensor under an index": spec("y: sum(w[i] * x, i)"),
    "reduction that names no index": spec('"y[n,k]": "sum(x[n,k] * w[k])"'),
    "norm of an entry": spec('"y[n,k]": "norm(x[n,k])"'),
    "min of one number and a keyword": spec("y: min(a, 2, axis=0)"),
}

INDICES = {
    "range of what is drawn for each row": spec(
        '"u[n]": uniform()\n  "y[n,i]": u[n] * x[n,i] * w[i]', tail="loss: mean(y)"
    ),
    "index computed with data": spec('"y[n,i:2]": "x[n, i + w[i]]"'),
    "too few indices": spec('"y[n]": x[n]'),
    "too many indices": spec('"y[n]": x[n, 0, 1]'),
    "indices of a scalar": spec('"y[n]": "x[n, 0] * a[0]"'),
    "constant outside": spec('"y[n]": x[n, 3]'),
    "negative constant": spec('"y[n]": "x[n, -1]"'),
    "constant on a free axis": spec("y: x[0, 0]"),
    "affine form outside": spec('"y[n]": "sum(x[n, i] * w[i + 1], i)"'),
    "affine form below": spec('"y[n]": "sum(x[n, i] * w[i - 1], i)"'),
    "affine form on a free axis": spec('"y[n]": "x[n, 0] * x[n + 1, 0]"'),
    "affine form that never fits": spec('"y[n]": "sum(x[n, i + 3], i)"'),
    "product of indices": spec('"y[n]": "sum(x[n, i * i], i)"'),
    "unknown index": spec('"y[n]": x[n, d]'),
    "misspelt index": spec('"y[row]": "x[row, 0] * x[rwo, 0]"'),
    "unknown index in an affine form": spec('"y[n]": "x[n, 0] * w[2 * d + 1]"'),
    "index of two axes": spec('"y[n, k]": "x[n, k] * V[0, k]"'),
    "index without a range": spec('"y[n, k]": x[n, 0]'),
    "index used around the reduction": spec('"y[i]": "w[i] * sum(W[i, i], i)"'),
    "index of rows as a number": spec('"y[n]": "x[n, 0] * n"'),
    "index that may be a size": spec('"y[N]": "x[N, 0] * N"'),
    "index that may be a tensor": spec('"y[a]": "w[a] * a"'),
    "entry that is a row": spec('"y[n]": "x[n, 0] * w"'),
    "index of a function's caller": spec('"y[i]": f(w[i])', head="functions:\n  f(z): z * w[i]\n"),
    "indexed argument": spec("y: f(x)", head="functions:\n  f(z): z[0, 0]\n"),
    "indexed size": spec("y: N[0]"),
    "labels of another size": spec('"y[n]": "W[c[n], 0]"'),
    "index that holds no labels": spec('"y[n]": "W[w[n], 0]"'),
}

LABELS = {
    "labels as numbers": spec("y: 2 * c"),
    "labels in a sum": spec("y: sum(c)"),
    "labels in a matrix product": spec("y: c @ x"),
    "labels in a function": spec("y: exp(c)"),
    "labels as an equation": spec("y: c"),
    "labels in mse": spec("y: sum(x, axis=1)", tail="loss: mse(y, c)"),
    "labels and too few scores": spec("y: x", tail="loss: softmax_cross_entropy(y, c)"),
    "labels as the loss": spec("y: x", tail="loss: max(c)"),
    "gradient of labels": spec("y: x", tail="loss: mean(y)\ngradients: [c]"),
}

LOSSES = {
    "row against column": spec("y: sum(x, axis=1, keepdims=true)", tail="loss: mse(y, sum(t, axis=1))"),
    "loss of two ranks": spec("y: x", tail="loss: huber(y, w)"),
    "loss that is a matrix": spec("y: x", tail="loss: (y - t)**2"),
    "loss without a mean": spec("y: x", tail="loss: mse(y, t, reduction=none)"),
    "constant loss": spec("y: x", tail="loss: sqrt(2)"),
    "size as a loss": spec("y: x", tail="loss: 2 * N"),
    "unknown name in the loss": spec("y: x", tail="loss: mean(yy - t)"),
    "user's own mse": spec("y: x", head="functions: {mse(z): z}\n"),
}

NAMED = {
    "unknown name": spec("y: X + 1"),
    "name of a part of another value": spec("y: concat(x, x, axis=1) + y_1"),
    "defined further down": spec("y: z\n  z: x"),
    "function as a name": spec("y: tanh + x"),
    "own function as a name": spec("y: f + x", head="functions: {f(z): z}\n"),
    "unknown output": spec("score: x", tail="outputs: [scores]"),
    "output that is a size": spec("y: x", tail="outputs: [y, N]"),
    "output that needs a target": spec("y: x - t", tail="outputs: [y]"),
    "output that needs a target in a function": spec(
        "y: f(x)", head="functions: {f(z): z - t}\n", tail="outputs: [y]"
    ),
    "unknown gradient": spec("y: x", tail="loss: mean(y)\ngradients: [z]"),
    "gradient of the loss": spec("y: x", tail="loss: mean(y)\ngradients: [loss]"),
    "the loss as an output": spec("y: x @ W", tail="outputs: [y, loss]\nloss: mse(y, t)"),
    "gradient without a loss": spec("y: x", tail="gradients: [x]"),
    "gradient of a state": spec(
        "y: x @ W - m", tail="loss: mean(y)\ngradients: [m]\nstate: {m: {axes: [3], init: 0, next: w}}\n"
    ),
    "two shapes in training and inference, read further": spec(
        "y: training(x, dense(x, 2))\n  z: dense(y, 1)", tail="loss: mean(z**2)"
    ),
    "gradient of a parameter": spec("y: x @ W", tail="loss: mean(y)\ngradients: [W]"),
    "layer of a scalar": spec("y: dense(a, 2)"),
    "layer of an unknown name": spec("y: dense(h, 2)"),
    "parameter with a free axis": spec("y: x @ U").replace("a: []", "U: [3, N]"),
    "truth as an argument": spec("y: f(x, z=true)", head='functions: {"f(q, z=0)": q * z}\n'),
    "argument that is no axis": spec("y: f(x, 1)", head='functions: {"f(q, z)": "sum(q, axis=z)"}\n'),
}

CONSTANTS = {
    "division by a difference of equals": spec("y: x / (a - a)"),
    "logarithm of a difference of equals": spec("y: log(a - a)"),
    "logarithm of what is negative": spec("y: log(-exp(x))"),
    "root of what is negative": spec("y: sqrt(-1 - x**2)"),
    "power of zero": spec("y: 0**x"),
    "power of a negative number": spec("y: (-2)**x"),
    "size as an exponent": spec("y: x**D", head="axes: {D: 100000}\n"),
    "size to the size": spec("y: x * D**D", head="axes: {D: 900}\n").replace("D**D", "(D**D)**D"),
    "exponential of a size": spec("y: x * exp(D)", head="axes: {D: 100000}\n"),
    "powers in functions": spec("y: p(p(p(2)))", head="functions: {p(z): z**900}\n"),
    "exponentials in functions": spec("y: e(e(e(2)))", head="functions: {e(z): exp(exp(z))}\n"),
    "order of complex numbers": spec("y: where(asin(2) > 0, x, 2 * x)"),
    "functions that double": spec("y: f30(x)", head=doubling(30)),
    "functions that nest": spec("y: f99(x)", head=nesting(99)),
    "initial value that is too large": spec("y: x").replace("a: []", "a: {axes: [], init: 1e39}"),
    "negative standard deviation": spec("y: x").replace("a: []", 'a: {axes: [], init: "normal(std=-1)"}'),
}

TRAINING = {
    "update that divides by zero": spec(
        "y: x @ W",
        tail="loss: mean(y)\ntrain: {optimizer: {hyper: {e: 0}, update: {theta: theta - g / e}}}",
    ),
    "update with a complex root": spec(
        "y: x @ W",
        tail="loss: mean(y)\ntrain: {optimizer: {hyper: {e: -1}, update: {theta: theta - g * sqrt(e)}}}",
    ),
    "state called step": spec(
        "y: x @ W",
        tail="loss: mean(y)\ntrain: {optimizer: {state: {step: 0}, update: {step: g, theta: theta - step}}}",
    ),
    "schedule that divides by zero": spec(
        "y: x @ W", tail='loss: mean(y)\ntrain: {schedule: "learning_rate / (epoch - epoch)"}'
    ),
}

GROUPS: dict[str, dict[str, str]] = {
    "broadcasting": BROADCASTING,
    "products": PRODUCTS,
    "reductions": REDUCED,
    "indices": INDICES,
    "labels": LABELS,
    "losses": LOSSES,
    "names": NAMED,
    "constants": CONSTANTS,
    "training": TRAINING,
}

BAD_SHAPES = {f"{group}: {name}": text for group, specs in GROUPS.items() for name, text in specs.items()}
