"""How formulas are spelled: what is common to plain text and LaTeX, above all where brackets stand."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import TYPE_CHECKING, ClassVar

from symgrad.notation.typesetting import typeset as ts
from symgrad.notation.typesetting.symbols import has_raised_end, is_compound

if TYPE_CHECKING:
    from collections.abc import Sequence
    from fractions import Fraction

    from symgrad.notation.typesetting.typeset import Formula

RELATION, SUM, REDUCTION, PRODUCT, POWER, ATOM = range(6)
"""How tightly a formula holds together; the looser is bracketed inside the tighter."""


class Style(ABC):
    """Decides where brackets stand; its kinds decide what the signs look like."""

    minus: str
    signs: ClassVar[dict[str, str]]
    frames: ClassVar[dict[str, str]]
    """What is written around and between parts, as `str.format` takes it."""
    quotient_level: int

    @property
    def within_words(self) -> Style:
        """The style of formulas that stand within a sentence."""
        return self

    def spell(self, formula: Formula) -> str:
        """The formula as text."""
        match formula:
            case ts.Sum(terms):
                return self._sum(terms)
            case ts.ProductText(kind, factors):
                last = len(factors) - 1
                texts = [self._factor(f, kind, number == last) for number, f in enumerate(factors)]
                return self.signs[kind].join(texts)
            case ts.Quotient(above, below):
                return self.quotient(above, below)
            case ts.Power(base, exponent):
                return self.power(self._at_least(base, ATOM), self.spell(exponent))
            case ts.Reduced(kind, indices, body):
                inner = self._at_least(body, REDUCTION) if kind == "sum" else self._frame("brackets", body)
                return self.reduction(kind, [self.spell(i) for i in indices], inner)
            case ts.Relation(left, operator, right):
                return f"{self.spell(left)} {self.signs[operator]} {self.spell(right)}"
        return self._atom(formula)

    def _atom(self, formula: Formula) -> str:
        match formula:
            case ts.NameText(text, is_cotangent):
                return self.name(text, is_cotangent)
            case ts.Symbol(text):
                return self.symbol(text)
            case ts.Ones(size):
                return self._frame("ones", size)
            case ts.IdentityMatrix(size):
                return self._frame("identity", size)
            case ts.NumberText(value):
                return self.number(value)
            case ts.Indexed(base, indices):
                return f"{self._at_least(base, POWER)}[{','.join(map(self.spell, indices))}]"
            case ts.Subscripted(base, indices):
                return self.subscripted(self._at_least(base, POWER), [self.spell(i) for i in indices])
            case ts.Partial(of, by):
                return self._partial(self.spell(of), [self.spell(b) for b in by])
            case ts.Transposed(ts.Symbol(text)) if has_raised_end(text):
                bracketed = self.frames["square brackets"].format(self.symbol(text))
                return self.frames["transposed"].format(bracketed)
            case ts.Transposed(base):
                return self.frames["transposed"].format(self._at_least(base, ATOM))
            case ts.Spread(base, in_rows, places):
                frame = "in rows" if in_rows else "in columns" if places == 1 else "along the last axis"
                return self.frames[frame].format(self._at_least(base, ATOM))
            case ts.CallText(function, arguments, is_slope):
                return self.call(function, [self.spell(a) for a in arguments], is_slope)
            case ts.Choice(branches):
                return self.choice([(self.spell(v), self.spell(c) if c else None) for v, c in branches])
            case ts.Root(inner):
                return self.root(self.spell(inner))
            case ts.Absolute(inner):
                return self._frame("absolute", inner)
            case ts.Norm(inner):
                return self._frame("norm", inner)
        raise TypeError(formula)

    def level(self, formula: Formula) -> int:
        """How tightly a formula holds together in this style."""
        match formula:
            case ts.Relation():
                return RELATION
            case ts.Sum():
                return SUM
            case ts.Reduced(kind):
                return REDUCTION if kind == "sum" else ATOM
            case ts.ProductText(_, factors):
                return REDUCTION if _ends_open(factors[-1]) else PRODUCT
            case ts.Quotient() | ts.Partial():
                return self.quotient_level
            case ts.Power() | ts.Transposed() | ts.Spread():
                return POWER
            case ts.Subscripted(base):
                return POWER if self.level(base) == POWER else ATOM
            case ts.Symbol(text):
                return SUM if is_compound(text) else POWER if has_raised_end(text) else ATOM
            case ts.NumberText(value):
                return self.level_of_number(value)
        return ATOM

    def _at_least(self, formula: Formula, level: int) -> str:
        text = self.spell(formula)
        return text if self.level(formula) >= level else self.frames["brackets"].format(text)

    def _frame(self, frame: str, *parts: Formula) -> str:
        return self.frames[frame].format(*map(self.spell, parts))

    def _partial(self, of: str, by: Sequence[str]) -> str:
        """What is differentiated by the same again and again is one power of it."""
        sign = self.frames["differential"]
        order = sign if len(by) == 1 else self.power(sign.rstrip(), str(len(by))) + sign[len(sign.rstrip()) :]
        counts = {name: by.count(name) for name in by}
        below = [sign + name if n == 1 else self.power(sign + name, str(n)) for name, n in counts.items()]
        return self.frames["partial"].format(order + of, self.frames["between"].join(below))

    def _sum(self, terms: Sequence[tuple[bool, Formula]]) -> str:
        text = ""
        for negative, term in terms:
            piece = self._at_least(term, REDUCTION)
            sign = self.minus if negative else "+"
            if text:
                text += f" {sign} {piece}"
            else:
                text = f"{self.minus}{piece}" if negative else piece
        return text

    def _factor(self, factor: Formula, kind: ts.ProductKind, is_last: bool) -> str:
        text = self.spell(factor)
        return text if self.fits_in_product(factor, kind, is_last) else self.frames["brackets"].format(text)

    def fits_in_product(self, factor: Formula, kind: ts.ProductKind, is_last: bool) -> bool:
        """Whether a factor stands without brackets."""
        if isinstance(factor, ts.ProductText):
            return factor.kind == kind or (kind == "numbers" and factor.kind == "entries")
        if self.level(factor) == REDUCTION:
            return is_last
        return self.level(factor) >= POWER

    @abstractmethod
    def level_of_number(self, value: Fraction) -> int: ...

    @abstractmethod
    def name(self, text: str, is_cotangent: bool) -> str: ...

    @abstractmethod
    def symbol(self, text: str) -> str: ...

    @abstractmethod
    def number(self, value: Fraction) -> str: ...

    @abstractmethod
    def subscripted(self, base: str, indices: Sequence[str]) -> str: ...

    @abstractmethod
    def quotient(self, above: Formula, below: Formula) -> str: ...

    @abstractmethod
    def power(self, base: str, exponent: str) -> str: ...

    @abstractmethod
    def call(self, function: str, arguments: Sequence[str], is_slope: bool) -> str: ...

    @abstractmethod
    def reduction(self, kind: str, indices: Sequence[str], body: str) -> str: ...

    @abstractmethod
    def choice(self, branches: Sequence[tuple[str, str | None]]) -> str: ...

    @abstractmethod
    def root(self, inner: str) -> str: ...


def _ends_open(formula: Formula) -> bool:
    """Whether what is written behind it could be read as part of its sum over an index."""
    if isinstance(formula, ts.ProductText):
        return _ends_open(formula.factors[-1])
    return isinstance(formula, ts.Reduced) and formula.kind == "sum"
