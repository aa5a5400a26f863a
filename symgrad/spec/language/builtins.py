"""The names the language itself gives a meaning: scalar functions and reductions."""

from __future__ import annotations

from typing import TYPE_CHECKING

from symgrad.spec.language.arrays.placements import PLACEMENTS
from symgrad.spec.language.arrays.rearrangements import REARRANGEMENTS
from symgrad.spec.language.sizes.whole_numbers import SIZE
from symgrad.spec.reductions import REDUCTIONS
from symgrad.spec.scalars import SCALARS

if TYPE_CHECKING:
    from collections.abc import Collection

    from symgrad.spec.language.syntax import Call

SCALAR_FUNCTIONS = frozenset(row.name for row in SCALARS.values() if row.use == "formulas")
STEPWISE_FUNCTIONS = frozenset(row.name for row in SCALARS.values() if row.use == "updates")
"""Flat between jumps, so of use only where nothing is differentiated: in schedules and updates."""
DERIVATIVE = "d"
"""A user may call a tensor or a function so: in calls the function is meant then."""
MAX_ORDER = 6
"""Of a derivative that one call asks for: the terms of one of order n grow as the partitions of n."""
STOP_GRADIENT = "stop_gradient"
ALONG = "slope along"
"""`slope along(u, z[n,i], v[n,i])` is what u changes by where z changes by v: a directional derivative.
No name that anybody can write; what is solved is written with it."""
TRAINING = "training"
"""`training(a, b)` is a in training and b in inference."""
UNIFORM, LIKE = "uniform", "like"
"""`uniform(like=x)` draws a number between 0 and 1 for every entry of x, and for all indices around it."""
SPECIAL_FORMS = frozenset(
    ("where", "onehot", "spread", STOP_GRADIENT, ALONG, TRAINING, UNIFORM, SIZE, *PLACEMENTS, *REARRANGEMENTS)
)
LANGUAGE_FUNCTIONS = SCALAR_FUNCTIONS | STEPWISE_FUNCTIONS | REDUCTIONS.keys() | SPECIAL_FORMS


def is_derivative(call: Call, functions: Collection[str]) -> bool:
    """Whether a call asks for a derivative, where a user's functions have these names."""
    return call.function == DERIVATIVE and DERIVATIVE not in functions
