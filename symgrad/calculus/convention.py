"""How a program's formulas are written: which way its matrices lie, and symbols in place of names."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal, TypeAlias

if TYPE_CHECKING:
    from collections.abc import Mapping

    from symgrad.notation.typeset import Formula

Samples: TypeAlias = Literal["rows", "columns"]


@dataclass(frozen=True)
class Convention:
    """`samples` says what the samples of a batch are in a matrix; `symbols` are for tensors and free axes.

    With samples in columns every vector is a column too, and functions of a sample run down its column.
    `note` says what the gradients stand for where that is not the derivative of the loss.
    """

    name: str = "rows"
    samples: Samples = "rows"
    symbols: Mapping[str, Formula] = field(default_factory=dict, hash=False)
    note: str = ""


ROWS = Convention()
