"""Sums of scattered tensors, gathered in one array: each scatter goes on where the one before it ends.

The cotangent of what is read at several places, as `A[2*i]` and `A[2*i + 1]` are by a pooling, is the sum
of as many tensors, each 0 but at its places. In a chain, `s = 0; s[2*i] += ...; s[2*i + 1] += ...`, that is
one array, cleared once.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from dataclasses import replace
from itertools import pairwise
from typing import TYPE_CHECKING

import sympy as sp

from symgrad.calculus.editing import ProgramEditor
from symgrad.calculus.terms import Entry

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator

    from symgrad.calculus.program import Equation, Program


def chain_scatters(program: Program) -> Program:
    """The program in which scatters of which the sum alone is needed are added one onto another."""
    alone = _read_once(program)
    order = {equation.target: number for number, equation in enumerate(program.equations)}
    editor = ProgramEditor(program)
    onto: dict[str, str] = {}
    equations: dict[str, Equation] = {}
    for equation in program.equations:
        for parts in _summed(equation, alone, program):
            chain = sorted(parts, key=lambda entry: order[entry.tensor])
            onto |= {later.tensor: former.tensor for former, later in pairwise(chain)}
            equation = equation.with_body(equation.body.xreplace(dict.fromkeys(chain[:-1], sp.Integer(0))))
        equations[equation.target] = equation
        last = equation.body.tensor if _is_copy(equation, program) else ""
        if last in onto:
            equations[last] = replace(equations[last], target=equation.target)
            del equations[equation.target], editor.tensors[last]
    for name, equation in equations.items():
        editor.add(replace(equation, onto=onto.get(name, "")))
    return editor.program()


def _read_once(program: Program) -> set[str]:
    """Scattered tensors that one equation reads, and nobody else needs."""
    readers = Counter(name for equation in program.equations for name in equation.reads)
    scattered = {equation.target for equation in program.equations if equation.scatters}
    return {name for name in scattered - program.results if readers[name] == 1}


def _summed(equation: Equation, alone: Collection[str], program: Program) -> Iterator[list[Entry]]:
    """Entries of scattered tensors of one shape that a sum adds, each used here alone, with one factor."""
    uses = Counter(e.tensor for e in sp.preorder_traversal(equation.body) if isinstance(e, Entry))
    for total in sorted(equation.body.atoms(sp.Add), key=sp.default_sort_key):
        alike = defaultdict(list)
        for factor, entry in (term.as_coeff_Mul() for term in total.args):
            if isinstance(entry, Entry) and entry.tensor in alone and uses[entry.tensor] == 1:
                extents = tuple(axis.extent for axis in program.tensor[entry.tensor].axes)
                alike[factor, entry.indices, extents].append(entry)
        yield from (parts for parts in alike.values() if len(parts) > 1)


def _is_copy(equation: Equation, program: Program) -> bool:
    """Whether an equation says no more than that two tensors are the same."""
    body = equation.body
    if not isinstance(body, Entry) or not equation.is_elementwise or equation.scatters:
        return False
    shapes = [[a.extent for a in program.tensor[name].axes] for name in (body.tensor, equation.target)]
    return body.indices == equation.indices and shapes[0] == shapes[1]
