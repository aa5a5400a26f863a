"""The local Jacobians of a block: how each entry of its output depends on each entry of what it reads.

Forward through the block's own equations, SymPy differentiating each body; Kronecker's deltas say which
entries of the input an entry of the output reads, and give the structure its name.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import sympy as sp

from symgrad.calculus.axes import Axes, letters
from symgrad.calculus.deriving.derivatives import derivative_of_reduction, derivatives
from symgrad.calculus.program import Equation, Loop, Program, Tensor, depending_on
from symgrad.calculus.rules import fold
from symgrad.calculus.simplifying.reuse import is_worth_holding, occurrences
from symgrad.calculus.terms import Entry, delta, float_entries, index_symbol, leading
from symgrad.explain.blocks import NetworkBlock, blocks
from symgrad.explain.entry_formulas import MAX_NODES, length
from symgrad.notation.nested import instance
from symgrad.notation.reduce import reduced

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterator

Indices = tuple[sp.Expr, ...]


MAX_PATHS = 200
"""A tensor that is read in more ways has a Jacobian that nobody would read."""


@dataclass(frozen=True)
class Jacobian:
    """`∂of/∂by = value`, and 0 wherever an index of `by` is not what `reads` says.

    `reads` has one place per axis of `by`: which index an entry of `of` reads, None where it may read all.
    `axes` are those of both tensors; the Jacobian has the one after the other.
    """

    of: Entry
    by: Entry
    value: sp.Expr
    reads: tuple[sp.Expr | None, ...]
    axes: tuple[Axes, Axes]

    @property
    def deltas(self) -> tuple[sp.Expr, ...]:
        """The deltas that stand before the value."""
        pairs = zip(self.reads, self.by.indices, strict=True)
        return tuple(delta(read, index) for read, index in pairs if read is not None)

    @property
    def entire(self) -> sp.Expr:
        """The derivative for any indices."""
        return sp.Mul(*self.deltas, self.value)


@dataclass(frozen=True)
class _Path:
    """One way in which an output reads entries of the input, `derivative` for each; all loops are summed."""

    indices: Indices
    loops: tuple[Loop, ...]
    derivative: sp.Expr


@dataclass(frozen=True)
class BlockJacobians:
    """The derivatives of a block with respect to all it reads; those `too_long` to read are only named."""

    block: NetworkBlock
    jacobians: tuple[Jacobian, ...]
    too_long: tuple[str, ...]


def local_jacobians(program: Program, derived: Callable[[Program], Program]) -> tuple[BlockJacobians, ...]:
    """The Jacobians of every block of a primal program; see `blocks`."""
    return tuple(map(_of_block, blocks(program, derived)))


def _of_block(block: NetworkBlock) -> BlockJacobians:
    program = block.program
    of = Entry(block.name, letters(program.tensor[block.name].axes, program.names))
    found, too_long = [], []
    for tensor in block.reads:
        jacobian = jacobian_between(program, of, tensor)
        if jacobian is None:
            too_long.append(tensor.name)
        else:
            found.append(jacobian)
    return BlockJacobians(block, tuple(found), tuple(too_long))


def jacobian_between(
    program: Program, of: Entry, tensor: Tensor, taken: Collection[str] = (), most_paths: int = MAX_PATHS
) -> Jacobian | None:
    """The derivatives of an entry through temporaries by another tensor; None where they are too long.

    No index has a name that is `taken`.
    """
    if _number_of_paths(program, of.tensor, tensor.name) > most_paths:
        return None
    names = {*map(str, of.indices), *program.names, *taken}
    by = Entry(tensor.name, letters(tensor.axes, names))
    names |= set(map(str, by.indices))
    through = frozenset(depending_on(program, [tensor.name]))
    paths = [_resolved(path, by, tensor) for path in _paths(program, of, tensor.name, names, through)]
    reads = tuple(
        _common(path.indices[b], of, paths, b) for b in range(len(by.indices)) for path in paths[:1]
    )
    value = sp.Add(*(_summed(path, by, reads) for path in paths))
    if length(value) > MAX_NODES:
        return None
    return Jacobian(of, by, _short(value, program), reads, (program.tensor[of.tensor].axes, tensor.axes))


def _number_of_paths(program: Program, of: str, wrt: str) -> int:
    """In how many ways entries of one tensor read entries of another."""
    known: dict[str, int] = {}
    needed = program.needed([of])
    for equation in program.equations:
        if equation.target in needed:
            read = [entry.tensor for entry in float_entries(equation.body)]
            inside = (known[n] for n in read if n != wrt and program.tensor[n].kind == "temporary")
            known[equation.target] = read.count(wrt) + sum(inside)
    return known[of]


def _paths(
    program: Program, of: Entry, wrt: str, taken: set[str], through: frozenset[str]
) -> Iterator[_Path]:
    """From an entry back to the entries of `wrt`, through the temporaries between them."""
    definition = program.definition[of.tensor]
    if definition.scatters:
        definition = _gathered(definition, program.tensor[of.tensor].axes)
    equation = _placed(definition, of.indices, taken)
    weight = _weight(equation, taken)
    for entry, of_body in derivatives(equation):
        derivative = weight * of_body
        if entry.tensor == wrt:
            yield _Path(entry.indices, equation.loops, derivative)
        elif program.tensor[entry.tensor].kind == "temporary" and entry.tensor in through:
            for path in _paths(program, entry, wrt, taken, through):
                yield _Path(path.indices, (*equation.loops, *path.loops), derivative * path.derivative)


def _gathered(equation: Equation, axes: Axes) -> Equation:
    """`Y[p] = Σ_i body·δ(2·i + u, p)` for `Y[2·i + u] += body`: each entry by itself."""
    indices, loops, body = list(equation.indices), list(equation.loops), equation.body
    known = {loop.index for loop in loops}
    for number, (place, axis) in enumerate(zip(equation.indices, axes, strict=True)):
        if place not in known or place in indices[:number]:
            indices[number] = index_symbol(f"_place{number}")
            loops.append(Loop(indices[number], axis))
            body *= delta(place.replace(leading, lambda form: form), indices[number])
    return replace(equation, indices=tuple(indices), loops=tuple(loops), body=body)


def _placed(equation: Equation, indices: Indices, taken: set[str]) -> Equation:
    """The equation for one entry; its loops, now all reduced, get names of their own."""
    found = instance(equation, indices, taken)
    taken |= {str(loop.index) for loop in found.loops}
    return replace(found, indices=indices)


def _weight(equation: Equation, taken: set[str]) -> sp.Expr:
    derivative = derivative_of_reduction(equation)
    if equation.reduction not in ("max", "min"):
        return derivative
    indices = letters([loop.axis for loop in equation.loops], taken)
    again = {loop.index: index for loop, index in zip(equation.loops, indices, strict=True)}
    taken |= set(map(str, indices))
    loops = [Loop(again[loop.index], loop.axis) for loop in equation.loops]
    return derivative / reduced("sum", derivative.xreplace(again), loops)


def _resolved(path: _Path, by: Entry, tensor: Tensor) -> _Path:
    """`Σ_j f(j) δ(j, k) = f(k)`: loops that run along an axis of the input take its index."""
    place, loops, derivative = path.indices, path.loops, path.derivative
    for number, (index, axis) in enumerate(zip(by.indices, tensor.axes, strict=True)):
        along = [loop for loop in loops if loop.index == place[number] and loop.axis.fits(axis)]
        is_spread = place[number] == 0 and axis.size == 1
        if along or is_spread:
            at = {place[number]: index} if along else {}
            place = (*place[:number], index, *place[number + 1 :])
            place = tuple(p.xreplace(at) for p in place)
            derivative = derivative.xreplace(at)
            loops = tuple(loop for loop in loops if loop not in along)
    return _Path(place, loops, derivative)


def _common(read: sp.Expr, of: Entry, paths: list[_Path], axis: int) -> sp.Expr | None:
    """Which index of an axis is read, if it is the same on every path and the output's indices decide it."""
    symbols = {s for s in read.free_symbols if isinstance(s, sp.Symbol)}
    is_decided = symbols <= {s for i in of.indices for s in i.free_symbols}
    return read if is_decided and all(path.indices[axis] == read for path in paths) else None


def _summed(path: _Path, by: Entry, reads: tuple[sp.Expr | None, ...]) -> sp.Expr:
    body = path.derivative
    for place, index, read in zip(path.indices, by.indices, reads, strict=True):
        if read is None:
            body *= delta(place, index)
    return reduced("sum", body, path.loops)


def _short(value: sp.Expr, program: Program) -> sp.Expr:
    """The value in terms of the block's own output where it repeats it: `P[n,k]·(δ(k,j) − P[n,j])`."""
    for holder in program.equations:
        if is_worth_holding(holder):
            value = value.xreplace(occurrences(holder, value))
    return sp.factor_terms(fold(value))
