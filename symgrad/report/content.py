"""What a report holds, before any format lays it out: a title, a table of tensors, sections of formulas."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal


@dataclass(frozen=True)
class TensorRow:
    """A tensor. `symbol` is what stands for its name in formulas, `of` what a gradient is with respect to."""

    name: str
    kind: str
    axes: str
    note: str
    symbol: str = ""
    of: str = ""


@dataclass(frozen=True)
class FormulaRow:
    """A formula; `indexed` says it entry by entry, `through` names what the chain rule went through."""

    formula: str
    indexed: str = ""
    label: str = ""
    through: tuple[str, ...] = ()

    def chain_rule(self, quoted: str = "{}") -> str:
        """What the chain rule went through, in words; `quoted` is how a formula stands within them."""
        formulas = " and ".join(quoted.format(formula) for formula in self.through)
        return f"chain rule through {formulas}" if formulas else ""


@dataclass(frozen=True)
class Section:
    """Formulas under a title. Labels say where an equation comes from, whose update, or which rewrite."""

    kind: Literal["equations", "updates", "rewrites", "jacobians"]
    title: str
    note: str
    rows: tuple[FormulaRow, ...]

    def blocks(self) -> tuple[tuple[FormulaRow, ...], ...]:
        """The rows that stand together: of updates all that have one label, else each for itself."""
        blocks: list[tuple[FormulaRow, ...]] = []
        for row in self.rows:
            if self.kind == "updates" and blocks and not row.label:
                blocks[-1] = (*blocks[-1], row)
            else:
                blocks.append((row,))
        return tuple(blocks)


@dataclass(frozen=True)
class Page:
    """A whole report. `facts` are pairs of a word and its value."""

    title: str
    facts: tuple[tuple[str, str], ...]
    legend: tuple[str, ...]
    tensors: tuple[TensorRow, ...]
    sections: tuple[Section, ...]

    @property
    def has_symbols(self) -> bool:
        return any(tensor.symbol for tensor in self.tensors)
