"""From a traced program to its graph: nodes, edges, and the numbers on them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from symgrad.calculus.program import show_axes
from symgrad.calculus.terms import Entry
from symgrad.calculus.trace import MAX_OPERATIONS, Operand
from symgrad.errors import SpecError
from symgrad.graph.flow import goal_of
from symgrad.graph.model import Edge, Graph, Node
from symgrad.graph.operations import effect_of, roles_of, symbol_of
from symgrad.spec.unparse import unparse

if TYPE_CHECKING:
    from collections.abc import Iterator

    from symgrad.calculus.program import Equation, Tensor
    from symgrad.calculus.trace import Detail, Trace
    from symgrad.graph.flow import Flow
    from symgrad.spec.model import Model

GIVEN = ("input", "target", "parameter")


def build(model: Model, detail: Detail, traced: Trace, numbers: Flow | None) -> Graph:
    """The graph of a model; without numbers it has no values and no gradients.

    Raises:
        SpecError: there are too many nodes for a picture.
    """
    return _Builder(model, detail, traced, numbers).graph()


class _Builder:
    def __init__(self, model: Model, detail: Detail, traced: Trace, numbers: Flow | None) -> None:
        self.model, self.detail, self.numbers = model, detail, numbers
        self.program, self.uses, self.operations = traced.program, traced.uses, traced.operations
        self.formulas = {e.name: unparse(e.formula) for e in model.equations}
        self.alias: dict[str, str] = {}
        self.nodes: list[Node] = []
        self.edges: list[Edge] = []

    def graph(self) -> Graph:
        for equation in self.program.equations:
            if self._is_second_name(equation):
                self.alias[equation.target] = self._home(equation.body.tensor)
        self.nodes += [self._given(t) for t in self.program.tensors if t.kind in GIVEN]
        for equation in self.program.equations:
            if self._is_node(equation):
                self._add(equation)
        if len(self.nodes) > 2 * MAX_OPERATIONS:
            raise SpecError(
                f"the graph has {len(self.nodes):,} nodes, too many for a picture",
                at=self.model.spec.at,
                remedy="draw a smaller network of the same form",
            )
        goal = goal_of(self.program)
        home = None if goal is None else self._home(goal)
        return Graph(
            self.model.spec.name,
            self.detail,
            tuple(self.nodes),
            tuple(self.edges),
            home,
            self.numbers is not None,
        )

    # Which equation is what -----------------------------------------------------------------

    def _is_second_name(self, equation: Equation) -> bool:
        """Whether an equation only names what has a node already."""
        body = equation.body
        is_same = isinstance(body, Entry) and body.indices == equation.place and equation.is_plain
        if equation.target in self.uses or equation.target in self.operations or not is_same:
            return False
        return self.detail == "gates" or equation.target not in self.formulas

    def _is_node(self, equation: Equation) -> bool:
        if equation.target in self.operations:
            return True
        return self._is_named(equation.target) and equation.target not in self.alias

    def _is_named(self, tensor: str) -> bool:
        return self.program.tensor[tensor].kind == "value"

    def _home(self, tensor: str) -> str:
        """The node a tensor belongs to."""
        tensor = self.uses.get(tensor, tensor)
        return self.alias.get(tensor, tensor)

    def _titles(self, tensor: str) -> tuple[str, ...]:
        """The spec's names for a node; `loss` only where it has no other."""
        names = [tensor] if self._is_named(tensor) or self.program.tensor[tensor].kind in GIVEN else []
        names += [name for name, home in self.alias.items() if home == tensor]
        own = [name for name in names if name in self.formulas or name != self.program.loss]
        return tuple(own or names)

    # Nodes ----------------------------------------------------------------------------------

    def _given(self, tensor: Tensor) -> Node:
        name = tensor.name
        return self._node(name, tensor.kind, name)  # type: ignore[arg-type]  # one of GIVEN

    def _add(self, equation: Equation) -> None:
        target = equation.target
        operation = self.operations.get(target)
        if operation is None:
            text = self.formulas.get(target) or self._loss_text()
            self.nodes.append(self._node(target, "equation", text))
            self._connect(target, list(self._read(equation)), ())
            return
        labels = [o for o in self._read(equation) if o.use is None]
        operands = list(operation.operands)
        others = [o for o in labels if o.tensor not in {given.tensor for given in operands}]
        self._constants(target, operands)
        self.nodes.append(
            self._node(target, "gate", symbol_of(operation.node), effect_of(operation.node, self.model))
        )
        self._connect(target, [*operands, *others], roles_of(operation.node))

    def _loss_text(self) -> str:
        return unparse(self.model.loss) if self.model.loss is not None else ""

    def _node(self, name: str, kind: NodeKind, text: str, effect: str = "") -> Node:
        return Node(
            name,
            kind,
            self._titles(name),
            text,
            effect,
            self._shape(name),
            self.numbers.values[name] if self.numbers else None,
            self.numbers.gradients.get(name) if self.numbers else None,
        )

    def _constants(self, target: str, operands: list[Operand]) -> None:
        for number, operand in enumerate(operands):
            if operand.tensor is None:
                self.nodes.append(Node(f"{target} {number}", "constant", (), operand.text))

    # Edges ----------------------------------------------------------------------------------

    def _read(self, equation: Equation) -> Iterator[Operand]:
        """What an equation uses, through the temporaries that belong to it alone."""
        seen: dict[str, None] = {}
        waiting = [equation.target]
        while waiting:
            definition = self.program.definition[waiting.pop()]
            for name in sorted(definition.reads, reverse=True):
                is_own = name not in self.uses and self.program.tensor[name].kind == "temporary"
                if is_own and name not in seen:
                    waiting.append(name)
                seen.setdefault(name)
        ...
