"""The seed of what tests draw: another one for each state of the sources, the same wherever that is tested.

So a run of the tests looks at new specs whenever something has changed, and yet a commit is right or wrong
whoever asks. `python tests/fuzz` draws anew each time.
"""

from __future__ import annotations

import hashlib
import os
import zlib
from collections.abc import Iterable
from pathlib import Path
from typing import TypeVar

T = TypeVar("T")

ROOT = Path(__file__).parent.parent


def _of_the_sources() -> int:
    seed = 0
    for folder, pattern in (("symgrad", "*.py"), ("templates", "*.j2"), ("tests/fuzz", "*.py")):
        for path in sorted((ROOT / folder).rglob(pattern)):
            seed = zlib.crc32(path.read_bytes(), seed)
    return seed


SEED = int(os.environ.get("SYMGRAD_FUZZ_SEED", _of_the_sources()))


def one_in(number: int, items: Iterable[T]) -> list[T]:
    """One in so many, others for each state of the sources: for cases that make the same point."""
    return list(items)[SEED % number :: number]


def has_its_turn(name: str) -> bool:
    """Whether a test runs at this state of the sources: about a third of them do, others at another state."""
    return hashlib.blake2b(f"{SEED} {name}".encode()).digest()[0] % 3 == 0
