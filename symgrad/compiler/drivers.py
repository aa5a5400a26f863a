"""From a plan to function bodies: views of the vectors, calls of kernels, each under its equation."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import sympy as sp

from symgrad.calculus.notation import matrix_form
from symgrad.calculus.program import Equation, show_axes
from symgrad.calculus.terms import Entry, entries, extent_symbol
from symgrad.compiler.identifiers import identifiers
from symgrad.compiler.kernels import Kernel, kernel_of
from symgrad.compiler.plan import Monomial, Plan, Product, Scalar, Step, Sweep, size_of
from symgrad.compiler.printer import Printer, print_index

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from symgrad.calculus.program import Axes
    from symgrad.compiler.plan import Phase


@dataclass(frozen=True)
class KernelText:
    """A compiled function of the emitted module."""

    name: str
    arguments: str
    doc: str
    lines: tuple[str, ...]


@dataclass(frozen=True)
class Action:
    """A statement of a driver, the tensors it touches and the equations it carries out."""

    statement: str
    tensors: tuple[str, ...]
    comments: tuple[str, ...]


class Drivers:
    """Writes the bodies of the phases, collecting the kernels they call."""

    def __init__(self, plan: Plan) -> None:
        self.plan = plan
        self.program = plan.program
        free = dict.fromkeys(a.name for t in self.program.tensors for a in t.axes if a.size is None and a.name)
        self.extents = tuple(free)
        wanted = [*self.extents, *(t.name for t in self.program.tensors)]
        self.names = identifiers(wanted)
        for tensor in self.program.tensors:
            self.names[tensor.name] = self.names[plan.memory_name(tensor.name)]
        self.kernels: dict[tuple[str, ...], KernelText] = {}
        self.kernel_names: set[str] = set()

    # Views ------------------------------------------------------------------------------------

    def view(self, tensor: str) -> str:
        """The tensor as a view of the vector it lies in."""
        place = self.plan.places[tensor]
        axes = self.program.tensor[tensor].axes
        if place.vector == "argument":
            return self.names[tensor]
        unit, amount = size_of(axes)
        start, end = self.offset(unit, place.offset), self.offset(unit, place.offset + amount)
        flat = f"{place.vector}[{start}:{end}]"
        return flat if len(axes) < 2 else f"{flat}.reshape({self.shape(axes)})"

    def offset(self, unit: Monomial, position: int) -> str:
        """A place in a vector: behind all smaller units, `position` of this one."""
        terms = []
        for other, amount in self.plan.work_units if unit else ():
            if other == unit:
                break
            terms.append(self._amount(other, amount))
        terms.append(self._amount(unit, position))
        kept = [t for t in terms if t != "0"]
        return " + ".join(kept) or "0"

    def _amount(self, unit: Monomial, amount: int) -> str:
        if amount == 0 or not unit:
            return str(amount)
        names = [self.names[n] for n in unit]
        return " * ".join(names if amount == 1 else [str(amount), *names])

    @property
    def work_size(self) -> str:
        return " + ".join(self._amount(u, n) for u, n in self.plan.work_units if n) or "0"

    def shape(self, axes: Axes) -> str:
        return ", ".join(self.size(a.extent) for a in axes)

    def size(self, extent: sp.Expr) -> str:
        return print_index(extent, {extent_symbol(n): self.names[n] for n in self.extents})

    # Statements -------------------------------------------------------------------------------

    def body(self, phase: Phase) -> tuple[str, ...]:
        """The lines of a phase: all views first, then one statement after another."""
        actions = [self._action(step) for step in phase.steps]
        used = dict.fromkeys(t for action in actions for t in action.tensors)
        lines = []
        seen: set[str] = set()
        for tensor in used:
            name = self.names[tensor]
            if self.plan.places[tensor].vector != "argument" and name not in seen:
                lines.append(f"{name} = {self.view(tensor)}")
            seen.add(name)
        for action in actions:
            lines += [f"# {comment}" for comment in action.comments]
            lines += action.statement.split("\n")
        return tuple(lines)

    def _action(self, step: Step) -> Action:
        comments = tuple(self.comment(e) for e in step.equations)
        match step:
            case Product():
                return self._product(step, comments)
            case Scalar(equation):
                return self._scalar(equation, comments)
            case Sweep():
                return self._sweep(step, comments)

    def comment(self, equation: Equation) -> str:
        """The equation as mathematics, with the axes of what it defines."""
        axes = self.program.tensor[equation.target].axes
        text = matrix_form(self._renamed(equation), self.program)
        return f"{text}   {show_axes(axes)}" if axes else text

    def _renamed(self, equation: Equation) -> Equation:
        """The equation with temporaries called after the memory they share."""
        shared = {
            e: Entry(self.plan.memory_name(e.tensor), e.indices)
            for e in entries(equation.body)
            if e.tensor in self.plan.shared
        }
        target = self.plan.memory_name(equation.target)
        return replace(equation, target=target, body=equation.body.xreplace(shared))

    def _scalar(self, equation: Equation, comments: tuple[str, ...]) -> Action:
        tensors = (*dict.fromkeys(e.tensor for e in entries(equation.body)), equation.target)
        target = self._entry_text(Entry(equation.target, equation.place))
        return Action(f"{target} = {self._number(equation.body)}", tensors, comments)

    def _number(self, body: sp.Expr) -> str:
        extents = {extent_symbol(n): f"real({self.names[n]})" for n in self.extents}
        return Printer(self._entry_text, extents)(body)

    def _entry_text(self, entry: Entry) -> str:
        places = [self._entry_text(i) if isinstance(i, Entry) else print_index(i, {}) for i in entry.indices]
        return f"{self.names[entry.tensor]}[{', '.join(places) or '0'}]"

    def _product(self, step: Product, comments: tuple[str, ...]) -> Action:
        found, equation = step.contraction, step.equation
        left = self._matrix(found.left, (found.rows, found.inner), found.left_transposed, equation)
        right = self._matrix(found.right, (found.inner, found.columns), found.right_transposed, equation)
        target = self._matrix(equation.target, (found.rows, found.columns), False, equation)
        if not found.rows:
            left, right = self._matrix(found.right, (found.columns, found.inner), not found.right_transposed, equation), left
        statement = f"np.dot({left}, {right}, {target})"
        if found.factor != 1:
            statement += f"\n{self.names[equation.target]} *= {self._number(found.factor)}"
        tensors = (found.left, found.right, equation.target, *(e.tensor for e in entries(found.factor)))
        return Action(statement, tensors, comments)

    def _matrix(
        self, tensor: str, groups: tuple[Sequence[sp.Symbol], ...], transposed: bool, equation: Equation
    ) -> str:
        """The tensor as a matrix (or vector) whose axes are the two groups."""
        name = self.names[tensor]
        stored = groups[::-1] if transposed else groups
        stored = tuple(g for g in stored if g)
        extent_of = {loop.index: loop.axis.extent for loop in equation.loops}
        if any(len(g) > 1 for g in stored):
            sizes = [self.size(sp.prod(extent_of[i] for i in g)) for g in stored]
            name = f"{name}.reshape({', '.join(sizes)})"
        return f"{name}.T" if transposed and len(stored) == 2 else name

    def _sweep(self, step: Sweep, comments: tuple[str, ...]) -> Action:
        placeholders = {name: f"a{k}" for k, name in enumerate(self._stable_order(step))}
        canonical = kernel_of(step, self.program, {**self.names, **placeholders})
        key = (*canonical.lines, *map(str, canonical.sizes))
        kernel = kernel_of(step, self.program, self.names)
        arrays = tuple(dict.fromkeys(self.names[a] for a in kernel.arrays))
        sizes = tuple(self.names[s] for s in kernel.sizes)
        if key not in self.kernels:
            self.kernels[key] = self._kernel_text(step, kernel, (*arrays, *sizes), comments)
        statement = f"{self.kernels[key].name}({', '.join((*arrays, *sizes))})"
        return Action(statement, kernel.arrays, comments)

    def _stable_order(self, step: Sweep) -> Iterable[str]:
        """Tensors by their memory, in the order of the kernel's arguments."""
        kernel = kernel_of(step, self.program, self.names)
        return dict.fromkeys([*kernel.arrays, *sorted(step.local)])

    def _kernel_text(
        self, step: Sweep, kernel: Kernel, arguments: tuple[str, ...], comments: tuple[str, ...]
    ) -> KernelText:
        targets = dict.fromkeys(self.names[e.target] for e in step.equations if e.target not in step.local)
        base = "_" + "_".join(list(targets)[:3])
        name, number = base, 2
        while name in self.kernel_names:
            name, number = f"{base}_{number}", number + 1
        self.kernel_names.add(name)
        return KernelText(name, ", ".join(arguments), "; ".join(comments), kernel.lines)
