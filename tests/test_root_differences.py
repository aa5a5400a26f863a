"""Differences of roots are computed without cancellation, and mean what they meant."""

from __future__ import annotations

from random import Random

import mpmath
import pytest
import sympy as sp

from symgrad.calculus.real import Piecewise
from symgrad.calculus.terms import Entry
from symgrad.passes.rounding.root_differences import as_quotients

X, Y = Entry("x"), Entry("y")
root = sp.sqrt


@pytest.mark.parametrize(
    ("before", "after"),
    [
        (root(1 + X) - 1, X / (root(1 + X) + 1)),
        (Y * (3 * root(1 + X**2) - 3), Y * 9 * X**2 / (3 * root(1 + X**2) + 3)),
        (2 - root(4 + X * Y), -X * Y / (root(4 + X * Y) + 2)),
        (Y + 1 - root(1 - X), Y + X / (root(1 - X) + 1)),
        (root((X - Y) ** 2 + 1) - 1, (X - Y) ** 2 / (root((X - Y) ** 2 + 1) + 1)),
        (root(X + 1) - root(X), 1 / (root(X + 1) + root(X))),
        (2 * root(X + 1) - root(4 * X + 3), 1 / (2 * root(X + 1) + root(4 * X + 3))),
        (root(X + 2) - root(2), X / (root(X + 2) + root(2))),
        (
            Piecewise((root(1 + X) - 1, root(1 + X) - 1 > Y), (0, True)),
            Piecewise((X / (root(1 + X) + 1), root(1 + X) - 1 > Y), (0, True)),
        ),
    ],
)
def test_a_difference_is_a_quotient(before: sp.Expr, after: sp.Expr) -> None:
    assert as_quotients(before) == after


@pytest.mark.parametrize(
    "kept",
    [
        root(X) - 1,
        root(1 + X) - 2,
        root(1 + X) + 1,
        root(X + Y) - root(X),
        root(2 * X) - root(X),
        X - root(X),
    ],
)
def test_where_the_squares_would_be_subtracted_or_the_sum_could_be_0_it_stays(kept: sp.Expr) -> None:
    assert as_quotients(kept) == kept


def test_values_stay_what_they_are() -> None:
    random, changed = Random(0), 0
    for _ in range(200):
        numbers = [random.choice((1, 4, sp.Rational(9, 4), 2, 0)) for _ in range(2)]
        roots = [random.choice((1, 2, -1, -2)) * root(n + random.choice((X, X * Y, 4 * X))) for n in numbers]
        before = sp.Add(*roots, random.choice((0, 1, -1, -2, Y, -3)))
        after = as_quotients(before)
        changed += after != before
        point = {X: random.uniform(0.1, 3), Y: random.uniform(0.1, 3)}
        with mpmath.workdps(30):
            assert abs(sp.N((after - before).xreplace(point), 30)) < 1e-12
    assert changed > 20
