"""Whole numbers of a text as polynomials of symbols, and what holds of them for all values of these.

A symbol is the size of a free axis, a loop's index, or an entry of data; each lies between bounds that are
polynomials of the symbols before it. That a polynomial is nowhere negative is shown by putting for one symbol
after the other, the last one first, the bound at which it is least. Where that does not show it, corners of
the box of symbols are tried: one where it is negative is a witness.
"""

from __future__ import annotations

import itertools
import math
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

_FAR = 10**15
"""More than any number in a text; each further size is as much greater again, as sizes differ."""

_MOST_CORNERS = 4096
_COUNT = itertools.count()


@dataclass(frozen=True, eq=False)
class BoundedSymbol:
    """A whole number from all of `lows` to all of `highs`, the ends included; without highs it has no end.

    One that has `choices` is one of these. One that is a `quotient` is that polynomial, divided by that
    number and rounded down.
    """

    name: str
    order: int
    lows: tuple[Size, ...]
    highs: tuple[Size, ...]
    choices: tuple[Size, ...]
    quotient: tuple[Size, int] | None = None

    @property
    def bounds(self) -> tuple[Size, ...]:
        """All polynomials that say what it may be."""
        return (*self.lows, *self.highs, *self.choices, *(self.quotient or ())[:1])

    def ends(self, known: Mapping[BoundedSymbol, int]) -> list[int]:
        """The values at the ends of what it may be, where those before it are known."""
        if self.quotient is not None:
            divided, by = self.quotient
            return [divided.at(known) // by]
        low = max((bound.at(known) for bound in self.lows), default=None)
        high = min((bound.at(known) for bound in self.highs), default=None)
        if self.choices:
            found = {choice.at(known) for choice in self.choices}
        elif low is None:
            found = set()
        else:
            found = {low, low + 1, _FAR << len(known)} if high is None else {low, high}
        return sorted(n for n in found if (low is None or n >= low) and (high is None or n <= high))


@dataclass(frozen=True)
class Size:
    """A polynomial: whole coefficients by their monomials, products of symbols in their order."""

    terms: frozenset[tuple[tuple[BoundedSymbol, ...], int]]

    def __add__(self, other: Size) -> Size:
        return _summed([*self.terms, *other.terms])

    def __sub__(self, other: Size) -> Size:
        return self + -other

    def __neg__(self) -> Size:
        return Size(frozenset((factors, -count) for factors, count in self.terms))

    def __mul__(self, other: Size) -> Size:
        products = itertools.product(self.terms, other.terms)
        return _summed([(tuple(sorted((*a, *b), key=_order)), m * n) for (a, m), (b, n) in products])

    def __str__(self) -> str:
        ordered = sorted(self.terms, key=lambda term: (-len(term[0]), [symbol.order for symbol in term[0]]))
        return " + ".join(map(_shown, ordered)).replace("+ -", "- ") or "0"

    @property
    def number(self) -> int | None:
        """The number that it is at all values of its symbols; None where it depends on them."""
        if not self.terms:
            return 0
        ((factors, count), *others) = self.terms
        return None if factors or others else count

    def symbols(self) -> list[BoundedSymbol]:
        """Those it depends on, in their order."""
        return sorted({symbol for factors, _ in self.terms for symbol in factors}, key=_order)

    def at(self, values: Mapping[BoundedSymbol, int]) -> int:
        """Its value."""
        total = 0
        for factors, count in self.terms:
            for symbol in factors:
                count *= values[symbol]
            total += count
        return total


def whole(number: int) -> Size:
    """A number as a polynomial."""
    return Size(frozenset({((), number)} if number else ()))


def new_symbol(
    name: str, lows: Sequence[Size] = (), highs: Sequence[Size] = (), choices: Sequence[Size] = ()
) -> Size:
    """A new symbol, as a polynomial."""
    return Size(
        frozenset({((BoundedSymbol(name, next(_COUNT), tuple(lows), tuple(highs), tuple(choices)),), 1)})
    )


def product(sizes: Sequence[Size]) -> Size:
    """How many entries an array of these sizes has."""
    total = whole(1)
    for size in sizes:
        total = total * size
    return total


def quotient(size: Size, divisor: Size) -> Size | None:
    """What a product of symbols, each to be at least 1, divides a polynomial into; None where it does not."""
    if len(divisor.terms) != 1:
        return None
    ((factors, count),) = divisor.terms
    found = []
    for others, number in size.terms:
        left = list(others)
        for factor in factors:
            if factor not in left:
                return None
            left.remove(factor)
        if number % count:
            return None
        found.append((tuple(left), number // count))
    return Size(frozenset(found))


def rounded_down(size: Size, divisor: Size) -> Size | None:
    """A polynomial divided by a number and rounded down, as a new symbol; None where that is none above 0."""
    by = divisor.number
    if by is None or by < 1:
        return None
    least = _least(size)
    if least is None:
        return _quotient_symbol(size, by, ())
    before = least // by
    return _quotient_symbol(size - whole(before * by), by, (whole(0),)) + whole(before)


def _least(size: Size) -> int | None:
    """A number that it never falls below; None where that asks for more than where its symbols begin."""
    found = 0
    for factors, count in size.terms:
        known = [[low.number for low in symbol.lows if low.number is not None] for symbol in factors]
        least = [max(numbers, default=-1) for numbers in known]
        if (factors and count < 0) or any(number < 0 for number in least):
            return None
        found += math.prod(least, start=count)
    return found


@lru_cache(4096)
def _quotient_symbol(size: Size, by: int, lows: tuple[Size, ...]) -> Size:
    """The one symbol of a quotient, wherever a text forms it again."""
    symbol = BoundedSymbol(f"({size})//{by}", next(_COUNT), lows, (), (), (size, by))
    return Size(frozenset({((symbol,), 1)}))


def is_never_negative(size: Size, facts: Sequence[Size] = ()) -> bool:
    """Whether it was shown not to be negative at any values where none of the facts is."""
    return _is_shown(size) or any(_is_shown(size - fact) for fact in facts)


@lru_cache(4096)
def _is_shown(size: Size) -> bool:
    number = size.number
    if number is not None:
        return number >= 0
    *_, last = symbols = size.symbols()
    slope, rest = _split(size, last)
    if last.quotient is not None and _is_shown_of_quotient(slope, rest, *last.quotient):
        return True
    ends = last.lows if _is_shown(slope) else last.highs if _is_shown(-slope) else ()
    return any(_is_shown(rest + slope * end) for end in ends) or any(
        _is_shown_of_each(size, symbol) for symbol in symbols if symbol.choices
    )


def _is_shown_of_quotient(slope: Size, rest: Size, divided: Size, by: int) -> bool:
    """For q = divided//by stand its ends: by·q is at most what is divided, and less than `by` below it."""
    if _is_shown(slope):
        return _is_shown(rest * whole(by) + slope * (divided - whole(by - 1)))
    return _is_shown(-slope) and _is_shown(rest * whole(by) + slope * divided)


def _is_shown_of_each(size: Size, symbol: BoundedSymbol) -> bool:
    slope, rest = _split(size, symbol)
    return all(_is_shown(rest + slope * choice) for choice in symbol.choices)


def _split(size: Size, symbol: BoundedSymbol) -> tuple[Size, Size]:
    """What a symbol is multiplied by, where a power is the symbol times its next lower one; and the rest."""
    slope, rest = [], []
    for factors, count in size.terms:
        if symbol in factors:
            place = factors.index(symbol)
            slope.append(((*factors[:place], *factors[place + 1 :]), count))
        else:
            rest.append((factors, count))
    return Size(frozenset(slope)), Size(frozenset(rest))


def witness(size: Size, facts: Sequence[Size] = ()) -> dict[BoundedSymbol, int] | None:
    """Values at which a size is negative and no fact is; None where none was found among the corners."""
    for values in itertools.islice(_corners(_all_symbols([size, *facts])), _MOST_CORNERS):
        if size.at(values) < 0 and all(fact.at(values) >= 0 for fact in facts):
            return values
    return None


def _all_symbols(sizes: Sequence[Size]) -> list[BoundedSymbol]:
    """Those of some sizes, and of the bounds of these."""
    found: set[BoundedSymbol] = set()
    waiting = [symbol for size in sizes for symbol in size.symbols()]
    while waiting:
        symbol = waiting.pop()
        if symbol not in found:
            found.add(symbol)
            waiting += [other for bound in symbol.bounds for other in bound.symbols()]
    return sorted(found, key=_order)


def _corners(
    symbols: Sequence[BoundedSymbol], values: Mapping[BoundedSymbol, int] | None = None
) -> Iterator[dict[BoundedSymbol, int]]:
    """Values at the ends of what each symbol may be, those before it being what they are."""
    known = dict(values or {})
    if not symbols:
        yield known
        return
    symbol, *others = symbols
    for end in symbol.ends(known):
        yield from _corners(others, known | {symbol: end})


def _summed(terms: Sequence[tuple[tuple[BoundedSymbol, ...], int]]) -> Size:
    counts: dict[tuple[BoundedSymbol, ...], int] = {}
    for factors, count in terms:
        counts[factors] = counts.get(factors, 0) + count
    return Size(frozenset((factors, count) for factors, count in counts.items() if count))


def _order(symbol: BoundedSymbol) -> int:
    return symbol.order


def _shown(term: tuple[tuple[BoundedSymbol, ...], int]) -> str:
    factors, count = term
    names = [symbol.name for symbol in factors]
    return "*".join(names if count == 1 and names else [str(count), *names])
