"""Formulas and statements whatever their indices are called: what is alike but for these is equal here."""

from __future__ import annotations

import ast
import re
from typing import Any

_INDICES = re.compile(r"\[[^\]]*\]|_\{[^}]*\}|(?<=Σ)_\w+|(?<=max|min)_\w+(?=\()|(?<=logsumexp)_\w+(?=\()")


def of_any_letters(formula: str) -> str:
    """A formula whose indices are called by their order."""
    names: dict[str, str] = {}

    def told(indices: re.Match[str]) -> str:
        return re.sub(
            r"(?<![0-9A-Za-z])[A-Za-z]\w*", lambda n: names.setdefault(n[0], f"i{len(names)}"), indices[0]
        )

    return _INDICES.sub(told, formula)


class _ByDepth(ast.NodeTransformer):
    """Loops count by indices that are called by how many loops they stand in."""

    def __init__(self) -> None:
        self.names: dict[str, str] = {}

    def visit_For(self, node: ast.For) -> Any:  # the name ast calls
        before = dict(self.names)
        if isinstance(node.target, ast.Name):
            self.names[node.target.id] = f"i{len(self.names)}"
        self.generic_visit(node)
        self.names = before
        return node

    def visit_Name(self, node: ast.Name) -> ast.Name:  # the name ast calls
        node.id = self.names.get(node.id, node.id)
        return node


def code_of_any_letters(text: str) -> str:
    """Statements whose loops' indices are called by their depth; comments are left out."""
    return ast.unparse(_ByDepth().visit(ast.parse(text)))
