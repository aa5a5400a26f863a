"""Losses and their slopes beside PyTorch's, at random points."""

from __future__ import annotations

import itertools
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from building import interpreted, written

if TYPE_CHECKING:
    from pathlib import Path

torch = pytest.importorskip("torch")
F = torch.nn.functional
ROWS, CLASSES = 7, 4
RNG = np.random.default_rng(3)
Y = RNG.normal(size=(ROWS, CLASSES)) * 2
T = {
    "values": RNG.normal(size=(ROWS, CLASSES)),
    "positive": RNG.integers(0, 5, (ROWS, CLASSES)).astype(float),
    "binary": RNG.integers(0, 2, (ROWS, CLASSES)).astype(float),
    "sign": RNG.choice([-1.0, 1.0], (ROWS, CLASSES)),
    "labels": RNG.integers(0, CLASSES, ROWS),
    "ignored": np.array([0, -100, 3, 2, -100, 1, 3]),
    "rows": RNG.dirichlet(np.ones(CLASSES), ROWS),
}
C = [1.0, 0.25, 2.0, 3.0]
WEIGHTS = torch.tensor(C, dtype=torch.float64)

# Our call, the kind of target, and PyTorch's function of the prediction and the target.
CALLS: dict[str, tuple[str, Any]] = {
    "mse(y, t)": ("values", F.mse_loss),
    "mse(y, t, reduction=sum)": ("values", lambda y, t: F.mse_loss(y, t, reduction="sum")),
    "squared_error(y, t)": ("values", lambda y, t: ((y - t) ** 2).sum(1).mean()),
    "mae(y, t)": ("values", F.l1_loss),
    "huber(y, t, delta=0.5)": ("values", lambda y, t: F.huber_loss(y, t, delta=0.5)),
    "smooth_l1(y, t)": ("values", F.smooth_l1_loss),
    "smooth_l1(y, t, beta=0.5)": ("values", lambda y, t: F.smooth_l1_loss(y, t, beta=0.5)),
    "poisson_nll(y, t)": ("positive", F.poisson_nll_loss),
    "gaussian_nll(y, t, softplus(y))": ("values", lambda y, t: F.gaussian_nll_loss(y, t, F.softplus(y))),
    "cosine(y, t)": ("values", lambda y, t: (1 - F.cosine_similarity(y, t)).mean()),
    "binary_cross_entropy(sigmoid(y), t)": ("binary", lambda y, t: F.binary_cross_entropy(y.sigmoid(), t)),
    "binary_cross_entropy_with_logits(y, t)": ("binary", F.binary_cross_entropy_with_logits),
    "binary_cross_entropy_with_logits(y, t, pos_weight=c)": (
        "binary",
        lambda y, t: F.binary_cross_entropy_with_logits(y, t, pos_weight=WEIGHTS),
    ),
    "soft_margin(y, t)": ("sign", F.soft_margin_loss),
    "multi_margin(y, t)": ("labels", F.multi_margin_loss),
    "multi_margin(y, t, p=2, margin=0.5)": (
        "labels",
        lambda y, t: F.multi_margin_loss(y, t, p=2, margin=0.5),
    ),
    "kl_div(log_softmax(y), t)": (
        "rows",
        lambda y, t: F.kl_div(y.log_softmax(1), t, reduction="none").mean(),
    ),
    "kl_div(log_softmax(y), t, reduction=batchmean)": (
        "rows",
        lambda y, t: F.kl_div(y.log_softmax(1), t, reduction="batchmean"),
    ),
    "nll(log_softmax(y), t)": ("labels", lambda y, t: F.nll_loss(y.log_softmax(1), t)),
    "nll(log_softmax(y), t, class_weights=c)": (
        "ignored",
        lambda y, t: F.nll_loss(y.log_softmax(1), t, weight=WEIGHTS),
    ),
    "nll(log_softmax(y), t, class_weights=c, reduction=sum)": (
        "ignored",
        lambda y, t: F.nll_loss(y.log_softmax(1), t, weight=WEIGHTS, reduction="sum"),
    ),
}


def cross_entropy(kind: str, class_weights: bool, smoothing: float, reduction: str) -> tuple[str, Any]:
    weight = ", class_weights=c" if class_weights else ""
    call = f"softmax_cross_entropy(y, t{weight}, label_smoothing={smoothing}, reduction={reduction})"
    weights = WEIGHTS if class_weights else None

    def theirs(y: Any, t: Any) -> Any:
        return F.cross_entropy(y, t, weight=weights, label_smoothing=smoothing, reduction=reduction)

    return call, (kind, theirs)


CALLS |= dict(
    cross_entropy(*choices)
    for choices in itertools.product(("labels",), (False, True), (0, 0.25), ("mean", "sum"))
)
COMBINED = [
    cross_entropy(*choices)
    for choices in itertools.product(("ignored", "rows"), (False, True), (0, 0.25), ("mean", "sum"))
]


def compare(call: str, kind: str, theirs: Any, folder: Path) -> None:
    target = T[kind]
    labels: dict[str, Any] = {"axes": ["n"], "classes": CLASSES}
    labels |= {"ignore": -100} if kind == "ignored" else {}
    spec = {
        "name": "beside",
        "dtype": "float64",
        "inputs": {"y": ["n", CLASSES]},
        "targets": {"t": labels if target.ndim == 1 else ["n", CLASSES]},
        "constants": {"c": C},
        "equations": {"z": "y"},
        "loss": call,
        "gradients": ["y"],
    }
    module = interpreted(written(spec, folder))
    y = torch.tensor(Y, requires_grad=True)
    loss = theirs(y, torch.tensor(target))
    loss.backward()
    assert module.loss((), Y, target) == pytest.approx(loss.item(), rel=1e-7)
    np.testing.assert_allclose(module.input_gradients((), Y, target).y, y.grad, rtol=1e-6, atol=1e-8)


@pytest.mark.parametrize("call", CALLS)
def test_a_loss_is_pytorchs(call: str, tmp_path: Path) -> None:
    compare(call, *CALLS[call], tmp_path)


@pytest.mark.parametrize("call", COMBINED, ids=lambda c: f"{c[1][0]}: {c[0]}")
def test_weights_smoothing_and_ignored_labels_together(call: Any, tmp_path: Path) -> None:
    compare(call[0], *call[1], tmp_path)
