"""Sums of products by matrix products are the sums that broadcasting gives, whatever depends on what."""

from __future__ import annotations

import math

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from symgrad.spec.expand import expand
from symgrad.spec.reader import read
from symgrad.verifier.interpretation.arithmetic import DOUBLE, EXTENDED, FIFTY_DIGITS
from symgrad.verifier.interpretation.index_products import contract
from symgrad.verifier.interpretation.interpreter import interpret

SIZES = (2, 3, 4, 5, 6)


@st.composite
def products(draw):
    """Factors over up to five indices, size 1 along those they do not depend on, and how many are summed."""
    axes = draw(st.integers(1, len(SIZES)))
    factors = []
    for n in range(draw(st.integers(2, 4))):
        uses = draw(st.lists(st.booleans(), min_size=axes, max_size=axes))
        shape = [size if used else 1 for size, used in zip(SIZES, uses, strict=False)]
        factors.append(np.random.default_rng(n).normal(size=shape))
    return factors, draw(st.integers(1, axes))


@settings(max_examples=90, deadline=None)
@given(products())
def test_contractions_are_sums_of_products(case):
    factors, summed = case
    axes = factors[0].ndim
    full = np.broadcast_to(math.prod(factors), SIZES[:axes])
    kept = tuple(range(axes - summed))
    expected = full.sum(axis=tuple(range(axes - summed, axes)))
    for arithmetic in (DOUBLE, EXTENDED, FIFTY_DIGITS):
        arrays = [arithmetic.array(f) for f in factors]
        got, _ = contract(arrays, SIZES[axes - summed : axes], arithmetic)
        got = np.broadcast_to(np.asarray(got, dtype=float), [SIZES[n] for n in kept])
        np.testing.assert_allclose(got, expected, rtol=1e-12, atol=1e-12)


def test_a_head_of_attention_takes_no_more_than_its_products():
    text = """
inputs: {q: [2, 5, 3, 4], k: [2, 6, 3, 4]}
equations:
  "y[n,h,i,j]": "mean(q[n,i,h,d] * k[n,j,h,d], d)"
"""
    rng = np.random.default_rng(0)
    arrays = {"q": rng.normal(size=(2, 5, 3, 4)), "k": rng.normal(size=(2, 6, 3, 4))}
    found = interpret(expand(read(text)), arrays, DOUBLE)
    np.testing.assert_allclose(found.outputs[0], np.einsum("nihd,njhd->nhij", *arrays.values()) / 4)
    divisions = 2 * 3 * 5 * 6
    assert found.work <= 2 * 3 * 5 * 6 * 4 + divisions
