"""From a plan to function bodies: views of the vectors, calls of kernels, each under its equation."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from symgrad.calculus.axes import show_axes
from symgrad.calculus.contraction import as_product
from symgrad.compiler.kernels.kernels import Kernel, kernel_of
from symgrad.compiler.module.memory_views import MemoryViews
from symgrad.compiler.module.rerolling import Action, Repeat, roll
from symgrad.compiler.module.statements import Statements
from symgrad.compiler.planning.plan import Carry, LoopNest, Plan, Product, Scalar, Step
from symgrad.compiler.targets.numba.identifiers import PRIVATE, identifiers
from symgrad.notation.equations import Writing

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

    from symgrad.calculus.program import Equation
    from symgrad.compiler.planning.plan import Phase

INDENT = "    "


@dataclass(frozen=True)
class KernelText:
    """A compiled function of the emitted module; where it must be `exact`, no sum may be regrouped."""

    name: str
    arguments: str
    doc: str
    lines: tuple[str, ...]
    exact: bool


class Drivers:
    """Writes the bodies of the phases, collecting the kernels they call."""

    def __init__(self, plan: Plan) -> None:
        self.plan = plan
        self.program = plan.program
        free = dict.fromkeys(
            a.name for t in self.program.tensors for a in t.axes if a.size is None and a.name
        )
        self.extents = tuple(free)
        self.names = identifiers(t.name for t in self.program.tensors)
        self.extent_names = identifiers(self.extents, taken=self.names.values())
        for tensor in self.program.tensors:
            self.names[tensor.name] = self.names[plan.memory_name(tensor.name)]
        self.views = MemoryViews(plan, self.names, self.extent_names)
        self.statements = Statements(plan, self.views, self.extent_names)
        self.kernels: dict[tuple[str, ...], KernelText] = {}
        self.kernel_names = set(PRIVATE)

    def body(self, phase: Phase) -> tuple[str, ...]:
        """The lines of a phase: views of its tensors, then one statement after another."""
        parts = roll(tuple(self._action(step) for step in phase.steps))
        single = [p for p in parts if isinstance(p, Action)]
        lines = self._view_lines(dict.fromkeys(t for action in single for t in action.tensors), {})
        for number, part in enumerate(parts):
            if isinstance(part, Action):
                lines += self._statement(part)
            else:
                lines += self._loop(part) + self._restored(part, parts[number + 1 :])
        if any("real(" in line for line in lines):
            lines.insert(0, "real = theta.dtype.type")
        return tuple(lines)

    def _view_lines(self, tensors: Iterable[str], strides: Mapping[str, int]) -> list[str]:
        lines = {
            f"{self.names[t]} = {self.views.view(t, strides.get(t, 0))}": None
            for t in tensors
            if self.plan.places[t].vector != "argument"
        }
        return list(lines)

    def _statement(self, action: Action) -> list[str]:
        names = [self.names[t] for t in action.tensors]
        return [
            *(f"# {comment}" for comment in action.comments),
            *action.statement.format(*names).split("\n"),
        ]

    def _loop(self, repeat: Repeat) -> list[str]:
        """`for layer in range(98):` with views that move from layer to layer."""
        strides: dict[str, int] = {}
        for action, moves in zip(repeat.actions, repeat.strides, strict=True):
            strides |= dict(zip(action.tensors, moves, strict=True))
        lines = [f"for layer in range({repeat.times}):"]
        lines.append(
            f"{INDENT}# written for the first time; the last time ends with {repeat.last[-1].comments[-1]}"
        )
        inside = self._view_lines(strides, strides)
        for action in repeat.actions:
            inside += self._statement(action)
        return lines + [INDENT + line for line in inside]

    def _restored(self, repeat: Repeat, later: Sequence[Action | Repeat]) -> list[str]:
        """The views a loop has moved, as they were, where a statement after it needs them."""
        wanted = {self.names[t] for part in later if isinstance(part, Action) for t in part.tensors}
        pairs = zip(repeat.actions, repeat.strides, strict=True)
        moved = [t for action, moves in pairs for t, move in zip(action.tensors, moves, strict=True) if move]
        return self._view_lines(dict.fromkeys(t for t in moved if self.names[t] in wanted), {})

    # Statements -------------------------------------------------------------------------------

    def _action(self, step: Step) -> Action:
        match step:
            case Product():
                statement, tensors = self.statements.product(step)
            case Carry(equation):
                statement, tensors = self.statements.carry(equation)
            case Scalar(equation):
                statement, tensors = self.statements.scalar(equation)
            case LoopNest():
                statement, tensors = self._nest(step)
        operands = []
        for tensor in tensors:
            place = self.plan.places[tensor]
            axes = tuple(axis.extent for axis in self.program.tensor[tensor].axes)
            operands.append((place, (axes, tensor if place.vector == "argument" else "")))
        comments = tuple(line for e in step.equations for line in self._comments(e))
        return Action(statement, tensors, tuple(operands), comments)

    def _comments(self, equation: Equation) -> tuple[str, ...]:
        """The equation, and what its carried gradient is added to."""
        into = equation.target
        if into not in self.plan.program.carried:
            return (self._comment(equation),)
        gradient = self.plan.program.carried[into]
        carrying = f"{into} ← keep·{into} + scale·{gradient}"
        if as_product(equation) is None:
            return (carrying,)
        return self._comment(replace(equation, target=gradient)), carrying

    def _comment(self, equation: Equation) -> str:
        """The equation as mathematics, the axes of what it defines, and the array it is in, if another's."""
        axes = self.program.tensor[equation.target].axes
        text = Writing(self.program).matrix(equation)
        memory = self.plan.memory_name(equation.target)
        held = f" in {memory}" if memory != equation.target else ""
        return f"{text}   {show_axes(axes)}{held}" if axes else text

    def _kernel(
        self,
        nest: LoopNest,
        names: Mapping[str, str],
        comment: Callable[[Equation], str] | None = None,
    ) -> Kernel:
        return kernel_of(nest, self.plan, names, self.extent_names, comment)

    def _nest(self, nest: LoopNest) -> tuple[str, tuple[str, ...]]:
        kernel = self._kernel(nest, self.names)
        placeholders = {t: f"a{k}" for k, t in enumerate((*kernel.arrays, *sorted(nest.local)))}
        canonical = self._kernel(nest, {**self.names, **placeholders})
        by_name = {self.names[a]: a for a in kernel.arrays}
        shared = tuple(list(by_name.values()).index(by_name[self.names[a]]) for a in kernel.arrays)
        key = (*canonical.lines, *kernel.sizes, str(shared))
        sizes = [self.extent_names[s] for s in kernel.sizes]
        if key not in self.kernels:
            self.kernels[key] = self._kernel_text(nest, [*by_name, *sizes])
        tensors = tuple(by_name.values())
        arguments = [*(f"{{{k}}}" for k in range(len(tensors))), *sizes]
        return f"{self.kernels[key].name}({', '.join(arguments)})", tensors

    def _kernel_text(self, nest: LoopNest, arguments: Sequence[str]) -> KernelText:
        targets = dict.fromkeys(self.names[e.target] for e in nest.equations if e.target not in nest.local)
        base = "_" + "_".join(list(targets)[:3])
        name, number = base, 2
        while name in self.kernel_names:
            name, number = f"{base}_{number}", number + 1
        self.kernel_names.add(name)
        kernel = self._kernel(nest, self.names, self._comment)
        doc = f"{', '.join(targets)}{self._manner(nest)}."
        return KernelText(name, ", ".join(arguments), doc, kernel.lines, kernel.exact)

    def _manner(self, nest: LoopNest) -> str:
        if self.plan.column_axis:
            return ", each stored by columns"
        return ", row by row" if nest.loops else ""
