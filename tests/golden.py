"""Texts that are kept in tests/golden and compared; SYMGRAD_UPDATE_GOLDEN=1 writes them anew."""

from __future__ import annotations

import difflib
import os
from pathlib import Path

FOLDER = Path(__file__).parent / "golden"


def compare(name: str, text: str, folder: Path = FOLDER) -> None:
    """Demand that `text` equals the golden file `name`, or write the file when asked to."""
    path = folder / name
    if os.environ.get("SYMGRAD_UPDATE_GOLDEN") == "1":
        path.write_text(text, encoding="utf-8", newline="\n")
        return
    kept = path.read_text(encoding="utf-8") if path.exists() else ""
    lines = difflib.unified_diff(
        kept.splitlines(), text.splitlines(), f"{folder.name}/{name}", "now", lineterm="", n=1
    )
    assert kept == text, "\n".join(["SYMGRAD_UPDATE_GOLDEN=1 accepts the change", *lines])
