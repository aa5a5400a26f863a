"""From SymPy's scalar expressions to formulas as people write them."""

from __future__ import annotations

from abc import ABC, abstractmethod
from fractions import Fraction
from functools import cached_property
from typing import TYPE_CHECKING, TypeAlias

import sympy as sp

from symgrad.calculus.real import Abs, within
from symgrad.calculus.terms import (
    Entry,
    Infinite,
    delta,
    divided,
    entries,
    leading,
    multiplied,
    shifted,
    text_of,
)
from symgrad.notation.arrange import negated, quotient, total
from symgrad.notation.coins import as_toss, coins
from symgrad.notation.convention import ROWS, Convention
from symgrad.notation.factors import Factors, content, factors_of
from symgrad.notation.known_functions import chosen, known_function
from symgrad.notation.reduce import Over
from symgrad.notation.typesetting import typeset as ts
from symgrad.spec.scalars import SCALARS

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping

    from symgrad.calculus.program import Program
    from symgrad.notation.typesetting.typeset import Formula

NAMES = {row.inner: row.written for row in SCALARS.values()} | {"Max": "max", "Min": "min"}
OPERATORS = {
    sp.StrictLessThan: "<",
    sp.LessThan: "<=",
    sp.StrictGreaterThan: ">",
    sp.GreaterThan: ">=",
    sp.Equality: "==",
    sp.Unequality: "!=",
}
UNIFORM = ts.CallText("U", (ts.NumberText(Fraction(0)), ts.NumberText(Fraction(1))))
"""What is drawn evenly between 0 and 1."""
BERNOULLI = "Bernoulli"
Order: TypeAlias = tuple[object, ...]


class ScalarWriter(ABC):
    """Writes sums, products and functions; its kinds say how an entry of a tensor is written."""

    def __init__(self, program: Program, hidden: Collection[str] = (), convention: Convention = ROWS) -> None:
        self.program, self.hidden, self.convention = program, hidden, convention
        self.leading: tuple[str, ...] = ()
        self.stand_ins: dict[sp.Symbol, Formula] = {}

    @cached_property
    def coins(self) -> Mapping[str, sp.Expr]:
        """What is written as a Bernoulli number, and its probability to be 1."""
        return {} if self.convention.as_computed else coins(self.program)

    def distribution(self, drawn: str) -> Formula:
        """That of a tensor of drawn numbers."""
        share = self.coins.get(drawn)
        return UNIFORM if share is None else ts.CallText(BERNOULLI, (self.write(share),))

    @abstractmethod
    def entry(self, entry: Entry) -> Formula: ...

    @abstractmethod
    def kronecker(self, expr: delta) -> Formula: ...

    @abstractmethod
    def joined(self, factors: list[sp.Expr]) -> Formula: ...

    def at_its_step(self, entry: Entry) -> Entry:
        """`h[n,t-1,j]` for `h_before[n,t,j]`: what is carried from step to step, as what it is there."""
        tensor = self.program.tensor.get(entry.tensor)
        if tensor is None or tensor.carried is None or self.convention.as_computed:
            return entry
        carried, indices = tensor.carried, list(entry.indices)
        indices[carried.along] += 1 if carried.back else -1
        return self.at_its_step(Entry(carried.source, indices))

    def tensor(self, name: str) -> Formula:
        """The name of a tensor, or its symbol."""
        symbol = self.convention.symbols.get(name)
        if symbol is not None:
            return symbol
        return ts.NameText(name, self._is_cotangent(name))

    def _is_cotangent(self, name: str) -> bool:
        """Whether it is a derivative of the loss, or what is carried of one from step to step."""
        known = self.program.tensor.get(name)
        if known is None or known.carried is None:
            return known is not None and known.kind == "cotangent"
        return self._is_cotangent(known.carried.source)

    def defined(self, name: str, left: Formula) -> Formula:
        """The left side of a tensor's equation; that of a derivative says what it is of: `u_xx = ∂²u/∂x²`."""
        tensor = self.program.tensor[name]
        if not tensor.by:
            return left
        return ts.Relation(left, "=", ts.Partial(self.tensor(tensor.of), tuple(map(self.tensor, tensor.by))))

    def write(self, expr: sp.Expr) -> Formula:
        """The expression as a formula."""
        special = self.special(expr)
        if special is not None:
            return special
        if expr.is_Add:
            return self._sum(expr)
        if expr.is_Mul:
            return self._product(expr)
        return self._single(expr)

    def special(self, expr: sp.Expr) -> Formula | None:
        """`relu(Z)` and `max(a, b)` for the choices that define them, and reductions inside a formula."""
        if isinstance(expr, Over):
            indices = tuple(ts.NameText(str(index)) for index, _ in expr.ranges)
            return ts.Reduced(expr.kind, indices, self.write(expr.body))
        known = known_function(expr)
        if known is not None:
            name, argument = known
            return ts.CallText(name.rstrip("'"), (self.write(argument),), name.endswith("'"))
        extreme = chosen(expr)
        if extreme is not None:
            name, *arguments = extreme
            return ts.CallText(name, tuple(self.write(a) for a in arguments))
        return None

    def reduced(self, kind: str, indices: tuple[Formula, ...], body: Formula) -> Formula:
        """`Σ_n body`, `‖body‖`"""
        return ts.Norm(body) if kind == "norm" else ts.Reduced(kind, indices, body)

    def scaled(self, factor: sp.Expr, formula: Formula) -> Formula:
        """A formula times an expression."""
        if factor == 1:
            return formula
        place = sp.Dummy()
        self.stand_ins[place] = formula
        return self.write(sp.Mul(factor, place))

    # Sums and products --------------------------------------------------------------------------

    def _sum(self, expr: sp.Expr) -> Formula:
        common, rest = content(expr)
        if common != 1:
            return self._product(sp.Mul(common, rest, evaluate=False))
        terms = [(bool(t.as_coeff_Mul()[0].is_negative), t) for t in sp.Add.make_args(expr)]
        if entries(expr):
            terms.sort(key=lambda t: self._order_of_term(*t))
        else:  # of indices and sizes: 2·i + u + 1
            terms.sort(key=lambda t: (bool(t[1].is_number), t[0], text_of(t[1])))
        return total((negative, self.write(-t if negative else t)) for negative, t in terms)

    def _order_of_term(self, negative: bool, term: sp.Expr) -> Order:
        """Added before subtracted, what is defined first; 1 + exp(v) but √v + 1e-8; wide before narrow."""
        held = entries(term)
        own = [e for e in held if e.tensor in self.leading]
        rank = max((len(e.indices) for e in held), default=0)
        place = 1 if held else 0 if term.is_Integer else 2
        return negative, not own, place, -rank, not self._has_error(term), text_of(term)

    def _has_error(self, expr: sp.Expr) -> bool:
        """Whether a cotangent or a target stands in it: what comes from behind in a gradient."""
        read = {entry.tensor for entry in entries(expr)}
        targets = (t for name in read if (t := self.program.tensor.get(name)) and t.kind == "target")
        return any(targets) or any(map(self._is_cotangent, read))

    def _product(self, expr: sp.Expr) -> Formula:
        parts = factors_of(expr)
        if parts.is_negative:
            return negated(self._quotient(parts))
        return self._quotient(parts)

    def _quotient(self, parts: Factors) -> Formula:
        above = self._ordered(parts.above)
        if parts.first_below and parts.above_first:
            first = quotient(
                self.joined(self._ordered(parts.above_first)), self.joined(list(parts.first_below))
            )
            place = sp.Dummy()
            self.stand_ins[place] = first
            above = [*above, place]
        top = self.joined(above) if above else ts.NumberText(Fraction(1))
        return quotient(top, self.joined(list(parts.below))) if parts.below else top

    def _ordered(self, factors: tuple[sp.Expr, ...]) -> list[sp.Expr]:
        return sorted(factors, key=self._order_of_factor)

    def _order_of_factor(self, factor: sp.Expr) -> Order:
        """Numbers, then what is to lead, the error, tensors, functions and sums: δ ⊙ g'(v)."""
        if factor.is_number:
            return 0, text_of(factor)
        if isinstance(factor, sp.Dummy | Over) or self._is_hidden_sum(factor):
            return 9, text_of(factor)
        held = entries(factor)
        if isinstance(factor, Entry) and factor.tensor in self.leading:
            return 2, str(self.leading.index(factor.tensor))
        if not any(e.indices for e in held):
            return 1, text_of(factor)
        if self._has_error(factor):
            return 3, not isinstance(factor, Entry), text_of(factor)
        if factor.is_Add:
            return 6, text_of(factor)
        return 4 if isinstance(factor, Entry) else 5, text_of(factor)

    def _is_hidden_sum(self, factor: sp.Expr) -> bool:
        hides = isinstance(factor, Entry) and factor.tensor in self.hidden
        return hides and self.program.definition[factor.tensor].reduction == "sum"

    # Single nodes -------------------------------------------------------------------------------

    def _single(self, expr: sp.Expr) -> Formula:
        if isinstance(expr, Entry):
            return self.entry(expr)
        if isinstance(expr, delta):
            return self.kronecker(expr)
        if expr.is_Symbol:
            return self.stand_ins.get(expr) or self._size_or_index(expr)
        if expr.is_Rational:
            number = ts.NumberText(Fraction(int(abs(expr.p)), int(expr.q)))
            return negated(number) if expr.is_negative else number
        if isinstance(expr, leading):
            return self.write(expr.args[0])
        if isinstance(expr, shifted):
            return ts.Sum(((False, self.write(expr.args[0])), (True, self.write(expr.args[1]))))
        if isinstance(expr, divided):
            return quotient(*map(self.write, expr.args))
        if isinstance(expr, multiplied):
            return self.joined(list(expr.args))
        if isinstance(expr, sp.Piecewise):
            if (toss := as_toss(expr)) is not None and toss[0].tensor in self.coins:
                return self.entry(toss[0])
            return ts.Choice(tuple((self.write(v), self._condition(c)) for v, c in expr.args))
        if isinstance(expr, within):
            inside = self._condition(sp.Ge(expr.args[1], 0))
            return ts.Choice(((self.write(expr.args[0]), inside), (ts.NameText("NaN"), None)))
        if isinstance(expr, Abs):
            return ts.Absolute(self.write(expr.args[0]))
        if expr.is_Pow and not isinstance(expr, sp.exp):
            return self._power(expr)
        if isinstance(expr, Infinite):
            return ts.NameText("∞")
        if not expr.args:
            return ts.NameText("π" if expr is sp.pi else str(expr))
        function = type(expr).__name__
        return ts.CallText(NAMES.get(function, function), tuple(self.write(a) for a in expr.args))

    def _size_or_index(self, symbol: sp.Symbol) -> Formula:
        """Sizes may have symbols of their own; unlike an index, a size is positive."""
        written = self.convention.symbols.get(str(symbol)) if symbol.is_positive else None
        return written or ts.NameText(str(symbol))

    def _power(self, expr: sp.Expr) -> Formula:
        base, exponent = expr.args
        if exponent.is_number and exponent.is_negative:
            return self._product(expr)
        if exponent == sp.Rational(1, 2):
            return ts.Root(self.write(base))
        return ts.Power(self.write(base), self.write(exponent))

    def _condition(self, condition: sp.Basic) -> Formula | None:
        if condition == sp.true:
            return None
        if isinstance(condition, sp.And | sp.Or):
            word = "and" if isinstance(condition, sp.And) else "or"
            first, *others = [self._condition(c) for c in condition.args]
            for other in others:
                first = ts.Relation(first, word, other) if first and other else first
            return first
        if type(condition) not in OPERATORS:
            return ts.NameText(str(condition))
        left, right = condition.args
        return ts.Relation(self.write(left), OPERATORS[type(condition)], self.write(right))
