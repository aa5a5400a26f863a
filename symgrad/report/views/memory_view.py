"""What the backward pass needs of the forward pass, and how much memory a step takes."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from symgrad.calculus.axes import show_axes
from symgrad.compiler.planning.residuals import MemoryUse, Residual, memory_use
from symgrad.notation.equations import Writing
from symgrad.report.content import FormulaRow, Section

if TYPE_CHECKING:
    from symgrad.compiler.planning.plan import Plan
    from symgrad.notation.typesetting.style import Style
    from symgrad.report.derived import Derived

NOTE = (
    "Values of the forward pass that a gradient is computed from; no other value is kept. Data and "
    "parameters are read where they lie. The workspace of one step takes {} bytes."
)


def memory_sections(derived: Derived, style: Style) -> list[Section]:
    """One section: every value that is kept, as the module computes it."""
    plan, use = _use(derived)
    writing = Writing(plan.program, style=style)
    rows = tuple(
        FormulaRow(writing.matrix(plan.program.definition[residual.name]), label=_label(residual))
        for residual in use.residuals
    )
    return [Section("equations", "Kept for the backward pass", NOTE.format(use.workspace), rows)]


def memory_data(derived: Derived) -> dict[str, Any]:
    """The same as numbers, texts, lists and dicts; a size is a number of bytes per product of free axes."""
    _, use = _use(derived)
    return {
        "kept": [
            {
                "name": residual.name,
                "axes": show_axes(residual.axes),
                "bytes": str(residual.amount),
                "for": list(residual.readers),
            }
            for residual in use.residuals
        ],
        "workspace_bytes": str(use.workspace),
    }


def _use(derived: Derived) -> tuple[Plan, MemoryUse]:
    plan = derived.stages.plan
    return plan, memory_use(plan, derived.spec.dtype)


def _label(residual: Residual) -> str:
    return f"{residual.amount} bytes, for {', '.join(residual.readers)}"
