"""Choices made by the sign of an output instead of its input, so that the input need not be kept.

What is multiplied by a gate, a choice between 1 and 0 as dropout makes it, tells by its sign how that chose.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import sympy as sp

from symgrad.calculus.editing import with_equations
from symgrad.calculus.simplifying.reuse import bindings
from symgrad.calculus.terms import Entry, entries

if TYPE_CHECKING:
    from collections.abc import Mapping

    from symgrad.calculus.program import Equation, Program

SIGN_TESTS = (sp.LessThan, sp.StrictGreaterThan)


def choose_by_outputs(program: Program) -> Program:
    """`Z[n,i] ≤ 0` becomes `A[n,i] ≤ 0` where A = relu(Z) or leaky_relu(Z) and Z is not needed otherwise.

    `(0 if A[n,i] ≤ 0 else 1)·(1 if u[n,i] < 1/2 else 0)` then becomes `(0 if D[n,i] ≤ 0 else 1)` where D is A
    times this gate.
    """
    keepers: dict[str, Equation] = {}
    gated: dict[str, _Gated] = {}
    equations = []
    for equation in program.equations:
        equations.append(_by_gated(_by_outputs(equation, keepers), gated))
        if (source := _source_of_same_sign(equation)) is not None:
            keepers[source] = equation
        if (found := _gated(equation)) is not None:
            gated[found.entry.tensor] = found
    return with_equations(program, equations)


def _source_of_same_sign(equation: Equation) -> str | None:
    """The tensor whose entries are above 0 just where those of the target are; None if there is none."""
    body, read = equation.body, entries(equation.body)
    if not isinstance(body, sp.Piecewise) or len(read) != 1 or equation.scatters or len(body.args) != 2:
        return None
    (first, test), (second, _) = body.args
    (entry,) = read
    if not isinstance(test, SIGN_TESTS) or test.args != (entry, sp.S.Zero):
        return None
    above, below = (first, second) if isinstance(test, sp.StrictGreaterThan) else (second, first)
    slope = below / entry
    falls = slope.is_number and slope >= 0
    return entry.tensor if above == entry and falls and entry.indices == equation.indices else None


def _by_outputs(equation: Equation, keepers: Mapping[str, Equation]) -> Equation:
    body = equation.body
    for source in sorted(equation.reads & keepers.keys()):
        changed = body.xreplace(_tests_of_outputs(body, keepers[source]))
        if source not in {e.tensor for e in entries(changed)}:
            body = changed
    return equation.with_body(body)


def _tests_of_outputs(body: sp.Expr, keeper: Equation) -> dict[sp.Basic, sp.Basic]:
    (pattern,) = entries(keeper.body)
    found: dict[sp.Basic, sp.Basic] = {}
    for test in body.atoms(*SIGN_TESTS):
        for binding in bindings([pattern], [e for e in entries(body) if e == test.args[0]], {}):
            if test.args[1] == 0:
                output = Entry(keeper.target, tuple(binding[p] for p in keeper.indices))
                found[test] = test.func(output, 0)
    return found


@dataclass(frozen=True)
class _Gated:
    """A `target` that is above 0 just where an entry is, and all `gates`, each 1 or 0, are 1."""

    target: Entry
    entry: Entry
    gates: tuple[sp.Expr, ...]


def _gated(equation: Equation) -> _Gated | None:
    """An entry times gates and a number that makes no entry so small that it becomes 0; or None."""
    if not equation.is_elementwise or equation.scatters:
        return None
    number, product = equation.body.as_coeff_Mul()
    factors = sp.Mul.make_args(product)
    gates = tuple(factor for factor in factors if _is_gate(factor))
    others = [factor for factor in factors if factor not in gates]
    if not gates or number < 1 or len(others) != 1:
        return None
    (entry,) = others
    if not isinstance(entry, Entry) or entry.indices != equation.indices:
        return None
    return _Gated(Entry(equation.target, equation.indices), entry, gates)


def _by_gated(equation: Equation, gated: Mapping[str, _Gated]) -> Equation:
    """The equation with one test of a product in place of all tests of its factors."""
    body = equation.body
    for tensor in sorted(equation.reads & gated.keys()):
        changed = _with_one_test(body, gated[tensor])
        if tensor not in {e.tensor for e in entries(changed)}:
            body = changed
    return equation.with_body(body)


def _with_one_test(body: sp.Expr, found: _Gated) -> sp.Expr:
    factors = sp.Mul.make_args(body)
    for test in filter(_is_gate, factors):
        for binding in bindings([found.entry], [e for e in entries(test) if _is_above(test, e)], {}):
            tests = {test, *(gate.xreplace(binding) for gate in found.gates)}
            if tests <= {*factors}:
                entry, target = (e.xreplace(binding) for e in (found.entry, found.target))
                return sp.Mul(*(f for f in factors if f not in tests), test.xreplace({entry: target}))
    return body


def _is_gate(factor: sp.Expr) -> bool:
    """Whether it is 1 or 0, by one condition."""
    is_choice = isinstance(factor, sp.Piecewise) and len(factor.args) == 2
    return is_choice and {value for value, _ in factor.args} == {sp.S.Zero, sp.S.One}


def _is_above(gate: sp.Expr, entry: Entry) -> bool:
    """Whether a gate is 1 just where an entry is above 0."""
    value, test = gate.args[0]
    is_less = isinstance(test, sp.LessThan) and value == 0
    return (is_less or (isinstance(test, sp.StrictGreaterThan) and value == 1)) and test.args == (entry, 0)
