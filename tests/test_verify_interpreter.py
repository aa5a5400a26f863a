"""The interpreter against known 50-digit numbers, NumPy, and what the language says about shapes."""

from __future__ import annotations

import mpmath
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from symgrad.errors import ShapeError, SpecError
from symgrad.spec.expand import expand
from symgrad.spec.reader import read
from symgrad.verifier.interpretation.arithmetic import DOUBLE, EXTENDED, FIFTY_DIGITS
from symgrad.verifier.interpretation.interpreter import interpret

RNG = np.random.default_rng(3)
ARITHMETICS = [FIFTY_DIGITS, EXTENDED, DOUBLE]


def value(formula, arithmetic=FIFTY_DIGITS, index=None, labels=None, axes=(), **arrays):
    """The value of one formula over arrays; `index` makes it index notation, `labels` gives classes."""
    labels = labels or {}
    inputs = []
    for name, array in arrays.items():
        sizes = list(np.shape(array))
        inputs.append(
            f"  {name}: {{axes: {sizes}, classes: {labels[name]}}}"
            if name in labels
            else f"  {name}: {sizes}"
        )
    key = f'"out_[{index}]"' if index else "out_"
    sizes = f"axes: {{{', '.join(axes)}}}\n" if axes else ""
    text = f"name: one\n{sizes}inputs:\n" + "\n".join(inputs) + f'\nequations:\n  {key}: "{formula}"\n'
    model = expand(read(text))
    given = {n: np.asarray(a) if n in labels else np.asarray(a, dtype=float) for n, a in arrays.items()}
    return interpret(model, given, arithmetic).outputs[0]


def close(got, expected, digits=15):
    return np.allclose(np.asarray(got, dtype=float), expected, rtol=10.0**-digits, atol=1e-300)


@pytest.mark.parametrize(
    ("formula", "x", "expected"),
    [
        ("softplus(x)", 100.0, "100"),
        ("softplus(x)", -40.0, "4.248354255291588995329017594717358e-18"),
        ("exp(x)", 1.0, "2.7182818284590452353602874713526624977572"),
        ("erf(x)", 0.5, "0.52049987781304653768274665389196452873645"),
        ("expm1(x)", 2.0**-60, "8.6736173798840354721e-19"),
        ("sigmoid(x)", -400.0, "1.9151695967140057e-174"),
        ("gelu(x)", 1.0, "0.84134474606854294858523254563"),
        ("asin(x) + acos(x)", 0.3, "1.5707963267948966192313216916397514420986"),
        ("x**0.5", 2.0, "1.4142135623730950488016887242096980785697"),
        ("1e-4 * x", 1.0, "0.0001"),
    ],
)
def test_fifty_digits(formula, x, expected):
    known = len(expected.partition("e")[0].replace("0.", "").replace(".", ""))
    with mpmath.workdps(50):
        got, true = mpmath.mpf(str(value(formula, x=x))), mpmath.mpf(expected)
        assert mpmath.almosteq(
            got, true, rel_eps=mpmath.mpf(10) ** (1 - min(known, 40)) if known > 5 else 1e-45
        )


def test_equal_logits_far_out():
    for logit in (1e8, 1e17):
        got = value("logsumexp(x) - x[0]", x=[logit, logit])
        assert float(got) == 0.6931471805599453


def test_binary_cross_entropy_far_out():
    got = value("binary_cross_entropy_with_logits(z, t, reduction=none)", z=-100.0, t=0.0)
    assert float(got) == pytest.approx(3.720075976020836e-44, rel=1e-6)


def test_where_takes_one_branch_only():
    got = value("sum(where(x > 0, sqrt(x), x))", x=[-1.0, -4.0])
    assert float(got) == -5


@pytest.mark.parametrize("arithmetic", ARITHMETICS, ids=lambda a: a.name)
@pytest.mark.parametrize(
    ("left", "right"),
    [
        ((3, 4), (4, 5)),
        ((4,), (4, 5)),
        ((3, 4), (4,)),
        ((4,), (4,)),
        ((2, 3, 4), (4, 5)),
        ((2, 3, 4), (2, 4, 5)),
    ],
)
def test_matrix_products_are_numpys(left, right, arithmetic):
    a, b = RNG.normal(size=left), RNG.normal(size=right)
    got = value("a @ b", arithmetic, a=a, b=b)
    assert got.shape == (a @ b).shape
    assert close(got, a @ b, 12)


@settings(max_examples=40, deadline=None)
@given(
    st.integers(1, 3),
    st.data(),
    st.sampled_from(["sum", "mean", "max", "min", "logsumexp"]),
    st.booleans(),
)
def test_reductions_are_numpys(rank, data, name, keepdims):
    shape = data.draw(st.tuples(*[st.integers(1, 4)] * rank))
    axis = data.draw(st.none() | st.integers(-rank, rank - 1))
    x = np.random.default_rng(rank).normal(size=shape)
    known = {"logsumexp": lambda x, **k: np.log(np.sum(np.exp(x), **k))}
    expected = known.get(name, getattr(np, name, None))(x, axis=axis, keepdims=keepdims)
    formula = f"{name}(x, keepdims={str(keepdims).lower()}" + (")" if axis is None else f", axis={axis})")
    got = value(formula, DOUBLE, x=x)
    assert got.shape == np.shape(expected)
    assert close(got, expected, 13)


@settings(max_examples=40, deadline=None)
@given(st.data(), st.sampled_from("+-*/"))
def test_broadcasting_is_numpys(data, symbol):
    left = data.draw(st.tuples(*[st.integers(2, 3)] * 3))
    right = data.draw(st.sampled_from([left, left[1:], left[2:], (1, *left[1:]), (left[0], 1, 1), ()]))
    rng = np.random.default_rng(0)
    a, b = rng.normal(size=left), rng.normal(size=right)
    expected = {"+": a + b, "-": a - b, "*": a * b, "/": a / b}[symbol]
    assert close(value(f"a {symbol} b", EXTENDED, a=a, b=b), expected, 14)


@pytest.mark.parametrize("arithmetic", ARITHMETICS, ids=lambda a: a.name)
@pytest.mark.parametrize(
    ("index", "formula", "einsum"),
    [
        ("n,k", "sum(A[n,d] * B[d,k], d)", "nd,dk->nk"),
        ("k,n", "sum(A[n,d] * B[d,k], d)", "nd,dk->kn"),
        ("n", "sum(A[n,d] * B[d,k], d, k)", "nd,dk->n"),
        ("n", "sum(A[n,d] * sum(B[d,k], k), d)", "nd,dk->n"),
        ("d", "A[0,d] * B[d,2]", None),
        ("i", "sum(A[i,j] * C[j,i], j)", "ij,ji->i"),
    ],
)
def test_index_notation_is_einsum(index, formula, einsum, arithmetic):
    a, b, c = RNG.normal(size=(3, 4)), RNG.normal(size=(4, 5)), RNG.normal(size=(4, 3))
    second = c if "C[" in formula else b
    expected = np.einsum(einsum, a, second) if einsum else a[0] * b[:, 2]
    assert close(value(formula, arithmetic, index, A=a, B=b, C=c), expected, 12)


def test_a_convolution():
    x, k = RNG.normal(size=(2, 9)), RNG.normal(size=3)
    expected = [[sum(x[n, 2 * i + u] * k[u] for u in range(3)) for i in range(4)] for n in range(2)]
    assert close(value("sum(X[n, 2*i + u] * K[u], u)", index="n,i", X=x, K=k), expected, 13)


def test_an_index_that_is_a_label():
    p, t = RNG.normal(size=(4, 3)), np.array([2, 0, 1, 1])
    got = value("-P[n, t[n]]", index="n", labels={"t": 3}, P=p, t=t)
    assert close(got, -p[np.arange(4), t])
    got = value("sum(onehot(t) * P, axis=1)", labels={"t": 3}, P=p, t=t)
    assert close(got, p[np.arange(4), t])
    cross = value("softmax_cross_entropy(P, t, reduction=none)", labels={"t": 3}, P=p, t=t)
    assert close(cross, np.log(np.exp(p).sum(axis=1)) - p[np.arange(4), t], 13)


def test_an_index_in_an_affine_form_runs_as_far_as_it_can():
    assert close(value("x[d + 1]", index="d", x=[1.0, 2.0, 3.0]), [2, 3])


def test_transposition_reverses_the_axes():
    x = RNG.normal(size=(2, 3, 4))
    assert close(value("x.T", x=x), x.T)


def test_functions_inside_index_notation():
    x = RNG.normal(size=(2, 3))
    assert close(
        value("sigmoid(x[n,d]) * relu(x[n,d])", index="n,d", x=x), np.maximum(x, 0) / (1 + np.exp(-x))
    )
    assert close(
        value("exp(x[n,k]) / sum(exp(x[n,j]), j)", index="n,k", x=x), np.exp(x) / np.exp(x).sum(1)[:, None]
    )


def test_an_axis_name_is_its_size():
    assert float(value("D * sum(x)", axes=("D: 7",), x=[1.0, 2.0])) == 21


@pytest.mark.parametrize(
    ("formula", "index", "error"),
    [
        ("sum(x[j], j) * x", "n", ShapeError),
        ("sum(x, axis=1)", None, ShapeError),
        ("x[d, d]", "d", SpecError),
    ],
)
def test_what_has_no_value_is_refused(formula, index, error):
    with pytest.raises(error):
        value(formula, index=index, x=[1.0, 2.0, 3.0])


@pytest.mark.parametrize("formula", ["a @ b", "a + b", "a * b.T"])
def test_shapes_that_do_not_fit_are_named(formula):
    with pytest.raises(ShapeError, match=r"shapes \(2, 3\) and \((2, 4|4, 2)\) do not fit"):
        value(formula, a=np.ones((2, 3)), b=np.ones((2, 4)))
