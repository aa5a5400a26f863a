"""How formulas are written: which way matrices lie, and symbols in place of names."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal, TypeAlias

from symgrad.notation.typesetting.text import TEXT

if TYPE_CHECKING:
    from collections.abc import Mapping

    from symgrad.notation.typesetting.typeset import Formula

Samples: TypeAlias = Literal["rows", "columns"]


@dataclass(frozen=True)
class Convention:
    """`samples` says what the samples of a batch are in a matrix; `symbols` are for tensors and free axes.

    With samples in columns every vector is a column too, and functions of a sample run down its column.
    `note` says what the gradients stand for where that is not the derivative of the loss. What is
    `as_computed` is written as code has it: a number that is drawn and compared is no Bernoulli number.
    """

    name: str = "rows"
    samples: Samples = "rows"
    symbols: Mapping[str, Formula] = field(default_factory=dict, hash=False)
    note: str = ""
    as_computed: bool = False

    def written(self, name: str) -> str:
        """The symbol of a tensor or axis as plain text, or its name."""
        symbol = self.symbols.get(name)
        return TEXT.spell(symbol) if symbol is not None else name


ROWS = Convention()
AS_COMPUTED = Convention(as_computed=True)
