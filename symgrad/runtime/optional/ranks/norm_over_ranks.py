"""The norm of a gradient of which each rank has stretches; in place of none."""

import math
from collections.abc import Sequence

import numpy as np

from symgrad.runtime.smallest_model import _norm_of_stretch
from symgrad.runtime.training.stretches import _Stretches


def _norm_over_ranks(stretches: _Stretches, totals: Sequence[np.ndarray]) -> float:
    pairs = zip(stretches.each, totals, strict=True)
    own = [_norm_of_stretch(total, stretch.first) for stretch, total in pairs]
    return math.hypot(*stretches.told_by_all(own).reshape(-1).tolist())
