"""First values of parameters against the distributions that the spec names."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np

from symgrad.spec.calls import names_in
from symgrad.verifier.fans import fans_of
from symgrad.verifier.interpreter import scalar_value

if TYPE_CHECKING:
    from collections.abc import Mapping

    from symgrad.spec.model import Model, ParameterDecl
    from symgrad.verifier.arithmetic import Array
    from symgrad.verifier.interpreter import Shape

_DEVIATIONS = 6.0
"""How far a sample's moments may be from those of its distribution, in standard deviations of theirs."""

_FEWEST = 16


def wrong_first_values(model: Model, blocks: Mapping[str, Array]) -> str:
    """What is wrong with the first values of a model's parameters; empty if nothing is."""
    for decl in model.parameters:
        scale = scale_of(model, decl, blocks[decl.name].shape)
        if scale is not None and not _fits(decl.init.distribution, scale, np.ravel(blocks[decl.name])):
            what = "its constant value" if decl.init.distribution == "constant" else "its distribution"
            return f"{decl.name} has not {what}"
    return ""


def scale_of(model: Model, decl: ParameterDecl, shape: Shape) -> float | None:
    """The constant, half-width or standard deviation; None where it needs fans that are not plain to see."""
    fans = (shape[0], shape[-1]) if shape else (1, 1)
    if {"fan_in", "fan_out"} & names_in(decl.init.scale):
        found = fans_of(model, decl)
        if found is None and decl.init.distribution != "constant":
            return None
        fans = fans if found is None else found.sizes(shape)
    numbers = dict(zip(("fan_in", "fan_out"), (np.asarray(float(f)) for f in fans), strict=True))
    return float(scalar_value(decl.init.scale, numbers))


def _fits(distribution: str, scale: float, values: Array) -> bool:
    if distribution == "constant":
        return bool(np.allclose(values, scale, rtol=1e-6, atol=0))
    if distribution == "uniform" and not np.max(np.abs(values), initial=0.0) <= scale * (1 + 1e-6):
        return False
    if values.size < _FEWEST or scale == 0:
        return bool(scale or not values.any())
    deviation = scale if distribution == "normal" else scale / math.sqrt(3)
    of_square = math.sqrt(2.0) if distribution == "normal" else math.sqrt(0.8)
    allowed = _DEVIATIONS / math.sqrt(values.size)
    mean, square = float(np.mean(values)) / deviation, float(np.mean(np.square(values))) / deviation**2
    return abs(mean) <= allowed and abs(square - 1) <= of_square * allowed
