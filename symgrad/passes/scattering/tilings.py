"""Tensors that scatters fill like tiles: each entry is written once, so nothing is cleared or added to.

The cotangent of gates that lie side by side, of which formulas read `s[n, k]`, `s[n, k + 64]` and so on, is a
chain of scatters of which each makes a stretch of its own.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import sympy as sp

from symgrad.calculus.terms import leading

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from symgrad.calculus.axes import Axis
    from symgrad.calculus.program import Equation, Program


def moves_alone(equation: Equation) -> bool:
    """Whether each turn of its loops writes an entry of its own, the next one beside it: indices are those of
    the loops, moved by numbers, or count the steps of all parts.
    """
    axes = {loop.index: loop.axis for loop in equation.loops}
    found = [stretch for index in equation.indices if (stretch := _stretch(index, axes))]
    used = [index for stretch in found for index in stretch.indices]
    return len(found) == len(equation.indices) and len(used) == len(equation.loops) == len(set(used))


def tiled(program: Program) -> frozenset[str]:
    """The targets of scatters which, one onto another, write every entry of their tensor once."""
    onto = {equation.target: equation.onto for equation in program.equations if equation.scatters}
    chains = [[*_chain(name, onto)] for name in onto.keys() - set(onto.values())]
    return frozenset(name for chain in chains if _is_tiling(program, chain) for name in chain)


def _chain(name: str, onto: Mapping[str, str]) -> Iterator[str]:
    while name:
        yield name
        name = onto.get(name, "")


def _is_tiling(program: Program, chain: Sequence[str]) -> bool:
    """Whether what these write lies side by side along one axis at most, and is all of the others."""
    equations = [program.definition[name] for name in chain]
    if not all(map(moves_alone, equations)):
        return False
    wholes = [(0, axis.extent) for axis in program.tensor[chain[0]].axes]
    written = [_stretches(equation) for equation in equations]
    parted = [n for n, whole in enumerate(wholes) if any(found[n] != whole for found in written)]
    if not parted:
        return len(chain) == 1
    if len(parted) > 1:
        return False
    end: sp.Expr = sp.Integer(0)
    for start, extent in sorted((found[parted[0]] for found in written), key=lambda found: found[0]):
        if start != end:
            return False
        end = start + extent
    return bool(end == wholes[parted[0]][1])


def _stretches(equation: Equation) -> list[tuple[int, sp.Expr]]:
    """Where each index begins, and how far it goes."""
    axes = {loop.index: loop.axis for loop in equation.loops}
    found = [stretch for index in equation.indices if (stretch := _stretch(index, axes))]
    return [(stretch.start, stretch.extent) for stretch in found]


@dataclass(frozen=True)
class _Stretch:
    """Entries side by side: whose indices count them, where they begin, and how many they are."""

    indices: tuple[sp.Symbol, ...]
    start: int
    extent: sp.Expr


def _stretch(index: sp.Expr, axes: Mapping[sp.Symbol, Axis]) -> _Stretch | None:
    """What an index runs through: that of a loop moved by a number, or `4*i + j` of j below 4; else None."""
    if isinstance(index, leading):
        (index,) = index.args
    start, rest = index.as_coeff_Add()
    terms = sorted((term.as_coeff_Mul() for term in sp.Add.make_args(rest)), key=lambda term: term[0])
    indices = tuple(symbol for _, symbol in terms)
    if not start.is_Integer or not all(index in axes for index in indices):
        return None
    extent: sp.Expr = sp.Integer(1)
    whole: Axis | None = None
    for step, symbol in terms:
        if step != extent:
            return None
        axis = axes[symbol]
        extent = whole.extent if whole is not None and axis.of_parts else extent * axis.extent
        whole = axis.within
    return _Stretch(indices, int(start), extent)
