"""From a plan to function bodies: views of the vectors, calls of kernels, each under its equation."""

from __future__ import annotations

from dataclasses import dataclass, replace
from types import MappingProxyType
from typing import TYPE_CHECKING, TypeAlias

from symgrad.calculus.axes import show_axes
from symgrad.calculus.contraction import as_product
from symgrad.compiler.kernels.identifiers import identifiers
from symgrad.compiler.kernels.instructions import (
    Assign,
    Expression,
    ForRange,
    Instruction,
    Invoke,
    Literal,
    Note,
    Together,
    TypeOf,
    Variable,
    is_typed,
    replaced,
)
from symgrad.compiler.kernels.kernels import Kernel, kernel_of
from symgrad.compiler.kernels.memory_views import LAYER, MemoryViews
from symgrad.compiler.kernels.rerolling import Action, Repeat, reroll, sections
from symgrad.compiler.kernels.shared_turns import IN_PARTS, START, STOP, counted
from symgrad.compiler.kernels.statements import STREAM, Statements, slot
from symgrad.compiler.planning.plan import Accumulate, Draw, LoopNest, Phase, Plan, Product, Scalar, Step
from symgrad.notation.convention import AS_COMPUTED
from symgrad.notation.equations import Writing
from symgrad.spec.taken_names import unused

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Mapping, Sequence

    from symgrad.calculus.program import Equation

Sections: TypeAlias = tuple[tuple[Instruction, ...], ...]
"""The body of a function; that of a long one in sections, which are functions of their own."""


@dataclass(frozen=True)
class NamedKernel:
    """A kernel as a function of the module: its name, its arguments, and in words what it makes."""

    name: str
    arguments: tuple[str, ...]
    doc: str
    kernel: Kernel


class FunctionBodies:
    """The bodies of the phases, and the kernels they call; `reserved` names are the target's own, the axis
    of rows is the `batch_axis`, or empty.

    `extent_names` are the module's names of sizes: those of the `free_axes`, then those that follow from
    these by formulas. Those `beside` are of another plan for the same data and parameters: they have the
    same names for these, and share kernels that do the same. Formulas may have `more_sizes`, by their names.
    """

    def __init__(
        self,
        plan: Plan,
        reserved: Collection[str],
        beside: FunctionBodies | None = None,
        batch_axis: str = "",
        more_sizes: Mapping[str, str] = MappingProxyType({}),
    ) -> None:
        self.plan, self.reserved = plan, reserved
        self.program = plan.program
        sizes = self.program if beside is None else beside.program
        derived = sizes.derived_sizes
        self.free_axes = tuple(str(a.name) for a in sizes.free_axes if a.form is None)
        self.names = self._names(reserved, beside)
        spelled = {name: form.spelled for name, form in derived.items()}
        if beside is None:
            taken = {*reserved, *self.names.values()}
            self.extent_names = identifiers((*self.free_axes, *derived), taken, spelled)
        else:
            self.extent_names = {**beside.extent_names, **more_sizes}
        for tensor in self.program.tensors:
            self.names[tensor.name] = self.names[plan.memory_name(tensor.name)]
        self.views = MemoryViews(plan, self.names, self.extent_names)
        self.statements = Statements(plan, self.views, self.extent_names, batch_axis)
        self.kernels: dict[object, NamedKernel] = {} if beside is None else beside.kernels
        self.kernel_names: set[str] = set(reserved) if beside is None else beside.kernel_names
        self.written: dict[tuple[str, ...], str] = {}

    def _names(self, reserved: Collection[str], beside: FunctionBodies | None) -> dict[str, str]:
        """The module's names of tensors."""
        if beside is None:
            return identifiers((t.name for t in self.program.tensors), reserved)
        shared = {t.name for t in self.program.declared} & {t.name for t in beside.program.declared}
        known = {name: beside.names[name] for name in shared}
        taken = {*reserved, *known.values(), *beside.extent_names.values()}
        return {**known, **identifiers((t.name for t in self.program.tensors if t.name not in known), taken)}

    @property
    def size_texts(self) -> tuple[str, ...]:
        """The sizes as formulas of the free ones, in the order of their names."""
        derived = self.program.derived_sizes
        written = (form.written(self.extent_names) for form in derived.values())
        return (*(self.extent_names[name] for name in self.free_axes), *written)

    def body(self, phase: Phase) -> tuple[Instruction, ...]:
        """The instructions of a phase: views of its tensors, then one statement after another."""
        return self._section(self.rerolled(phase))

    def sections(self, phase: Phase, longest: int) -> Sections:
        """The same in sections of at most so many statements, as far as loops allow, each with its views."""
        return self.in_sections(self.rerolled(phase), longest)

    def rerolled(self, phase: Phase) -> tuple[Action | Repeat, ...]:
        """The statements of a phase, with runs of equal ones written once."""
        return reroll(tuple(self._action(step) for step in phase.steps))

    def in_sections(self, parts: tuple[Action | Repeat, ...], longest: int) -> Sections:
        """Such statements as bodies of functions, see `sections`."""
        return tuple(map(self._section, sections(parts, longest)))

    def _section(self, parts: Sequence[Action | Repeat]) -> tuple[Instruction, ...]:
        single = [p for p in parts if isinstance(p, Action)]
        found = self._views(dict.fromkeys(t for action in single for t in action.tensors), {})
        for number, part in enumerate(parts):
            if isinstance(part, Action):
                found += self._statement(part)
            else:
                found += [self._loop(part), *self._restored(part, parts[number + 1 :])]
        return (TypeOf(Variable("theta")), *found) if is_typed(tuple(found)) else tuple(found)

    def _views(self, tensors: Iterable[str], strides: Mapping[str, int]) -> list[Instruction]:
        """The views of tensors, one for those that share a place and a name."""
        placed = (t for t in tensors if self.plan.places[t].vector != "argument")
        views = (Assign(Variable(self.names[t]), self.views.view(t, strides.get(t, 0))) for t in placed)
        return list(dict.fromkeys(views))

    def _statement(self, action: Action, streams: int = 0) -> list[Instruction]:
        """A statement under its comments; in a loop it draws from a stream so many further every time."""
        slots: dict[Variable, Expression] = {
            slot(n): Variable(self.names[tensor]) for n, tensor in enumerate(action.tensors)
        }
        slots[STREAM] = self.views.moving(action.stream, streams)
        return [*map(Note, action.comments), replaced(action.statement, slots)]

    def _loop(self, repeat: Repeat) -> ForRange:
        """`for layer in range(98):` with views that move from layer to layer."""
        strides: dict[str, int] = {}
        for action, moves in zip(repeat.actions, repeat.strides, strict=True):
            strides |= dict(zip(action.tensors, moves, strict=True))
        last = repeat.last[-1].comments[-1]
        inside: list[Instruction] = [Note(f"written for the first time; the last time ends with {last}")]
        inside += self._views(strides, strides)
        for action, streams in zip(repeat.actions, repeat.streams, strict=True):
            inside += self._statement(action, streams)
        return ForRange(LAYER, Literal(repeat.times), tuple(inside))

    def _restored(self, repeat: Repeat, later: Sequence[Action | Repeat]) -> list[Instruction]:
        """The views a loop has moved, as they were, where a statement after it needs them."""
        wanted = {self.names[t] for part in later if isinstance(part, Action) for t in part.tensors}
        pairs = zip(repeat.actions, repeat.strides, strict=True)
        moved = [t for action, moves in pairs for t, move in zip(action.tensors, moves, strict=True) if move]
        return self._views(dict.fromkeys(t for t in moved if self.names[t] in wanted), {})

    # Statements -------------------------------------------------------------------------------

    def _action(self, step: Step) -> Action:
        match step:
            case Product():
                statement, tensors = self.statements.product(step)
            case Accumulate():
                statement, tensors = self.statements.accumulate(step)
            case Draw(equation):
                statement, tensors = self.statements.drawing(equation)
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
        stream = int(step.equation.body.args[0]) if isinstance(step, Draw) else 0
        return Action(statement, tensors, tuple(operands), comments, stream)

    def _comments(self, equation: Equation) -> tuple[str, ...]:
        """The equation, and what the gradient that it forms is added to."""
        destination = equation.target
        if destination not in self.plan.program.accumulated:
            return (self._comment(equation),)
        gradient = self.plan.program.accumulated[destination]
        added = f"{destination} ← keep·{destination} + scale·{gradient}"
        if as_product(equation) is None:
            return (added,)
        return self._comment(replace(equation, target=gradient)), added

    def _comment(self, equation: Equation) -> str:
        """The equation as mathematics, the axes of what it defines, and the array it is in, if another's."""
        axes = self.plan.axes_in_memory(equation.target)
        written = (equation.target, *(loop.axis.letter for loop in equation.loops))
        if written not in self.written:
            self.written[written] = Writing(self.program, convention=AS_COMPUTED).matrix(equation)
        text = self.written[written]
        memory = self.plan.memory_name(equation.target)
        begun = f" onto {equation.onto}" if equation.onto else ""
        held = " at a time" if equation.target in self.plan.by_rows else ""
        held += f" in {memory}" if memory != equation.target else ""
        return f"{text}   {show_axes(axes)}{begun}{held}" if axes else text

    def _nest(self, nest: LoopNest) -> tuple[Instruction, tuple[str, ...]]:
        """The call of a kernel: a new one, or one that does the same."""
        names, extents = self.names, self.extent_names
        kernel = kernel_of(nest, self.plan, names, extents, self.reserved, self._comment, is_shared=True)
        by_array = dict(zip(kernel.arrays, kernel.tensors, strict=True))
        named = self.kernels.get(kernel.form)
        if named is None:
            bounds = (START.name, STOP.name) if kernel.turns else ()
            arguments = (*(array.name for array in by_array), *kernel.sizes, *bounds)
            named = NamedKernel(self._kernel_name(nest), arguments, self._doc(nest), kernel)
            self.kernels[kernel.form] = named
        tensors = tuple(by_array.values())
        given = (*map(slot, range(len(tensors))), *map(Variable, kernel.sizes))
        if kernel.turns is None:
            return Invoke(named.name, given), tensors
        turns, entries = map(self.views.size, (kernel.turns.count, kernel.turns.entries))
        shared = turns, counted(kernel.turns, entries)
        return Invoke(IN_PARTS, (Variable(named.name), *shared, Together(given))), tensors

    def _targets(self, nest: LoopNest) -> list[str]:
        made = (e.target for e in nest.equations if e.target not in nest.local)
        return list(dict.fromkeys(self.names[target] for target in made))

    def _kernel_name(self, nest: LoopNest) -> str:
        name = unused("_" + "_".join(self._targets(nest)[:3]), self.kernel_names)
        self.kernel_names.add(name)
        return name

    def _doc(self, nest: LoopNest) -> str:
        manner = ", row by row" if nest.loops else ""
        if self.plan.column_axis:
            manner = ", each stored by columns"
        return f"{', '.join(self._targets(nest))}{manner}."
