"""Where ranks take the gradient of the coming step, by an optimiser that looks ahead; in place of theta."""

from typing import Any

import numpy as np

from symgrad.runtime.kept_memory import _kept
from symgrad.runtime.smallest_model import SIZE, _ahead_of_stretch
from symgrad.runtime.training.shared_epochs import _hand_out, _Stretch


def _point(stretch: _Stretch, _: np.ndarray, setting: tuple[Any, ...]) -> np.ndarray:
    whole = _kept("ahead", SIZE)
    own = whole[stretch.first : stretch.first + stretch.size]
    _ahead_of_stretch(stretch.own, own, stretch.own_state, stretch.first, stretch.before, *setting)
    _hand_out(stretch.comm, whole, stretch.ends)
    return whole
