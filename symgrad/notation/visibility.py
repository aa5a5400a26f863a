"""Which equations of a program are shown: temporaries are written out where they are used."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

import sympy as sp

from symgrad.calculus.terms import Entry

if TYPE_CHECKING:
    from collections.abc import Collection

    from symgrad.calculus.program import Equation, Kind, Program

MAX_NODES = 60
"""A line that would grow beyond this many nodes keeps the names of its parts."""


def hidden_tensors(program: Program) -> frozenset[str]:
    """The temporaries used once, and every log-sum-exp of one tensor.

    The cotangents of named tensors keep their names: they are what people look for. So does a
    temporary whose cotangent is shown.
    """
    backward = _hidden(program, "cotangent", frozenset())
    named = {t.of for t in program.of_kind("cotangent") if t.name not in backward}
    tangents = _hidden(program, "tangent", frozenset())
    return _hidden(program, "temporary", named) | backward | tangents


def _hidden(program: Program, kind: Kind, kept: Collection[str]) -> frozenset[str]:
    uses = _uses(program)
    size: dict[str, int] = {}
    for equation in program.equations:
        if program.tensor[equation.target].kind != kind or equation.target in kept:
            continue
        own = sum(1 for _ in sp.preorder_traversal(equation.body) if not isinstance(_, sp.Symbol))
        size[equation.target] = own + sum(size.get(name, 0) for name in equation.reads if name in size)
        is_short = equation.reduction == "logsumexp" and isinstance(equation.body, Entry)
        hides = is_short or uses[equation.target] == 1
        if not (hides and _is_internal(equation, program) and size[equation.target] <= MAX_NODES):
            del size[equation.target]
    return frozenset(size)


def shown_equations(program: Program, hidden: Collection[str]) -> tuple[Equation, ...]:
    """The equations that get a line of their own: states have no gradient to be shown."""
    without = {program.cotangent.get(n.state) for n in program.next_values}
    return tuple(e for e in program.equations if e.target not in hidden and e.target not in without)


def visible_reads(program: Program, equation: Equation, hidden: Collection[str]) -> frozenset[str]:
    """The tensors that are seen on the right side of a shown equation."""
    found: set[str] = set()
    for name in equation.reads:
        inner = program.definition.get(name) if name in hidden else None
        found |= visible_reads(program, inner, hidden) if inner is not None else {name}
    return frozenset(found)


def _is_internal(equation: Equation, program: Program) -> bool:
    """Whether nobody named the tensor and nobody asked for it."""
    name, tensor = equation.target, program.tensor[equation.target]
    if name in program.results or equation.scatters:
        return False
    return tensor.kind == "temporary" or (tensor.is_slope and not _is_named(tensor.of, program))


def _is_named(name: str, program: Program) -> bool:
    tensor = program.tensor.get(name)
    return tensor is not None and tensor.kind not in ("temporary", "cotangent")


def _uses(program: Program) -> Counter[str]:
    """How often each tensor is read, each occurrence counted."""
    found: Counter[str] = Counter()
    for equation in program.equations:
        for expr in (equation.body, *equation.indices):
            found.update(node.tensor for node in sp.preorder_traversal(expr) if isinstance(node, Entry))
    return found
