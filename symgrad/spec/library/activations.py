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
        "the slope at 0 is negative_slope",
        formula="where(x > 0, x, negative_slope * x)",
    ),
    Function(
        "relu6(x)",
        "Krizhevsky 2010",
        "the slopes at 0 and at 6 are 0",
        formula="where(x <= 0, 0, where(x >= 6, 6, x))",
    ),
    Function(
        "elu(x, alpha=1)",
        "Clevert, Unterthiner & Hochreiter 2016",
        "the slope at 0 is alpha",
        formula="where(x > 0, x, alpha * (exp(x) - 1))",
    ),
    Function(
        "celu(x, alpha=1)",
        "Barron 2017",
        "the slope at 0 is 1; with alpha = 1 it is elu",
        formula="where(x > 0, x, alpha * (exp(x / alpha) - 1))",
    ),
    Function(
        "selu(x)",
        "Klambauer et al. 2017",
        "the slope at 0 is that on its left, 1.758",
        formula="where(x > 0, 1.0507009873554804934193349852946 * x, "
        "1.0507009873554804934193349852946 * 1.6732632423543772848170429916717 * (exp(x) - 1))",
    ),
    Function(
        "gelu(x)",
        "Hendrycks & Gimpel 2016",
        "the exact form, as in PyTorch; gelu_tanh is its approximation",
        formula="x * (1 + erf(x / sqrt(2))) / 2",
    ),
    Function(
        "gelu_tanh(x)",
        "Hendrycks & Gimpel 2016",
        "the approximation by tanh",
        formula="x * (1 + tanh(sqrt(2 / pi) * (x + 0.044715 * x**3))) / 2",
    ),
    Function("silu(x)", "Elfwing, Uchibe & Doya 2018", "swish with beta = 1", formula="x * sigmoid(x)"),
    Function("mish(x)", "Misra 2019", formula="x * tanh(softplus(x))"),
    Function("softplus(x)", "Dugas et al. 2001", formula="log(1 + exp(x))"),
    Function("logsigmoid(x)", "definition", formula="log(sigmoid(x))"),
    Function("softsign(x)", "Elliott 1993", "smooth at 0, its slope is 1 there", formula="x / (1 + abs(x))"),
    Function(
        "hardtanh(x, min_val=-1, max_val=1)",
        "Collobert 2004",
        "the slopes at min_val and at max_val are 0",
        formula="where(x <= min_val, min_val, where(x >= max_val, max_val, x))",
    ),
    Function(
        "hardsigmoid(x)",
        "Courbariaux, Bengio & David 2015, with the slope 1/6 of Howard et al. 2019",
        "the slopes at -3 and at 3 are 0",
        formula="where(x <= -3, 0, where(x >= 3, 6, x + 3)) / 6",
    ),
    Function(
        "hardswish(x)",
        "Howard et al. 2019",
        "the slope at -3 is 0, at 3 it is 1",
        formula="where(x <= -3, 0, where(x >= 3, x, x * (x + 3) / 6))",
    ),
    Function(
        "softshrink(x, lambd=0.5)",
        "Donoho & Johnstone 1994",
        "the slopes at lambd and at -lambd are 0",
        formula="where(abs(x) <= lambd, 0, x - lambd * sign(x))",
    ),
    Function(
        "hardshrink(x, lambd=0.5)",
        "Donoho & Johnstone 1994",
        "the slopes at lambd and at -lambd, where it jumps, are 0",
        formula="where(abs(x) <= lambd, 0, x)",
    ),
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
