"""Where ranks take the gradient of the coming step, by an optimiser that looks ahead; in place of theta."""

from typing import Any

import numpy as np

from symgrad.runtime.kept_memory import _kept
from symgrad.runtime.smallest_model import SIZE, _ahead_of_stretch
from symgrad.runtime.training.stretches import _hand_out, _Stretches


def _point(stretches: _Stretches, _: np.ndarray, setting: tuple[Any, ...]) -> np.ndarray:
    whole = _kept("ahead", SIZE)
    for each in stretches.each:
        own = whole[each.first : each.first + each.size]
        _ahead_of_stretch(each.own, own, each.own_state, each.first, each.before, *setting)
    _hand_out(stretches.comm, whole, [each.ends for each in stretches.each])
    return whole
