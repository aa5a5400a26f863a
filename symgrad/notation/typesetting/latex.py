"""LaTeX mathematics, for documents and for MathML.

The cotangent `dZ1`, the derivative of the loss with respect to Z1, is written with an upright d, as a
name of its own: unlike a fraction of partial derivatives it can be transposed and multiplied without
becoming unreadable.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, ClassVar

from symgrad.notation.typesetting import typeset as ts
from symgrad.notation.typesetting.style import ATOM, POWER, PRODUCT, SUM, Style
from symgrad.notation.typesetting.symbols import latex_symbol
from symgrad.spec.reductions import EXTREMA, REDUCTIONS
from symgrad.spec.scalars import SCALARS

if TYPE_CHECKING:
    from collections.abc import Sequence
    from fractions import Fraction

    from symgrad.notation.typesetting.typeset import Formula

GREEK = re.compile(
    "alpha|beta|gamma|delta|epsilon|zeta|eta|theta|iota|kappa|lambda|mu|nu|xi|pi|rho|sigma|tau|upsilon"
    "|phi|chi|psi|omega|Gamma|Delta|Theta|Lambda|Xi|Pi|Sigma|Upsilon|Phi|Psi|Omega"
)
OF_REDUCTIONS = {row.name: row.latex for row in REDUCTIONS.values() if row.latex}
SIGNS = {
    **{row.written: row.latex for row in SCALARS.values() if row.latex},
    **{name: OF_REDUCTIONS[name] for name in EXTREMA},
    "delta": r"\delta",
}


class LatexStyle(Style):
    """Names in italics, words upright, `Z1`, `Wq` and `h_W` with subscripts, entries in square brackets."""

    minus = "-"
    quotient_level = POWER
    signs: ClassVar[dict[str, str]] = {
        "numbers": r" \, ",
        "matrices": r" \, ",
        "entries": r" \odot ",
        "outer": r" \otimes ",
        "kronecker": r" \otimes ",
        "=": "=",
        "+=": r"\mathrel{+}=",
        "←": r"\leftarrow",
        "→": r"\rightarrow",
        "…": r"\dots",
        "<": "<",
        "<=": r"\le",
        "~": r"\sim",
        ">": ">",
        ">=": r"\ge",
        "==": "=",
        "!=": r"\ne",
        "and": r"\text{ and }",
        "or": r"\text{ or }",
    }
    frames: ClassVar[dict[str, str]] = {
        "ones": r"\mathbf{{1}}_{{{}}}",
        "identity": "I_{{{}}}",
        "differential": r"\partial ",
        "between": r" \, ",
        "partial": r"\frac{{{}}}{{{}}}",
        "transposed": r"{}^{{\top}}",
        "in rows": r"\mathbf{{1}} {}^{{\top}}",
        "in columns": r"{} \mathbf{{1}}^{{\top}}",
        "along the last axis": r"{} \mathbf{{1}}^{{\top}}",
        "absolute": r"\left|{}\right|",
        "norm": r"\lVert {} \rVert",
        "brackets": r"\left({}\right)",
        "square brackets": r"\left[{}\right]",
    }

    def level_of_number(self, value: Fraction) -> int:
        if value < 0:
            return SUM
        text = ts.decimal(value)
        if text is None:
            return ATOM if value.denominator == 1 else POWER
        _, has_exponent, _ = text.partition("e")
        return PRODUCT if has_exponent else ATOM

    def name(self, text: str, is_cotangent: bool) -> str:
        if is_cotangent and text.startswith("d") and len(text) > 1:
            return rf"\mathrm{{d}}{self.name(text[1:], False)}"
        head, *tail = [part for part in text.split("_") if part]
        match = re.fullmatch(r"([A-Za-z]+)(\d+)|([A-Z])([a-z])", head)
        if match is not None and not GREEK.fullmatch(head):
            head, tail = match[1] or match[3], [match[2] or match[4], *tail]
        if len(head) > 1 and not GREEK.fullmatch(head) and any(part.isalpha() for part in tail):
            return self._word("_".join((head, *tail)))
        below = ",".join(self._word(part) for part in tail)
        return f"{self._word(head)}_{{{below}}}" if below else self._word(head)

    def _word(self, word: str) -> str:
        if word == "π":
            return r"\pi"
        if word == "∞":
            return r"\infty"
        if GREEK.fullmatch(word):
            return f"\\{word}"
        if re.fullmatch(r"[A-Za-z]?\d*", word):
            return word
        escaped = word.replace("_", r"\_")
        return rf"\mathit{{{escaped}}}"

    def symbol(self, text: str) -> str:
        return latex_symbol(text)

    def number(self, value: Fraction) -> str:
        text = ts.decimal(value)
        if text is None:
            sign = "-" if value < 0 else ""
            above, below = abs(value.numerator), value.denominator
            return f"{sign}{above}" if below == 1 else rf"{sign}\frac{{{above}}}{{{below}}}"
        mantissa, _, exponent = text.partition("e")
        power = f"10^{{{exponent}}}"
        return rf"{mantissa} \cdot {power}" if exponent and mantissa != "1" else power if exponent else text

    def subscripted(self, base: str, indices: Sequence[str]) -> str:
        joined = ("" if all(len(i) == 1 for i in indices) else ",").join(indices)
        stem = re.fullmatch(r"(.*)_\{([^{}]*)\}(\^\{[^{}]*\})?", base)
        if stem is not None:
            return f"{stem[1]}_{{{stem[2]};{joined}}}{stem[3] or ''}"
        return f"{{{base}}}_{{{joined}}}" if "_" in base else f"{base}_{{{joined}}}"

    def quotient(self, above: Formula, below: Formula) -> str:
        return rf"\frac{{{self.spell(above)}}}{{{self.spell(below)}}}"

    def power(self, base: str, exponent: str) -> str:
        return f"{base}^{{{exponent}}}"

    def call(self, function: str, arguments: Sequence[str], is_slope: bool) -> str:
        return rf"{self.function(function, is_slope)}\left({', '.join(arguments)}\right)"

    def function(self, name: str, is_slope: bool = False) -> str:
        """The sign of a function, or of its slope."""
        escaped = name.replace("_", r"\_")
        sign = SIGNS.get(name) or rf"\mathrm{{{escaped}}}"
        return rf"{sign}^{{\prime}}" if is_slope else sign

    def reduction(self, kind: str, indices: Sequence[str], body: str) -> str:
        symbol = OF_REDUCTIONS.get(kind) or self.function(kind)
        return f"{symbol}_{{{','.join(indices)}}} {body}"

    def choice(self, branches: Sequence[tuple[str, str | None]]) -> str:
        rows = [rf"{v} & \text{{if }} {c}" if c else rf"{v} & \text{{otherwise}}" for v, c in branches]
        return r"\begin{cases}" + r" \\ ".join(rows) + r"\end{cases}"

    def root(self, inner: str) -> str:
        return rf"\sqrt{{{inner}}}"


LATEX = LatexStyle()
