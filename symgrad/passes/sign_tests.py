"""Choices made by the sign of an output instead of its input, so that the input need not be kept."""

from __future__ import annotations

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
    """`Z[n,i] ≤ 0` becomes `A[n,i] ≤ 0` where A = relu(Z) or leaky_relu(Z) and Z is not needed otherwise."""
    keepers: dict[str, Equation] = {}
    equations = []
    for equation in program.equations:
        equations.append(_by_outputs(equation, keepers))
        if (source := _source_of_same_sign(equation)) is not None:
            keepers[source] = equation
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
