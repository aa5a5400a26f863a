"""The chances of labels by a recurrence, which carries what it knows from label to label."""

from collections.abc import Iterator, Sequence

import numpy as np

from symgrad.runtime.optional.sequences.chances import _as_chances
from symgrad.runtime.optional.sequences.steps_of_time import _stepped
from symgrad.runtime.smallest_model import Params


def _chances_in_turn(params: Params, labels: Sequence[int]) -> Iterator[np.ndarray]:
    """The chances of each label behind these, to which others are added in turn."""
    carry, read = None, 0
    while True:
        for label in labels[read:]:
            found, carry = _stepped(params, carry, (np.array([label], np.int64),))
        read = len(labels)
        yield _as_chances(found[0])
