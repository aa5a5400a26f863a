"""Sums whose value is known, and what stands before sums.

Σ_j (x_j - μ) is 0 where μ is the mean of x, whatever stands before the bracket that does not depend on j; a
softmax sums to 1. In derivatives Σ_j a·b_j is a·Σ_j b_j: the slope of a norm has Σ dH ⊙ H, as in books. Where
such a sum is there already, it is read: with dH_j = a·dA_j, Σ dH ⊙ H is a·da if da is Σ dA ⊙ H.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import sympy as sp

from symgrad.calculus.contraction import two_factors
from symgrad.calculus.deltas import may_mean_none
from symgrad.calculus.editing import ProgramEditor
from symgrad.calculus.program import canonical
from symgrad.calculus.terms import Entry, delta, entries, indices_in

if TYPE_CHECKING:
    from symgrad.calculus.axes import Axes
    from symgrad.calculus.program import Equation, Loop, Program, Reduction

CENTRED, SOFTMAX = "Σ_j (v_j - mean v) = 0", "Σ_j softmax(v)_j = 1"


def resolve_known_sums(program: Program) -> Program:
    """The program without what sums to 0, with 1 for the sum of a softmax, and without sums of one term."""
    editor = ProgramEditor(program)
    sums = _KnownSums(program)
    for equation in program.equations:
        if program.tensor[equation.target].is_slope:
            equation = _without_sum_of_one(equation)
        changed = equation
        if equation.reduction == "sum" and not equation.scatters:
            for term in sp.Add.make_args(equation.body):
                value = sums.spread(term, equation)
                if value is not None:
                    editor.record(SOFTMAX if value else CENTRED, equation, term, value)
                    changed = changed.with_body(changed.body - term + value)
        editor.add(changed)
    return editor.program()


def _without_sum_of_one(equation: Equation) -> Equation:
    """The one term of a sum over axes of one value; a product of matrices stays one."""
    sizes = [loop.axis.size for loop in equation.bound]
    if equation.reduction != "sum" or equation.scatters or {*sizes} != {1} or two_factors(equation):
        return equation
    body = equation.body.xreplace({loop.index: sp.Integer(0) for loop in equation.bound})
    return replace(equation, body=body, loops=equation.free, reduction="none")


def take_out_loose_factors(program: Program) -> Program:
    """The program with entries that do not depend on what a derivative sums over before the sum."""
    editor = ProgramEditor(program)
    for equation in program.equations:
        loose = _loose(equation)
        if loose != 1 and program.tensor[equation.target].is_slope:
            axes = editor.tensors[equation.target].axes
            name = editor.new_tensor(f"{equation.target}_1", axes, "cotangent")
            inner = replace(equation, target=name, body=_without(equation.body, loose))
            editor.add(inner)
            body = loose * Entry(name, equation.indices)
            equation = replace(equation, loops=equation.free, reduction="none", body=body)
        editor.add(equation)
    return editor.program()


def reuse_sums(program: Program) -> Program:
    """The program whose derivatives read a sum that is there already, but for factors before it."""
    known: dict[tuple[Equation, Axes], str] = {}
    editor = ProgramEditor(program)
    for equation in program.equations:
        if equation.reduction == "sum" and not equation.scatters:
            axes = program.tensor[equation.target].axes
            loose, inner = _apart_from_sum(program, equation)
            held = known.get((_nameless(inner), axes))
            if held is not None and loose != 1 and program.tensor[equation.target].is_slope:
                body = loose * Entry(held, equation.indices)
                editor.record(f"{held} is known", equation, equation.body, body)
                equation = replace(equation, loops=equation.free, reduction="none", body=body)
            else:
                known.setdefault((_nameless(equation), axes), equation.target)
        editor.add(equation)
    return editor.program()


def _nameless(equation: Equation) -> Equation:
    return canonical(replace(equation, target=""))


def _apart_from_sum(program: Program, equation: Equation) -> tuple[sp.Expr, Equation]:
    """What stands before a sum once derivatives in it that are products are written out, and what it sums."""
    written_out = {}
    for entry in entries(equation.body):
        made = program.definition.get(entry.tensor)
        if program.tensor[entry.tensor].is_slope and made is not None and _is_product(made):
            written_out[entry] = made.at(entry.indices)
    bound = {loop.index for loop in equation.bound}
    factors = sp.Mul.make_args(equation.body.xreplace(written_out))
    inside = sp.Mul(*(f for f in factors if bound & indices_in(f)))
    outside = sp.Mul(*(f for f in factors if not bound & indices_in(f)))
    return outside, equation.with_body(inside)


def _is_product(equation: Equation) -> bool:
    return equation.is_elementwise and not equation.scatters and bool(equation.body.is_Mul)


def _without(body: sp.Expr, loose: sp.Expr) -> sp.Expr:
    return sp.Mul(*(f for f in sp.Mul.make_args(body) if f not in sp.Mul.make_args(loose)))


def _loose(equation: Equation) -> sp.Expr:
    """The entries, and what is divided by, that a sum has in all its terms."""
    if equation.reduction != "sum" or equation.scatters:
        return sp.Integer(1)
    bound = {loop.index for loop in equation.bound}
    factors = sp.Mul.make_args(equation.body)
    loose = [f for f in factors if isinstance(f.as_base_exp()[0], Entry) and not bound & indices_in(f)]
    return sp.Mul(*loose) if len(loose) < len(factors) else sp.Integer(1)


class _KnownSums:
    """What sums over one index are, read off the equations of a program."""

    def __init__(self, program: Program) -> None:
        self.program = program

    def spread(self, term: sp.Expr, equation: Equation) -> sp.Expr | None:
        """What has the same sum as a term and does not depend on one of the indices any more."""
        for loop in equation.bound:
            fixed, varying = _apart(term, loop)
            total = self._of_factor(varying, loop)
            if total is not None and total.is_number:
                return fixed * total / loop.axis.extent
        return None

    def _of_factor(self, expr: sp.Expr, loop: Loop) -> sp.Expr | None:
        """The sum of one factor over an index, where it is known; of a tensor, by what it is made of."""
        if expr.is_Mul or self._is_softmax(expr, loop):
            return None if expr.is_Mul else sp.Integer(1)
        if isinstance(expr, delta) and expr.args[1] == loop.index:
            return None if may_mean_none(expr.args[0], self.program.tensor) else sp.Integer(1)
        fixed, varying = _apart(self._formula(expr) if isinstance(expr, Entry) else expr, loop)
        if not any(f.is_Add for f in sp.Mul.make_args(varying)):
            return None
        total = self._of_sum(sp.expand_mul(self._with_means(varying)), loop)
        return None if total is None else sp.expand(fixed * total)

    def _of_sum(self, expr: sp.Expr, loop: Loop) -> sp.Expr | None:
        """That of a sum: parts whose sums have names, then what is left, term by term."""
        total = sp.Integer(0)
        for known in entries(expr):
            share, summed = self._share(expr, known, loop)
            total, expr = total + share * known, sp.expand_mul(expr - share * summed)
        for term in sp.Add.make_args(expr):
            fixed, varying = _apart(term, loop)
            value = loop.axis.extent if varying == 1 else self._of_factor(varying, loop)
            if value is None:
                return None
            total += fixed * value
        return total

    def _share(self, expr: sp.Expr, known: Entry, loop: Loop) -> tuple[sp.Expr, sp.Expr]:
        """(k, f) where S = Σ f is a known sum over the index and k·f a part of the expression, else zeros."""
        nothing = sp.Integer(0), sp.Integer(0)
        found = self._summed(known, loop, "sum")
        summed = sp.Integer(0) if found is None else sp.expand_mul(self._with_means(found))
        first = next((t for t in sp.Add.make_args(summed) if loop.index in indices_in(t)), None)
        if first is None:
            return nothing
        fixed, core = _apart(first, loop)
        share = expr.coeff(core) / fixed
        return nothing if loop.index in indices_in(share) else (share, summed)

    def _summed(self, known: Entry, loop: Loop, reduction: Reduction) -> sp.Expr | None:
        """What is reduced to an entry over an index of this axis."""
        found = self.program.definition.get(known.tensor)
        if found is None or found.reduction != reduction or found.scatters or len(found.bound) != 1:
            return None
        (bound,) = found.bound
        if not bound.axis.fits(loop.axis) or loop.index in indices_in(known):
            return None
        places = dict(zip(found.indices, known.indices, strict=True))
        return found.body.xreplace({bound.index: loop.index, **places})

    def _is_softmax(self, expr: sp.Expr, loop: Loop) -> bool:
        """Whether it is exp(v - logsumexp v) over this index, or an entry of what is."""
        form = self._formula(expr) if isinstance(expr, Entry) else expr
        if not isinstance(form, sp.exp):
            return False
        exponent = form.args[0]
        scores = {e: self._summed(e, loop, "logsumexp") for e in entries(exponent)}
        return any(v is not None and exponent == v - logarithm for logarithm, v in scores.items())

    def _formula(self, entry: Entry) -> sp.Expr:
        made = self.program.definition.get(entry.tensor)
        return entry if made is None or not made.is_elementwise or made.scatters else made.at(entry.indices)

    def _with_means(self, expr: sp.Expr) -> sp.Expr:
        """The expression with numbers times one entry, as a mean is one, in place of their names."""
        found = {}
        for entry in entries(expr):
            form = self._formula(entry)
            changing = [f for f in sp.Mul.make_args(form) if f.atoms(Entry)]
            if form != entry and len(changing) == 1 and isinstance(changing[0], Entry):
                found[entry] = self._with_means(form)
        return expr.xreplace(found) if found else expr


def _apart(term: sp.Expr, loop: Loop) -> tuple[sp.Expr, sp.Expr]:
    """The factors that do not depend on an index, and those that do."""
    factors = sp.Mul.make_args(term)
    varying = [f for f in factors if loop.index in indices_in(f)]
    return sp.Mul(*(f for f in factors if f not in varying)), sp.Mul(*varying)
