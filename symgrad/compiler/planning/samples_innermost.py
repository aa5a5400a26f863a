"""Small networks, stored by columns: tensors with a row per sample have the samples side by side in memory.

Loops over a few features cannot fill a vector register, loops over the samples of a batch can, and products
of a few entries cost less than the call of a library. So the whole network becomes a few nests of loops, the
samples innermost.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from symgrad.calculus.contraction import as_product
from symgrad.calculus.program import Equation, Loop, Program
from symgrad.calculus.terms import entries, index_symbol
from symgrad.compiler.planning.loop_orders import ROW, numbered, run_alike, run_over, with_locals
from symgrad.compiler.planning.plan import LoopNest, Scalar, Step

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

MOST_FEATURES = 16
MOST_EQUATIONS = 64


def column_axis(program: Program, rows: str) -> str:
    """The axis whose entries lie side by side: `rows`, that of the batch, in a small program; else empty."""
    axes = [axis for tensor in program.tensors for axis in tensor.axes]
    is_small = _length(program) <= MOST_EQUATIONS and all((a.size or 0) <= MOST_FEATURES for a in axes)
    if not rows or not is_small or program.carried or program.draws:
        return ""
    if not any(map(as_product, program.equations)):
        return ""
    is_regular = all(not a.is_free or a.name == rows for a in axes) and all(
        _runs_over_samples(e, program, rows) for e in program.equations
    )
    return rows if is_regular else ""


def _length(program: Program) -> int:
    """The equations of the program; where training and inference differ, of the longer one."""
    if not program.evaluation:
        return len(program.equations)
    inference = {*program.outputs, *program.prediction, program.evaluation}
    both = (program.needed(inference), program.needed(program.results - inference))
    return max(sum(e.target in needed for e in program.equations) for needed in both)


def _runs_over_samples(equation: Equation, program: Program, rows: str) -> bool:
    """Whether the equation uses what has a row per sample at one sample alone, its first index."""
    samples = [loop.index for loop in equation.loops if loop.axis.name == rows and loop.axis.is_free]
    if len(samples) > 1:
        return False
    read = [(e.tensor, e.indices) for body in (equation.body, *equation.indices) for e in entries(body)]
    for tensor, indices in (*read, (equation.target, equation.indices)):
        of_samples = [axis.name == rows and axis.is_free for axis in program.tensor[tensor].axes]
        if any(of_samples[1:]) or (of_samples[:1] == [True] and [indices[0]] != samples):
            return False
        if any(index.free_symbols & set(samples) for index in indices[1:] if not entries(index)):
            return False
    return True


def sample_innermost_steps(program: Program, equations: Sequence[Equation], rows: str) -> list[Step]:
    """Nests of loops in as few kernels as there can be: a number computed from numbers ends one."""
    steps: list[Step] = []
    nests: list[LoopNest] = []
    for equation in equations:
        if equation.is_one_number:
            steps += [*_kernel(program, nests), Scalar(equation)]
            nests = []
            continue
        nest = _nest(equation, rows)
        if nests and _fits_into(nests[-1], nest):
            nests[-1] = _joined(nests[-1], nest)
        else:
            nests.append(nest)
    return [*steps, *_kernel(program, nests)]


def _kernel(program: Program, nests: Sequence[LoopNest]) -> Iterator[LoopNest]:
    if nests:
        yield with_locals(program, LoopNest((), tuple(nests)))


def _nest(equation: Equation, rows: str) -> LoopNest:
    """Loops over the features of the target, inside them over samples, inside that over what is summed."""
    row = next((loop for loop in equation.loops if loop.axis.name == rows and loop.axis.is_free), None)
    outer = [loop for loop in (equation.loops if equation.scatters else equation.free) if loop != row]
    inner = [loop for loop in equation.loops if loop not in outer and loop != row]
    changed = numbered(equation, (row,) if row else (), (*outer, *inner))
    around = tuple(Loop(index_symbol(f"_i{n}"), loop.axis) for n, loop in enumerate(outer))
    samples = (Loop(ROW, row.axis),) if row is not None else ()
    return LoopNest(around, (LoopNest(samples, (changed,)),))


def _joined(nest: LoopNest, other: LoopNest) -> LoopNest:
    (samples,) = nest.body
    shared = (run_over(nest.loops, equation) for equation in other.equations)
    return replace(nest, body=(replace(samples, body=(*samples.body, *shared)),))


def _fits_into(nest: LoopNest, other: LoopNest) -> bool:
    """Whether the other's equation can be computed in the same loops, after the nest's own."""
    ((loops, equations),), ((other_loops, (equation,)),) = nest.parts(), other.parts()
    both_over_samples = all(around and around[-1].index == ROW for around in (loops, other_loops))
    if not both_over_samples or any(e.scatters for e in (*equations, equation)):
        return False
    if not run_alike(loops[:-1], other_loops[:-1]):
        return False
    made = {e.target: e.indices for e in equations}
    return all(
        ROW in made[e.tensor] and e.indices == made[e.tensor]
        for e in entries(equation.body)
        if e.tensor in made
    )
