"""How mathematics is written: as plain Unicode text or as LaTeX."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

RELATIONS_LATEX = {"<": "<", "<=": r"\le", ">": ">", ">=": r"\ge", "==": "=", "!=": r"\ne"}
RELATIONS_TEXT = {"<": "<", "<=": "≤", ">": ">", ">=": "≥", "==": "=", "!=": "≠"}
GREEK = (
    "alpha beta gamma delta epsilon zeta eta theta kappa lambda mu nu xi pi rho sigma tau phi chi psi omega"
).split()


class Text:
    """Plain text for terminals and comments."""

    times, hadamard, minus = "·", " ⊙ ", "−"
    transpose = "ᵀ"
    prime = "′"
    delta, onehot = "δ", "onehot"

    def name(self, name: str) -> str:
        return name

    def index(self, name: str, indices: Sequence[str]) -> str:
        return f"{name}[{','.join(indices)}]"

    def column(self, name: str) -> str:
        """A vector that is spread over the columns of a matrix."""
        return f"{name}[:,None]"

    def fraction(self, above: str, below: str, simple_above: bool, simple_below: bool) -> str:
        above = above if simple_above else f"({above})"
        below = below if simple_below else f"({below})"
        return f"{above}/{below}"

    def power(self, base: str, exponent: str) -> str:
        superscripts = str.maketrans("0123456789", "⁰¹²³⁴⁵⁶⁷⁸⁹")
        return base + exponent.translate(superscripts) if exponent.isdigit() else f"{base}^({exponent})"

    def root(self, inner: str) -> str:
        return f"√({inner})"

    def call(self, function: str, arguments: Sequence[str]) -> str:
        return f"{function}({', '.join(arguments)})"

    def absolute(self, inner: str) -> str:
        return f"|{inner}|"

    def brackets(self, inner: str) -> str:
        return f"({inner})"

    def reduction(self, kind: str, indices: Sequence[str], body: str) -> str:
        symbol = "Σ" if kind == "sum" else kind
        over = indices[0] if len(indices) == 1 and len(indices[0]) == 1 else f"{{{','.join(indices)}}}"
        return f"{symbol}_{over} {body}"

    def choice(self, branches: Sequence[tuple[str, str | None]]) -> str:
        parts = [f"{value} where {condition}" if condition else f"{value} else" for value, condition in branches]
        return "{" + "; ".join(parts) + "}"

    def relation(self, left: str, operator: str, right: str) -> str:
        return f"{left} {RELATIONS_TEXT[operator]} {right}"

    def number(self, text: str) -> str:
        return text


class Latex:
    """LaTeX mathematics, for documents and for MathML."""

    times, hadamard, minus = r"\,", r" \odot ", "-"
    transpose = "^{\\top}"
    prime = "'"
    delta, onehot = r"\delta", r"\mathrm{onehot}"

    def name(self, name: str) -> str:
        """`dW1` is written as a partial derivative's name, `h_W` with a subscript."""
        if re.fullmatch(r"d[A-Za-z]\w*", name) and name not in GREEK:
            return rf"\mathrm{{d}}{self.name(name[1:])}"
        head, _, tail = name.partition("_")
        match = re.fullmatch(r"([^\d]+)(\d+)", head)
        if match is not None:
            head, tail = match[1], ",".join(filter(None, [match[2], tail]))
        tail = tail.replace("_", ",")
        head = f"\\{head}" if head in GREEK else head if len(head) == 1 else rf"\mathit{{{head}}}"
        return f"{head}_{{{tail}}}" if tail else head

    def index(self, name: str, indices: Sequence[str]) -> str:
        return f"{name}[{','.join(indices)}]"

    def column(self, name: str) -> str:
        return f"{name}\\mathbf{{1}}^{{\\top}}"

    def fraction(self, above: str, below: str, simple_above: bool, simple_below: bool) -> str:  # noqa: ARG002  # same interface as Text
        return rf"\frac{{{above}}}{{{below}}}"

    def power(self, base: str, exponent: str) -> str:
        return f"{{{base}}}^{{{exponent}}}"

    def root(self, inner: str) -> str:
        return rf"\sqrt{{{inner}}}"

    def call(self, function: str, arguments: Sequence[str]) -> str:
        name = function.rstrip(self.prime)
        primes = function[len(name) :]
        safe = name.replace("_", r"\_")
        return rf"\operatorname{{{safe}}}{primes}\left({', '.join(arguments)}\right)"

    def absolute(self, inner: str) -> str:
        return rf"\left|{inner}\right|"

    def brackets(self, inner: str) -> str:
        return rf"\left({inner}\right)"

    def reduction(self, kind: str, indices: Sequence[str], body: str) -> str:
        symbol = {"sum": r"\sum", "max": r"\max", "min": r"\min"}.get(kind, r"\operatorname{logsumexp}")
        return f"{symbol}_{{{','.join(indices)}}} {body}"

    def choice(self, branches: Sequence[tuple[str, str | None]]) -> str:
        rows = [rf"{v} & \text{{if }} {c}" if c else rf"{v} & \text{{otherwise}}" for v, c in branches]
        return r"\begin{cases}" + r" \\ ".join(rows) + r"\end{cases}"

    def relation(self, left: str, operator: str, right: str) -> str:
        return f"{left} {RELATIONS_LATEX[operator]} {right}"

    def number(self, text: str) -> str:
        mantissa, _, exponent = text.partition("e")
        return rf"{mantissa} \cdot 10^{{{int(exponent)}}}" if exponent else text


Style = Text | Latex
