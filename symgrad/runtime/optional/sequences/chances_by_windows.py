"""The chances of labels by a network that looks at a window of those before."""

from collections.abc import Iterator, Sequence

import numpy as np

from symgrad.runtime.optional.sequences.chances import _as_chances
from symgrad.runtime.smallest_model import AXES, CLASSES, INPUTS, Params, predict


def _chances_in_turn(params: Params, labels: Sequence[int]) -> Iterator[np.ndarray]:
    """The chances of each label behind these, to which others are added in turn."""
    _check_looks_back(params, len(labels))
    while True:
        yield _chances_of_next(params, labels)


def _predicted_of(params: Params, labels: Sequence[int]) -> np.ndarray:
    """What the network says of one window of labels: for each place in it, or of what comes behind all."""
    return _as_chances(predict(params, np.array([labels], np.int64))[0])


def _check_looks_back(params: Params, given: int) -> None:
    """What is behind a place, where nothing is yet, must not matter to what is predicted there.

    It is changed behind the first 1, 2, 4, 8, ... labels and behind all but the last.
    """
    name = INPUTS[0]
    window, classes = int(AXES[name][1]), CLASSES[name]
    found = _predicted_of(params, [0] * window)
    if found.ndim == 1:
        if given < window:
            at_least = f"at least {window} labels, behind which the network says what comes"
            raise ValueError(f"start: expected {at_least}, got {given}")
        return
    for seen in {window - 1, *(2**n for n in range(window.bit_length()) if 2**n < window)}:
        other = _predicted_of(params, [0] * seen + [classes - 1] * (window - seen))
        if not np.allclose(found[:seen], other[:seen], rtol=1e-4, atol=1e-6):
            remedy = "it could with causal=true in its attention"
            raise ValueError(f"sample: this network looks at what comes behind a place; {remedy}")


def _chances_of_next(params: Params, labels: Sequence[int]) -> np.ndarray:
    """The chances of each label behind these, of which the network sees the last ones."""
    window = int(AXES[INPUTS[0]][1])
    seen = labels[-window:]
    found = _predicted_of(params, [*seen, *[0] * (window - len(seen))])
    return found if found.ndim == 1 else np.asarray(found[len(seen) - 1])
