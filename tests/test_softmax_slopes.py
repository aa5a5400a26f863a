"""Slopes keep their digits: of softmax where one part is nearly all, of std where all are nearly equal."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import mpmath
import numpy as np
import pytest
from building import written

from symgrad.compiler.loading.load import load
from symgrad.graphs.interpret import interpret
from symgrad.pipeline import stages_of
from symgrad.spec.reader import read

if TYPE_CHECKING:
    from pathlib import Path

LENGTH = 5
"""Short enough that loops are unrolled when they are compiled, and the text alone keeps differences apart."""

SPEC: dict[str, Any] = {
    "name": "slopes",
    "dtype": "float32",
    "inputs": {"x": ["n", 16], "a": ["n", 16], "s": ["n", LENGTH, LENGTH], "b": ["n", LENGTH, LENGTH]},
    "equations": {
        "p": "softmax(x)",
        "m[n, i, j]": "where(j <= i, s[n, i, j], -inf)",
        "q": "softmax(m)",
    },
    "gradients": ["x", "s"],
    "loss": "sum(p * a) + sum(q * b)",
}
SCALES = (0.1, 1.0, 10.0, 30.0, 100.0)


def arrays(seed: int, scale: float, rows: int = 8) -> tuple[np.ndarray, ...]:
    """Logits of this scale, some of them equal, and what they are weighed with, some of it far from 0."""
    draw = np.random.default_rng(seed)
    square = (rows, LENGTH, LENGTH)
    x, a, s, b = (draw.standard_normal(shape) for shape in ((rows, 16), (rows, 16), square, square))
    x[0, 3] = x[0, 7] = x[0].max() + 0.1
    s[1, :, 1] = s[1, :, 0]
    return tuple(v.astype(np.float32) for v in (x * scale, a + 3, s * scale, b))


def true_slopes(logits: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """p·(g - Σ p·g) of one row, in 50 digits."""
    with mpmath.workdps(50):
        powers = [mpmath.exp(mpmath.mpf(float(v))) for v in logits]
        parts, g = [v / mpmath.fsum(powers) for v in powers], [mpmath.mpf(float(v)) for v in weights]
        mean = mpmath.fsum(p * v for p, v in zip(parts, g, strict=True))
        return np.array([float(p * (v - mean)) for p, v in zip(parts, g, strict=True)])


def largest_error(module: Any, scale: float) -> float:
    """Of any slope that is an ordinary number, relative to itself."""
    x, a, s, b = arrays(3, scale)
    found = module.input_gradients(module.init_params(0), x, a, s, b)
    errors = [0.0]
    rows = [*zip(x, a, found.x, strict=True)]
    rows += [(s[n, i, : i + 1], b[n, i, : i + 1], found.s[n, i, : i + 1]) for n, i in np.ndindex(s.shape[:2])]
    for logits, weights, slopes in rows:
        due = true_slopes(logits, weights)
        ordinary = np.abs(due) > 1e-30
        errors += list(np.abs(slopes - due)[ordinary] / np.abs(due)[ordinary])
    for n, i in np.ndindex(s.shape[:2]):
        assert not found.s[n, i, i + 1 :].any(), "what is hidden has no slope"
    return max(errors)


def test_slopes_keep_their_digits_at_every_scale(tmp_path: Path) -> None:
    """Compiled: nothing may regroup the differences. What is left is the rounding of the parts themselves."""
    module = load(written(SPEC, tmp_path))
    errors = {scale: largest_error(module, scale) for scale in SCALES}
    assert max(errors.values()) < 2e-5, errors


def test_a_mean_is_taken_once_for_all_that_deviates_from_it() -> None:
    stages = stages_of(read(SPEC))
    before = {e.target for e in stages.shifted.equations}
    added = [e.target for e in stages.centred.equations if e.target not in before]
    assert added == ["rounding_dL_m", "rounding_dL_x"]


NO_MEANS = (  # weights with the form of a softmax, the sum of which is not 1 in some row
    "where(x[b, j] > 0, 0, e[b, j] / s[b])",
    "where(x[b, j] > 0, e[b, j] / s[b], 0)",
    "where(x[b, 0] > 0, 0.7, e[b, j] / s[b])",
    "where(j > 1, e[b, j] / s[b], 0)",
    "e[b, j] ** 2 / s[b]",
    "2 * e[b, j] / s[b]",
)
MEANS = "e[b, j] / s[b]", "where(x[b, 0] > 0, 0, e[b, j] / s[b])"  # or all of them are 0


@pytest.mark.parametrize("weights", [*NO_MEANS, *MEANS])
def test_only_deviations_from_means_are_centred(weights: str) -> None:
    equations = {
        "e[b, j]": "exp(x[b, j])",
        "s[b]": "sum(e[b, k], k)",
        "p[b, j]": weights,
        "m[b]": "sum(p[b, j] * x[b, j], j)",
        "d[b, j]": "x[b, j] - m[b]",
    }
    stages = stages_of(
        read({"name": "means", "inputs": {"x": ["n", 5]}, "equations": equations, "loss": "mean(d)"})
    )
    assert ("rounding_m" in stages.centred.definition) == (weights in MEANS)
    given = {"x": np.random.default_rng(2).standard_normal((6, 5))}
    plain, centred = (interpret(p, given, {"n": 6})["d"] for p in (stages.shifted, stages.centred))
    np.testing.assert_allclose(centred, plain, rtol=1e-12, atol=1e-14)


REDUCED = [("y", "std(z, axis=1)"), ("y", "var(z, axis=1)"), ("y[n]", "mean((z[n, i] - m[n])**2, i)")]


@pytest.mark.parametrize(("key", "formula"), REDUCED)
def test_slopes_of_deviations_from_plain_means_keep_their_digits(key: str, formula: str) -> None:
    """z = x·W where all rows of x are nearly equal: slopes of W cancel all that z - mean errs by alike."""
    spec = {
        "name": "deviations",
        "dtype": "float64",
        "inputs": {"x": ["n", 6]},
        "parameters": {"W": [6]},
        "equations": {"z[n, i]": "x[n, i] * W[i]", "m[n]": "mean(z[n, i], i)", key: formula},
        "loss": "sum(y)",
    }
    x = 1 + 1e-6 * np.random.default_rng(4).standard_normal((1, 6))
    found = interpret(stages_of(read(spec)).centred, {"x": x, "W": np.ones(6)}, {"n": 1})["dW"]
    ours = abs(found.sum())  # of W = 1: Σ x·slope, where slopes sum to 0
    with mpmath.workdps(50):
        exact = [mpmath.mpf(float(v)) for v in x[0]]
        mean = mpmath.fsum(exact) / 6
        of_squares = mpmath.fsum((v - mean) ** 2 for v in exact) / 6
        due = float(mpmath.sqrt(of_squares) if "std" in formula else 2 * of_squares)
    np.testing.assert_allclose(ours, due, rtol=1e-9)
