"""The seed of what tests draw: another one for each state of the sources, the same wherever that is tested.

So a run of the tests looks at new specs whenever something has changed, and yet a commit is right or wrong
whoever asks. `python tests/fuzz` draws anew each time.
"""

from __future__ import annotations

import os
import zlib
from pathlib import Path

ROOT = Path(__file__).parent.parent


def _of_the_sources() -> int:
    seed = 0
    for folder, pattern in (("symgrad", "*.py"), ("templates", "*.j2"), ("tests/fuzz", "*.py")):
        for path in sorted((ROOT / folder).rglob(pattern)):
            seed = zlib.crc32(path.read_bytes(), seed)
    return seed


SEED = int(os.environ.get("SYMGRAD_FUZZ_SEED", _of_the_sources()))
