"""A graph laid out as shapes and wires: what every format of picture draws in its own language.

Where a value with a gradient is used more than once, its wire forks: before the fork runs the sum of
the gradients, behind it what each use contributes.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Literal, TypeAlias

from symgrad.graphs.numerals import summary

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from symgrad.graphs.interpret import Numbers
    from symgrad.graphs.nodes import Edge, GraphData, Node, NodeKind

LONGEST = 60
"""A formula with more letters is cut."""
WIDEST = 1300
"""A picture of more points, by what letters take at most, runs from top to bottom, as pages do."""
_LETTER, _SMALL_LETTER, _ON_WIRES, _AROUND = 8, 5, 6, 30
"""How many points a letter is wide, and what is around a text."""

ShapeKind: TypeAlias = "NodeKind | Literal['fork', 'result']"


@dataclass(frozen=True)
class Shape:
    """Something with a border: its main line, and a smaller one below."""

    id: str
    kind: ShapeKind
    text: str
    note: str = ""


@dataclass(frozen=True)
class Wire:
    """A line between shapes: `value` above it, `gradient` below it, `role` where it enters its target."""

    source: str
    target: str
    value: str = ""
    gradient: str = ""
    role: str = ""


@dataclass(frozen=True)
class Drawing:
    """A whole picture. `has_numbers` says whether wires carry values and gradients or just shapes.

    `runs_down`: it is drawn from the top to the bottom, since it would be too wide from left to right.
    """

    title: str
    caption: str
    shapes: tuple[Shape, ...]
    wires: tuple[Wire, ...]
    has_numbers: bool
    runs_down: bool


def drawing_of(graph: GraphData) -> Drawing:
    """The shapes and wires of a graph."""
    ids = {node.name: f"n{number}" for number, node in enumerate(graph.nodes)}
    shapes, wires = [], []
    for node in graph.nodes:
        shapes.append(_shape(node, ids[node.name]))
        found = list(_leaving(graph, node, ids))
        if node.value is not None and node.gradient is not None and len(found) > 1:
            fork = f"{ids[node.name]}_fork"
            shapes.append(Shape(fork, "fork", "•"))
            wires.append(_wire(node, ids[node.name], fork, node.gradient))
            found = [replace(w, source=fork, value=summary(node.value)) for w in found]
        wires += found
    for node in _ending(graph):
        name = node.title if node.kind == "gate" else ""
        shapes.append(Shape(f"{ids[node.name]}_result", "result", name))
    runs_down = _length(shapes, wires) > WIDEST
    has_forks = any(shape.kind == "fork" for shape in shapes)
    caption = _caption(graph, has_forks, runs_down)
    return Drawing(graph.name, caption, tuple(shapes), tuple(wires), graph.has_numbers, runs_down)


def _length(shapes: Sequence[Shape], wires: Sequence[Wire]) -> float:
    """About how many points wide the longest way through the picture is, drawn from left to right."""
    own = {s.id: max(_LETTER * len(s.text), _SMALL_LETTER * len(s.note)) + _AROUND for s in shapes}
    reached = dict(own)
    leaving: dict[str, list[Wire]] = {}
    for wire in wires:
        leaving.setdefault(wire.source, []).append(wire)
    for shape in shapes:  # each behind all that lead to it
        for wire in leaving.get(shape.id, ()):
            between = _ON_WIRES * max(len(wire.value), len(wire.gradient)) + _AROUND
            reached[wire.target] = max(reached[wire.target], reached[shape.id] + between + own[wire.target])
    return max(reached.values(), default=0.0)


def _shape(node: Node, identity: str) -> Shape:
    match node.kind:
        case "gate":
            return Shape(identity, "gate", node.text, node.effect)
        case "equation":
            return Shape(identity, "equation", node.title, _short(node.text))
        case "number":
            return Shape(identity, "number", _short(node.text))
    return Shape(identity, node.kind, node.title, node.kind)


def _short(text: str) -> str:
    return text if len(text) <= LONGEST else f"{text[: LONGEST - 1]}…"


def _ending(graph: GraphData) -> tuple[Node, ...]:
    """The nodes whose wire leads out of the picture: a gate's result needs a name, a number a wire."""
    return graph.results if graph.detail == "gates" or graph.has_numbers else ()


def _leaving(graph: GraphData, node: Node, ids: Mapping[str, str]) -> Iterator[Wire]:
    source, edges = ids[node.name], graph.out_of(node.name)
    for edge in edges:
        yield _wire(node, source, ids[edge.target], edge.gradient, edge.role)
    if node in _ending(graph):
        yield _wire(node, source, f"{source}_result", _outside(node, edges))


def _outside(node: Node, edges: tuple[Edge, ...]) -> Numbers | None:
    """What reaches a node's gradient from outside the graph: all that its edges do not account for."""
    if node.gradient is None:
        return None
    return sum((-e.gradient for e in edges if e.gradient is not None), start=node.gradient)


def _wire(node: Node, source: str, target: str, gradient: Numbers | None, role: str = "") -> Wire:
    name = " = ".join(node.titles) if node.kind == "gate" and not target.endswith("_result") else ""
    head = " ".join(filter(None, (name, node.shape)))
    if node.value is None:
        return Wire(source, target, head, "", role)
    between = ": " if node.shape else " = " if name else ""
    shown = summary(gradient) if gradient is not None else ""
    return Wire(source, target, f"{head}{between}{summary(node.value)}", shown, role)


def _caption(graph: GraphData, has_forks: bool, runs_down: bool) -> str:
    if not graph.has_numbers:
        return ""
    first, second = ("upper number on each line", "lower") if runs_down else ("above each line", "below")
    if graph.goal is None:
        return f"{first}: the value"
    parts = [f"{first}: the value", f"{second}: the gradient of {graph.goal} with respect to it"]
    return "; ".join([*parts, "at a branch • gradients add"] if has_forks else parts)
