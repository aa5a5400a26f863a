"""The formats of a report, a row each: its name, the endings of its files, and who writes it."""

from __future__ import annotations

from dataclasses import dataclass
from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from symgrad.report.derived import Derived


@dataclass(frozen=True)
class Format:
    """`writer` is a function of this room from what was derived to its text; it is loaded where it is called.

    In `markup`, a character that the terminal has not can stand as its number.
    """

    name: str
    endings: tuple[str, ...]
    writer: str
    markup: bool = False

    def write(self, derived: Derived) -> str:
        """What was derived, in this format."""
        file, function = self.writer.split(".")
        return str(getattr(import_module(f"symgrad.report.{file}"), function)(derived))


_ROWS = (
    Format("text", (".txt",), "text_page.text_page"),
    Format("latex", (".tex",), "documents.latex_document"),
    Format("latex-fragment", (), "documents.latex_fragment"),
    Format("markdown", (".md",), "documents.markdown_page"),
    Format("html", (".html", ".htm"), "documents.html_page", markup=True),
    Format("json", (".json",), "json_data.json_text"),
)
FORMATS = {row.name: row for row in _ROWS}


def format_of(ending: str) -> str:
    """The format of files with such an ending; text, where it is no other's."""
    return next((row.name for row in _ROWS if ending.lower() in row.endings), "text")
