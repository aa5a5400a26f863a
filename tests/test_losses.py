"""Every loss: its value and its slope where losses go wrong, against 60 digits."""

from __future__ import annotations

import itertools
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import mpmath
import numpy as np
import pytest
from building import interpreted, written

from symgrad.spec import library

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

mp = mpmath.mp.clone()
mp.dps = 60

FAR = (0.0, -1e-3, 0.5, 2.0, 40.0, -40.0, 800.0, -800.0)


@dataclass(frozen=True)
class Case:
    """A loss in mpmath, of one sample. `kinks` are the documented slopes where there is no derivative.

    With `cancels` digits may be lost where the loss is small beside its arguments.
    """

    points: Sequence[tuple[Any, Any]]
    value: Callable[[Any, Any], Any]
    kinks: dict[tuple[Any, Any], Any] = field(default_factory=dict)
    arguments: str = "y, t"
    cancels: bool = False


def pairs(ts: Sequence[float], ys: Sequence[float] = FAR) -> list[tuple[float, float]]:
    return list(itertools.product(ys, ts))


def softplus(v: Any) -> Any:
    return mp.log1p(mp.exp(v)) if v < 0 else v + mp.log1p(mp.exp(-v))


def positive_part(v: Any) -> Any:
    return v if v > 0 else mp.zero


def binary_focal(gamma: float) -> Callable[[Any, Any], Any]:
    def value(y: Any, t: Any) -> Any:
        side = y if t == 1 else -y
        return mp.exp(-gamma * softplus(side)) * softplus(-side)

    return value


NUMBERS: dict[str, Case] = {
    "mse": Case(pairs((0, 0.5)), lambda y, t: (y - t) ** 2),
    "squared_error": Case(pairs((0, 0.5)), lambda y, t: (y - t) ** 2),
    "mae": Case(pairs((0, 0.5)), lambda y, t: abs(y - t), {(0, 0): 0, (0.5, 0.5): 0}),
    "huber": Case(
        [*pairs((0, 0.5)), (1, 0), (-1, 0)],
        lambda y, t: (y - t) ** 2 / 2 if abs(y - t) <= 1 else abs(y - t) - 0.5,
        {(1, 0): 1, (-1, 0): -1},
    ),
    "smooth_l1": Case(
        [*pairs((0, 0.5)), (-2, 0)],
        lambda y, t: (y - t) ** 2 / 4 if abs(y - t) < 2 else abs(y - t) - 1,
        {(2, 0): 1, (-2, 0): -1},
        "y, t, beta=2",
    ),
    "log_cosh": Case(
        [*pairs((0, 0.5)), (1e-9, 0), (0.99, 0), (1.01, 0)], lambda y, t: mp.log(mp.cosh(y - t))
    ),
    "quantile": Case(
        pairs((0, 0.5)),
        lambda y, t: 0.25 * positive_part(t - y) + 0.75 * positive_part(y - t),
        {(0, 0): 0, (0.5, 0.5): 0},
        "y, t, q=0.25",
    ),
    "poisson_nll": Case(pairs((0, 3), (0, -1e-3, 2, 40, -40, -800)), lambda y, t: mp.exp(y) - t * y),
    "gaussian_nll": Case(
        pairs((0, 0.5)), lambda y, t: (mp.log(0.25) + 4 * (y - t) ** 2) / 2, {}, "y, t, 0.25"
    ),
    "binary_cross_entropy": Case(
        pairs((0, 1)), lambda y, t: t * softplus(-y) + (1 - t) * softplus(y), {}, "sigmoid(y), t"
    ),
    "binary_cross_entropy_with_logits": Case(
        pairs((0, 1)), lambda y, t: t * softplus(-y) + (1 - t) * softplus(y), cancels=True
    ),
    "binary_focal": Case(pairs((0, 1)), binary_focal(2)),
    "hinge": Case(
        [*pairs((-1, 1)), (1, 1), (-1, -1)],
        lambda y, t: positive_part(1 - t * y),
        {(1, 1): 0, (-1, -1): 0},
    ),
    "squared_hinge": Case([*pairs((-1, 1)), (1, 1)], lambda y, t: positive_part(1 - t * y) ** 2, {(1, 1): 0}),
    "soft_margin": Case(pairs((-1, 1)), lambda y, t: softplus(-t * y)),
}
VARIANTS: dict[str, tuple[str, Case]] = {
    "positive weight": (
        "binary_cross_entropy_with_logits",
        Case(
            pairs((0, 1)),
            lambda y, t: 3 * t * softplus(-y) + (1 - t) * softplus(y),
            {},
            "y, t, pos_weight=3",
            cancels=True,
        ),
    ),
    "a root of the focus": (
        "binary_focal",
        Case(pairs((0, 1)), binary_focal(0.5), {}, "y, t, gamma=0.5"),
    ),
    "no focus": (
        "binary_focal",
        Case(pairs((0, 1)), lambda y, t: t * softplus(-y) + (1 - t) * softplus(y), {}, "y, t, gamma=0"),
    ),
}


def cross_entropy(y: Any, t: int) -> Any:
    return mp.log(sum(mp.exp(v - y[t]) for v in y))


def smoothed(y: Any, t: int) -> Any:
    return 0.875 * cross_entropy(y, t) + 0.125 * sum(cross_entropy(y, k) for k in range(3)) / 3


def focal(gamma: float) -> Callable[[Any, int], Any]:
    return lambda y, t: (-mp.expm1(-cross_entropy(y, t))) ** gamma * cross_entropy(y, t)


def margins(power: int) -> Callable[[Any, int], Any]:
    return lambda y, t: sum(positive_part(1 + y[k] - y[t]) ** power for k in range(3) if k != t) / 3


def divergence(y: Any, t: Any) -> Any:
    return sum(p * (mp.log(p) + cross_entropy(y, k)) for k, p in enumerate(t) if p)


def distance(y: Any, t: Any) -> Any:
    norms = mp.sqrt(sum(v * v for v in y) * sum(v * v for v in t))
    return 1 - sum(a * b for a, b in zip(y, t, strict=True)) / norms if norms else mp.one


SCORES = ((0, 0, 0), (1, 0, 0), (3, 3, 3), (40, 0, -40), (-40, 2, 40), (800, -800, 0), (1e-9, 0, 0))
LABELLED = list(itertools.product(SCORES, range(3)))
ROWS = list(itertools.product(SCORES, ((1, 0, 0), (0.25, 0.75, 0))))
ZERO = (0, 0, 0)
ARROWS = ((1, 2, 3), (-1, 2, -3), (0.5, 0, 0), (40, -40, 1), (800, 800, -800))
VECTORS = list(itertools.product(ARROWS, ((1, 2, 3), (2, 0, 0))))
AT_ZERO = {(ZERO, (1, 2, 3)): ZERO, ((1, 2, 3), ZERO): ZERO, (ZERO, ZERO): ZERO}
# Where y_t is one above another score: that margin is just kept, and its slope is 0.
KEPT = {((1, 0, 0), 0): (0, 0, 0)}

CLASSES: dict[str, tuple[str, Case]] = {
    "softmax_cross_entropy": ("softmax_cross_entropy(y, t)", Case(LABELLED, cross_entropy, cancels=True)),
    "smoothed": (
        "softmax_cross_entropy(y, t, label_smoothing=0.125)",
        Case(LABELLED, smoothed, cancels=True),
    ),
    "one-hot rows": (
        "softmax_cross_entropy(y, t)",
        Case(ROWS, lambda y, t: sum(p * cross_entropy(y, k) for k, p in enumerate(t)), cancels=True),
    ),
    "nll": ("nll(log_softmax(y), t)", Case(LABELLED, cross_entropy, cancels=True)),
    "focal": ("focal(y, t)", Case(LABELLED, focal(2), cancels=True)),
    "focal root": ("focal(y, t, gamma=0.5)", Case(LABELLED, focal(0.5), cancels=True)),
    "no focus": ("focal(y, t, gamma=0)", Case(LABELLED, cross_entropy, cancels=True)),
    "multi_margin": ("multi_margin(y, t)", Case(LABELLED, margins(1), KEPT)),
    "squared margins": ("multi_margin(y, t, p=2)", Case(LABELLED, margins(2), KEPT)),
    "kl_div": (
        "sum(kl_div(log_softmax(y), t, reduction=none), axis=-1)",
        Case(ROWS, divergence, cancels=True),
    ),
    "cosine": ("cosine(y, t)", Case([*VECTORS, *AT_ZERO], distance, AT_ZERO, cancels=True)),
}


def answers(call: str, points: Sequence[tuple[Any, Any]], dtype: str, folder: Path) -> tuple[Any, Any]:
    """The loss of every point, and the slope in y of their sum."""
    ys, ts = (np.array(part) for part in zip(*points, strict=True))
    labelled = ts.dtype.kind == "i" and ys.ndim > ts.ndim
    if "reduction" not in call:
        call = call[:-1] + ", reduction=none)"
    spec = {
        "name": "losses",
        "dtype": dtype,
        "inputs": {
            "y": ["n", *ys.shape[1:]],
            "t": {"axes": ["n", *ts.shape[1:]], "classes": 3} if labelled else ["n", *ts.shape[1:]],
        },
        "equations": {"l": call},
        "outputs": ["l"],
        "loss": "sum(l)",
        "gradients": ["y"],
    }
    module = interpreted(written(spec, folder))
    return module.forward((), ys, ts), module.input_gradients((), ys, ts).y


def derivative(value: Callable[[Any, Any], Any], y: Any, t: Any) -> Any:
    """By differences in so many digits that they are exact in double precision."""
    h = mp.mpf("1e-25")
    if isinstance(y, tuple):
        y = [mp.mpf(v) for v in y]
        shifted = [
            [v + (h if k == j else 0) * side for j, v in enumerate(y)] for k in range(3) for side in (1, -1)
        ]
        values = [value(s, t) for s in shifted]
        return tuple((a - b) / (2 * h) for a, b in zip(values[::2], values[1::2], strict=True))
    return (value(mp.mpf(y) + h, t) - value(mp.mpf(y) - h, t)) / (2 * h)


def check(call: str, case: Case, dtype: str, folder: Path) -> None:
    got, slopes = answers(call, case.points, dtype, folder)
    eps = float(np.finfo(dtype).eps)
    for (y, t), value, slope in zip(case.points, got, slopes, strict=True):
        exact = [mp.mpf(v) for v in y] if isinstance(y, tuple) else mp.mpf(y)
        lost = 8 * eps * float(np.max(np.abs([*np.ravel(y), 1]))) if case.cancels else np.finfo(dtype).tiny
        expected = float(case.value(exact, t))
        np.testing.assert_allclose(value, expected, rtol=8 * eps, atol=lost, err_msg=f"at {y}, {t}")
        wanted = case.kinks.get((y, t), None)
        wanted = derivative(case.value, y, t) if wanted is None else wanted
        lost = 8 * eps if case.cancels else lost
        np.testing.assert_allclose(
            slope, np.array(wanted, dtype=float), rtol=16 * eps, atol=lost, err_msg=f"slope at {y}, {t}"
        )


QUIET = pytest.mark.filterwarnings("ignore:(overflow|underflow|divide by zero) encountered:RuntimeWarning")
TYPES = ("float64", "float32")


@QUIET
@pytest.mark.parametrize("dtype", TYPES)
@pytest.mark.parametrize("name", NUMBERS)
def test_losses_of_numbers(name: str, dtype: str, tmp_path: Path) -> None:
    case = NUMBERS[name]
    check(f"{name}({case.arguments})", case, dtype, tmp_path)


@QUIET
@pytest.mark.parametrize("dtype", TYPES)
@pytest.mark.parametrize("variant", VARIANTS)
def test_variants(variant: str, dtype: str, tmp_path: Path) -> None:
    name, case = VARIANTS[variant]
    check(f"{name}({case.arguments})", case, dtype, tmp_path)


@QUIET
@pytest.mark.parametrize("dtype", TYPES)
@pytest.mark.parametrize("name", CLASSES)
def test_losses_of_vectors(name: str, dtype: str, tmp_path: Path) -> None:
    check(*CLASSES[name], dtype, tmp_path)


def test_every_loss_is_tried() -> None:
    assert {*NUMBERS, *CLASSES} >= {*library.losses}
