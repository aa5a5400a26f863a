"""`python tests/mutation`: the command of command.py, from any folder."""

from __future__ import annotations

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent.parent))

from mutation.command import main

main()
