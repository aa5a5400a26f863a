"""From nests over tensors stored by columns to kernels, the samples in the innermost loop that stays one."""

from __future__ import annotations

from typing import TYPE_CHECKING

from symgrad.calculus.terms import Entry
from symgrad.compiler.kernels.kernels import START, Kernel, KernelWriter

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    import sympy as sp

    from symgrad.calculus.program import Equation, Loop
    from symgrad.compiler.planning.plan import ColumnSweep, Nest, Plan


def column_kernel_of(
    sweep: ColumnSweep,
    plan: Plan,
    names: Mapping[str, str],
    extents: Mapping[str, str],
    comment: Callable[[Equation], str] | None = None,
) -> Kernel:
    """The loops of a sweep, each nest under its equations; `names` are of tensors, `extents` of free axes."""
    return _Writer(sweep, plan, names, extents, comment).kernel()


class _Writer(KernelWriter):
    def __init__(
        self,
        sweep: ColumnSweep,
        plan: Plan,
        names: Mapping[str, str],
        extents: Mapping[str, str],
        comment: Callable[[Equation], str] | None,
    ) -> None:
        self.plan, self.nests = plan, sweep.nests
        loops = [loop for nest in sweep.nests for loop in _loops(nest)]
        super().__init__(sweep.equations, sweep.local, loops, plan.program, names, extents, comment)

    def entry(self, entry: Entry) -> str:
        """The text of an entry, the sample's index last: `Z1[i, n]`."""
        if entry.tensor not in self.local and self.plan.is_by_columns(entry.tensor):
            entry = Entry(entry.tensor, (*entry.indices[1:], entry.indices[0]))
        return super().entry(entry)

    def write(self) -> None:
        self.hoist([e.body for e in self.equations], set(self.indices), self.made, "s")
        for nest in self.nests:
            before = dict(self.symbols)
            self.write_comments(nest.equations)
            self._nest(nest)
            self.depth = 0
            self.forget(before)

    def _nest(self, nest: Nest) -> None:
        scattered = [e for e in nest.equations if not e.is_plain]
        for equation in scattered:
            self.put(f"{self.names[equation.target]}[:] = 0")
        for loop in nest.outer:
            self.loop(loop)
        outside = self.depth
        over_samples = [e for e in nest.equations if nest.row is not None and nest.row.index not in e.indices]
        sums = [e for e in over_samples if e.is_plain]
        for equation in sums:
            self.put(f"{self._accumulator(equation)} = {self._start(equation)}")
        made = {e.target for e in nest.equations}
        if nest.row is not None:
            self.hoist(
                [e.body for e in nest.equations], {nest.row.index, *self._inner_indices(nest)}, made, "c"
            )
            self.loop(nest.row)
        self.share_calls([e.body for e in nest.equations if not e.bound], made)
        for equation in nest.equations:
            self._equation(equation, nest)
        self.depth = outside
        for equation in sums:
            target = self.entry(Entry(equation.target, equation.indices))
            self.put(f"{target} = real({self._accumulator(equation)})")

    def _equation(self, equation: Equation, nest: Nest) -> None:
        depth = self.depth
        target = self.entry(Entry(equation.target, equation.indices))
        inner = [loop for loop in equation.bound if loop != nest.row]
        if not equation.is_plain:
            self.put(f"{target} += {self.printer(equation.body)}")
        elif nest.row is not None and nest.row.index not in equation.indices:
            self._looped(inner)
            self.reduce(self._accumulator(equation), equation, self.printer(equation.body))
        elif not inner:
            self.put(f"{target} = {self.printer(equation.body)}")
        else:
            accumulator = self._accumulator(equation)
            self.put(f"{accumulator} = {self._start(equation)}")
            self._looped(inner)
            self.reduce(accumulator, equation, self.printer(equation.body))
            self.depth = depth
            self.put(f"{target} = {accumulator}")
        self.depth = depth

    def _looped(self, loops: list[Loop]) -> None:
        for loop in loops:
            self.loop(loop)

    def _accumulator(self, equation: Equation) -> str:
        return f"acc_{self.names[equation.target]}"

    def _start(self, equation: Equation) -> str:
        """Numbers that are summed over everything are summed in double precision."""
        return "0.0" if not equation.indices and equation.reduction == "sum" else START[equation.reduction]

    def _inner_indices(self, nest: Nest) -> set[sp.Basic]:
        return {loop.index for e in nest.equations for loop in e.bound}


def _loops(nest: Nest) -> list[Loop]:
    bound = [loop for equation in nest.equations for loop in equation.bound]
    return [*([nest.row] if nest.row is not None else []), *nest.outer, *(b for b in bound if b != nest.row)]
