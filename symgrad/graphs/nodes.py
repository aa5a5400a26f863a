"""What a computation graph is: nodes in topological order, and an edge for every use of a value."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING, Literal, TypeAlias

if TYPE_CHECKING:
    from collections.abc import Mapping

    from symgrad.graphs.interpret import Numbers
    from symgrad.graphs.trace import Detail

NodeKind: TypeAlias = Literal["input", "target", "constant", "parameter", "number", "gate", "equation"]


@dataclass(frozen=True)
class Node:
    """A value and where it comes from.

    `titles` are the spec's names for it, the first of them its own. `text` is a gate's operation, an
    equation's formula, a number in a formula. `effect` says what the gate does to a gradient. `gradient`
    is the derivative of the graph's goal with respect to the whole value: the sum over the edges that
    leave the node.
    """

    name: str
    kind: NodeKind
    titles: tuple[str, ...]
    text: str
    effect: str = ""
    shape: str = ""
    value: Numbers | None = field(default=None, compare=False)
    gradient: Numbers | None = field(default=None, compare=False)

    @property
    def title(self) -> str:
        """All of the spec's names for it: `z = Z1`."""
        return " = ".join(self.titles) or self.name


@dataclass(frozen=True)
class Edge:
    """A use of a value; `role` tells operands apart where their order matters.

    `gradient` is what flows back along this edge alone.
    """

    source: str
    target: str
    role: str = ""
    shape: str = ""
    value: Numbers | None = field(default=None, compare=False)
    gradient: Numbers | None = field(default=None, compare=False)


@dataclass(frozen=True)
class GraphData:
    """The computation graph of a spec; `goal` is the node whose derivatives the gradients are."""

    name: str
    detail: Detail
    nodes: tuple[Node, ...]
    edges: tuple[Edge, ...]
    goal: str | None
    has_numbers: bool

    @cached_property
    def node(self) -> Mapping[str, Node]:
        """Nodes by their names, those of the spec too."""
        by_title = {title: node for node in self.nodes for title in node.titles}
        return {**{node.name: node for node in self.nodes}, **by_title}

    @cached_property
    def results(self) -> tuple[Node, ...]:
        """What is computed but not used any further, and the goal."""
        used = {edge.source for edge in self.edges}
        computed = (node for node in self.nodes if node.kind in ("gate", "equation"))
        return tuple(node for node in computed if node.name not in used or node.name == self.goal)

    def into(self, name: str) -> tuple[Edge, ...]:
        """The edges that enter a node, in the order of the operands."""
        home = self.node[name].name
        return tuple(edge for edge in self.edges if edge.target == home)

    def out_of(self, name: str) -> tuple[Edge, ...]:
        """The edges that leave a node."""
        home = self.node[name].name
        return tuple(edge for edge in self.edges if edge.source == home)
