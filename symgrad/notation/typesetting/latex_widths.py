"""How wide LaTeX prints a formula: the same tree spelled with one character for each quarter of an em."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from symgrad.notation.typesetting import typeset as ts
from symgrad.notation.typesetting.latex import GREEK, SIGNS, LatexStyle

if TYPE_CHECKING:
    from collections.abc import Sequence
    from fractions import Fraction

    from symgrad.notation.typesetting.typeset import Formula

_RELATION, _OPERATOR = "===", "+++"
_SMALL = 0.85
"""Scripts are so much smaller, with the commas between them."""


class LatexWidths(LatexStyle):
    """What it spells is as long as the formula is wide; of two above each other it spells the wider."""

    minus = _OPERATOR
    signs: ClassVar[dict[str, str]] = {
        **dict.fromkeys(LatexStyle.signs, _RELATION),
        "numbers": " ",
        "matrices": " ",
        "entries": f" {_OPERATOR} ",
        "outer": f" {_OPERATOR} ",
        "kronecker": f" {_OPERATOR} ",
        "and": " " * 9,
        "or": " " * 7,
    }
    frames: ClassVar[dict[str, str]] = {
        "ones": "11{}",
        "identity": "xx{}",
        "differential": "dddd",
        "between": "",
        "partial": "{}",  # of the two, the entry of which the derivative is
        "transposed": "{}TT",
        "in rows": "11 {}TT",
        "in columns": "{} 11TT",
        "along the last axis": "{} 11TT",
        "absolute": "||{}||",
        "norm": "||{}||",
        "brackets": "(({}))",
        "square brackets": "[[{}]]",
    }

    def width(self, formula: Formula) -> int:
        """In quarters of an em."""
        return len(self.spell(formula))

    def name(self, text: str, is_cotangent: bool) -> str:  # noqa: ARG002  # an upright d is as wide
        words = ("x" if GREEK.fullmatch(word) else word for word in text.split("_"))
        return "".join("xxx" if c.isupper() else "xx" for word in words for c in word)

    def symbol(self, text: str) -> str:
        return self.name(text, False)

    def number(self, value: Fraction) -> str:
        text = ts.decimal(value)
        if text is None:
            return "0" * (2 * max(len(str(value.numerator)), len(str(value.denominator))))
        mantissa, _, exponent = text.partition("e")
        return "0" * (2 * len(mantissa) + (8 + 2 * len(exponent) if exponent else 0))

    def subscripted(self, base: str, indices: Sequence[str]) -> str:
        return base + _script("".join(indices))

    def quotient(self, above: Formula, below: Formula) -> str:
        return f" {max(self.spell(above), self.spell(below), key=len)} "

    def power(self, base: str, exponent: str) -> str:
        return base + _script(exponent)

    def call(self, function: str, arguments: Sequence[str], is_slope: bool) -> str:
        name = "xx" if function in SIGNS else self.name(function, False)
        return f"{name}{' ' * is_slope}(({'  '.join(arguments)}))"

    def reduction(self, kind: str, indices: Sequence[str], body: str) -> str:
        symbol = "xxxxxx" if kind == "sum" else self.name(kind, False)
        return f"{symbol}{_script(''.join(indices))} {body}"

    def choice(self, branches: Sequence[tuple[str, str | None]]) -> str:
        value = max(len(value) for value, _ in branches)
        condition = max(len(condition or "otherwise") for _, condition in branches)
        return "{{{{" + " " * (value + condition + 7)

    def root(self, inner: str) -> str:
        return f"vvvv{inner}"


def _script(text: str) -> str:
    return text[: round(len(text) * _SMALL)]


LATEX_WIDTHS = LatexWidths()
