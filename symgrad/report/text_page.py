"""The report as plain text."""

from __future__ import annotations

from typing import TYPE_CHECKING

from symgrad.notation.typesetting.text import TEXT
from symgrad.report.page import page_of

if TYPE_CHECKING:
    from collections.abc import Iterator

    from symgrad.report.content import FormulaRow, Page, Section, TensorRow
    from symgrad.report.derived import Derived


def text_page(derived: Derived) -> str:
    """The page, without a line break at its end."""
    return "\n".join(_lines(page_of(derived, TEXT)))


def _lines(page: Page) -> Iterator[str]:
    yield page.title
    yield "=" * len(page.title)
    yield from (f"{word}: {value}" for word, value in page.facts)
    yield from ("", "Tensors", *_table(page.tensors))
    for section in page.sections:
        yield from ("", *_section(section))
    yield from ("", "Notation", *(f"  {line}" for line in page.legend))


def _table(rows: tuple[TensorRow, ...]) -> Iterator[str]:
    has_symbols = any(r.symbol for r in rows)
    cells = [(*([r.symbol] if has_symbols else []), r.name, r.kind, r.axes, f"{r.note} {r.of}") for r in rows]
    widths = [max(map(len, column)) for column in zip(*cells, strict=True)]
    for row in cells:
        yield ("  " + "  ".join(c.ljust(w) for c, w in zip(row, widths, strict=True))).rstrip()


def _section(section: Section) -> Iterator[str]:
    yield section.title
    if section.note:
        yield f"  {section.note}"
    layout = {"equations": _equation, "jacobians": _jacobian}.get(section.kind, _labelled)
    for row in section.rows:
        yield from layout(row)


def _labelled(row: FormulaRow) -> Iterator[str]:
    if row.label:
        yield f"  {row.label}:"
    yield f"    {row.formula}"


def _jacobian(row: FormulaRow) -> Iterator[str]:
    """A block's equation, or under it a derivative with its structure."""
    yield f"    {row.formula}   [{row.label}]" if row.label else f"  {row.formula}"
    if row.indexed:
        yield f"        {row.indexed}"


def _equation(row: FormulaRow) -> Iterator[str]:
    yield f"  {row.formula}{_origin(row)}"
    if row.indexed:
        yield f"      {row.indexed}"


def _origin(row: FormulaRow) -> str:
    parts = [part for part in (row.label, row.chain_rule()) if part]
    return f"   [{'; '.join(parts)}]" if parts else ""
