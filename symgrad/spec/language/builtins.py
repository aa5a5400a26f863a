"""The names the language itself gives a meaning: scalar functions and reductions."""

from __future__ import annotations

SCALAR_FUNCTIONS = frozenset(
    [
        "exp",
        "log",
        "log1p",
        "expm1",
        "sqrt",
        "sin",
        "cos",
        "tan",
        "sinh",
        "cosh",
        "tanh",
        "asin",
        "acos",
        "atan",
        "erf",
        "abs",
        "sign",
    ]
)
STEPWISE_FUNCTIONS = frozenset(["floor"])
"""Flat between jumps, so of use only where nothing is differentiated: in schedules and updates."""
REDUCTIONS = frozenset(["sum", "mean", "max", "min", "logsumexp"])
SPECIAL_FORMS = frozenset(("where", "onehot", "spread"))
LANGUAGE_FUNCTIONS = SCALAR_FUNCTIONS | STEPWISE_FUNCTIONS | REDUCTIONS | SPECIAL_FORMS
