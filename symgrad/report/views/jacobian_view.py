"""The local Jacobians in words and formulas: block by block, each with its structure named."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from symgrad.calculus.axes import show_axes
from symgrad.explain.jacobian_structure import footprint, structure
from symgrad.notation.arrange import product
from symgrad.notation.equations import Writing
from symgrad.notation.reduce import bound_letters
from symgrad.notation.typesetting import typeset as ts
from symgrad.notation.typesetting.latex import LATEX
from symgrad.notation.typesetting.text import TEXT
from symgrad.notation.visibility import hidden_tensors, shown_equations
from symgrad.report.content import FormulaRow, Section

if TYPE_CHECKING:
    from symgrad.calculus.terms import Entry
    from symgrad.explain.blocks import NetworkBlock
    from symgrad.explain.jacobians import BlockJacobians, Jacobian
    from symgrad.notation.typesetting.style import Style
    from symgrad.notation.typesetting.typeset import Formula
    from symgrad.report.derived import Derived

NOTE = (
    "Block by block as the spec has them: how every entry of the output depends on every entry it reads. "
    "A Jacobian has the axes of both, one after the other, and is 0 outside what an entry reads, where : is "
    "every index; δ(a, b) is 1 where a = b, else 0."
)


def jacobian_sections(derived: Derived, style: Style) -> list[Section]:
    """One section: every block with its derivatives."""
    found = derived.jacobians
    long = [f"∂{b.block.name}/∂{name}" for b in found for name in b.too_long]
    note = NOTE + (f" Too long to be written: {', '.join(long)}." if long else "")
    rows = tuple(row for of_block in found for row in _rows(of_block, derived, style))
    return [Section("jacobians", "Local Jacobians", note, rows)]


def jacobian_data(derived: Derived) -> list[dict[str, Any]]:
    """The blocks as numbers, texts, lists and dicts."""
    return [
        {
            "block": found.block.name,
            "equations": list(_equations(_writing(found.block, derived, TEXT))),
            "jacobians": [_data(j, found.block, derived) for j in found.jacobians],
            "too_long": list(found.too_long),
        }
        for found in derived.jacobians
    ]


def _data(jacobian: Jacobian, block: NetworkBlock, derived: Derived) -> dict[str, Any]:
    text = _writing(block, derived, TEXT)
    return {
        "of": jacobian.of.tensor,
        "by": jacobian.by.tensor,
        "structure": structure(jacobian),
        "reads": _entry_text(footprint(jacobian), text),
        "axes": [[a.label for a in axes] for axes in jacobian.axes],
        "text": _formula(jacobian, text),
        "latex": _formula(jacobian, _writing(block, derived, LATEX)),
    }


def _writing(block: NetworkBlock, derived: Derived, style: Style) -> Writing:
    return Writing(block.program, hidden_tensors(block.program), style, derived.convention)


def _rows(found: BlockJacobians, derived: Derived, style: Style) -> list[FormulaRow]:
    writing = _writing(found.block, derived, style)
    rows = [FormulaRow(line) for line in _equations(writing)]
    return rows + [jacobian_row(j, writing) for j in found.jacobians]


def jacobian_row(jacobian: Jacobian, writing: Writing) -> FormulaRow:
    """A Jacobian with its structure in words."""
    return FormulaRow(_formula(jacobian, writing), label=_label(jacobian, writing))


def _equations(writing: Writing) -> tuple[str, ...]:
    return tuple(map(writing.matrix, shown_equations(writing.program, writing.hidden)))


def _label(jacobian: Jacobian, writing: Writing) -> str:
    """`only column i: Z1[n,i] reads W1[:,i]; [N, 2] × [3, 2]`"""
    reads = f"{_entry_text(jacobian.of, writing)} reads {_entry_text(footprint(jacobian), writing)}"
    of, by = (show_axes(axes) if axes else "1" for axes in jacobian.axes)
    return f"{structure(jacobian)}: {reads}; {of} × {by}"


def _entry_text(entry: Entry, writing: Writing) -> str:
    return TEXT.spell(writing.indices.write(entry))


def _formula(jacobian: Jacobian, writing: Writing) -> str:
    writer = writing.indices
    indices = (*jacobian.of.indices, *jacobian.by.indices)
    writer.taken |= {str(s) for i in indices for s in i.free_symbols} | bound_letters(jacobian.value)
    left = ts.Partial(writer.write(jacobian.of), (writer.write(jacobian.by),))
    value = writer.write(jacobian.value)
    deltas: list[Formula] = [writer.write(d) for d in jacobian.deltas if jacobian.value != 0]
    whole = product("numbers", [*deltas, value]) if deltas else value
    return writing.style.spell(ts.Relation(left, "=", whole))
