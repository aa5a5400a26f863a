"""Matrices of known size copied turned, where small products read them across.

`dA[n,j] = Σ_i dZ[n,i]·W[j,i]` runs along the rows of W, which is slow in libraries' kernels for small
products: these take factors as they lie, where those for large ones pack them first, each time. A copy
`V[i,j] = W[j,i]`, made once, serves all rows, every slope that shares W, and all steps of a recurrence.

Measured on one core of an Intel Xeon (family 6, model 167) with SciPy's OpenBLAS in float32, in matrices of
32 to 128 numbers a side: each number of the matrix read across costs 0.3 nanoseconds more in a product of 16
rows, 0.4 of 32, 0.5 of 64, 0.9 of 128 and 1.5 of 256; in float64 twice as much. Above `SMALL`
multiplications, and where a library has no kernels for small products, it costs 0.1, which pays where every
step of a recurrence packs the matrix anew.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from math import prod
from typing import TYPE_CHECKING

from symgrad.calculus.contraction import as_product
from symgrad.calculus.editing import ProgramEditor
from symgrad.calculus.program import Equation, canonical
from symgrad.calculus.terms import Entry
from symgrad.passes.recurrences import Recurrence, in_order
from symgrad.passes.windowing.window_costs import LONG, cost_of_copy

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Iterator, Mapping

    import sympy as sp

    from symgrad.calculus.program import Program
    from symgrad.passes.recurrences import Part

SMALL = 10**6
"""As many multiplications as OpenBLAS's kernels for small products take."""
NUMBER, ROW = 0.15, 0.005
"""Nanoseconds for each number that a small product reads across, and for each of them and each row."""
PACKED = 0.04
"""The same for a larger product: it packs a number in 0.1 more from across, but a copy of such a matrix takes
some 1 for each number, not 0.4."""
LEAST_GAIN = 2.5
"""So many times what it costs must a copy save: where libraries pack small factors too, it saves nothing."""


def with_turned_factors(program: Program, rows: Mapping[str, int]) -> Program:
    """The program that multiplies by turned copies where these pay, for so many `rows` along free axes."""
    steps = dict(_steps(in_order(program, program.equations)))
    read: dict[str, _Across] = {}
    gains: dict[Equation, float] = {}
    for equation in program.equations:
        own = steps.get(equation.target, set())
        across = _read_across(equation, own)
        if across is not None:
            read[equation.target] = across
            gains[across.copy] = gains.get(across.copy, 0.0) + _gain(equation, own, rows)
    editor, names = ProgramEditor(program), dict[Equation, str]()
    for equation in program.equations:
        found = read.get(equation.target)
        if found is None or gains[found.copy] < LEAST_GAIN * cost_of_copy(found.copy.loops):
            editor.add(equation)
            continue
        if found.copy not in names:
            axes = tuple(loop.axis for loop in found.copy.loops)
            names[found.copy] = editor.new_tensor(f"{found.entry.tensor}_turned", axes)
            editor.add(replace(found.copy, target=names[found.copy]))
        turned = Entry(names[found.copy], found.indices)
        editor.add(equation.with_body(equation.body.xreplace({found.entry: turned})))
    return editor.program()


@dataclass(frozen=True)
class _Across:
    """A factor that a product reads across, its indices in a copy, and the copy, without a name."""

    entry: Entry
    indices: tuple[sp.Symbol, ...]
    copy: Equation


def _read_across(equation: Equation, steps: Collection[sp.Symbol]) -> _Across | None:
    """The right factor of a product of matrices where it stands as [columns, inner], all of a size.

    It is no vector, which lies both ways, and the same at all steps of a recurrence.
    """
    found = as_product(equation)
    if found is None or not found.right_transposed or {*found.columns, *found.inner} & {*steps}:
        return None
    entry = Entry(found.right, (*found.columns, *found.inner))
    loop = {loop.index: loop for loop in equation.loops}
    loops = tuple(loop[index] for index in (*found.inner, *found.columns))
    sizes = [prod(loop[i].axis.size or 0 for i in group) for group in (found.inner, found.columns)]
    if min(sizes) < 2:
        return None
    indices = tuple(loop.index for loop in loops)
    return _Across(entry, indices, canonical(Equation("", indices, loops, "none", entry)))


def _gain(equation: Equation, steps: Collection[sp.Symbol], rows: Mapping[str, int]) -> float:
    """Nanoseconds that a product, or one at each step of a recurrence, saves with its right factor turned."""
    sizes = {loop.index: loop.axis.size or rows.get(str(loop.axis.name), LONG) for loop in equation.loops}
    found = as_product(equation)
    groups = ((), ()) if found is None else (found.rows, (*found.inner, *found.columns))
    count, numbers = (prod(sizes[index] for index in group if index not in steps) for group in groups)
    turns = prod(size for index, size in sizes.items() if index in steps)
    return turns * numbers * (NUMBER + ROW * count if count * numbers <= SMALL else PACKED)


def _steps(parts: Iterable[Part]) -> Iterator[tuple[str, set[sp.Symbol]]]:
    """The indices that count steps, or parts of them, of every equation of a recurrence by its target."""
    for part in parts:
        if isinstance(part, Recurrence):
            inner = dict(_steps(part.inside))
            for target, step in part.steps.items():
                yield target, {step} | inner.get(target, set())
