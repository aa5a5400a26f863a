"""Equations as people write them: in matrix form where there is one, else in index form."""

from __future__ import annotations

from typing import TYPE_CHECKING

import sympy as sp

from symgrad.calculus.contraction import Contraction, as_contraction
from symgrad.calculus.known_functions import known_function
from symgrad.calculus.style import Style, Text
from symgrad.calculus.terms import Entry, delta, entries, shifted

if TYPE_CHECKING:
    from symgrad.calculus.program import Equation, Program

NAMES = {"Abs": "abs", "asin": "arcsin", "acos": "arccos", "atan": "arctan"}
OPERATORS = {
    sp.StrictLessThan: "<",
    sp.LessThan: "<=",
    sp.StrictGreaterThan: ">",
    sp.GreaterThan: ">=",
    sp.Equality: "==",
    sp.Unequality: "!=",
}


class NoMatrixForm(Exception):  # noqa: N818  # control flow: the index form is used instead
    """An entry stands neither row by row nor column by column."""


def matrix_form(equation: Equation, program: Program, style: Style | None = None) -> str:
    """`dW1 = xᵀ·dZ1`; the index form where matrices cannot say it."""
    writer = _Writer(program, style or Text())
    try:
        return writer.equation(equation)
    except NoMatrixForm:
        return index_form(equation, program, style)


def right_side(equation: Equation, program: Program, style: Style | None = None) -> str | None:
    """What stands right of the equality sign in matrix form; None where there is none."""
    try:
        return _Writer(program, style or Text()).right_side(equation)
    except NoMatrixForm:
        return None


def index_form(equation: Equation, program: Program, style: Style | None = None) -> str:
    """`dW1[j,i] = Σ_n dZ1[n,i]·x[n,j]`"""
    return _IndexWriter(program, style or Text()).equation(equation)


class _IndexWriter:
    """Writes every entry with its indices."""

    def __init__(self, program: Program, style: Style) -> None:
        self.program, self.style = program, style

    def equation(self, equation: Equation) -> str:
        left = self.entry(Entry(equation.target, equation.place))
        sign = "=" if equation.is_plain else "+="
        return f"{left} {sign} {self.right_side(equation)}"

    def right_side(self, equation: Equation) -> str:
        body = self.text(equation.body)
        if equation.reduction == "none":
            return body
        bound = [str(loop.index) for loop in equation.bound]
        body = self.style.brackets(body) if equation.body.is_Add else body
        return self.style.reduction(equation.reduction, bound, body)

    def entry(self, entry: Entry) -> str:
        name = self.style.name(entry.tensor)
        if not entry.indices:
            return name
        return self.style.index(name, [self.place(i) for i in entry.indices])

    def place(self, index: sp.Expr) -> str:
        return self.entry(index) if isinstance(index, Entry) else str(index)

    def kronecker(self, expr: delta) -> str:
        label, index = expr.args
        return f"{self.style.delta}({self.place(label)},{self.place(index)})"

    # Scalars ----------------------------------------------------------------------------------

    def text(self, expr: sp.Expr) -> str:
        special = self.special(expr)
        if special is not None:
            return special
        if expr.is_Add:
            return self.sum(expr)
        if expr.is_Mul:
            return self.product(expr)
        return self.single(expr)

    def special(self, expr: sp.Expr) -> str | None:
        """`relu(Z)` for the choice that defines it, where the library knows the function."""
        known = known_function(expr)
        if known is None:
            return None
        name, argument = known
        return self.style.call(name.replace("'", self.style.prime), [self.text(argument)])

    def sum(self, expr: sp.Expr) -> str:
        content, primitive = expr.primitive()
        if content != 1:
            return self.product(sp.Mul(content, primitive, evaluate=False))
        terms = [t.as_coeff_Mul() for t in sp.Add.make_args(expr)]
        terms.sort(key=lambda t: (bool(t[0].is_negative), t[1].is_number, -_rank(t[1])))
        text = ""
        for coefficient, rest in terms:
            negative = coefficient.is_negative
            term = self.text(abs(coefficient) * rest)
            if not text:
                text = f"{self.style.minus}{term}" if negative else term
            else:
                text += f" {self.style.minus if negative else '+'} {term}"
        return text

    def factor(self, expr: sp.Expr) -> str:
        text = self.text(expr)
        return self.style.brackets(text) if expr.is_Add and self.special(expr) is None else text

    def product(self, expr: sp.Expr) -> str:
        coefficient, rest = expr.as_coeff_Mul()
        if coefficient.is_negative:
            return self.style.minus + self.factor_of(-coefficient, rest)
        return self.factor_of(coefficient, rest)

    def factor_of(self, coefficient: sp.Expr, rest: sp.Expr) -> str:
        above, below = [], []
        if coefficient.is_Rational and coefficient.q != 1 and abs(coefficient.p) < 100 > coefficient.q:
            below.append(sp.Integer(coefficient.q))
            coefficient = sp.Integer(coefficient.p)
        if coefficient != 1:
            above.append(coefficient)
        for factor in self.ordered(sp.Mul.make_args(rest)):
            base, exponent = factor.as_base_exp()
            if exponent.is_number and exponent.is_negative and not isinstance(factor, sp.exp):
                below.append(base**-exponent)
            else:
                above.append(factor)
        if not below:
            return self.joined(above)
        top, bottom = self.joined(above), self.joined(below)
        single = len(above) == 1
        return self.style.fraction(
            self.text(above[0]) if single else top,
            self.text(below[0]) if len(below) == 1 else bottom,
            not (single and above[0].is_Add),
            len(below) == 1 and not below[0].is_Add,
        )

    def ordered(self, factors: tuple[sp.Expr, ...]) -> list[sp.Expr]:
        """Cotangents first, as in δ ⊙ g'(v)."""
        kinds = self.program.tensor

        def rank(factor: sp.Expr) -> tuple[bool, str]:
            is_cotangent = isinstance(factor, Entry) and kinds[factor.tensor].kind == "cotangent"
            return (not is_cotangent, str(factor))

        return sorted(factors, key=rank)

    def joined(self, factors: list[sp.Expr]) -> str:
        return self.style.times.join(self.factor(f) for f in factors) if factors else "1"

    def single(self, expr: sp.Expr) -> str:
        style = self.style
        if isinstance(expr, Entry):
            return self.entry(expr)
        if isinstance(expr, delta):
            return self.kronecker(expr)
        if isinstance(expr, shifted):
            return style.brackets(f"{self.text(expr.args[0])} {style.minus} {self.factor(expr.args[1])}")
        if expr.is_Symbol:
            return style.name(str(expr))
        if expr.is_Rational:
            return self.rational(expr)
        if isinstance(expr, sp.Piecewise):
            return style.choice([(self.text(v), self.condition(c)) for v, c in expr.args])
        if isinstance(expr, sp.Abs):
            return style.absolute(self.text(expr.args[0]))
        if expr.is_Pow and not isinstance(expr, sp.exp):
            return self.power(*expr.as_base_exp())
        if not expr.args:
            return style.name(str(expr))
        function = type(expr).__name__
        return style.call(NAMES.get(function, function), [self.text(a) for a in expr.args])

    def rational(self, value: sp.Rational) -> str:
        if value.is_Integer or (abs(value.p) < 100 and value.q < 100):
            return str(value)
        return self.style.number(f"{float(value):.12g}")

    def power(self, base: sp.Expr, exponent: sp.Expr) -> str:
        if exponent == sp.Rational(1, 2):
            return self.style.root(self.text(base))
        if exponent.is_number and exponent.is_negative:
            return self.style.fraction("1", self.factor(base**-exponent), True, True)
        inner = self.text(base)
        atom = isinstance(base, Entry | sp.Symbol) or (base.is_Integer and base >= 0)
        return self.style.power(inner if atom else self.style.brackets(inner), self.text(exponent))

    def condition(self, condition: sp.Basic) -> str | None:
        if condition == sp.true:
            return None
        if type(condition) not in OPERATORS:
            return str(condition)
        left, right = condition.args
        return self.style.relation(self.text(left), OPERATORS[type(condition)], self.text(right))


class _Writer(_IndexWriter):
    """Writes tensors without their indices, as matrices and vectors."""

    def __init__(self, program: Program, style: Style) -> None:
        super().__init__(program, style)
        self.axes: tuple[sp.Expr, ...] = ()

    def equation(self, equation: Equation) -> str:
        if not equation.is_plain:
            raise NoMatrixForm
        return f"{self.style.name(equation.target)} = {self.right_side(equation)}"

    def right_side(self, equation: Equation) -> str:
        contraction = as_contraction(equation)
        if contraction is not None and (contraction.rows or contraction.columns):
            return self.contraction(contraction)
        self.axes = equation.place
        if equation.reduction == "none":
            return self.text(equation.body)
        inner = [loop.index for loop in equation.bound]
        self.axes = _order_of_reduction(equation, inner)
        body = self.text(equation.body)
        body = self.style.brackets(body) if equation.body.is_Add else body
        return self.style.reduction(equation.reduction, [str(i) for i in inner], body)

    def contraction(self, found: Contraction) -> str:
        if found.batch or max(map(len, (found.rows, found.inner, found.columns))) > 1:
            raise NoMatrixForm
        left, right = self.style.name(found.left), self.style.name(found.right)
        if found.left_transposed and found.rows:
            left += self.style.transpose
        if found.right_transposed and found.columns:
            right += self.style.transpose
        product = f"{left}{self.style.times}{right}"
        return product if found.factor == 1 else f"{self.factor(found.factor)}{self.style.times}{product}"

    def entry(self, entry: Entry) -> str:
        name, axes = self.style.name(entry.tensor), self.axes
        rank = len(entry.indices)
        if entry.indices == axes[len(axes) - rank :]:
            return name
        if rank == len(axes) == 2 and entry.indices == axes[::-1]:
            return name + self.style.transpose
        if len(axes) == rank + 1 and entry.indices == axes[:rank]:
            return self.style.column(name)
        raise NoMatrixForm

    def kronecker(self, expr: delta) -> str:
        label, index = expr.args
        if isinstance(label, Entry) and (*label.indices, index) == self.axes:
            return self.style.call(self.style.onehot, [self.style.name(label.tensor)])
        raise NoMatrixForm

    def special(self, expr: sp.Expr) -> str | None:
        softmax = self.softmax(expr)
        return softmax or super().special(expr)

    def softmax(self, expr: sp.Expr) -> str | None:
        """exp(X[n,k] - L[n]) where L is the log-sum-exp of X over k."""
        if not isinstance(expr, sp.exp) or not expr.args[0].is_Add or len(expr.args[0].args) != 2:
            return None
        for entry in entries(expr.args[0]):
            definition = self.program.definition.get(entry.tensor)
            if definition is None or definition.reduction != "logsumexp":
                continue
            rest = expr.args[0] + entry
            summed = definition.body
            if isinstance(rest, Entry) and isinstance(summed, Entry) and rest.tensor == summed.tensor:
                return self.style.call("softmax", [self.entry(rest)])
        return None

    def joined(self, factors: list[sp.Expr]) -> str:
        if not factors:
            return "1"
        numbers = [f for f in factors if not any(e.indices for e in entries(f))]
        tensors = [f for f in factors if f not in numbers]
        scalars = self.style.times.join(map(self.factor, numbers))
        product = self.style.hadamard.join(map(self.factor, tensors))
        return self.style.times.join(filter(None, [scalars, product]))


def _order_of_reduction(equation: Equation, inner: list[sp.Symbol]) -> tuple[sp.Expr, ...]:
    """The axes of the reduced body, in the order in which its tensor of highest rank has them."""
    widest = max(entries(equation.body), key=lambda e: len(e.indices), default=None)
    if widest is not None and set(widest.indices) == {*equation.place, *inner}:
        return widest.indices
    return (*equation.place, *inner)


def _rank(expr: sp.Expr) -> int:
    return max((len(e.indices) for e in entries(expr)), default=0)
