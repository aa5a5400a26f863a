"""Drawings in Graphviz's language."""

from __future__ import annotations

from html import escape
from typing import TYPE_CHECKING

from symgrad.graphs.drawing import Drawing, Shape, ShapeKind, Wire, drawing_of

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from symgrad.graphs.nodes import GraphData

VALUE, GRADIENT, LINE, QUIET = "#0b5394", "#b3261e", "#555555", "#666666"
_ATTRIBUTES: Mapping[ShapeKind, str] = {
    "input": 'shape=ellipse style=filled fillcolor="#e3eefa"',
    "target": 'shape=ellipse style="filled,dashed" fillcolor="#f3f3f3"',
    "parameter": 'shape=box style="filled,rounded" fillcolor="#fdf1d3"',
    "constant": 'shape=box style=filled fillcolor="#f3f3f3"',
    "number": "shape=plaintext margin=0.05 height=0.3 width=0.2",
    "gate": "shape=ellipse style=filled fillcolor=white margin=0.02 ordering=in penwidth=1.4",
    "equation": 'shape=box style=filled fillcolor=white penwidth=1.4 margin="0.14,0.08"',
    "fork": "shape=point width=0.09",
    "result": "shape=plaintext margin=0.05 height=0.3 width=0.2",
}
_BESIDE = f'labelangle=40 labelfontsize=11 labelfontcolor="{QUIET}"'
_ROUND = "shape=circle fixedsize=true width=0.85"
_SHORT = 4
"""A gate with so many letters is a circle, and all circles are of one size."""


def dot_text(graph: GraphData) -> str:
    """The graph as a `digraph`, from left to right, or down where that would be too wide."""
    drawing = drawing_of(graph)
    direction = "TB" if drawing.runs_down else "LR"
    lines = [
        f"digraph {_quoted(drawing.title)} {{",
        f"  graph [rankdir={direction} nodesep=0.25 ranksep=0.35"
        ' fontname="Helvetica,Arial,sans-serif" fontsize=11'
        f" fontcolor={_quoted(QUIET)} labelloc=b label={_quoted(drawing.caption)}]",
        '  node [fontname="Helvetica,Arial,sans-serif" fontsize=14]',
        f'  edge [fontname="Helvetica,Arial,sans-serif" fontsize=11 color={_quoted(LINE)} arrowsize=0.7]',
        *(f"  {shape.id} [{_attributes(shape)}]" for shape in drawing.shapes),
    ]
    for number, wire in enumerate(drawing.wires):
        lines += _wire(wire, f"w{number}", drawing)
    return "\n".join([*lines, "}"]) + "\n"


def _wire(wire: Wire, identity: str, drawing: Drawing) -> Iterator[str]:
    """An edge; one with numbers runs through a node that draws it between the two."""
    away = 1.3 if len(wire.role) == 1 else 2.2
    ends = [f"headlabel={_quoted(wire.role)} labeldistance={away} {_BESIDE}"] if wire.role else []
    ends += ["arrowhead=none"] if wire.target.endswith("_fork") else []
    if not drawing.has_numbers:
        label = [f"label={_quoted(wire.value)}"] if wire.value else []
        yield f"  {wire.source} -> {wire.target} {_listed([*label, *ends])}".rstrip()
    elif not wire.value:
        yield f"  {wire.source} -> {wire.target} {_listed(ends)}".rstrip()
    else:
        start, end = ("n", "s") if drawing.runs_down else ("w", "e")
        yield f"  {identity} [shape=plain label={_numbers(wire)}]"
        yield f"  {wire.source} -> {identity}:{start} [arrowhead=none]"
        yield f"  {identity}:{end} -> {wire.target} {_listed(ends)}".rstrip()


def _numbers(wire: Wire) -> str:
    rows = [
        f'<TR><TD WIDTH="34"><FONT POINT-SIZE="12" COLOR="{colour}">{_html(text)}</FONT></TD></TR>'
        for text, colour in ((wire.value, VALUE), (wire.gradient, GRADIENT))
    ]
    return f'<<TABLE BORDER="0" CELLSPACING="0" CELLPADDING="2" COLOR="{LINE}">{"<HR/>".join(rows)}</TABLE>>'


def _attributes(shape: Shape) -> str:
    if shape.kind == "fork":
        return f'label="" {_ATTRIBUTES[shape.kind]}'
    is_round = shape.kind == "gate" and len(shape.text) <= _SHORT
    size = 20 if is_round and len(shape.text) == 1 else 14
    main = f'<FONT POINT-SIZE="{size}">{_html(shape.text)}</FONT>'
    note = f'<BR/><FONT POINT-SIZE="9" COLOR="{QUIET}">{_html(shape.note)}</FONT>' if shape.note else ""
    attributes = f"label=<{main}{note}> {_ATTRIBUTES[shape.kind]}"
    return f"{attributes} {_ROUND}" if is_round else attributes


def _html(text: str) -> str:
    """Text within a label of Graphviz's HTML kind; an empty one still needs a character."""
    return escape(text, quote=True) or " "


def _quoted(text: str) -> str:
    escaped = text.replace("\\", "\\\\").replace('"', '\\"').replace("\n", " ")
    return f'"{escaped}"'


def _listed(attributes: list[str]) -> str:
    return f"[{' '.join(attributes)}]" if attributes else ""
