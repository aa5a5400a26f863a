"""A recurrence that begins where the last batch ended: truncated backpropagation, beside NumPy."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from fuzz.modules import interpreted

from symgrad.errors import ShapeError
from symgrad.pipeline import stages_of
from symgrad.spec.reader import read
from symgrad.verifier.identity.check import identity_of

RATE = 0.3


def spec(axes: dict[str, int]) -> dict[str, Any]:
    return {
        "name": "truncated",
        "dtype": "float64",
        "axes": axes,
        "inputs": {"x": ["rows", "T", 3]},
        "targets": {"t": ["rows", "T", 5]},
        "parameters": {"W": [3, 5], "U": [5, 5]},
        "state": {"h0": {"axes": ["rows", 5], "init": 0, "next": "h[:, -1]"}},
        "equations": {
            "h[n,t,i]": "tanh(sum(x[n,t,d]*W[d,i], d) + sum(h[n,t-1,j]*U[j,i], j))",
            "h[n,-1,i]": "h0[n,i]",
        },
        "outputs": ["h"],
        "loss": "mse(h, t)",
        "train": {"optimizer": f"sgd(learning_rate={RATE})", "epochs": 1},
    }


def last_and_loss(W: Any, U: Any, h: Any, x: Any, t: Any) -> tuple[Any, Any]:
    """The last step of a window that begins with h, and its loss."""
    total = 0
    for step in range(x.shape[1]):
        h = np.tanh(x[:, step] @ W + h @ U)
        total = total + ((h - t[:, step]) ** 2).sum()
    return h, total / t.size


def test_windows_of_a_series_begin_where_the_last_one_ended() -> None:
    """Each window's gradient ends at its start; slopes by steps into the complex plane."""
    stages = stages_of(read(spec({"rows": 4, "T": 6})))
    assert identity_of(stages.model, stages.text).state == "identical"
    module, rng = interpreted(stages.text), np.random.default_rng(0)
    x, t = rng.normal(size=(4, 18, 3)), np.tanh(rng.normal(size=(4, 18, 5)))
    params = module.unflatten(rng.normal(0, 0.5, module.SIZE))
    params.h0[:] = 0
    state, h = module.init_state(params), np.zeros((4, 5))
    matrices = [params.W.copy(), params.U.copy()]
    for first in range(0, 18, 6):
        window = (h, x[:, first : first + 6], t[:, first : first + 6])
        slopes = [np.empty_like(matrix) for matrix in matrices]
        for number, matrix in enumerate(matrices):
            for place in np.ndindex(matrix.shape):
                moved = [m.astype(complex) for m in matrices]
                moved[number][place] += 1e-30j
                slopes[number][place] = last_and_loss(*moved, *window)[1].imag / 1e-30
        h, loss = last_and_loss(*matrices, *window)
        assert module.train_step(params, state, *window[1:]) == pytest.approx(loss, rel=1e-13)
        matrices = [m - RATE * slope for m, slope in zip(matrices, slopes, strict=True)]
        for ours, right in zip((params.W, params.U, params.h0), (*matrices, h), strict=True):
            np.testing.assert_allclose(ours, right, rtol=1e-11)
    y, carry = module.step(params, None, x[:, 0])
    np.testing.assert_allclose(y, np.tanh(x[:, 0] @ params.W + h @ params.U), rtol=1e-12)
    assert carry._fields == ("h",)


def test_what_is_carried_to_the_next_batch_needs_as_many_rows() -> None:
    with pytest.raises(ShapeError, match="state 'h0' needs fixed sizes, 'rows' has none") as refused:
        _ = stages_of(read(spec({"T": 6}))).text
    assert "axes: {rows: 4}" in str(refused.value)
