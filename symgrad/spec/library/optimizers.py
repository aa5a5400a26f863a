"""Optimisers as equations, applied in order; `theta` on the right is the parameter before the step."""

from symgrad.spec.library.entries import Optimizer

OPTIMIZERS = (
    Optimizer(
        "sgd(learning_rate=0.01)",
        "Robbins & Monro 1951",
        update=(("theta", "theta - learning_rate * g"),),
    ),
    Optimizer(
        "momentum(learning_rate=0.01, momentum=0.9)",
        "Polyak 1964, in the form of PyTorch's SGD without dampening",
        state=(("v", "0"),),
        update=(("v", "momentum * v + g"), ("theta", "theta - learning_rate * v")),
    ),
    Optimizer(
        "adam(learning_rate=0.001, b1=0.9, b2=0.999, eps=1e-8)",
        "Kingma & Ba 2015, algorithm 1; eps is added outside the root",
        state=(("m", "0"), ("v", "0")),
        update=(
            ("m", "b1 * m + (1 - b1) * g"),
            ("v", "b2 * v + (1 - b2) * g**2"),
            ("theta", "theta - learning_rate * (m / (1 - b1**t)) / (sqrt(v / (1 - b2**t)) + eps)"),
        ),
    ),
)
