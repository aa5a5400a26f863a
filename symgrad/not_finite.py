"""Where a number first stops being finite: the tensors of a spec, in the order in which it defines them."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from symgrad.errors import SymgradError
from symgrad.training.epochs.divergence import described

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray

    from symgrad.spec.model import Model, Spec


def first_not_finite(
    spec: Spec, parameters: Mapping[str, NDArray[np.floating]], data: Mapping[str, NDArray[np.generic]]
) -> str:
    """The first tensor that is not finite at a point, with its shape and the first such entry, in words.

    The spec's own formulas are computed in double precision; what the spec's number type cannot hold counts
    as infinite, and what a formula hides by -inf as finite. Empty where all tensors are finite so.
    """
    from symgrad.calculus.masks import Hiding
    from symgrad.pipeline import stages_of
    from symgrad.spec.expand import expand  # a training that goes well needs none of these
    from symgrad.verifier.interpretation.arithmetic import DOUBLE
    from symgrad.verifier.interpretation.interpreter import interpret

    model = expand(spec)
    try:
        found = interpret(model, {**parameters, **data}, DOUBLE)
    except SymgradError:
        return ""
    hiding = Hiding(stages_of(spec).formulas)
    for name in _in_order(model):
        with np.errstate(over="ignore"):
            values = np.asarray(found.tensors[name], np.float64).astype(spec.dtype)
        if hiding.some_of(name):
            values = np.where(values == -np.inf, 0, values)
        if not np.isfinite(values).all():
            return described(name, values)
    return ""


def _in_order(model: Model) -> tuple[str, ...]:
    return (*(p.name for p in model.parameters), *(equation.name for equation in model.equations))
