"""Losses and regularisers. Defaults follow PyTorch where it has a function of the same name."""

from symgrad.spec.library.entries import Function

LOSSES = (
    Function(
        "mse(y, t)",
        "mean squared error, Gauss 1809",
        "averages over every element, as PyTorch does",
        formula="(y - t)**2",
    ),
    Function("mae(y, t)", "mean absolute error, Laplace 1774", "the slope at 0 is 0", formula="abs(y - t)"),
    Function(
        "huber(y, t, delta=1)",
        "Huber 1964",
        formula="where(abs(y - t) <= delta, (y - t)**2 / 2, delta * (abs(y - t) - delta / 2))",
    ),
    Function(
        "binary_cross_entropy(p, t)",
        "Good 1952",
        "p is a probability, t is 0 or 1 or between",
        formula="-(t * log(p) + (1 - t) * log(1 - p))",
        prediction="p",
        task="binary",
    ),
    Function(
        "binary_cross_entropy_with_logits(z, t)",
        "Good 1952, with p = sigmoid(z)",
        "t is 0 or 1 or between",
        formula="softplus(z) - t * z",
        prediction="sigmoid(z)",
        task="binary",
    ),
    Function(
        "softmax_cross_entropy(z, t)",
        "Bridle 1990",
        "z are scores; t are integer labels, or one-hot rows or probabilities",
        formula="-sum(onehot(t) * log_softmax(z), axis=-1)",
        prediction="softmax(z)",
        task="classes",
    ),
    Function(
        "hinge(y, t)",
        "Cortes & Vapnik 1995",
        "t is -1 or 1; the slope at the margin is 0",
        formula="max(1 - t * y, 0)",
        prediction="y",
        task="sign",
    ),
)

REGULARISERS = (
    Function("l1(w)", "Tibshirani 1996", "the slope at 0 is 0", formula="sum(abs(w))"),
    Function("l2(w)", "Hoerl & Kennard 1970", "the sum of squares, not halved", formula="sum(w**2)"),
)
