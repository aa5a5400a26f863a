"""The names the language itself gives a meaning: scalar functions and reductions."""

from __future__ import annotations

from symgrad.spec.language.arrays.placements import PLACEMENTS
from symgrad.spec.language.arrays.rearrangements import REARRANGEMENTS
from symgrad.spec.language.sizes.whole_numbers import SIZE
from symgrad.spec.reductions import REDUCTIONS
from symgrad.spec.scalars import SCALARS

SCALAR_FUNCTIONS = frozenset(row.name for row in SCALARS.values() if row.use == "formulas")
STEPWISE_FUNCTIONS = frozenset(row.name for row in SCALARS.values() if row.use == "updates")
"""Flat between jumps, so of use only where nothing is differentiated: in schedules and updates."""
SPECIAL_FORMS = frozenset(("where", "onehot", "spread", SIZE, *PLACEMENTS, *REARRANGEMENTS))
LANGUAGE_FUNCTIONS = SCALAR_FUNCTIONS | STEPWISE_FUNCTIONS | REDUCTIONS.keys() | SPECIAL_FORMS
