"""Losses, regularisers and what they are made of. Defaults follow PyTorch where a name is also its own.

At a kink the slope is the one that `max`, `where` and `abs` have there; the notes say which.
"""

import math

from symgrad.spec.library.entries import Function

LOSSES = (
    Function(
        "mse(y, t)",
        "mean squared error, Gauss 1809",
        "averages over every element, as PyTorch does",
        formula="(y - t)**2",
    ),
    Function(
        "squared_error(y, t)",
        "least squares, Legendre 1805",
        "summed over the outputs of a sample, averaged over samples; reduction=sum adds all up",
        formula="(y - t)**2",
        reduction="batchmean",
    ),
    Function("mae(y, t)", "mean absolute error, Laplace 1774", "the slope at 0 is 0", formula="abs(y - t)"),
    Function(
        "huber(y, t, delta=1)",
        "Huber 1964",
        formula="where(abs(y - t) <= delta, (y - t)**2 / 2, delta * (abs(y - t) - delta / 2))",
    ),
    Function(
        "smooth_l1(y, t, beta=1)",
        "Girshick 2015",
        "huber(y, t, delta=beta) / beta",
        formula="where(abs(y - t) < beta, (y - t)**2 / (2 * beta), abs(y - t) - beta / 2)",
    ),
    Function(
        "log_cosh(y, t)", "Chen et al. 2019", "like mse near 0, like mae far away", formula="log(cosh(y - t))"
    ),
    Function(
        "quantile(y, t, q=0.5)",
        "pinball loss, Koenker & Bassett 1978",
        "least where y is the q-quantile of t; the slope at 0 is 0",
        formula="q * max(t - y, 0) + (1 - q) * max(y - t, 0)",
        ranges=(("q", 0, 1),),
    ),
    Function(
        "cosine(y, t)",
        "1 - cosine similarity over the last axis; Salton 1975",
        "1, with slope 0, where y or t is the zero vector",
        formula="1 - sum(unit(y) * unit(t), axis=-1)",
    ),
    Function(
        "poisson_nll(y, t)",
        "Poisson regression; Nelder & Wedderburn 1972",
        "y is the logarithm of the rate, t a count; the constant log t! is left out",
        formula="exp(y) - t * y",
        prediction="exp(y)",
    ),
    Function(
        "gaussian_nll(y, t, variance, eps=1e-6)",
        "Nix & Weigend 1994",
        "a variance below eps counts as eps, and then has slope 0",
        formula="normal_nll(y - t, max(variance, eps))",
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
        "binary_cross_entropy_with_logits(z, t, pos_weight=1)",
        "Good 1952, with p = sigmoid(z)",
        "t is 0 or 1 or between; pos_weight is how much a 1 counts",
        formula="softplus(z) - t * z + (pos_weight - 1) * t * softplus(-z)",
        prediction="sigmoid(z)",
        task="binary",
    ),
    Function(
        "binary_focal(z, t, gamma=2, pos_weight=1)",
        "Lin et al. 2017, with p = sigmoid(z)",
        "t is 0 or 1; gamma=0 is binary_cross_entropy_with_logits",
        formula="pos_weight * t * exp(-gamma * softplus(z)) * softplus(-z)"
        " + (1 - t) * exp(-gamma * softplus(-z)) * softplus(z)",
        prediction="sigmoid(z)",
        task="binary",
        ranges=(("gamma", 0, math.inf),),
    ),
    Function(
        "softmax_cross_entropy(z, t, class_weights=1, label_smoothing=0)",
        "Bridle 1990; smoothing: Szegedy et al. 2016",
        "z are scores; t are integer labels, or one-hot rows or probabilities; "
        "labels are averaged by their class_weights",
        formula="-sum(class_weights * smoothed(t, label_smoothing) * log_softmax(z), axis=-1)",
        prediction="softmax(z)",
        task="classes",
        ranges=(("label_smoothing", 0, 1),),
    ),
    Function(
        "nll(y, t, class_weights=1)",
        "negative log-likelihood, Fisher 1912",
        "y are log-probabilities, as of log_softmax; t as in softmax_cross_entropy",
        formula="-sum(class_weights * onehot(t) * y, axis=-1)",
        prediction="exp(y)",
        task="classes",
    ),
    Function(
        "focal(z, t, gamma=2, class_weights=1)",
        "Lin et al. 2017, with p = softmax(z)",
        "gamma=0 is softmax_cross_entropy; t as there",
        formula="label_weight(t, class_weights) * focused(softmax_cross_entropy(z, t), gamma)",
        prediction="softmax(z)",
        task="classes",
        ranges=(("gamma", 0, math.inf),),
    ),
    Function(
        "kl_div(y, t)",
        "Kullback & Leibler 1951",
        "y are log-probabilities, t probabilities, t log t being 0 at 0; averages over every element, "
        "as PyTorch does: reduction=batchmean is the divergence",
        formula="where(t > 0, t * log(t), 0) - t * y",
        prediction="exp(y)",
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
    Function(
        "squared_hinge(y, t)",
        "Lee & Mangasarian 2001",
        "t is -1 or 1",
        formula="max(1 - t * y, 0)**2",
        prediction="y",
        task="sign",
    ),
    Function(
        "soft_margin(y, t)",
        "logistic loss; Cox 1958",
        "t is -1 or 1",
        formula="log(1 + exp(-t * y))",
        prediction="y",
        task="sign",
    ),
    Function(
        "multi_margin(y, t, p=1, margin=1)",
        "multiclass hinge, Weston & Watkins 1999",
        "y are scores, t as in softmax_cross_entropy; the slope at the margin is 0",
        formula="label_weight(t) * mean((1 - onehot(t)) * max(margin + y - labelled(y, t), 0)**p, axis=-1)",
        prediction="y",
        task="classes",
        ranges=(("p", 1, math.inf),),
    ),
)

REGULARISERS = (
    Function("l1(w)", "Tibshirani 1996", "the slope at 0 is 0", formula="sum(abs(w))"),
    Function("l2(w)", "Hoerl & Kennard 1970", "the sum of squares, not halved", formula="sum(w**2)"),
)

AVERAGES = (
    Function(
        "batchmean(x)",
        "definition",
        "summed, and divided by the size of the first axis",
        formula="sum(mean(x, axis=0))",
    ),
    Function(
        "weighted_sum(x, w)",
        "definition",
        "w holds one number for each sample or entry of x",
        formula="sum(spread(w, x) * x)",
    ),
    Function(
        "weighted_mean(x, w, n=1)",
        "definition",
        "sum of w x over sum of w n, and 0 where that is 0",
        formula="quotient(sum(spread(w, x) * x), sum(spread(w, x) * spread(n, x)))",
    ),
    Function(
        "weighted_batchmean(x, w, n=1)",
        "definition",
        "as weighted_mean, but samples are counted and not their entries",
        formula="quotient(batchmean(spread(w, x) * x), mean(spread(w, x) * spread(n, x)))",
    ),
)

PARTS = (
    Function(
        "unit(x)",
        "definition",
        "vectors of length 1 over the last axis; 0, with slope 0, for the zero vector",
        formula="where(squared_norm(x) > 0, x / sqrt(squared_norm(x)), 0)",
    ),
    Function(
        "squared_norm(x)",
        "definition",
        "over the last axis, which is kept",
        formula="sum(x**2, axis=-1, keepdims=true)",
    ),
    Function(
        "labelled(y, t)",
        "definition",
        "the entry of the label; the last axis is kept",
        formula="sum(onehot(t) * y, axis=-1, keepdims=true)",
    ),
    Function(
        "label_weight(t, class_weights=1)",
        "definition",
        "the weight of the label's class, 0 for an ignored label",
        formula="sum(class_weights * onehot(t), axis=-1)",
    ),
    Function(
        "smoothed(t, share)",
        "Szegedy et al. 2016",
        "labels as rows, a share of each spread evenly over the classes",
        formula="(1 - share) * onehot(t) + share * mean(onehot(t), axis=-1, keepdims=true)",
    ),
    Function(
        "focused(l, gamma)",
        "Lin et al. 2017",
        "(1 - p)**gamma l with p = exp(-l); the slope at l = 0 is 0",
        formula="where(l > 0, (1 - exp(-l))**gamma * l, 0)",
    ),
    Function(
        "normal_nll(x, variance)",
        "Gauss 1809",
        "without its constant",
        formula="(log(variance) + x**2 / variance) / 2",
    ),
    Function("quotient(a, b)", "definition", "0 where b is 0", formula="where(b == 0, 0, a / b)"),
)
