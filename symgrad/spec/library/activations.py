"""Activations. Defaults follow PyTorch where it has a function of the same name."""

from symgrad.spec.library.entries import Function

ACTIVATIONS = (
    Function("identity(x)", "definition", formula="x"),
    Function("sigmoid(x)", "logistic function; Han & Moraga 1995", formula="1 / (1 + exp(-x))"),
    Function("tanh(x)", "hyperbolic tangent", "a function of the language itself", formula="tanh(x)"),
    Function("relu(x)", "Nair & Hinton 2010", "the slope at 0 is 0", formula="max(x, 0)"),
    Function(
        "leaky_relu(x, negative_slope=0.01)",
        "Maas, Hannun & Ng 2013",
        formula="where(x > 0, x, negative_slope * x)",
    ),
    Function(
        "elu(x, alpha=1)",
        "Clevert, Unterthiner & Hochreiter 2016",
        formula="where(x > 0, x, alpha * (exp(x) - 1))",
    ),
    Function(
        "gelu(x)",
        "Hendrycks & Gimpel 2016",
        "the exact form, as in PyTorch",
        formula="x * (1 + erf(x / sqrt(2))) / 2",
    ),
    Function("silu(x)", "Elfwing, Uchibe & Doya 2018", "also called swish", formula="x * sigmoid(x)"),
    Function("softplus(x)", "Dugas et al. 2001", formula="log(1 + exp(x))"),
    Function(
        "softmax(x)",
        "Bridle 1990",
        "over the last axis",
        formula="exp(x) / sum(exp(x), axis=-1, keepdims=true)",
    ),
    Function(
        "log_softmax(x)",
        "Bridle 1990",
        "over the last axis",
        formula="x - log(sum(exp(x), axis=-1, keepdims=true))",
    ),
)
