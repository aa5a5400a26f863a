"""Reuse of forward outputs: where a body repeats what a tensor already holds, the tensor is read."""

from __future__ import annotations

from typing import TYPE_CHECKING

import sympy as sp

from symgrad.calculus.editing import ProgramEditor
from symgrad.calculus.program import Equation, Program, canonical
from symgrad.calculus.terms import Entry, entries

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence


def reuse_forward_values(program: Program) -> Program:
    """`tanh(Z[n,k])` becomes `A[n,k]` after the equation that defines A.

    The prediction is left alone: it is computed when a user asks for it, not while training.
    """
    holders: dict[str, list[Equation]] = {}
    only_shown = set(program.prediction) - set(program.outputs)
    editor = ProgramEditor(program)
    for equation in program.equations:
        changed = equation
        for holder in _candidates(equation, holders):
            found = occurrences(holder, changed.body)
            if found:
                after = changed.body.xreplace(found)
                editor.record(f"{holder.target} is known", equation, changed.body, after)
                changed = canonical(changed.with_body(after))
        editor.add(changed)
        if is_worth_holding(changed) and changed.target not in only_shown:
            for tensor in changed.reads:
                holders.setdefault(tensor, []).append(changed)
    return editor.program()


def is_worth_holding(equation: Equation) -> bool:
    """A body that is one function or power of entries, or a quotient with a sum above it, for each entry."""
    body = equation.body
    is_one_node = isinstance(body, sp.Function | sp.Pow | sp.exp) and not isinstance(body, sp.Piecewise)
    return equation.is_elementwise and not equation.scatters and (is_one_node or _is_quotient(body))


def _is_quotient(body: sp.Expr) -> bool:
    """Whether it is one thing divided by entries, as `(x - μ)/σ`."""
    factors = [f.as_base_exp() for f in sp.Mul.make_args(body) if not f.is_number]
    below = [base for base, power in factors if power == -1]
    return len(below) == 1 == len(factors) - 1 and isinstance(below[0], Entry)


def _candidates(equation: Equation, holders: dict[str, list[Equation]]) -> Iterator[Equation]:
    seen = set()
    for tensor in sorted(equation.reads):
        for holder in holders.get(tensor, []):
            if holder.target not in seen and holder.reads <= equation.reads:
                seen.add(holder.target)
                yield holder


def occurrences(holder: Equation, body: sp.Expr) -> dict[sp.Expr, sp.Expr]:
    """The sub-expressions of `body` that are entries of what `holder` defines."""
    found: dict[sp.Expr, sp.Expr] = {}
    for binding in bindings(entries(holder.body), entries(body), {}):
        if set(holder.indices) <= binding.keys():
            instance = holder.body.xreplace(binding)
            value = Entry(holder.target, tuple(binding[p] for p in holder.indices))
            if instance.is_Mul:
                found |= _products_with(instance, value, body)
                continue
            for power in _powers_of(instance, body):
                ratio = 1 if power == instance else power.as_base_exp()[1] / instance.as_base_exp()[1]
                found[power] = value**ratio
    return found


def _powers_of(instance: sp.Expr, body: sp.Expr) -> list[sp.Expr]:
    """The instance itself where it occurs; of a root, also its other whole powers: 1/√s beside √s."""
    if not instance.is_Pow or isinstance(instance, sp.exp):
        return [instance] if body.has(instance) else []
    base, exponent = instance.as_base_exp()
    same_base = [p for p in body.atoms(sp.Pow) if p.base == base]
    return [p for p in same_base if (p.exp / exponent).is_Integer]


def _products_with(quotient: sp.Expr, value: Entry, body: sp.Expr) -> dict[sp.Expr, sp.Expr]:
    """Products that have a quotient in them, `k·a/b·c` for `a/b`, by what they are with its value."""
    found: dict[sp.Expr, sp.Expr] = {}
    number = sp.Mul(*(factor for factor in quotient.args if factor.is_number))
    parts = [factor for factor in quotient.args if not factor.is_number]
    (below,) = (part for part in parts if _power(part) == -1)
    (above,) = (part for part in parts if part != below)
    for product in body.atoms(sp.Mul):
        factors = dict(f.as_base_exp() for f in product.args)
        power = factors.get(below.base, sp.Integer(0))
        if not (power.is_number and power <= -1):
            continue
        for factor in product.args:
            multiple = _multiple(factor, above)
            if multiple is not None:
                found[product] = product / factor / below * multiple / number * value
                break
    return found


def _power(factor: sp.Expr) -> sp.Expr:
    return factor.as_base_exp()[1]


def _multiple(expr: sp.Expr, of: sp.Expr) -> sp.Expr | None:
    """The number k where `expr` is k times another expression, or None."""
    if not of.is_Add:
        number, rest = expr.as_coeff_Mul()
        return number if rest == of else None
    if not expr.is_Add or len(expr.args) != len(of.args):
        return None
    number, rest = expr.args[0].as_coeff_Mul()
    other = next((n for n, core in (t.as_coeff_Mul() for t in of.args) if core == rest), None)
    if other is None:
        return None
    k = number / other
    return k if {k * term for term in of.args} == {*expr.args} else None


def bindings(
    patterns: Sequence[Entry], available: Sequence[Entry], bound: dict[sp.Expr, sp.Expr]
) -> Iterator[dict[sp.Expr, sp.Expr]]:
    """Every way to read the pattern's entries as entries that are there."""
    if not patterns:
        yield bound
        return
    first, *rest = patterns
    for entry in available:
        if entry.tensor != first.tensor:
            continue
        extended = dict(bound)
        if all(_binds(i, j, extended) for i, j in zip(first.indices, entry.indices, strict=True)):
            yield from bindings(rest, available, extended)


def _binds(pattern: sp.Expr, index: sp.Expr, bound: dict[sp.Expr, sp.Expr]) -> bool:
    """Whether `pattern` can be read as `index`, which is noted; a number is only itself."""
    return pattern == index if pattern.is_Integer else bool(bound.setdefault(pattern, index) == index)
