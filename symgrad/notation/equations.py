"""Equations as people write them: in matrix form where there is one, else in index form.

⊙, quotients, powers and functions act entry by entry; softmax and logsumexp along the last axis.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from symgrad.notation.convention import ROWS, Convention
from symgrad.notation.index_writer import IndexWriter
from symgrad.notation.matrix_writer import MatrixWriter, NoMatrixFormError
from symgrad.notation.typesetting.text import TEXT
from symgrad.notation.typesetting.typeset import Formula, Relation

if TYPE_CHECKING:
    from collections.abc import Collection

    from symgrad.calculus.program import Equation, Program, Rewrite
    from symgrad.notation.typesetting.style import Style


@dataclass(frozen=True)
class Writing:
    """A program as it is written: in which style, by which convention.

    Tensors in `hidden` are written out where they are used: see `visibility.hidden_tensors`.
    """

    program: Program
    hidden: Collection[str] = ()
    style: Style = TEXT
    convention: Convention = ROWS

    def matrix(self, equation: Equation) -> str:
        """`dW1 = xᵀ·dZ1`; the index form where matrices cannot say it."""
        try:
            return self.style.spell(self._matrices.equation(equation))
        except NoMatrixFormError:
            return self.index(equation)

    def index(self, equation: Equation) -> str:
        """`dW1[j,i] = Σ_n x[n,j]·dZ1[n,i]`"""
        return self.style.spell(self.indices.equation(equation))

    def right_side(self, equation: Equation) -> Formula | None:
        """What stands right of the equality sign in matrix form; None where there is none."""
        try:
            return self._matrices.right_side(equation)
        except NoMatrixFormError:
            return None

    def between(self, first: str, last: str) -> str:
        """`Z1 … Z4`: from one tensor to another; `Z1` alone where that is both."""
        ends = self.indices.tensor(first), self.indices.tensor(last)
        return self.style.spell(ends[0] if first == last else Relation(ends[0], "…", ends[1]))

    def rewrite(self, rewrite: Rewrite) -> str:
        """`1/(1 + exp(−Z[n,i])) → sigmoid(Z[n,i])`, always in the spec's own names and order of axes."""
        writer = IndexWriter(self.program)
        return self.style.spell(Relation(writer.write(rewrite.before), "→", writer.write(rewrite.after)))

    @property
    def _matrices(self) -> MatrixWriter:
        return MatrixWriter(self.program, self.hidden, self.convention)

    @property
    def indices(self) -> IndexWriter:
        """A writer of expressions with their indices."""
        return IndexWriter(self.program, self.hidden, self.convention)
