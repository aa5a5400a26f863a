"""0 times infinity: products of which one factor is exactly 0 where another one has a pole.

A pass for computing only; what is shown stays the plain formula. In a value, f·log(u) is 0 where both f and u
are 0, which is its limit, and m·exp(v) is 0 where m, a mask in the data, is. In a slope, a product with a
factor that has a pole (1/√s, 1/x, log u, a power of 0) is 0 where another factor is exactly 0: what does not
depend on a quantity, however steep it is, adds nothing. So a norm has slope 0 at 0, and acos of a clipped
value where it is clipped. Where no factor is 0, an infinite slope stays infinite, and NaN stays NaN.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import sympy as sp

from symgrad.calculus.bounds import Bounds
from symgrad.calculus.contraction import as_product, is_product_of_windows
from symgrad.calculus.domains import is_partial
from symgrad.calculus.editing import with_equations
from symgrad.calculus.real import Piecewise, with_parts
from symgrad.calculus.terms import Entry, delta, log1p
from symgrad.passes.guarding.doubts import Doubts
from symgrad.passes.guarding.fallen import fallen
from symgrad.passes.guarding.limits import divisors, limit

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Mapping

    from symgrad.calculus.program import Equation, Program


def guard(program: Program, constants: Mapping[str, Collection[float]] | None = None) -> Program:
    """The program with its products of 0 and infinity decided; `constants` are the numbers of its tensors."""
    return _Guard(program, constants).run()


def guarded_derivative(body: sp.Expr, bounds: Bounds, doubts: Doubts | None = None) -> sp.Expr:
    """A sum of products, each 0 where a factor without a pole is 0, and where a choice makes it 0."""
    doubts = doubts or Doubts()
    return sp.Add(*(_guarded_term(term, bounds, doubts) for term in sp.Add.make_args(body)))


def guard_step(update: Program) -> Program:
    """A step of an optimiser with 0/0 decided in what it computes for every entry.

    No hyper-parameter is 0 where something is divided by it: `elaborate.optimizer.never_zero`.
    """
    hyper = frozenset(Entry(t.name) for t in update.of_kind("hyper"))
    return with_equations(
        update,
        (
            replace(e, body=guarded_step(e.body, hyper)) if update.tensor[e.target].axes else e
            for e in update.equations
        ),
    )


def guarded_step(body: sp.Expr, not_0: frozenset[sp.Expr] = frozenset()) -> sp.Expr:
    """An optimiser's equation, in which 0/0 is 0 where nothing is added to what is divided by."""
    return guarded_derivative(body, _Safe({}, not_0=not_0))


class _Safe(Bounds):
    """A sum below the line holds an eps."""

    def positive(self, expr: sp.Expr) -> bool:
        return bool(expr.is_Add) or super().positive(expr)


class _Guard:
    def __init__(self, program: Program, constants: Mapping[str, Collection[float]] | None) -> None:
        self.program = program
        self.bounds = Bounds(program.definition, constants=constants)
        self.doubts = Doubts()

    def run(self) -> Program:
        return with_equations(self.program, map(self._equation, self.program.equations))

    def _equation(self, equation: Equation) -> Equation:
        equation = equation.with_body(self._with_tests(self._masked(equation.body)))
        if not self.program.tensor[equation.target].is_slope:
            self.doubts.note_value(equation, self.bounds)
            return equation.with_body(_guarded_value(equation.body, self.bounds))
        self.doubts.note_derivative(equation, self.bounds)
        if as_product(equation) is not None or is_product_of_windows(equation):
            return equation
        body = guarded_derivative(equation.body, self.bounds, self.doubts)
        if _is_steep(body, self.bounds, self.doubts):
            self.doubts.steep.add(equation.target)
        return equation.with_body(body)

    def _masked(self, expr: sp.Expr) -> sp.Expr:
        """The expression with m·exp(v) 0 where data m is, whatever exp(v) overflows to."""
        if not expr.has(sp.exp) or isinstance(expr, Entry | delta):
            return expr
        expr = with_parts(expr, self._masked)
        is_masked = self._is_masked(expr)
        return Piecewise((0, is_masked), (expr, True)) if is_masked != sp.false else expr

    def _is_masked(self, expr: sp.Expr) -> sp.Basic:
        """Where a mask that is a factor beside an exponential is 0."""
        if not expr.is_Mul or not any(isinstance(f, sp.exp) and self._may_overflow(f) for f in expr.args):
            return sp.false
        masks = (f for f in expr.args if isinstance(f, Entry) and self._is_data(f))
        return sp.Or(*(sp.Eq(f, 0) for f in masks if not self.bounds.nonzero(f)))

    def _may_overflow(self, exponential: sp.Expr) -> bool:
        return not self.bounds.nonnegative(-exponential.args[0])

    def _with_tests(self, expr: sp.Expr) -> sp.Expr:
        """The expression with the same products 0 in its conditions as in values."""
        if not expr.has(sp.Piecewise) or not expr.has(sp.log, log1p, sp.exp):
            return expr
        tests = {c: self._test(c) for choice in expr.atoms(sp.Piecewise) for _, c in choice.args}
        return expr.xreplace({test: guarded for test, guarded in tests.items() if guarded != test})

    def _test(self, test: sp.Basic) -> sp.Basic:
        """SymPy would merge a choice inside a comparison: so the comparison itself is chosen."""
        for part in sp.preorder_traversal(test):
            is_0 = sp.Or(_is_limit_0(part, self.bounds), self._is_masked(part)) if part.is_Mul else sp.false
            if is_0 != sp.false:
                at_0, elsewhere = test.xreplace({part: sp.Integer(0)}), sp.And(sp.Not(is_0), test)
                return sp.Or(sp.And(is_0, self._test(at_0)), elsewhere)
        return test

    def _is_data(self, entry: Entry) -> bool:
        return self.program.tensor[entry.tensor].kind in ("input", "target", "constant")


def _guarded_value(expr: sp.Expr, bounds: Bounds) -> sp.Expr:
    """The expression with f·log(u) 0 where f and u are."""
    if not expr.has(sp.log, log1p) or isinstance(expr, Entry | delta):
        return expr
    expr = with_parts(expr, lambda part: _guarded_value(part, bounds))
    is_0 = _is_limit_0(expr, bounds)
    return Piecewise((0, is_0), (expr, True)) if is_0 != sp.false else expr


def _is_limit_0(expr: sp.Expr, bounds: Bounds) -> sp.Basic:
    """Where f and u of a product f·log(u) are 0."""
    if not expr.is_Mul:
        return sp.false
    logarithms = [f for f in expr.args if _has_pole(f, bounds, Doubts()) and _end_of_logarithm(f) is not None]
    ends = [_end_of_logarithm(f) for f in logarithms]
    others = _zeros(expr.args, bounds, logarithms)
    return sp.And(sp.Or(*others), sp.Or(*(_is_0(e, bounds) for e in ends)))


def _end_of_logarithm(factor: sp.Expr) -> sp.Expr | None:
    """What is 0 where a logarithm is infinite."""
    if isinstance(factor, sp.log):
        return factor.args[0]
    return 1 + factor.args[0] if isinstance(factor, log1p) else None


def _guarded_term(term: sp.Expr, bounds: Bounds, doubts: Doubts) -> sp.Expr:
    plain = sp.Mul.make_args(term)
    choice = max((f for f in plain if isinstance(f, sp.Piecewise)), key=_may_be_0, default=None)
    rest = sp.Mul(*(f for f in plain if f is not choice))
    has_pole = any(_has_pole(f, bounds, doubts) for f in plain)
    if choice is not None and (
        has_pole or (_may_be_0(choice) and (is_partial(rest) or doubts.is_wild(rest, bounds)))
    ):
        # Each branch is guarded as a whole: guarded on its own, it would be a choice again beside the pole.
        # And where a branch is 0 nothing is asked of the rest, which may be no number there.
        cases = ((v * known.taken(rest) if v else v, c, known) for v, c, known in bounds.branches(choice))
        return Piecewise(*((guarded_derivative(v, known, doubts), c) for v, c, known in cases))
    at_pole, bases = limit(plain, bounds)
    if bases and (inner := _choice_with_pole(at_pole)) is not None:
        # The fraction loses poles of a branch only where it knows that it is taken.
        taken = [(known.taken(term), c, known) for _, c, known in bounds.branches(inner)]
        if all(value != term for value, _, _ in taken):
            return Piecewise(*((guarded_derivative(v, known, doubts), c) for v, c, known in taken))
    factors = [_guarded_inside(f, bounds, doubts) for f in plain]
    poles = [f for f in factors if _has_pole(f, bounds, doubts)]
    zeros = [*_chosen_zeros(plain, bounds, doubts), *fallen(factors, bounds, poles)]
    zeros += _zeros(factors, bounds, poles) if poles else []
    # Made anew, a product of a number and a sum would be multiplied out.
    product = term if factors == list(plain) else sp.Mul(*factors)
    is_there = sp.Or(*(_is_0(base, bounds) for base in bases))
    if not zeros and is_there == sp.false:
        return product
    return Piecewise((at_pole, is_there), (0, sp.Or(*zeros)), (product, True))


def _choice_with_pole(expr: sp.Expr) -> sp.Expr | None:
    """A choice in an expression of which a branch divides."""
    choices = sorted(expr.atoms(sp.Piecewise), key=str)
    return next((c for c in choices if any(next(divisors(v), None) for v, _ in c.args)), None)


def _chosen_zeros(factors: Collection[sp.Expr], bounds: Bounds, doubts: Doubts) -> list[sp.Basic]:
    """Where a factor is 0 by a choice beside others that may be no finite number there."""
    found = []
    for factor in factors:
        is_0 = doubts.zero_by_choice(factor, bounds)
        if is_0 != sp.false and doubts.is_wild(sp.Mul(*(f for f in factors if f is not factor)), bounds):
            found.append(is_0)
    return found


def _may_be_0(choice: sp.Expr) -> bool:
    return any(value == 0 for value, _ in choice.args)


def _guarded_inside(factor: sp.Expr, bounds: Bounds, doubts: Doubts) -> sp.Expr:
    """A factor that is a sum or a choice, with the products in it guarded."""
    if factor.is_Add:
        return guarded_derivative(factor, bounds, doubts)
    if isinstance(factor, sp.Piecewise):
        return Piecewise(
            *((guarded_derivative(v, known, doubts), c) for v, c, known in bounds.branches(factor))
        )
    return factor


def _zeros(factors: Iterable[sp.Expr], bounds: Bounds, poles: Collection[sp.Expr]) -> list[sp.Basic]:
    """Conditions, one of which holds where a factor is 0 beside a pole of another one.

    A power of an unknown exponent is 0 or has a pole where its base is 0, as the exponent will be; a tensor
    that may be infinite is 0 elsewhere.
    """
    found = []
    for factor in factors:
        is_either = isinstance(factor, Entry) or (factor.is_Pow and not factor.exp.is_number)
        base = factor.base if factor.is_Pow and factor.exp.is_positive else factor
        if factor in poles and not (is_either and len(poles) > 1):
            continue
        if not isinstance(base, delta | sp.log | log1p):
            found.append(_is_0(base, bounds))
    return [condition for condition in found if condition != sp.false]


def _is_0(expr: sp.Expr, bounds: Bounds) -> sp.Basic:
    """Where an expression is 0; of one with a choice deep inside, nowhere."""
    if isinstance(expr, sp.Piecewise):
        cases, before = [], sp.true
        for value, condition, known in bounds.branches(expr):
            cases.append(sp.And(before, condition, _is_0(value, known)))
            before = sp.And(before, sp.Not(condition))
        return sp.Or(*cases)
    if expr.is_number:
        return sp.true if expr == 0 else sp.false
    return sp.false if expr.has(sp.Piecewise) or bounds.nonzero(expr) else sp.Eq(expr, 0)


def _has_pole(factor: sp.Expr, bounds: Bounds, doubts: Doubts) -> bool:
    """Whether a factor may be infinite where its parts are finite."""
    if isinstance(factor, Entry):
        return factor.tensor in doubts.steep
    if factor.is_Add or isinstance(factor, sp.Piecewise):
        return _is_steep(factor, bounds, doubts)
    end = _end_of_logarithm(factor)
    if end is not None:
        return not bounds.positive(end)
    if not factor.is_Pow or factor.exp.is_nonnegative:
        return False
    return not bounds.nonzero(factor.base)


def _is_steep(expr: sp.Expr, bounds: Bounds, doubts: Doubts) -> bool:
    """Whether a product of a sum has a factor with a pole, whichever way its choices go."""
    for term in sp.Add.make_args(expr):
        if isinstance(term, sp.Piecewise):
            if any(_is_steep(value, known, doubts) for value, _, known in bounds.branches(term)):
                return True
        elif any(_has_pole(factor, bounds, doubts) for factor in sp.Mul.make_args(term)):
            return True
    return False
