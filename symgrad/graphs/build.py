"""From a traced program to its graph: nodes, edges, and the numbers on them."""

from __future__ import annotations

from functools import cached_property
from typing import TYPE_CHECKING, cast

from symgrad.calculus.axes import show_axes
from symgrad.calculus.terms import Entry
from symgrad.errors import SpecError
from symgrad.graphs.flow import Flow, goal_of
from symgrad.graphs.graph import Graph
from symgrad.graphs.nodes import Edge, Node, NodeKind
from symgrad.graphs.operation_signs import effect_of, roles_of, symbol_of
from symgrad.graphs.trace import MAX_OPERATIONS, Detail, Operand, Trace
from symgrad.spec.expansion.steps.streams import as_written
from symgrad.spec.language.unparse import unparse

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from symgrad.calculus.program import Equation
    from symgrad.graphs.interpret import Numbers
    from symgrad.spec.language.syntax import Node as Formula
    from symgrad.spec.model import Model


def build(model: Model, detail: Detail, traced: Trace, numbers: Flow | None) -> Graph:
    """The graph of a model; without numbers it has no values and no gradients.

    Raises:
        SpecError: there are too many nodes for a picture.
    """
    builder = _Builder(model, detail, traced, numbers)
    nodes, edges = tuple(builder.nodes()), tuple(builder.edges())
    if len(nodes) > 2 * MAX_OPERATIONS:
        raise SpecError(
            f"the graph has {len(nodes):,} nodes, too many for a picture",
            at=model.spec.at,
            remedy="draw a smaller network of the same form",
        )
    goal = goal_of(traced.program)
    home = None if goal is None else builder.node_of(goal)
    return Graph(model.spec.name, detail, nodes, edges, home, numbers is not None)


class _Builder:
    def __init__(self, model: Model, detail: Detail, traced: Trace, numbers: Flow | None) -> None:
        self.model, self.detail, self.numbers = model, detail, numbers
        self.program, self.uses, self.operations = traced.program, traced.uses, traced.operations
        self.formulas = {e.name: _shown(e.formula, model) for e in model.equations}
        if model.loss is not None and self.program.loss is not None:
            self.formulas.setdefault(self.program.loss, _shown(model.loss, model))

    def nodes(self) -> Iterator[Node]:
        """What is given, then what is computed, in topological order; numbers before their gate."""
        for tensor in self.program.declared:
            yield self._node(tensor.name, cast("NodeKind", tensor.kind), tensor.name)
        for equation in self._computed:
            name = equation.target
            for number, operand in enumerate(self._operands(equation)):
                if operand.tensor is None:
                    yield Node(_number(name, number), "number", (), operand.text)
            if name in self.operations:
                operation = self.operations[name]
                yield self._node(name, "gate", symbol_of(operation), effect_of(operation, self.model))
            else:
                yield self._node(name, "equation", self.formulas[name])

    def edges(self) -> Iterator[Edge]:
        """The uses of every value, in the order of the nodes they enter."""
        for equation in self._computed:
            name, operands = equation.target, self._operands(equation)
            roles = roles_of(self.operations[name]) if name in self.operations else ()
            for number, operand in enumerate(operands):
                role = roles[number] if number < len(roles) else ""
                yield self._edge(operand, name, number, role)

    def node_of(self, tensor: str) -> str:
        """The name of the node that a tensor belongs to."""
        return self._name(self._home(tensor))

    # Which equation is what -----------------------------------------------------------------

    @cached_property
    def _computed(self) -> tuple[Equation, ...]:
        """The equations that are nodes."""
        return tuple(
            e
            for e in self.program.equations
            if e.target in self.operations or (e.target in self.formulas and e.target not in self._alias)
        )

    @cached_property
    def _alias(self) -> Mapping[str, str]:
        """Tensors that only name what has a node already."""
        alias: dict[str, str] = {}
        for equation in self.program.equations:
            if self._is_second_name(equation):
                tensor = equation.body.tensor
                tensor = self.uses.get(tensor, tensor)
                alias[equation.target] = alias.get(tensor, tensor)
        return alias

    def _is_second_name(self, equation: Equation) -> bool:
        body, name = equation.body, equation.target
        is_same = isinstance(body, Entry) and body.indices == equation.indices and not equation.scatters
        if not is_same or name in self.uses or name in self.operations or name not in self.formulas:
            return False
        is_own_loss = all(name != e.name for e in self.model.equations)
        return self.detail == "gates" or is_own_loss

    def _home(self, tensor: str) -> str:
        """The tensor whose node this one belongs to."""
        tensor = self.uses.get(tensor, tensor)
        return self._alias.get(tensor, tensor)

    def _name(self, tensor: str) -> str:
        return (*self._titles(tensor), tensor)[0]

    def _titles(self, tensor: str) -> tuple[str, ...]:
        """The spec's names for a node; the loss bears its own only where there is no other."""
        is_named = tensor in self.formulas or self.program.tensor[tensor] in self.program.declared
        names = ([tensor] if is_named else []) + [n for n, home in self._alias.items() if home == tensor]
        return tuple([name for name in names if name != self.program.loss] or names)

    # Nodes and edges ------------------------------------------------------------------------

    def _node(self, name: str, kind: NodeKind, text: str, effect: str = "") -> Node:
        value, gradient = self._numbers(name, name)
        return Node(
            self._name(name), kind, self._titles(name), text, effect, self._shape(name), value, gradient
        )

    def _edge(self, operand: Operand, target: str, number: int, role: str) -> Edge:
        if operand.tensor is None:
            return Edge(_number(target, number), self._name(target), role)
        source = self._home(operand.tensor)
        value, gradient = self._numbers(source, operand.use)
        return Edge(self._name(source), self._name(target), role, self._shape(source), value, gradient)

    def _numbers(self, value: str, gradient: str | None) -> tuple[Numbers | None, Numbers | None]:
        if self.numbers is None:
            return None, None
        return self.numbers.values[value], self.numbers.gradients.get(gradient or "")

    def _shape(self, tensor: str) -> str:
        axes = self.program.tensor[tensor].axes
        return show_axes(axes) if axes else ""

    def _operands(self, equation: Equation) -> Sequence[Operand]:
        """What a node is computed from: an operation's operands, and labels that it uses as indices."""
        read = self._read(equation)
        operation = self.operations.get(equation.target)
        if operation is None:
            return read
        given = {operand.tensor for operand in operation.operands}
        return [*operation.operands, *(o for o in read if o.use is None and o.tensor not in given)]

    def _read(self, equation: Equation) -> Sequence[Operand]:
        """The uses and labels an equation reads, itself or through the temporaries that are its own."""
        found: set[str] = set()
        waiting = [equation]
        while waiting:
            for name in waiting.pop().reads - found:
                found.add(name)
                is_own = self.program.tensor[name].kind == "temporary" and name not in self.uses
                if is_own:
                    waiting.append(self.program.definition[name])
        uses = [Operand(tensor, tensor, use) for use, tensor in self.uses.items() if use in found]
        labels = [t.name for t in self.program.tensors if t.is_integer and t.name in found]
        return [*uses, *(Operand(name, name) for name in labels)]


def _shown(formula: Formula, model: Model) -> str:
    return unparse(as_written(formula, model.functions))


def _number(target: str, number: int) -> str:
    return f"{target} {number}"
