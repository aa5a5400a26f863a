"""The computation graph as its user holds it: nodes and edges, and every picture of them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from symgrad.displayed import Displayed
from symgrad.graphs.dot import dot_text
from symgrad.graphs.graphviz import drawn, is_installed
from symgrad.graphs.mermaid import mermaid_text
from symgrad.graphs.nodes import GraphData
from symgrad.graphs.text_table import text_table


@dataclass(frozen=True, repr=False)
class Graph(GraphData, Displayed):
    """The computation graph of a spec. `goal` is the node whose derivatives the gradients are."""

    def dot(self) -> str:
        """The graph in Graphviz's language."""
        return dot_text(self)

    def mermaid(self) -> str:
        """The graph as a Mermaid flowchart."""
        return mermaid_text(self)

    def svg(self) -> str:
        """The picture as SVG, drawn by Graphviz.

        Raises:
            SymgradError: Graphviz is not installed, or fails.
        """
        return drawn(self.dot(), "svg").decode()

    def png(self) -> bytes:
        """The picture as PNG, drawn by Graphviz.

        Raises:
            SymgradError: Graphviz is not installed, or fails.
        """
        return drawn(self.dot(), "png")

    def __repr__(self) -> str:
        return f"<Graph of {len(self.nodes)} nodes and {len(self.edges)} edges>"

    def __str__(self) -> str:
        return text_table(self)

    def _picture(self) -> str | None:
        """The picture, where Graphviz is installed."""
        if not is_installed():
            return None
        text = self.svg()
        return text[text.index("<svg") :]

    def _repr_mimebundle_(self, **_: Any) -> dict[str, str]:
        """What notebooks show: the picture, or its Mermaid text where Graphviz is not installed."""
        picture = self._picture()
        if picture is None:
            return {"text/plain": str(self), "text/markdown": self._markdown()}
        page = f'<div style="overflow-x:auto">{picture}</div>'
        return {"text/plain": str(self), "text/html": page, "image/svg+xml": picture}

    def _markdown(self) -> str:
        return f"```mermaid\n{self.mermaid()}```\n"
