"""How seldom Python looks for garbage in circles where symgrad has a process of its own.

Libraries, derivations, judged texts and Numba's compiler make many objects that live long: with Python's own
thresholds, looking through them again and again takes a quarter of the time.
"""

from __future__ import annotations

import gc

THRESHOLDS = (200_000, 20, 50)


def expect_long_lived_objects() -> None:
    """Look for garbage in circles after so many objects."""
    gc.set_threshold(*THRESHOLDS)
