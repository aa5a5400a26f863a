"""From loop nests to kernels: the instructions of one compiled function each."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property
from typing import TYPE_CHECKING

import sympy as sp

from symgrad.calculus.contraction import StackedProduct, as_stacked_product, start_of
from symgrad.calculus.program import Loop
from symgrad.calculus.terms import Entry, entries, extent_symbol
from symgrad.compiler.kernels.handing_on import begin, hand_on, loop_back, loops_beside, tensors_of
from symgrad.compiler.kernels.instructions import (
    Add,
    Applied,
    ArraySection,
    Assign,
    Cell,
    Clear,
    Expression,
    ForRange,
    Instruction,
    Invoke,
    Length,
    Literal,
    Matrix,
    Note,
    Stretch,
    Summed,
    Typed,
    TypeOf,
    Variable,
    is_typed,
    replaced,
    walk,
    without_notes,
)
from symgrad.compiler.kernels.loop_builder import COUNT, LoopBuilder
from symgrad.compiler.kernels.lowering import Lowering, lowered_index
from symgrad.compiler.kernels.shared_turns import Turns, are_apart, in_part, in_wide_parts, turns_of
from symgrad.compiler.planning.loop_orders import AROUND, ROW, entries_of, numbered_index
from symgrad.compiler.planning.plan import LoopNest, Plan
from symgrad.compiler.planning.row_blocks import is_over
from symgrad.errors import InternalError
from symgrad.spec.reductions import EXTREMA, REDUCTIONS

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterator, Mapping, Sequence

    from symgrad.calculus.program import Equation

WRITTEN_OUT, ADDED_IN_ORDER = range(4, 41), range(16, 100)
"""Known rounds of a loop over entries, and over terms, that LLVM writes out and then cannot vectorise."""
BLOCK = Variable("BLOCK")
"""So many rows are added up by themselves."""


@dataclass(frozen=True)
class Kernel:
    """What a compiled function does; its arguments are the arrays of tensors, then the sizes of free axes.

    Where it has `turns`, it does those from START on, before STOP.
    """

    tensors: tuple[str, ...]
    arrays: tuple[Variable, ...]
    sizes: tuple[str, ...]
    body: tuple[Instruction, ...]
    turns: Turns | None = None

    @cached_property
    def form(self) -> object:
        """What it does, whatever its variables are called: kernels of one form do the same."""
        body = without_notes(self.body)
        used = [node for node in (*self.arrays, *walk(body)) if isinstance(node, Variable)]
        numbers = {v: Variable(str(n)) for n, v in enumerate(dict.fromkeys(used)) if v.name not in self.sizes}
        return replaced(self.arrays, numbers), self.sizes, replaced(body, numbers)


def kernel_of(
    nest: LoopNest,
    plan: Plan,
    names: Mapping[str, str],
    extents: Mapping[str, str],
    reserved: Collection[str],
    comment: Callable[[Equation], str] | None = None,
    *,
    is_shared: bool = False,
) -> Kernel:
    """The loops of a nest, each under its equations; `names` are of tensors, `extents` of free axes.

    No index has a name that is `reserved`. Threads may take turns of what `is_shared`, where it is long.
    """
    writer = _Writer(nest, plan, names, extents, reserved, comment)
    body = writer.body()
    turns, body = writer.in_turns(body) if is_shared else (None, body)
    return writer.kernel(body, turns)


@dataclass(frozen=True)
class _Reduced:
    """How an equation of a nest gathers its terms, in a number of its own or where it lies in memory.

    That starts anew inside the first `depth` of the `loops` around it, those over entries of the target.
    """

    equation: Equation
    loops: tuple[Loop, ...]
    rows: str

    @property
    def depth(self) -> int:
        """How many of the outermost loops are over entries of the target."""
        if self.equation.scatters:
            return int(len(self.loops) > 1 and self.loops[0].index == ROW == self.equation.indices[0])
        others = (n for n, loop in enumerate(self.loops) if loop.index not in self.equation.indices)
        return next(others, len(self.loops))

    @property
    def in_memory(self) -> bool:
        """Whether the target's entries come by turns, each more than once."""
        over_entries = {loop.index for loop in self.loops[: self.depth]}
        return self.equation.scatters or over_entries != set(self.equation.indices)

    @property
    def in_double(self) -> bool:
        """Numbers that are summed over everything, or over rows, are summed in double precision."""
        is_over_all = not self.equation.indices or any(
            is_over(loop, self.rows) for loop in self.equation.bound
        )
        return is_over_all and self.equation.reduction == "sum"


class _Writer(LoopBuilder):
    def __init__(
        self,
        nest: LoopNest,
        plan: Plan,
        names: Mapping[str, str],
        extents: Mapping[str, str],
        reserved: Collection[str],
        comment: Callable[[Equation], str] | None,
    ) -> None:
        self.nest, self.plan, self.comment, self.equations = nest, plan, comment, nest.equations
        self.loops = tuple(dict.fromkeys(loop for e in nest.equations for loop in _in_order(e)))
        self.cleared = [loop for e in nest.equations if e.scatters for loop in self._loops_of_row(e)]
        self.handed = [
            loop
            for inner in nest.recurrences
            for t in inner.carried
            for loop in (*inner.loops, *loops_beside(t))
        ]
        super().__init__([*self._open_together()], names, extents, nest.local, reserved)
        self.arrays, self.sizes = self._arrays(), self._sizes()
        self.known |= {extent_symbol(name): Typed(Variable(extents[name])) for name in self.sizes}
        self.made = {*(e.target for e in nest.equations), *(tensor.name for tensor in nest.all_carried)}
        self.reduced = {
            e.target: _Reduced(e, loops, plan.rows)
            for loops, equations in nest.parts()
            for e in equations
            if not e.is_elementwise or e.scatters
        }
        self.accumulators: dict[str, Variable] = {}

    def _open_together(self) -> Iterator[tuple[Loop, ...]]:
        """Loops that stand in one another: those of each equation; over rows, or parts and steps, those that
        clear something or hand it on.
        """
        for around, equations in self.nest.parts():
            for equation in equations:
                yield (*around, *_in_order(equation))
        outer = [loop for loop in self.loops if loop.index in AROUND]
        yield (*outer, *self.cleared)
        yield (*outer, *self.handed)

    def body(self) -> tuple[Instruction, ...]:
        """What a kernel of the equations does."""
        self.hoist([e.body for e in self.equations], {loop.index for loop in self.loops}, self.made, "s")
        self._loops(self.nest, (), is_top=False)
        (body,) = map(tuple, self.bodies)
        return (TypeOf(self._typed_array), *body) if is_typed(body) else body

    def in_turns(self, body: tuple[Instruction, ...]) -> tuple[Turns | None, tuple[Instruction, ...]]:
        """The loop that threads share where the pass is long, the outermost that can be, and the body so."""
        for loop in self.loops:
            turn, turns = self.counters[loop], turns_of(loop, self.equations)
            if turns is not None and are_apart(body, turn, self.extent(loop)):
                return in_wide_parts(turns, body, turn), in_part(body, turn)
        return None, body

    def kernel(self, body: tuple[Instruction, ...], turns: Turns | None) -> Kernel:
        """The kernel that does this."""
        used = set(walk(body))
        sizes = tuple(name for s in self.sizes if Variable(name := self.extents[s]) in used)
        arrays = tuple(Variable(self.names[t]) for t in self.arrays)
        return Kernel(self.arrays, arrays, sizes, body, turns)

    def entry(self, entry: Entry) -> Cell | Variable:
        """Where an entry is; of a tensor stored by columns the first index is the last one: `Z1[i, n]`."""
        if entry.tensor not in self.local and self.plan.is_by_columns(entry.tensor):
            entry = Entry(entry.tensor, (*entry.indices[1:], entry.indices[0]))
        return super().entry(self.plan.in_memory(entry))

    def formed(self, expr: sp.Expr) -> Expression:
        """What is made of numbers in no memory alone is formed in double precision, then rounded once."""
        read = {e.tensor for e in entries(expr)}
        if not read or any(t not in self.local or self.plan.program.tensor[t].axes for t in read):
            return super().formed(expr)
        return Typed(Lowering(self.entry, {}, typed=False)(expr))

    # Loops ------------------------------------------------------------------------------------

    def _parts(self, nest: LoopNest, around: tuple[Loop, ...]) -> None:
        """The nests inside a nest, one after another; those in each step of a recurrence as at the top."""
        is_top = nest is self.nest or bool(nest.carried)
        before = dict(self.known)
        for part in nest.body:
            if not isinstance(part, LoopNest):
                continue
            if is_top:
                self.lower.vectorised = not nest.is_once_a_row(part)
                self._comments(() if part.carried else part.equations)
            if not part.products:
                self._hoist_before(part, around)
            self._loops(part, around, is_top)
            if is_top:
                self.forget(before)

    def _loops(self, nest: LoopNest, around: tuple[Loop, ...], is_top: bool) -> None:
        """Open the loops of a nest, do what is inside, close them, and store what is complete by then."""
        loops = (*around, *nest.loops)
        for tensor in nest.carried:
            begin(tensor, self)
        opened: list[tuple[int, list[_Reduced], list[Equation]]] = []
        for number, loop in enumerate(nest.loops, len(around)):
            reduced = [r for e in nest.equations if (r := self.reduced.get(e.target)) and r.depth == number]
            in_blocks = [e for e in nest.equations if self._is_in_blocks(e, loop)]
            opened.append((self.depth, reduced, in_blocks))
            for started in sorted(reduced, key=lambda r: r.in_memory):
                self._start(started)
            if in_blocks:
                self._begin_blocks(loop, in_blocks, loops[:number])
            elif nest.back:
                loop_back(loop, self)
            else:
                self.loop(loop, self._size_at_run_time(loop, nest, loops) if is_top else None)
        if nest.counted is not None:
            self.count_steps(nest.loops[0], nest.counted)
        self._parts(nest, loops)
        if nest.products:
            self._product(nest.equations[0], len(loops))
        else:
            self._equations([e for e in nest.body if not isinstance(e, LoopNest)], loops)
        for tensor in nest.carried:
            hand_on(tensor, nest.loops[0], self)
        for number, (depth, reduced, in_blocks) in reversed([*enumerate(opened, len(around))]):
            if in_blocks:
                self._end_blocks(depth, in_blocks, loops[:number])
            self.close(depth)
            for complete in reduced:
                self._store(complete)

    def _begin_blocks(self, rows: Loop, sums: Sequence[Equation], around: Sequence[Loop]) -> None:
        """Open a loop over blocks of rows, each of which begins with 0, and one over the rows of it."""
        first, size = self.fresh("first"), self.extent(rows)
        self.begin(ForRange(first, size, step=BLOCK))
        for equation in sums:
            outside = self._loop_over_entries(equation, around)
            self.put(Assign(self._gathered(equation), Typed(Literal(0))))
            self.close(outside)
        end = Applied("min", (Summed(((False, first), (False, BLOCK))), size))
        self.begin(ForRange(self.counter(rows), end, start=first))

    def _end_blocks(self, depth: int, sums: Sequence[Equation], around: Sequence[Loop]) -> None:
        """Close the loop over the rows of a block, and add to the sums what was gathered in it."""
        self.close(depth + 1)
        for equation in sums:
            outside = self._loop_over_entries(equation, around)
            self.put(Add(self._target(equation), self._gathered(equation)))
            self.close(outside)

    def _loop_over_entries(self, equation: Equation, around: Sequence[Loop]) -> int:
        """Open loops over those entries of a target that loops around it leave; how many were open before."""
        outside = self.depth
        for loop in equation.free:
            if loop not in around:
                self.loop(loop)
        return outside

    def _clear(self, tensor: str, loops: Sequence[Loop], row: tuple[sp.Expr, ...] = ()) -> None:
        """Entry by entry, 0 in a tensor over these loops, or in a row of it."""
        outside, indices = self.depth, (*row, *(loop.index for loop in loops))
        for loop in loops:
            self.loop(loop)
        self.put(Assign(self.entry(Entry(tensor, indices)), Typed(Literal(0))))
        self.close(outside)

    def _loops_of_row(self, equation: Equation) -> tuple[Loop, ...]:
        """Loops over all entries that the target of an equation has in a row."""
        axes = self.plan.program.tensor[equation.target].axes[1:]
        return tuple(Loop(numbered_index(number), axis) for number, axis in enumerate(axes))

    def _is_in_blocks(self, equation: Equation, loop: Loop) -> bool:
        """Whether an equation gathers a block of the rows that a loop is over."""
        is_over_rows = loop in equation.bound and is_over(loop, self.plan.rows)
        return is_over_rows and bool(self._block(equation))

    def _block(self, equation: Equation) -> str:
        """The memory in which an equation gathers a block of rows; empty where it does not."""
        return self.plan.blocks.get(equation.target, "")

    def _hoist_before(self, nest: LoopNest, around: tuple[Loop, ...]) -> None:
        """Compute before innermost loops what does not change in them."""
        equations = [e for e in nest.body if not isinstance(e, LoopNest)]
        if nest.loops:
            inner = {loop.index for e in equations for loop in e.loops if loop not in around}
            self.hoist([e.body for e in equations], inner, {e.target for e in equations}, "c")

    def _comments(self, equations: Sequence[Equation]) -> None:
        """The equations as mathematics, each in a line."""
        if self.comment is not None:
            for equation in equations:
                self.put(Note(self.comment(self._with_own_letters(equation))))

    def _with_own_letters(self, equation: Equation) -> Equation:
        """The equation whose indices are written as they are called here."""
        loops = (
            Loop(loop.index, replace(loop.axis, letter=self.counters[loop].name)) for loop in equation.loops
        )
        return replace(equation, loops=tuple(loops))

    # Equations --------------------------------------------------------------------------------

    def _equations(self, equations: Sequence[Equation], around: tuple[Loop, ...]) -> None:
        """What is done in the innermost loops."""
        own = {e.target: [loop for loop in _in_order(e) if loop not in around] for e in equations}
        self.share_calls([e.body for e in equations if not own[e.target]], {e.target for e in equations})
        for equation in equations:
            self._equation(equation, own[equation.target], len(around))

    def _equation(self, equation: Equation, own: Sequence[Loop], depth: int) -> None:
        reduced, outside = self.reduced.get(equation.target), self.depth
        if reduced is None:
            self.put(Assign(self._target(equation), self.lower(equation.body)))
            return
        is_own = reduced.depth == depth
        if is_own:
            self._start(reduced)
        for loop in own:
            self.loop(loop, self._terms_at_run_time(loop, equation) if loop == own[-1] else None)
        self._gather(reduced)
        self.close(outside)
        if is_own:
            self._store(reduced)

    def _product(self, equation: Equation, depth: int) -> None:
        """A product of matrices inside so many loops, added where these are over what is summed too."""
        found = as_stacked_product(equation, AROUND)
        if found is None:
            raise InternalError(f"no product of matrices: {equation}")
        extents = {loop.index: self.term(loop.axis) for loop in equation.loops}
        left, right = (self._matrix(entry, found, extents) for entry in (found.left, found.right))
        into = Entry(self._block(equation) or equation.target, equation.indices)
        target = replace(self._matrix(into, found, extents), transposed=False)
        scale = Literal(1) if found.factor == 1 else self.lower(found.factor)
        keep = Literal(0 if self.reduced[equation.target].depth == depth else 1)
        function = "masked_gemm" if found.skips_zeros else "gemm"
        self.put(Invoke(function, (scale, left, right, keep, target)))

    def _matrix(self, entry: Entry, found: StackedProduct, extents: Mapping[sp.Symbol, sp.Expr]) -> Matrix:
        """An operand of a product: what a tensor has at the indices that are none of its matrix."""
        chosen = [self._chosen(i, found, extents) for i in self.plan.in_memory(entry).indices]
        array = Variable(self.names[entry.tensor])
        groups = found.groups(entry)
        shape: tuple[Expression, ...] = ()
        if any(len(group) > 1 for group in groups):
            sizes = (sp.prod(extents[i] for i in group) for group in groups)
            shape = tuple(lowered_index(size, self.known) for size in sizes)
            if all(part in (None, self._steps_of_part) for part in chosen):
                chosen = []  # what a view of this shape has, from the beginning on
        while chosen and chosen[-1] is None:
            chosen.pop()
        section = ArraySection(array, tuple(chosen)) if chosen else array
        return Matrix(section, shape, found.is_transposed(entry))

    def _chosen(
        self, index: sp.Expr, found: StackedProduct, extents: Mapping[sp.Symbol, sp.Expr]
    ) -> Expression | Stretch | None:
        """What a matrix has of an axis: all of it, some of it, or one place."""
        if index in found.matrix:
            return self._steps_of_part if extents[index] == COUNT else None
        moved = start_of(index, found.matrix)
        if moved is None:
            return self.index(index)
        own, start = moved
        ends = (lowered_index(place, self.known) for place in (start, start + extents[own]))
        return Stretch(*ends)

    @property
    def _steps_of_part(self) -> Stretch | None:
        """What a matrix has of an axis of steps of which the last part has fewer: those of this part."""
        return Stretch(Literal(0), self.known[COUNT]) if COUNT in self.known else None

    def _start(self, reduced: _Reduced) -> None:
        equation = reduced.equation
        if not reduced.in_memory:
            start = (
                Literal(0.0) if reduced.in_double else Typed(Literal(REDUCTIONS[equation.reduction].start))
            )
            self.put(Assign(self._accumulator(equation), start))
        elif equation.onto or equation.target in self.plan.tiled:
            return
        elif self._block(equation):
            outside = self._loop_over_entries(equation, reduced.loops[: reduced.depth])
            self.put(Assign(self._target(equation), Typed(Literal(0))))
            self.close(outside)
        elif equation.target in self.plan.looked_up:
            cleared = (equation.target, self.plan.looked_up[equation.target])
            self.put(Invoke("clear_rows", tuple(Variable(self.names[name]) for name in cleared)))
        elif not reduced.depth:
            self.put(Clear(Variable(self.names[equation.target])))
        elif equation.scatters:
            self._clear(equation.target, self._loops_of_row(equation), equation.indices[:1])
        else:
            outside = self.depth
            inside = (loop for loop in reduced.loops[reduced.depth :] if loop.index in equation.indices)
            for loop in dict.fromkeys((*inside, *(f for f in equation.free if f not in reduced.loops))):
                self.loop(loop)
            self.put(Assign(self._target(equation), Typed(Literal(0))))
            self.close(outside)

    def _gather(self, reduced: _Reduced) -> None:
        """Take one more value into a sum, a maximum or a minimum."""
        equation = reduced.equation
        body = self.lower(equation.body)
        gathered = self._gathered(equation) if reduced.in_memory else self._accumulator(equation)
        if equation.target in self.plan.tiled:
            self.put(Assign(gathered, body))
        elif equation.reduction in EXTREMA:
            self.put(Assign(gathered, Applied(equation.reduction.title(), (gathered, body))))
        else:
            self.put(Add(gathered, body))

    def _store(self, reduced: _Reduced) -> None:
        if not reduced.in_memory:
            found = self._accumulator(reduced.equation)
            self.put(Assign(self._target(reduced.equation), Typed(found) if reduced.in_double else found))

    def _target(self, equation: Equation) -> Cell | Variable:
        return self.entry(Entry(equation.target, equation.indices))

    def _gathered(self, equation: Equation) -> Cell | Variable:
        """The entry of memory in which terms are added up."""
        return self.entry(Entry(self._block(equation) or equation.target, equation.indices))

    def _accumulator(self, equation: Equation) -> Variable:
        name = equation.target
        if name not in self.accumulators:
            self.accumulators[name] = self.fresh(f"acc_{self.names[name]}")
        return self.accumulators[name]

    # Arguments --------------------------------------------------------------------------------

    def _arrays(self) -> tuple[str, ...]:
        read = [e.tensor for e in entries_of(self.equations)]
        blocks = (b for e in self.equations if (b := self._block(e)))
        made = (*(e.target for e in self.equations), *tensors_of(self.nest.all_carried))
        tensors = dict.fromkeys([*read, *made, *blocks])
        return tuple(t for t in tensors if t not in self.local)

    def _sizes(self) -> tuple[str, ...]:
        read = (part for e in self.equations for part in (e.body, *e.indices))
        inside = {s.name for part in read for s in part.free_symbols if s.is_positive}
        loops = (*self.loops, *self.cleared, *self.handed)
        axes = (axis for loop in loops for axis in (loop.axis, loop.axis.within) if axis is not None)
        free = [axis.name for axis in axes if axis.is_free]
        return tuple(dict.fromkeys([n for n in free if n] + sorted(inside - set(free))))

    @property
    def _typed_array(self) -> Variable:
        """An array of the arithmetic type."""
        typed = (a for a in self.arrays if not self.plan.program.tensor[a].is_integer)
        return Variable(self.names[next(typed)])

    def _size_at_run_time(self, loop: Loop, nest: LoopNest, loops: Sequence[Loop]) -> Expression | None:
        """The size of a short axis as an array knows it that has this very axis: `A1.shape[1]`.

        LLVM writes loops of a few known rounds out, one entry after another, before it could vectorise them.
        Where entries are scattered, or have loops of their own, it vectorises nothing.
        """
        equations = [e for e in nest.body if not isinstance(e, LoopNest)]
        is_vectorised = equations and all(not e.scatters and not set(e.loops) - {*loops} for e in equations)
        is_summed = any(loop in e.bound for e in equations)
        is_short = loop.axis.size in WRITTEN_OUT or (is_summed and loop.axis.size in ADDED_IN_ORDER)
        return self._length(loop, equations) if is_short and is_vectorised else None

    def _terms_at_run_time(self, loop: Loop, equation: Equation) -> Expression | None:
        """The same for terms that are formed of an entry of their own each; others stay in registers."""
        all_indices = {i.index for i in equation.loops}
        is_own = any(set(entry.indices) == all_indices for entry in entries(equation.body))
        is_short = loop.axis.size in ADDED_IN_ORDER and not self.plan.column_axis
        return self._length(loop, [equation]) if is_own and is_short else None

    def _length(self, loop: Loop, equations: Sequence[Equation]) -> Expression | None:
        """The size of its axis as an array has it that these equations read or make."""
        targets = (Entry(e.target, e.indices) for e in equations)
        for entry in (*targets, *entries_of(equations)) if loop.axis.within is None else ():
            axes, indices = self.plan.axes_in_memory(entry.tensor), self.plan.in_memory(entry).indices
            for number, (index, axis) in enumerate(zip(indices, axes, strict=True)):
                if index == loop.index and axis.fits(loop.axis) and entry.tensor not in self.local:
                    return Length(Variable(self.names[entry.tensor]), number)
        return None


def _in_order(equation: Equation) -> tuple[Loop, ...]:
    """The loops of an equation: over rows, over the other entries, over what is reduced."""
    row = tuple(loop for loop in equation.loops if loop.index == ROW)
    free = () if equation.scatters else equation.free
    return tuple(dict.fromkeys((*row, *free, *equation.bound)))
