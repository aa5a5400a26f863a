"""The norm of a gradient of which each rank has a stretch; in place of none."""

import math

import numpy as np

from symgrad.runtime.smallest_model import _norm_of_stretch
from symgrad.runtime.training.shared_epochs import _Stretch


def _norm_over_ranks(stretch: _Stretch, gradient: np.ndarray) -> float:
    own = (_norm_of_stretch(gradient, stretch.first),)
    return math.hypot(*stretch.told_by_all(own).reshape(-1).tolist())
