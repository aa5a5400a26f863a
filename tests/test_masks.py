"""Entries hidden as -inf: no share in a softmax, no slope, and nothing is computed with infinity."""

from __future__ import annotations

import numpy as np
import pytest
from fuzz.modules import interpreted, with_garbage

from symgrad.errors import SpecError
from symgrad.pipeline import stages_of
from symgrad.spec.reader import read
from symgrad.verifier.identity.check import identity_of

SCORES = "sum(q[n,i,d] * W[d,e] * k[n,j,e], d, e)"
SOFTMAX = "softmax(S)"
ATTENTION = {"y[n,i,e]": "sum(P[n,i,j] * k[n,j,e], j)"}
CAUSAL = (np.arange(5)[:, None] >= np.arange(5))[None]
RNG = np.random.default_rng(5)
Q, K, M = RNG.normal(size=(3, 5, 2)), RNG.normal(size=(3, 5, 2)), RNG.normal(size=(3, 5))
M[1] = [-1, -2, -1, -3, -1]
L = np.array([5.0, 2.0, 0.0])


def spec(equations, **changes):
    given = {
        "dtype": "float64",
        "axes": {"T": 5},
        "inputs": {"q": ["batch", "T", 2], "k": ["batch", "T", 2], "m": ["batch", "T"], "l": ["batch"]},
        "parameters": {"W": [2, 2], "a": []},
        "equations": equations,
        "loss": "mean(y**2) + a**2",
        "outputs": ["y"],
    }
    return read({**given, **changes})


def run(equations, **changes):
    """The emitted module's outputs and gradients in garbage, its text proved against the spec."""
    stages = stages_of(spec(equations, **changes))
    found = identity_of(stages.model, stages.text)
    assert found.state == "identical", found
    module = with_garbage(interpreted(stages.text), -7e30)
    params = module.init_params(1)
    with np.errstate(invalid="ignore"):  # that -inf is found not to be finite
        answer = module.forward(params, Q, K, M, L)
        _, gradient = module.loss_and_grad(params, Q, K, M, L)
    return params, answer, gradient


def softmax(scores, shown):
    """Of what is shown; 0 where nothing is."""
    with np.errstate(invalid="ignore"):
        hidden = np.where(shown, scores, -np.inf)
        parts = np.exp(hidden - np.where(shown.any(-1, keepdims=True), hidden, 0).max(-1, keepdims=True))
        return np.where(shown, parts / np.maximum(parts.sum(-1, keepdims=True), 1e-300), 0)


@pytest.mark.parametrize(
    ("condition", "shown"),
    [
        ("j <= i", CAUSAL),
        ("m[n,j] > 0", (M > 0)[:, None]),
        ("j < l[n]", (np.arange(5) < L[:, None])[:, None]),
    ],
    ids=["causal", "mask", "lengths"],
)
def test_what_is_hidden_has_no_share_and_no_slope(condition, shown):
    hidden = {"S[n,i,j]": f"where({condition}, {SCORES}, -inf) / sqrt(2) + 1", "P": SOFTMAX, **ATTENTION}
    params, y, gradient = run(hidden)
    scores = np.einsum("nid,de,nje->nij", Q, params.W, K) / np.sqrt(2)
    shares = softmax(scores, np.broadcast_to(shown, scores.shape))
    np.testing.assert_allclose(y, shares @ K, rtol=1e-12, atol=1e-15)
    assert (y[1] == 0).all() == (condition == "m[n,j] > 0")
    assert np.isfinite(gradient.W).all()
    assert gradient.W.any()
    below = {"S[n,i,j]": f"where({condition}, {SCORES}, -1e9) / sqrt(2) + 1", "P": SOFTMAX, **ATTENTION}
    if condition == "j <= i":
        np.testing.assert_allclose(run(below)[2].W, gradient.W, rtol=1e-12)


def test_a_slope_of_what_is_hidden_is_exactly_0():
    model = spec(
        {"S[n,i,j]": f"where(j <= i, {SCORES}, -inf)", "P": SOFTMAX, **ATTENTION, "Y[n]": "y[n,0,0]"},
        gradients=["k"],
        loss="sum(Y) + a**2",
    )
    module = interpreted(stages_of(model).text)
    (slopes,) = module.input_gradients(module.init_params(1), Q, K, M, L)
    assert not slopes[:, 1:].any()
    assert slopes[0, 0].any()


@pytest.mark.parametrize(
    ("formula", "expected"),
    [
        ("logsumexp(where(j <= i, q[n,i,0] * k[n,j,0], -inf), j)", np.log),
        ("log(sum(exp(where(j > i, -inf, q[n,i,0] * k[n,j,0])), j))", np.log),
        ("max(where(j <= i, q[n,i,0] * k[n,j,0], -inf), j)", None),
        ("-min(where(j <= i, -q[n,i,0] * k[n,j,0], inf), j)", None),
    ],
)
def test_reductions_run_over_what_is_shown(formula, expected):
    products = np.where(CAUSAL, Q[:, :, None, 0] * K[:, None, :, 0], -np.inf)
    due = products.max(-1) if expected is None else np.log(np.exp(products).sum(-1))
    _, y, _ = run({"y[n,i]": f"{formula} * W[0, 0] / W[0, 0]"})
    np.testing.assert_allclose(y, due, rtol=1e-12)


def test_padding_may_be_hidden_too():
    _, y, _ = run({"p": "pad(k * W[0, 0], 1, 1, value=-inf)", "y[n, t:5, e]": "max(p[n, t + u, e], u=3)"})
    assert np.isfinite(y).all()


@pytest.mark.parametrize(
    ("equations", "message"),
    [
        ({"y[n,i]": "-inf + q[n,i,0]"}, "'inf' is no number to compute with; inf stands in a choice"),
        ({"y": "exp(inf) * q"}, "'inf' is no number to compute with"),
        ({"y[n,i:5]": "max(where(j < i, k[n,j,0], -inf), j)"}, "where the other index is 0; leave"),
        ({"S[n,i:5,j]": "where(j > i, k[n,j,0], -inf)", "y": "softmax(S)"}, "hides all .* other index is 4"),
        ({"y[n,i:5,j]": "where(j <= i, k[n,j,0], -inf) * a"}, r"'\*' of -inf and .*hide entries last"),
        ({"y[n:2,i:5,j:5]": "exp(where(j <= i, 1, -inf) - where(j <= i, 1, -inf))"}, "'-' of -inf and"),
        ({"y[n,i:5,j]": "where(j <= i, k[n,j,0], -inf)"}, "the output 'y' holds -inf"),
    ],
)
def test_what_infinity_cannot_stand_for_is_refused(equations, message):
    with pytest.raises(SpecError, match=message) as refused:
        assert stages_of(spec(equations)).derived
    assert refused.value.at is not None
    assert refused.value.remedy


def test_inf_may_be_a_name_of_the_user():
    assert stages_of(spec({"inf": "q * a", "y": "where(inf > 0, inf, -inf)"})).derived


@pytest.mark.parametrize("free", [False, True])
def test_a_mask_of_indices_costs_no_more_than_a_low_number(free):
    """A row shows one entry whatever the data are: nothing is asked about rows of which nothing is left."""
    axes = {} if free else {"T": 5}
    texts = []
    for low in ("-inf", "-1000"):
        hidden = {"S[n,i,j]": f"where(j <= i, {SCORES}, {low})", "P": SOFTMAX, **ATTENTION}
        text = stages_of(spec(hidden, axes=axes)).in_python
        texts.append(text.replace("-np.inf", "-1000").replace("−∞", "−1000"))
    assert texts[0] == texts[1]
