"""Reports made for terminals as plain text."""

from __future__ import annotations

import io
from typing import TYPE_CHECKING

from rich.console import Console

if TYPE_CHECKING:
    from rich.console import RenderableType


def plain_text(report: RenderableType, width: int = 100) -> str:
    """The report without colours, so wide."""
    text = io.StringIO()
    Console(file=text, width=width, color_system=None, force_terminal=False, force_jupyter=False).print(
        report
    )
    return "\n".join(line.rstrip() for line in text.getvalue().splitlines())
