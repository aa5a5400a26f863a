"""Mathematics as plain Unicode text, for terminals and comments."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, ClassVar

from symgrad.notation.typesetting import typeset as ts
from symgrad.notation.typesetting.style import ATOM, POWER, PRODUCT, SUM, Style
from symgrad.spec.reductions import REDUCTIONS

if TYPE_CHECKING:
    from collections.abc import Sequence
    from fractions import Fraction

    from symgrad.notation.typesetting.typeset import Formula


class TextStyle(Style):
    """Names as the user wrote them; `Z[n,i]`, `xᵀ·dZ`, `A ⊙ B`."""

    minus = "−"
    quotient_level = PRODUCT
    signs: ClassVar[dict[str, str]] = {
        "numbers": "·",
        "matrices": "·",
        "entries": " ⊙ ",
        "outer": " ⊗ ",
        "kronecker": " ⊗ ",
        "=": "=",
        "+=": "+=",
        "←": "←",
        "→": "→",
        "…": "…",
        "<": "<",
        "<=": "≤",
        "~": "~",
        ">": ">",
        ">=": "≥",
        "==": "=",
        "!=": "≠",
        "and": "and",
        "or": "or",
    }
    frames: ClassVar[dict[str, str]] = {
        "ones": "1_{}",
        "identity": "I_{}",
        "differential": "∂",
        "between": "",
        "partial": "{}/{}",
        "transposed": "{}ᵀ",
        "in rows": "{}[None,:]",
        "in columns": "{}[:,None]",
        "along the last axis": "{}[…,None]",
        "absolute": "|{}|",
        "norm": "‖{}‖",
        "brackets": "({})",
        "square brackets": "[{}]",
    }
    superscripts = str.maketrans("0123456789t", "⁰¹²³⁴⁵⁶⁷⁸⁹ᵗ")
    subscripts = str.maketrans("0123456789aehijklmnoprstuvx", "₀₁₂₃₄₅₆₇₈₉ₐₑₕᵢⱼₖₗₘₙₒₚᵣₛₜᵤᵥₓ")

    def level_of_number(self, value: Fraction) -> int:
        if value < 0:
            return SUM
        return ATOM if value.denominator == 1 or ts.decimal(value) else PRODUCT

    def name(self, text: str, is_cotangent: bool) -> str:  # noqa: ARG002  # same interface as Latex
        return text

    def symbol(self, text: str) -> str:
        return text

    def number(self, value: Fraction) -> str:
        return ts.decimal(value) or str(value)

    def subscripted(self, base: str, indices: Sequence[str]) -> str:
        joined = ("" if all(len(i) == 1 for i in indices) else ",").join(indices)
        if ord(base[-1]) in self.subscripts.values():
            joined = f",{joined}"
        is_small = all(c == "," or ord(c) in self.subscripts for c in joined)
        return base + joined.translate(self.subscripts) if is_small else f"{base}_{{{joined}}}"

    def quotient(self, above: Formula, below: Formula) -> str:
        top = self.spell(above)
        if self.level(above) < PRODUCT or isinstance(above, ts.Quotient):
            top = self.frames["brackets"].format(top)
        return f"{top}/{self._at_least(below, POWER)}"

    def power(self, base: str, exponent: str) -> str:
        if re.fullmatch(r"\d+|t", exponent):
            return base + exponent.translate(self.superscripts)
        return f"{base}^{exponent}" if exponent.isalnum() else f"{base}^({exponent})"

    def call(self, function: str, arguments: Sequence[str], is_slope: bool) -> str:
        name = "δ" if function == "delta" else function
        return f"{name}{'′' if is_slope else ''}({', '.join(arguments)})"

    def reduction(self, kind: str, indices: Sequence[str], body: str) -> str:
        over = indices[0] if len(indices) == 1 else f"{{{','.join(indices)}}}"
        sign = REDUCTIONS[kind].sign
        return f"{sign}_{over} {body}" if sign else f"{kind}_{over}{body}"

    def choice(self, branches: Sequence[tuple[str, str | None]]) -> str:
        parts = [f"{value} if {condition} else " if condition else value for value, condition in branches]
        return f"({''.join(parts)})"

    def root(self, inner: str) -> str:
        return f"√{inner}" if inner.isalnum() else f"√({inner})"


TEXT = TextStyle()
