"""Recurrences in logarithms, where chances of 0 are -inf, against the sum over all ways through the steps."""

from __future__ import annotations

import itertools
from dataclasses import dataclass
from typing import Any

import numpy as np
import pytest
from fuzz.modules import interpreted
from seeds import one_in

from symgrad.not_finite import first_not_finite
from symgrad.pipeline import stages_of
from symgrad.spec.reader import read
from symgrad.verifier.identity.check import identity_of

ROWS = 4


@dataclass(frozen=True)
class Walk:
    """States, steps, and which moves and first states there are: the rest has a chance of 0."""

    states: int
    steps: int
    reach: int
    first: int
    form: str

    def is_move(self, j: int, i: int) -> bool:
        return i - self.reach <= j <= i

    @property
    def spec(self) -> dict[str, Any]:
        moves = f"where(j <= i, where(i - {self.reach} <= j, h[n,t-1,j] + A[j,i], -inf), -inf)"
        step = f"logsumexp({moves}, j) + x[n,t,i]"
        starts = {"choice": f"where(i == {self.first}, 0, -inf)", "all": "-inf", "parameter": "b[i]"}
        return {
            "name": "walk",
            "dtype": "float64",
            "inputs": {"x": ["batch", self.steps, self.states], "m": ["batch", self.states]},
            "parameters": {"A": [self.states, self.states], "b": [self.states]},
            "equations": {
                "h[n,t,i]": step,
                "h[n,-1,i]": starts[self.form],
                "y[n]": f"logsumexp(where(m[n,i] > 0, h[n,{self.steps - 1},i], -inf), i)",
            },
            "loss": "mean(where(y > -1e30, y, 0)) + sum(b**2)",
            "gradients": ["x"],
        }

    def chances(self, a: Any, b: Any, x: Any, ends: Any) -> tuple[float, Any]:
        """The chance of all ways that end where they may, and that of ways through each entry of x."""
        total, through = 0.0, np.zeros_like(x)
        for path in itertools.product(range(self.states), repeat=self.steps + 1):
            starts = {"choice": 1.0 * (path[0] == self.first), "all": 0.0, "parameter": np.exp(b[path[0]])}
            chance = starts[self.form] * ends[path[-1]]
            for t, (j, i) in enumerate(itertools.pairwise(path)):
                chance *= self.is_move(j, i) * np.exp(a[j, i] + x[t, i])
            total += chance
            for t, i in enumerate(path[1:]):
                through[t, i] += chance
        return total, through


def drawn(number: int) -> Walk:
    rng = np.random.default_rng(number)
    states, steps = int(rng.integers(1, 5)), int(rng.integers(1, 5))
    form = ("choice", "parameter", "choice", "all")[number % 4]
    return Walk(states, steps, int(rng.integers(0, states)), int(rng.integers(0, states)), form)


@pytest.mark.parametrize("number", one_in(4, range(24)))
def test_recurrence_in_logarithms_is_the_sum_over_all_ways(number: int) -> None:
    walk = drawn(number)
    found = stages_of(read(walk.spec))
    module, rng = interpreted(found.text), np.random.default_rng(number)
    a, b = rng.normal(size=(walk.states, walk.states)), rng.normal(size=walk.states)
    x = rng.normal(size=(ROWS, walk.steps, walk.states))
    ends = rng.integers(0, 2, (ROWS, walk.states)) * 1.0
    params = module.unflatten(np.concatenate([a.ravel(), b]))
    with np.errstate(invalid="ignore", divide="ignore"):
        values = module.predict(params, x, ends)
        slopes = module.input_gradients(params, x, ends).x
        _, grads = module.loss_and_grad(params, x, ends)
        carry = None
        for step in range(walk.steps):
            last, carry = module.step(params, carry, x[:, step], ends)
    for n in range(ROWS):
        total, through = walk.chances(a, b, x[n], ends[n])
        np.testing.assert_allclose(values[n], np.log(total) if total else -np.inf, rtol=1e-12)
        np.testing.assert_allclose(slopes[n], through / ROWS / (total or 1), rtol=1e-10, atol=1e-15)
    assert np.isfinite(module.flatten(grads)).all()
    np.testing.assert_allclose(last, values, rtol=1e-12)
    assert not identity_of(found.model, found.text).is_wrong


def test_what_is_hidden_is_not_what_broke() -> None:
    """A training that ends is told of the first number that is not finite, and not of a chance of 0."""
    spec = read(Walk(3, 2, 2, 1, "choice").spec | {"loss": "mean(y * log(y))"})
    parameters = {"A": np.zeros((3, 3)), "b": np.zeros(3)}
    x = np.zeros((1, 2, 3))
    said = first_not_finite(spec, parameters, {"x": np.where(x == 0, np.nan, x), "m": np.ones((1, 3))})
    assert said == "h [1, 2, 3] is nan at [0, 0, 0]"
