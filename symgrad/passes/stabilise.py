"""Stable forms across equations, reached by algebra before anything is differentiated.

An expression e > 0 that is an exponential in disguise, exp(v), a product or quotient of such, a sum
Σ exp(v) over an index, σ(v), has an exponent u with e = exp(u) that neither overflows nor underflows.
Then log(e) is u and a quotient of exponentials is exp(u): log-sum-exp, softmax and log σ come about
so, in a user's formula as in the library's.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import sympy as sp

from symgrad.calculus.bounds import Bounds
from symgrad.calculus.deltas import LAW, resolve_sum
from symgrad.calculus.domains import kept_within
from symgrad.calculus.editing import ProgramEditor
from symgrad.calculus.rules import rewrite
from symgrad.calculus.terms import Entry, delta, entries, sigmoid, softplus

if TYPE_CHECKING:
    from symgrad.calculus.program import Equation, Program


def stabilise(program: Program) -> Program:
    """The program with its logarithms and quotients of exponentials in stable form."""
    return _Stabiliser(program).run()


class _Stabiliser:
    def __init__(self, program: Program) -> None:
        self.editor = ProgramEditor(program)
        self.definition: dict[str, Equation] = {}
        self.logarithm: dict[str, str] = {}

    def run(self) -> Program:
        for equation in self.editor.before.equations:
            if equation.reduction == "logsumexp":
                equation = self._sum_in_logarithm(equation)
            body = self._stable(equation)
            changed = resolve_sum(replace(equation, body=body), self.editor.tensors)
            if changed.loops != equation.loops:
                self.editor.record(LAW, equation, body, changed.body)
            self._add(changed)
        return self.editor.program()

    def _add(self, equation: Equation) -> None:
        self.definition[equation.target] = self.editor.add(equation)

    def _stable(self, equation: Equation) -> sp.Expr:
        folded, applied = rewrite(self._combined(equation.body, equation), complement=True)
        for rule, before, after in applied:
            self.editor.record(rule, equation, before, after)
        return folded

    def _combined(self, expr: sp.Expr, equation: Equation) -> sp.Expr:
        if not expr.args or isinstance(expr, Entry | delta):
            return expr
        if isinstance(expr, sp.log):
            after, rule = self._exponent(expr.args[0]), "log exp(v) = v"
        elif isinstance(expr, sp.exp):
            after, rule = self._of_logarithm(expr.args[0]), "exp log(v) = v where v ≥ 0"
        else:
            after, rule = self._quotient(expr), "exp(v) / Σ exp(w) = exp(v - logsumexp w)"
        if after is not None and after != expr:
            self.editor.record(rule, equation, expr, after)
            expr = after
        parts = [self._combined(a, equation) for a in expr.args]
        changed = any(new != old for new, old in zip(parts, expr.args, strict=True))
        return expr.func(*parts) if changed else expr

    def _sum_in_logarithm(self, equation: Equation) -> Equation:
        """logsumexp(log(v)) as log(Σ v)."""
        body = equation.body
        inner = self._of_logarithm(body) if isinstance(body, Entry) else None
        if inner is None:
            return equation
        self.editor.record("logsumexp log(v) = log Σ v where v ≥ 0", equation, body, inner)
        name = self.editor.new_tensor(f"{equation.target}_sum", self.editor.tensors[equation.target].axes)
        self._add(replace(equation, target=name, reduction="sum", body=inner))
        total = sp.log(Entry(name, equation.indices))
        return replace(equation, loops=equation.free, reduction="none", body=total)

    def _of_logarithm(self, exponent: sp.Expr) -> sp.Expr | None:
        """exp(L) where L is known to be log(v)."""
        body = self._definition_at(exponent) if isinstance(exponent, Entry) else None
        if not isinstance(body, sp.log):
            return None
        (v,) = body.args
        return kept_within(v, [v], Bounds(self.definition))

    def _quotient(self, expr: sp.Expr) -> sp.Expr | None:
        """A product that divides by a sum of exponentials, as one exponential times what is left."""
        factors = sp.Mul.make_args(expr)
        if not any(f.is_Pow and f.exp.is_negative and self._is_sum_of_exponentials(f.base) for f in factors):
            return None
        total, others = sp.Integer(0), []
        for factor in factors:
            exponent = None if factor.is_number else self._exponent(factor)
            if exponent is None:
                others.append(factor)
            else:
                total += exponent
        return sp.Mul(*others, sp.exp(total))

    def _is_sum_of_exponentials(self, expr: sp.Expr) -> bool:
        definition = self.definition.get(expr.tensor) if isinstance(expr, Entry) else None
        if definition is None or definition.scatters:
            return False
        if definition.reduction == "sum":
            return self._exponent(definition.body) is not None
        return definition.is_elementwise and self._is_sum_of_exponentials(definition.at(expr.indices))

    def _exponent(self, expr: sp.Expr) -> sp.Expr | None:
        """u with expr = exp(u), or None."""
        if isinstance(expr, sp.exp):
            return expr.args[0]
        if expr.is_number:
            return sp.log(expr) if expr.is_positive else None
        if isinstance(expr, sigmoid):
            return -softplus(-expr.args[0])
        if expr.is_Pow and expr.exp.is_Rational:
            inner = self._exponent(expr.base)
            return expr.exp * inner if inner is not None else None
        if expr.is_Mul:
            parts = [self._exponent(f) for f in expr.args]
            return None if None in parts else sp.Add(*parts)
        if expr.is_Add:
            return self._exponent_of_complement(expr)
        return self._exponent_of_entry(expr) if isinstance(expr, Entry) else None

    def _exponent_of_complement(self, expr: sp.Expr) -> sp.Expr | None:
        """1 - P where P is a logistic function."""
        known = {e: self._definition_at(e) for e in entries(expr)}
        spelled = expr.xreplace({e: body for e, body in known.items() if isinstance(body, sigmoid)})
        folded, _ = rewrite(spelled, complement=True)
        return self._exponent(folded) if not folded.is_Add else None

    def _definition_at(self, entry: Entry) -> sp.Expr | None:
        definition = self.definition.get(entry.tensor)
        if definition is None or not definition.is_elementwise or definition.scatters:
            return None
        return definition.at(entry.indices)

    def _exponent_of_entry(self, entry: Entry) -> sp.Expr | None:
        body = self._definition_at(entry)
        if body is not None:
            return self._exponent(body)
        if not self._is_sum_of_exponentials(entry):
            return None
        if entry.tensor not in self.logarithm:
            self.logarithm[entry.tensor] = self._define_logarithm(self.definition[entry.tensor])
        return Entry(self.logarithm[entry.tensor], entry.indices)

    def _define_logarithm(self, total: Equation) -> str:
        exponent = self._exponent(total.body)
        of = exponent.tensor if isinstance(exponent, Entry) else total.target
        name = self.editor.new_tensor(f"L_{of}", self.editor.tensors[total.target].axes)
        self._add(replace(total, target=name, reduction="logsumexp", body=exponent))
        return name
