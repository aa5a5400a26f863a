"""What comes with symgrad beside its code."""

from __future__ import annotations

from pathlib import Path

PACKAGE = Path(__file__).parent


def template_folder(package: Path = PACKAGE) -> Path:
    """Where the templates lie: in the package when installed, beside it in a checkout."""
    inside = package / "templates"
    return inside if inside.is_dir() else package.parent / "templates"
