"""Equal layers among the steps of a program: runs of steps that come again and again with other tensors."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeAlias

from symgrad.calculus.simplifying.equal_forms import equation_form, longest_repeat
from symgrad.compiler.planning.loop_orders import entries_of
from symgrad.compiler.planning.plan import LoopNest

if TYPE_CHECKING:
    from collections.abc import Hashable, Iterator, Sequence

    from symgrad.compiler.planning.plan import Plan, Step

MIN_REPEATS = 4
MAX_PERIOD = 120
"""Statements of one time: the backward pass of a transformer block has some fifty."""

Run: TypeAlias = tuple[tuple[str, ...], ...]
"""Of each tensor that a layer uses, those that stand for it from one time to the next."""


@dataclass(frozen=True)
class _Form:
    """What a step does whatever its tensors are called, and these in the order of a statement's operands."""

    shape: Hashable
    tensors: tuple[str, ...]


def equal_runs(plan: Plan, steps: Sequence[Step]) -> Iterator[Run]:
    """The runs of one phase, the first ones first.

    That steps are told to be equal decides where tensors lie, never what is computed.
    """
    forms = [_form(plan, step) for step in steps]
    numbers: dict[Hashable, int] = {}
    shapes = [numbers.setdefault(form.shape, len(numbers)) for form in forms]
    start = 0
    while start < len(shapes):
        period, times = longest_repeat(shapes, start, MIN_REPEATS, MAX_PERIOD)
        if times:
            layers = [forms[start + n * period : start + (n + 1) * period] for n in range(times)]
            operands = ([t for form in layer for t in form.tensors] for layer in layers)
            yield tuple(dict.fromkeys(zip(*operands, strict=True)))
        start += max(1, period * times)


def _form(plan: Plan, step: Step) -> _Form:
    local = step.local if isinstance(step, LoopNest) else frozenset()
    equations, blocks = step.equations, plan.blocks
    named = (*(e.tensor for e in entries_of(equations)), *(e.target for e in equations))
    tensors = tuple(dict.fromkeys((*named, *(blocks[e.target] for e in equations if e.target in blocks))))
    numbers = {tensor: _Operand(plan, tensor, number).form for number, tensor in enumerate(tensors)}
    shape = (
        type(step),
        tuple(equation_form(e, numbers.__getitem__) for e in equations),
        local and len(local),
    )
    return _Form(shape, tuple(t for t in tensors if t not in local))


@dataclass(frozen=True)
class _Operand:
    """A tensor by its number among those of a step."""

    plan: Plan
    name: str
    number: int

    @property
    def form(self) -> Hashable:
        """All of it that must be the same at every time."""
        tensor = self.plan.program.tensor[self.name]
        is_fixed = tensor.kind in ("input", "target", "constant")
        extents = tuple(axis.extent for axis in self.plan.axes_in_memory(self.name))
        return self.number, tensor.kind == "parameter", extents, self.name if is_fixed else ""
