"""How results show themselves: short where they are a value among others, whole in a notebook."""

from __future__ import annotations

import io
import sys
from html import escape
from typing import TYPE_CHECKING, Any

from rich.console import Console

if TYPE_CHECKING:
    from collections.abc import Callable

    from rich.console import RenderableType

_WIDTH = 110
_PAGE = '<pre style="white-space:pre;overflow-x:auto;line-height:1.2;font-family:monospace">{code}</pre>'


class Displayed:
    """What has a `str` whose first line says what it is, and for terminals often a `table()`.

    A dataclass of these is made with `repr=False`. What has a picture gives it as `_picture`.
    """

    def __repr__(self) -> str:
        first = str(self).partition("\n")[0].strip()
        return f"<{type(self).__name__}: {first}>"

    def _picture(self) -> str | None:
        """SVG, where there is one and the package that draws it."""
        return None

    def _repr_mimebundle_(self, **_: Any) -> dict[str, str]:
        """What notebooks show: the table in its colours or the text, and the picture below it."""
        table, picture = getattr(self, "table", None), self._picture()
        text = _PAGE.format(code=escape(str(self))) if table is None else as_html(table())
        bundle = {"text/plain": str(self), "text/html": text + (picture or "")}
        return bundle if picture is None else {**bundle, "image/svg+xml": picture}


def as_html(table: RenderableType) -> str:
    """A fragment of a page with the table as terminals show it."""
    console = Console(
        record=True, width=_WIDTH, file=io.StringIO(), color_system="truecolor", force_jupyter=False
    )
    console.print(table)
    return console.export_html(inline_styles=True, code_format=_PAGE)


def notebook_display() -> Callable[..., Any] | None:
    """What shows a value in the cell that runs, and can change it there; None where this is no notebook."""
    ipython = sys.modules.get("IPython")  # a notebook has loaded it, and nobody else needs it
    shell = ipython.get_ipython() if ipython is not None else None
    return ipython.display.display if ipython is not None and hasattr(shell, "kernel") else None
