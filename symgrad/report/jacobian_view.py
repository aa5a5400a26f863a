"""The local Jacobians in words and formulas: block by block, each with its structure named."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from symgrad.calculus.axes import show_axes
from symgrad.explain.jacobian_structure import footprint, structure
from symgrad.notation import typeset as ts
from symgrad.notation.arrange import product
from symgrad.notation.equations import matrix_form
from symgrad.notation.index_writer import IndexWriter
from symgrad.notation.latex import Latex
from symgrad.notation.reduce import bound_letters
from symgrad.notation.text import Text
from symgrad.notation.visibility import hidden_tensors, shown_equations
from symgrad.report.page import Row, Section

if TYPE_CHECKING:
    from symgrad.calculus.terms import Entry
    from symgrad.explain.blocks import Block
    from symgrad.explain.jacobians import BlockJacobians, Jacobian
    from symgrad.notation.style import Style
    from symgrad.notation.typeset import Formula
    from symgrad.report.derivation import Derivation

NOTE = (
    "Block by block as the spec has them: how every entry of the output depends on every entry it reads. "
    "A Jacobian has the axes of both, one after the other, and is 0 outside what an entry reads, where : is "
    "every index; δ(a, b) is 1 where a = b, else 0."
)


def jacobian_sections(derivation: Derivation, style: Style) -> list[Section]:
    """One section: every block with its derivatives."""
    found = derivation.jacobians
    long = [f"∂{b.block.name}/∂{name}" for b in found for name in b.too_long]
    note = NOTE + (f" Too long to be written: {', '.join(long)}." if long else "")
    rows = tuple(row for of_block in found for row in _rows(of_block, style))
    return [Section("jacobians", "Local Jacobians", note, rows)]


def jacobian_data(derivation: Derivation) -> list[dict[str, Any]]:
    """The blocks as numbers, texts, lists and dicts."""
    return [
        {
            "block": found.block.name,
            "equations": list(_equations(found.block, Text())),
            "jacobians": [_data(j, found.block) for j in found.jacobians],
            "too_long": list(found.too_long),
        }
        for found in derivation.jacobians
    ]


def _data(jacobian: Jacobian, block: Block) -> dict[str, Any]:
    return {
        "of": jacobian.of.tensor,
        "by": jacobian.by.tensor,
        "structure": structure(jacobian),
        "reads": _entry_text(footprint(jacobian), block),
        "axes": [[a.size if a.size is not None else str(a.name) for a in axes] for axes in jacobian.axes],
        "text": _formula(jacobian, block, Text()),
        "latex": _formula(jacobian, block, Latex()),
    }


def _rows(found: BlockJacobians, style: Style) -> list[Row]:
    rows = [Row(line) for line in _equations(found.block, style)]
    return rows + [
        Row(_formula(j, found.block, style), label=_label(j, found.block)) for j in found.jacobians
    ]


def _equations(block: Block, style: Style) -> tuple[str, ...]:
    hidden = hidden_tensors(block.program)
    shown = shown_equations(block.program, hidden)
    return tuple(matrix_form(equation, block.program, style, hidden) for equation in shown)


def _label(jacobian: Jacobian, block: Block) -> str:
    """`only column i: Z1[n,i] reads W1[:,i]; [N, 2] × [3, 2]`"""
    reads = f"{_entry_text(jacobian.of, block)} reads {_entry_text(footprint(jacobian), block)}"
    of, by = (show_axes(axes) if axes else "1" for axes in jacobian.axes)
    return f"{structure(jacobian)}: {reads}; {of} × {by}"


def _entry_text(entry: Entry, block: Block) -> str:
    return Text().spell(IndexWriter(block.program).write(entry))


def _formula(jacobian: Jacobian, block: Block, style: Style) -> str:
    writer = IndexWriter(block.program, hidden_tensors(block.program))
    indices = (*jacobian.of.indices, *jacobian.by.indices)
    writer.taken = {str(s) for i in indices for s in i.free_symbols} | bound_letters(jacobian.value)
    left = ts.Partial(writer.write(jacobian.of), writer.write(jacobian.by))
    value = writer.write(jacobian.value)
    deltas: list[Formula] = [writer.write(d) for d in jacobian.deltas if jacobian.value != 0]
    return style.spell(ts.Relation(left, "=", product("numbers", [*deltas, value]) if deltas else value))
