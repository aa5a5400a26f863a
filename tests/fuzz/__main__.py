"""`python tests/fuzz`: the command of command.py, from any folder."""

from __future__ import annotations

import sys
import warnings
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent.parent))
warnings.simplefilter("ignore")

from fuzz.command import main  # noqa: E402  # found through the path just added

main()
