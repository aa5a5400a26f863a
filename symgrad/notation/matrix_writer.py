"""Equations in matrix form: tensors without their indices."""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeAlias

import sympy as sp

from symgrad.calculus.contraction import Contraction, as_contraction
from symgrad.calculus.program import Equation, Program, as_read
from symgrad.calculus.terms import Entry, delta, drawn, entries, indices_as_numbers
from symgrad.notation.arrange import fraction_first, product, transposed
from symgrad.notation.convention import ROWS, Convention
from symgrad.notation.nested import fixed_factor, merged_sums
from symgrad.notation.scalar_writer import ScalarWriter
from symgrad.notation.typesetting import typeset as ts

if TYPE_CHECKING:
    from collections.abc import Collection

    from symgrad.notation.typesetting.typeset import Formula

Indices: TypeAlias = tuple[sp.Expr, ...]


class NoMatrixFormError(Exception):
    """An entry stands neither row by row nor column by column."""


class MatrixWriter(ScalarWriter):
    """Writes tensors as matrices and vectors. Tensors in `hidden` are written out where they are used."""

    def __init__(self, program: Program, hidden: Collection[str] = (), convention: Convention = ROWS) -> None:
        super().__init__(program, hidden, convention)
        self.in_columns = convention.samples == "columns"
        self.axes: tuple[sp.Expr, ...] = ()
        self.named_indices: frozenset[sp.Expr] = frozenset()

    def equation(self, equation: Equation) -> Formula:
        """The whole equation.

        Raises:
            NoMatrixFormError: only the index form can say it.
        """
        if equation.scatters:
            raise NoMatrixFormError
        left = self.defined(equation.target, self.tensor(equation.target))
        if isinstance(equation.body, drawn):
            return ts.Relation(left, "~", self.distribution(equation.target))
        return ts.Relation(left, "=", self.right_side(equation))

    def right_side(self, equation: Equation) -> Formula:
        """What stands right of the equality sign.

        Raises:
            NoMatrixFormError: only the index form can say it.
        """
        equation = as_read(equation, self.program.names)
        equation = merged_sums(equation, self.program, self.hidden)
        self.leading = (equation.target,)
        written = self._written(equation)
        return fraction_first(written) if self.in_columns else written

    def _written(self, equation: Equation) -> Formula:
        if indices_as_numbers(equation.body):
            raise NoMatrixFormError
        contraction = as_contraction(equation)
        if contraction is not None and (contraction.rows or contraction.columns):
            return self._contraction(contraction)
        if equation.reduction == "none" or not equation.bound:
            self.axes = equation.indices
            return self.write(equation.body)
        if equation.reduction == "logsumexp":
            return self._over_each_sample(equation)
        return self._reduced(equation)

    def _contraction(self, found: Contraction) -> Formula:
        if found.batch or max(map(len, (found.rows, found.inner, found.columns))) > 1:
            return self._stacked(found)
        left, right = self.operand(found.left), self.operand(found.right)
        if found.left_transposed and found.rows:
            left = transposed(left)
        if found.right_transposed and found.columns:
            right = transposed(right)
        self.axes = (*found.rows, *found.columns)
        pair = self._matrix_first(found, left, right) or (left, right)
        return self.scaled(found.factor, ts.ProductText("matrices", pair))

    def _stacked(self, found: Contraction) -> Formula:
        """A product of tensors of more axes: matrix by matrix, of the last two axes of each.

        Where matrices are multiplied for each place and added up, the place is seen: `Σ_n x[n]ᵀ·dV[n]`.
        """
        places = found.inner[:-1]
        if self.in_columns or len(found.columns) != 1 or not found.rows or (places and found.batch):
            raise NoMatrixFormError
        if len(found.rows) > 1 and (found.left_transposed or found.batch):
            raise NoMatrixFormError
        if places and (not found.left_transposed or found.right_transposed or self._is_hidden(found)):
            raise NoMatrixFormError
        indices = tuple(ts.NameText(str(i)) for i in places)
        left, right = (self._at(indices, self.operand(name)) for name in (found.left, found.right))
        left = transposed(left) if found.left_transposed else left
        right = transposed(right) if found.right_transposed else right
        pair = ts.ProductText("matrices", (left, right))
        return self.scaled(found.factor, self.reduced("sum", indices, pair) if indices else pair)

    def _is_hidden(self, found: Contraction) -> bool:
        return found.left in self.hidden or found.right in self.hidden

    @staticmethod
    def _at(places: tuple[Formula, ...], tensor: Formula) -> Formula:
        return ts.Indexed(tensor, places) if places else tensor

    def _matrix_first(
        self, found: Contraction, left: Formula, right: Formula
    ) -> tuple[Formula, Formula] | None:
        """`x·w` and `xᵀ·dy` rather than `w·xᵀ` and `dy·x`; as rows, `x·W` and `dy·Wᵀ` stay."""
        tensor = self.program.tensor.get(found.left)
        is_cotangent = tensor is not None and tensor.kind == "cotangent"
        may_stay = is_cotangent == found.right_transposed and not self.in_columns
        if found.rows or not found.columns or may_stay:
            return None
        return transposed(right), left

    def _laid_out(self, samples: Indices, others: Indices) -> Indices:
        """The axes of a matrix: what runs over the samples, and what over the entries of each."""
        return (*others, *samples) if self.in_columns else (*samples, *others)

    def _over_each_sample(self, equation: Equation) -> Formula:
        self.axes = self._laid_out(equation.indices, tuple(loop.index for loop in equation.bound))
        if len(equation.bound) != 1:
            raise NoMatrixFormError
        return ts.CallText(equation.reduction, (self.write(equation.body),))

    def _reduced(self, equation: Equation) -> Formula:
        """A reduction over all axes, or over the samples; over others the index must be seen."""
        inner = tuple(loop.index for loop in equation.bound)
        samples_only = equation.bound[0].axis.is_free and len(inner) == 1
        if equation.indices and not samples_only:
            raise NoMatrixFormError
        self.axes = self._laid_out(inner, equation.indices)
        if not equation.indices:
            self.axes = _order_of_widest(equation, inner)
        self.named_indices = frozenset(inner)
        factor, body = fixed_factor(equation)
        written = self.write(body)
        if equation.reduction == "sum" and self._is_whole_matrix(body):
            size = self.write(equation.bound[0].axis.extent)
            return self.scaled(factor, ts.ProductText("matrices", (written, ts.Ones(size))))
        indices = tuple(ts.NameText(str(i)) for i in inner)
        return self.scaled(factor, self.reduced(equation.reduction, indices, written))

    def _is_whole_matrix(self, body: sp.Expr) -> bool:
        """Whether the body is a matrix of columns, whose sum over the samples is its product with ones."""
        if not self.in_columns or len(self.axes) != 2 or len(self.named_indices) != 1:
            return False
        held = entries(body)
        return any(set(e.indices) == set(self.axes) for e in held) and not any(map(self._is_pick, held))

    def operand(self, tensor: str) -> Formula:
        """A tensor's name, or its definition where it is hidden."""
        if tensor not in self.hidden:
            return self.tensor(tensor)
        return type(self)(self.program, self.hidden, self.convention).right_side(
            self.program.definition[tensor]
        )

    def entry(self, entry: Entry) -> Formula:
        axes, rank = self.axes, len(entry.indices)
        if entry.indices in (axes, ()):
            return self.operand(entry.tensor)
        if rank == len(axes) == 2 and entry.indices == axes[::-1]:
            return transposed(self.operand(entry.tensor))
        if (of_rows := self._sum_of_rows(entry)) is not None:
            return of_rows
        if 1 < rank == len(axes) - 1 and not self.in_columns and entry.indices == axes[:-1]:
            return ts.Spread(self.operand(entry.tensor), places=rank)
        if rank == 1 and len(axes) == 2 and entry.indices in (axes[:1], axes[1:]):
            is_plain = entry.indices == (axes[:1] if self.in_columns else axes[1:])
            operand = self.operand(entry.tensor)
            return operand if is_plain else ts.Spread(operand, in_rows=self.in_columns)
        if not self.in_columns and entry.indices == axes[len(axes) - rank :]:
            return self.operand(entry.tensor)
        if self._is_pick(entry):
            return ts.Indexed(self.tensor(entry.tensor), tuple(self._place(i) for i in entry.indices))
        raise NoMatrixFormError

    def _sum_of_rows(self, entry: Entry) -> Formula | None:
        """`rowsum(P ⊙ dP)` for a hidden sum along the last axis that stands in all of it."""
        if self.in_columns or entry.tensor not in self.hidden or entry.indices != self.axes[:-1]:
            return None
        definition = self.program.definition[entry.tensor]
        if definition.reduction != "sum" or definition.scatters or len(definition.bound) != 1:
            return None
        inner = type(self)(self.program, self.hidden, self.convention)
        inner.axes = (*definition.indices, definition.bound[0].index)
        factor, body = fixed_factor(definition)
        return self.scaled(factor, ts.CallText("rowsum", (inner.write(body),)))

    def _is_pick(self, entry: Entry) -> bool:
        """`Z[n,t[n]]` under a sum over n."""
        has_label = any(isinstance(i, Entry) for i in entry.indices)
        symbols = {s for i in entry.indices for s in i.free_symbols if s in self.axes}
        return has_label and symbols <= self.named_indices and entry.tensor not in self.hidden

    def _place(self, index: sp.Expr) -> Formula:
        if isinstance(index, Entry):
            return ts.Indexed(self.tensor(index.tensor), tuple(self._place(i) for i in index.indices))
        return self.write(index)

    def kronecker(self, expr: delta) -> Formula:
        label, index = expr.args
        if isinstance(label, Entry) and self._laid_out(label.indices, (index,)) == self.axes:
            return ts.CallText("onehot", (self.tensor(label.tensor),))
        if index.is_Integer:
            return ts.CallText("delta", (self.write(label), self.write(index)))
        raise NoMatrixFormError

    def special(self, expr: sp.Expr) -> Formula | None:
        of, name = (expr.args[0], "softmax") if isinstance(expr, sp.exp) else (expr, "log_softmax")
        scores = self._scores(of)
        return ts.CallText(name, (self.write(scores),)) if scores is not None else super().special(expr)

    def _scores(self, expr: sp.Expr) -> sp.Expr | None:
        """X where the expression is X[n,k] - L[n] and L is the log-sum-exp of X over each sample."""
        for entry in entries(expr) if expr.is_Add and self.axes else ():
            definition = self.program.definition.get(entry.tensor)
            if definition is None or definition.reduction != "logsumexp" or len(definition.bound) != 1:
                continue
            here = dict(zip(definition.indices, entry.indices, strict=True))
            along = self.axes[0] if self.in_columns else self.axes[-1]
            here[definition.bound[0].index] = along
            scores = definition.body.xreplace(here)
            if self._laid_out(entry.indices, (along,)) == self.axes and expr + entry == scores:
                return scores
        return None

    def joined(self, factors: list[sp.Expr]) -> Formula:
        numbers = [
            f for f in factors if not isinstance(f, sp.Dummy) and not any(e.indices for e in entries(f))
        ]
        tensors = [f for f in factors if f not in numbers]
        parts = [self.write(f) for f in numbers]
        return product("numbers", [*parts, self._of_entries(tensors)] if tensors else parts)

    def _of_entries(self, factors: list[sp.Expr]) -> Formula:
        """Entry by entry, or `x ⊗ dz` where vectors of rows meet vectors of columns."""
        rows = [f for f in factors if isinstance(f, Entry) and f.indices == self.axes[:1]]
        columns = [f for f in factors if isinstance(f, Entry) and f.indices == self.axes[1:]]
        if len(self.axes) != 2 or not rows or not columns or len(rows) + len(columns) < len(factors):
            return product("entries", [self.write(f) for f in factors])
        sides = [[self.operand(f.tensor) for f in side] for side in (rows, columns)]
        return product("outer", [product("entries", side) for side in sides])


def _order_of_widest(equation: Equation, inner: tuple[sp.Expr, ...]) -> tuple[sp.Expr, ...]:
    """The reduced axes, in the order in which the tensor of highest rank has them."""
    widest = max(entries(equation.body), key=lambda e: len(e.indices), default=None)
    return widest.indices if widest is not None and set(widest.indices) == set(inner) else inner
