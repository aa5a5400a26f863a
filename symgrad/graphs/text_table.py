"""A graph as a table for the terminal: nodes in topological order, with the sums at branches."""

from __future__ import annotations

from typing import TYPE_CHECKING

from symgrad.graphs.numerals import summary

if TYPE_CHECKING:
    from symgrad.graphs.nodes import GraphData, Node

_BRANCHES = 4
"""So many contributions to a gradient are written as a sum."""


def text_table(graph: GraphData) -> str:
    """One line per node, without a line break at the end."""
    heads = ["node", "is", "shape"]
    if graph.has_numbers:
        heads += ["value", f"gradient of {graph.goal}" if graph.goal is not None else ""]
    rows = [heads, *(_row(node, graph) for node in graph.nodes if node.kind != "number")]
    shown = [column for column in zip(*rows, strict=True) if any(column[1:])]
    widths = [max(map(len, column)) for column in shown]
    lines = zip(*([c.ljust(w) for c in column] for column, w in zip(shown, widths, strict=True)), strict=True)
    return "\n".join("  ".join(line).rstrip() for line in lines)


def _row(node: Node, graph: GraphData) -> list[str]:
    cells = [node.title, _description(node, graph), node.shape]
    if graph.has_numbers and node.value is not None:
        cells += [summary(node.value), _gradient(node, graph)]
    return cells


def _description(node: Node, graph: GraphData) -> str:
    if node.kind == "equation":
        return node.text
    if node.kind != "gate":
        return node.kind
    operands = [graph.node[edge.source] for edge in graph.into(node.name)]
    names = ", ".join(o.text if o.kind == "number" else o.name for o in operands)
    return f"{node.text} of {names}" + (f"   ({node.effect})" if node.effect else "")


def _gradient(node: Node, graph: GraphData) -> str:
    if node.gradient is None:
        return ""
    parts = [edge.gradient for edge in graph.out_of(node.name) if edge.gradient is not None]
    if node.gradient.ndim or not 1 < len(parts) <= _BRANCHES or node.name == graph.goal:
        return summary(node.gradient)
    return f"{' + '.join(map(summary, parts))} = {summary(node.gradient)}"
