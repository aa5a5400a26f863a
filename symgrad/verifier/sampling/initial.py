"""The scale of a parameter's first values, as its spec gives it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from symgrad.spec.language.trees import names_in
from symgrad.verifier.interpretation.interpreter import scalar_value
from symgrad.verifier.sampling.spec_fans import fans_of

if TYPE_CHECKING:
    from symgrad.spec.model import Model, ParameterDecl
    from symgrad.verifier.interpretation.interpreter import Shape


def scale_of(model: Model, decl: ParameterDecl, shape: Shape) -> float | None:
    """The constant, half-width or standard deviation; None where it needs fans that are not plain to see."""
    fans = (shape[0], shape[-1]) if shape else (1, 1)
    if {"fan_in", "fan_out"} & names_in(decl.init.scale):
        found = fans_of(model, decl)
        if found is None and len(shape) > 1:
            return None
        fans = fans if found is None else found.sizes(shape)
    numbers = dict(zip(("fan_in", "fan_out"), (np.asarray(float(f)) for f in fans), strict=True))
    return float(scalar_value(decl.init.scale, numbers))
