"""How results show themselves: short where they are a value among others, whole in a notebook."""

from __future__ import annotations

import io
from typing import TYPE_CHECKING, Any

from rich.console import Console

if TYPE_CHECKING:
    from rich.console import RenderableType

_WIDTH = 110
_PAGE = '<pre style="white-space:pre;overflow-x:auto;line-height:1.2;font-family:monospace">{code}</pre>'


class Displayed:
    """What has a `str` whose first line says what it is, and for terminals often a `table()`.

    A dataclass of these is made with `repr=False`.
    """

    def __repr__(self) -> str:
        first = str(self).partition("\n")[0].strip()
        return f"<{type(self).__name__}: {first}>"

    def _repr_mimebundle_(self, **_: Any) -> dict[str, str]:
        """What notebooks show: the table in its colours."""
        table = getattr(self, "table", None)
        shown = {} if table is None else {"text/html": as_html(table())}
        return {"text/plain": str(self), **shown}


def as_html(table: RenderableType) -> str:
    """A fragment of a page with the table as terminals show it."""
    console = Console(record=True, width=_WIDTH, file=io.StringIO(), color_system="truecolor")
    console.print(table)
    return console.export_html(inline_styles=True, code_format=_PAGE)
