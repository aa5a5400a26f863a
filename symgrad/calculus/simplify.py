"""Simplification of programs: named rules, each a pure function from program to program."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from functools import lru_cache
from typing import TYPE_CHECKING

import sympy as sp

from symgrad.calculus.deltas import LAW, resolve_sum
from symgrad.calculus.editing import ProgramEditor
from symgrad.calculus.program import Equation, Program, canonical, check
from symgrad.calculus.rules import rewrite
from symgrad.calculus.simplifying.reuse import reuse_forward_values
from symgrad.calculus.simplifying.sums import resolve_known_sums, take_out_loose_factors
from symgrad.calculus.terms import CACHE_SIZE, Entry, delta, entries, indices_as_numbers, is_large
from symgrad.spec.language.number_types import SMALLEST_NORMAL

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from symgrad.calculus.axes import Axes
    from symgrad.calculus.program import Tensor

MAX_ROUNDS = 8


def simplify(program: Program) -> Program:
    """The same results with fewer and simpler equations."""
    program = drop_dead(program)
    for _ in range(MAX_ROUNDS):
        before = program.equations
        for step in STEPS:
            program = step(program)
        if program.equations == before:
            return program
    return program


def fold_bodies(program: Program) -> Program:
    """Apply the scalar rules to every body."""
    editor = ProgramEditor(program)
    for equation in program.equations:
        body, applied = rewrite(_factored(equation.body))
        for rule, before, after in applied:
            editor.record(rule, equation, before, after)
        editor.add(equation.with_body(body))
    return editor.program()


def resolve_sums(program: Program) -> Program:
    """Leave out sums that need no adding up."""
    editor = ProgramEditor(program)
    for equation in program.equations:
        changed = resolve_sum(equation, program.tensor)
        if changed != equation and equation.body.has(delta):
            editor.record(LAW, equation, equation.body, changed.body)
        editor.add(changed)
    return editor.program()


@lru_cache(CACHE_SIZE)
def _factored(body: sp.Expr) -> sp.Expr:
    """Common factors such as 1/N before the bracket; sums within keep the numbers they are written with.

    So does a sum whose numbers have so small a factor in common that a type may hold few digits of it. What
    only some terms divide by stands under these together.
    """
    if body.is_Mul and any(factor.is_Add for factor in body.args):
        found = {factor: _factored(factor) for factor in body.args}
        of_entries = {old: new for old, new in found.items() if new != old and new.as_coeff_Mul()[0] == 1}
        return sp.Mul(*(of_entries.get(factor, factor) for factor in body.args)) if of_entries else body
    if not body.is_Add:
        return body
    body = _over_common_divisors(body)
    if not body.is_Add:
        return body
    kept = {total: sp.Dummy(real=True) for term in body.args for total in _with_own_numbers(term)}
    found = sp.factor_terms(body.xreplace(kept))
    if abs(found.as_coeff_Mul()[0]) < SMALLEST_NORMAL["float32"]:
        return body
    return found.xreplace({dummy: total for total, dummy in kept.items()})


def _over_common_divisors(body: sp.Expr) -> sp.Expr:
    """a + (b - c)/d for a + b/d - c/d, where d is made of entries."""
    groups: dict[sp.Expr, list[sp.Expr]] = {}
    for term in body.args:
        below = [f for f in sp.Mul.make_args(term) if f.is_Pow and f.exp == -1 and isinstance(f.base, Entry)]
        groups.setdefault(sp.Mul(*below), []).append(term)
    return sp.Add(*(sp.Add(*(t / divisor for t in terms)) * divisor for divisor, terms in groups.items()))


def _with_own_numbers(expr: sp.Expr) -> Iterator[sp.Expr]:
    """Sums that SymPy would take numbers out of: of (v/7 + 1e-5)**-8 a factor of 700000**8."""
    if expr.is_Add and not expr.as_content_primitive()[0].is_Integer:
        yield expr
    elif expr.is_Pow and expr.base.is_Add and expr.base.as_content_primitive()[0] != 1:
        yield expr.base
    elif not isinstance(expr, Entry):
        for inner in expr.args:
            yield from _with_own_numbers(inner)


def inline_copies(program: Program) -> Program:
    """Put constants and second names where they are used."""
    return _inline(program, _is_copy)


def inline_used_once(program: Program) -> Program:
    """Put what is used once where it is used."""
    uses = _uses(program)
    return _inline(program, lambda equation: _may_move(equation, uses.get(equation.target, [])))


def _inline(program: Program, may_move: Callable[[Equation], bool]) -> Program:
    known: dict[str, Equation] = {}
    editor = ProgramEditor(program)
    for equation in program.equations:
        equation = editor.add(_inlined(equation, known))
        if _is_internal(program, equation) and may_move(equation):
            known[equation.target] = equation
    return drop_dead(editor.program())


def _is_internal(program: Program, equation: Equation) -> bool:
    return _is_made_on_the_way(program.tensor[equation.target]) and equation.target not in program.results


def _is_made_on_the_way(tensor: Tensor) -> bool:
    return tensor.kind == "temporary" or tensor.is_slope


def _uses(program: Program) -> Mapping[str, list[tuple[Equation, Entry]]]:
    found: dict[str, list[tuple[Equation, Entry]]] = {}
    for equation in program.equations:
        for entry in {*entries(equation.body), *(e for p in equation.indices for e in p.atoms(Entry))}:
            found.setdefault(entry.tensor, []).append((equation, entry))
    return found


def _is_copy(equation: Equation) -> bool:
    is_constant = not equation.body.atoms(Entry) and not equation.body_indices
    is_simple = isinstance(equation.body, Entry) or is_constant
    return equation.is_elementwise and not equation.scatters and is_simple


def _may_move(equation: Equation, uses: list[tuple[Equation, Entry]]) -> bool:
    if not equation.is_elementwise or equation.scatters or len(uses) != 1 or is_large(equation.body):
        return False
    consumer, entry = uses[0]
    if equation.body.has(sp.Piecewise) and _decides(entry, consumer.body):
        return False
    if indices_as_numbers(equation.body) and not all(isinstance(i, sp.Symbol) for i in entry.indices):
        return False
    if len(consumer.loops) > len(equation.loops):
        return consumer.is_elementwise and not consumer.scatters and _is_product_of_entries(equation.body)
    return consumer.reduction in ("none", "sum")


def _is_product_of_entries(body: sp.Expr) -> bool:
    """Whether it costs a loop that uses it next to nothing, for it is computed before the loop."""
    factors = [f.as_base_exp() for f in sp.Mul.make_args(body)]
    return all(
        not base.atoms(Entry) or (isinstance(base, Entry) and power.is_Integer) for base, power in factors
    )


def _decides(entry: Entry, body: sp.Expr) -> bool:
    """Whether a choice in `body` depends on the entry. SymPy would merge a choice inside a condition."""
    conditions = (condition for choice in body.atoms(sp.Piecewise) for _, condition in choice.args)
    return any(entry in condition.atoms(Entry) for condition in conditions)


def _adds_to_label(entry: Entry) -> bool:
    """Whether an index of the entry is more than a label alone."""
    return any(index.atoms(Entry) and not isinstance(index, Entry) for index in entry.indices)


def _inlined(equation: Equation, known: Mapping[str, Equation]) -> Equation:
    here = {e: known[e.tensor].at(e.indices) for e in entries(equation.body) if e.tensor in known}
    here = {e: body for e, body in here.items() if not any(map(_adds_to_label, entries(body)))}
    return equation.with_body(equation.body.xreplace(here))


def merge_equal(program: Program) -> Program:
    """Compute equal tensors once: those of equal axes, as equal entries may stand in a longer tensor."""
    first: dict[tuple[Equation, Axes], str] = {}
    alias: dict[str, str] = {}
    editor = ProgramEditor(program)
    for equation in program.equations:
        equation = _renamed(equation, alias)
        key = replace(equation, target=""), program.tensor[equation.target].axes
        if key in first and _is_internal(program, equation):
            alias[equation.target] = first[key]
            continue
        if key in first and equation.bound and not equation.scatters:
            equation = _copy_of(first[key], equation)
        first.setdefault(key, equation.target)
        editor.add(equation)
    return editor.program()


def _copy_of(tensor: str, equation: Equation) -> Equation:
    """A result of its own name that equals a reduction done before."""
    return replace(equation, loops=equation.free, reduction="none", body=Entry(tensor, equation.indices))


def _renamed(equation: Equation, alias: Mapping[str, str]) -> Equation:
    found = {e: Entry(alias[e.tensor], e.indices) for e in entries(equation.body) if e.tensor in alias}
    return canonical(equation.with_body(equation.body.xreplace(found)))


def drop_dead(program: Program) -> Program:
    """Keep what the results need."""
    needed = program.needed(program.results)
    kept = tuple(e for e in program.equations if e.target in needed)
    defined = Counter(e.target for e in program.equations)
    tensors = tuple(t for t in program.tensors if t.name in needed or t.name not in defined)
    tensors = tuple(t for t in tensors if not _is_made_on_the_way(t) or t.name in needed)
    return check(replace(program, equations=kept, tensors=tensors), program)


STEPS: tuple[Callable[[Program], Program], ...] = (
    fold_bodies,
    resolve_known_sums,
    resolve_sums,
    inline_copies,
    merge_equal,
    inline_used_once,
    reuse_forward_values,
    take_out_loose_factors,
    drop_dead,
)
