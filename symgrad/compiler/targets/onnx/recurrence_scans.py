"""A recurrence as ONNX's Scan: its equations at one step, over what is carried and slices of the rest."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from onnx import TensorProto, helper

from symgrad.calculus.program import Equation, Program
from symgrad.calculus.terms import Entry, entries, indices_in
from symgrad.compiler.targets.onnx.tensor_equations import Equations
from symgrad.errors import ModuleError

if TYPE_CHECKING:
    from collections.abc import Sequence

    import sympy as sp
    from onnx import ValueInfoProto

    from symgrad.calculus.program import Tensor
    from symgrad.compiler.targets.onnx.operators import Operators
    from symgrad.passes.recurrences import Recurrence


def add_recurrence(equations: Equations, recurrence: Recurrence) -> None:
    """Write a recurrence into a graph: all that it makes has a result there.

    Raises:
        ModuleError: an equation of it computes with the number of its step, or reads another one.
    """
    _Scan(equations, recurrence).write()


class _Scan:
    def __init__(self, equations: Equations, recurrence: Recurrence) -> None:
        self.equations, self.recurrence, self.program = equations, recurrence, equations.program
        self.carried = {name: self.program.carried[name] for name in recurrence.carried}
        self.places = {name: carried.along for name, carried in self.carried.items()}
        self.places |= {e.target: e.indices.index(recurrence.steps[e.target]) for e in recurrence.equations}
        self.slices: dict[tuple[str, int], str] = {}
        """Names of what is read at one step of other tensors, by these and the axis that counts steps."""

    def write(self) -> None:
        """The node, and a result for all that it makes."""
        ops, results, carried = self.equations.ops, self.equations.results, self.carried
        at_step = [self._at_step(equation) for equation in self.recurrence.equations]
        for one in carried.values():
            if one.source not in self.places:
                self._slice(one.source, one.along)
        inside, stem = ops.inside(), next(iter(carried))
        tensors = {n: self._without_steps(self.program.tensor[n], p, n) for n, p in self.places.items()}
        for (name, place), sliced in self.slices.items():
            tensors[sliced] = self._without_steps(self.program.tensor[name], place, sliced)
        others = tuple(t for t in self.program.tensors if t.name not in tensors)
        program = Program((*others, *tensors.values()), tuple(at_step), (), None)
        given = {name: f"{stem}/{name}_at_step" for name in (*carried, *self.slices.values())}
        body = Equations(program, inside, {**results, **given})
        for equation in at_step:
            body.add(equation)
        following = [self._following(inside, body, name) for name in carried]
        made = [*carried, *(equation.target for equation in at_step)]
        kept = [self._named(inside, f"{stem}/{name}_of_step", body.results[name]) for name in made]
        inputs = [self._value(program.tensor[name], given[name]) for name in given]
        scanned = [results[name] for name, _ in self.slices]
        if not scanned:  # nothing but the start drives it: a Scan counts its steps by something
            scanned = [ops.of("Expand", ops.number(0), self.equations.size(self.recurrence.axis))]
            inputs.append(helper.make_tensor_value_info(f"{stem}/none_at_step", ops.element, []))
        graph = inside.graph(
            f"{stem}/step",
            inputs,
            [*map(self._anything, following), *map(self._anything, kept)],
            "",
        )
        ops.stem = stem
        way = int(self.recurrence.back)
        found = ops.several(
            "Scan",
            [*(self._start(name) for name in carried), *scanned],
            [f"{stem}/{name}_last" for name in carried] + [f"{stem}/{name}_whole" for name in made],
            body=graph,
            num_scan_inputs=len(scanned),
            scan_input_axes=[place for _, place in self.slices] or [0],
            scan_input_directions=[way] * len(scanned),
            scan_output_axes=[self.places[name] for name in made],
            scan_output_directions=[way] * len(made),
        )
        results |= dict(zip(made, found[len(carried) :], strict=True))

    def _slice(self, name: str, place: int) -> str:
        """The name of what another tensor has at one step."""
        return self.slices.setdefault((name, place), f"{name}/{place}")

    def _at_step(self, equation: Equation) -> Equation:
        """The equation of one step."""
        step, place = self.recurrence.steps[equation.target], self.places[equation.target]
        body = self._term(equation.body, step)
        if step in indices_in(body):
            problem = f"'{equation.target}' asks for more than its own step, which is not written in ONNX"
            raise ModuleError(problem, remedy="write .safetensors, and the recurrence with another program")
        indices = (*equation.indices[:place], *equation.indices[place + 1 :])
        loops = tuple(loop for loop in equation.loops if loop.index != step)
        return Equation(equation.target, indices, loops, equation.reduction, body)

    def _term(self, term: sp.Expr, step: sp.Symbol) -> sp.Expr:
        return term.xreplace({entry: self._entry(entry, step) for entry in entries(term)})

    def _entry(self, entry: Entry, step: sp.Symbol) -> Entry:
        """What is read at the step; entries beside it stay as they are."""
        if step not in entry.indices:
            return Entry(entry.tensor, tuple(self._term(index, step) for index in entry.indices))
        place = self.places.get(entry.tensor, entry.indices.index(step))
        kept = (*entry.indices[:place], *entry.indices[place + 1 :])
        name = entry.tensor if entry.tensor in self.places else self._slice(entry.tensor, place)
        return Entry(name, tuple(self._term(index, step) for index in kept))

    def _without_steps(self, tensor: Tensor, place: int, name: str) -> Tensor:
        axes = (*tensor.axes[:place], *tensor.axes[place + 1 :])
        return replace(tensor, name=name, axes=axes, kind="value", carried=None)

    def _following(self, inside: Operators, body: Equations, name: str) -> str:
        """What a step hands on to the next."""
        source = self.carried[name].source
        value = source if source in self.places else self.slices[source, self.carried[name].along]
        return self._named(inside, f"{next(iter(self.carried))}/{name}_following", body.results[value])

    def _named(self, inside: Operators, name: str, value: str) -> str:
        inside.named(name, value)
        return name

    def _start(self, name: str) -> str:
        """What is carried to the first step."""
        carried, ops = self.carried[name], self.equations.ops
        if carried.start:
            return self.equations.results[carried.start]
        axes: Sequence[str] = [
            self.equations.size(axis)
            for number, axis in enumerate(self.program.tensor[name].axes)
            if number != carried.along
        ]
        shape = ops.of("Concat", *axes, axis=0) if axes else ops.integers()
        return ops.of("Expand", ops.number(0), shape)

    def _value(self, tensor: Tensor, name: str) -> ValueInfoProto:
        element = TensorProto.INT64 if tensor.is_integer else self.equations.ops.element
        return helper.make_tensor_value_info(name, element, [None] * len(tensor.axes))

    def _anything(self, name: str) -> ValueInfoProto:
        return helper.make_tensor_value_info(name, self.equations.ops.element, None)
