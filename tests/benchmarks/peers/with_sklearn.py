"""scikit-learn's multi-layer perceptron, where it can be the same network."""

from __future__ import annotations

import warnings
from typing import TYPE_CHECKING

import numpy as np
from sklearn.neural_network import MLPClassifier

from benchmarks.peers import NotApplicable, Training

if TYPE_CHECKING:
    from benchmarks.problems import Array, Problem

TWO = 2


def train(problem: Problem) -> Training:
    """An epoch of `partial_fit`."""
    if problem.kind not in ("classes", "binary"):
        raise NotApplicable(f"MLPClassifier does not do {problem.kind}")
    if problem.kind == "classes" and problem.sizes[-1] == TWO:
        raise NotApplicable("MLPClassifier has one output, not two, for two classes")
    x, t = problem.data()
    labels = t.ravel().astype(np.int64)
    network = MLPClassifier(
        problem.sizes[1:-1], activation=problem.activation, solver=problem.optimizer, alpha=0,
        batch_size=problem.batch, learning_rate_init=problem.learning_rate, momentum=0,
        nesterovs_momentum=False, shuffle=False, max_iter=1,
    )  # fmt: skip
    count = TWO if problem.kind == "binary" else problem.sizes[-1]

    def fit(rows: Array) -> None:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", UserWarning)  # an epoch may be one batch
            network.partial_fit(x[rows], labels[rows], classes=np.arange(count))

    def restart() -> None:
        weights = problem.weights()
        for layer in range(len(problem.sizes) - 1):
            network.coefs_[layer] = weights[2 * layer]
            network.intercepts_[layer] = weights[2 * layer + 1]
        del network._optimizer  # partial_fit makes a new one, with no steps made

    def epoch(order: Array) -> float:
        fit(order)
        return float(network.loss_)

    fit(np.arange(problem.batch))  # makes the network's arrays
    restart()
    return Training(restart, epoch)
