"""Hyper-parameters other than a spec's own, within their intervals."""

from __future__ import annotations

from typing import TYPE_CHECKING

from symgrad.spec.intervals import interval
from symgrad.spec.numbers import number

if TYPE_CHECKING:
    import numpy as np

    from symgrad.spec.model import HyperParameter, Model

_FACTORS = (0.45, 0.8, 1.3, 2.2)
"""What numbers are multiplied by, or about by that."""
_INSTEAD_OF_0 = 0.02


def own_hyper(model: Model) -> dict[str, float]:
    """The spec's own."""
    return {hyper.name: _value(hyper) for hyper in model.hyper}


def drawn_hyper(model: Model, rng: np.random.Generator) -> dict[str, float]:
    """Another number for each, unless its interval leaves none near."""
    found = own_hyper(model)
    for hyper in model.hyper:
        allowed = interval(hyper.allowed or "(-inf, inf)", found)
        for factor in rng.permutation(_FACTORS):
            drawn = (found[hyper.name] or _INSTEAD_OF_0) * factor * rng.uniform(0.95, 1.05)
            if allowed.holds(drawn):
                found[hyper.name] = float(drawn)
                break
    return found


def _value(hyper: HyperParameter) -> float:
    found = number(hyper.value, {})
    return 0.0 if found is None else found
