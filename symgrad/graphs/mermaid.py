"""Drawings as Mermaid flowcharts."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from symgrad.graphs.drawing import Shape, ShapeKind, Wire, drawing_of

if TYPE_CHECKING:
    from collections.abc import Mapping

    from symgrad.graphs.nodes import GraphData

_BRACKETS: Mapping[ShapeKind, tuple[str, str]] = {
    "input": ("([", "])"),
    "target": ("([", "])"),
    "parameter": ("(", ")"),
    "constant": ("[", "]"),
    "number": ("[", "]"),
    "gate": ("((", "))"),
    "equation": ("[", "]"),
    "fork": ("((", "))"),
    "result": ("[", "]"),
}
_CLASSES: Mapping[ShapeKind, str] = {
    "input": "fill:#e3eefa,stroke:#333,color:#000",
    "target": "fill:#f3f3f3,stroke:#333,color:#000,stroke-dasharray:4",
    "parameter": "fill:#fdf1d3,stroke:#333,color:#000",
    "constant": "fill:#f3f3f3,stroke:#333,color:#000",
    "number": "fill:none,stroke:none",
    "gate": "fill:#fff,stroke:#333,color:#000",
    "equation": "fill:#fff,stroke:#333,color:#000",
    "fork": "fill:#fff,stroke:#333,color:#000",
    "result": "fill:none,stroke:none",
}


def mermaid_text(graph: GraphData) -> str:
    """The graph as a `flowchart`, from left to right, or down where that would be too wide."""
    drawing = drawing_of(graph)
    used = dict.fromkeys(shape.kind for shape in drawing.shapes)
    lines = [
        f"flowchart {'TB' if drawing.runs_down else 'LR'}",
        *(f"  %% {_plain(text)}" for text in (drawing.title, drawing.caption) if text),
        *(f"  {_shape(shape)}" for shape in drawing.shapes),
        *(f"  {_wire(wire)}" for wire in drawing.wires),
        *(f"  classDef {kind} {_CLASSES[kind]}" for kind in used),
    ]
    return "\n".join(lines) + "\n"


def _shape(shape: Shape) -> str:
    opened, closed = _BRACKETS[shape.kind]
    note = f"<br/><small>{_text(shape.note)}</small>" if shape.note else ""
    return f'{shape.id}{opened}"{_text(shape.text) or " "}{note}"{closed}:::{shape.kind}'


def _wire(wire: Wire) -> str:
    parts = [wire.role, wire.value, f"∂ {wire.gradient}" if wire.gradient else ""]
    label = "<br/>".join(_text(part) for part in parts if part)
    arrow = f'-->|"{label}"|' if label else "-->"
    return f"{wire.source} {arrow} {wire.target}"


def _text(text: str) -> str:
    """Text in quotes: all but letters, digits and a few harmless signs by their character codes.

    So no text is taken for Markdown, for an entity, or for the end of a label.
    """
    return re.sub(r"[^\w .,…−×÷∂Σ•-]", lambda found: f"#{ord(found.group())};", text)


def _plain(text: str) -> str:
    """A comment: on one line, and without braces, which would begin a directive."""
    return re.sub(r"[^\w .,:;•-]+", " ", text)
