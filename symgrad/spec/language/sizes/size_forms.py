"""Sizes that only the data decides, as whole-number formulas of the free axes: `T + 2`, `(T - 1)//2`.

A form is a whole number and multiples of free sizes and of quotients that are rounded down. It is kept in
one normal form, so that two formulas of one size are one axis: `(T - 3)//2 + 1` and `(T + 1)//2 - 1` are the
same.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from math import gcd
from typing import TYPE_CHECKING, TypeAlias

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

Whole: TypeAlias = "int | SizeForm"
"""A size: a number, or what the data decides."""

LONGEST = 10**6
"""No free axis that a spec needs at least is longer."""


@dataclass(frozen=True)
class SizeQuotient:
    """A form divided by a number, rounded down."""

    of: SizeForm
    by: int

    def written(self, names: Mapping[str, str]) -> str:
        """The quotient as text, with other names for the free axes."""
        inner = self.of.written(names)
        return f"{inner if inner.isidentifier() else f'({inner})'}//{self.by}"

    @property
    def spelled(self) -> str:
        """The quotient as a name in a text."""
        return f"{self.of.spelled}_over_{self.by}"

    def __str__(self) -> str:
        return self.written({})


Atom: TypeAlias = "str | SizeQuotient"


@dataclass(frozen=True)
class SizeForm:
    """`constant` + the multiples `terms` of free sizes and quotients, in the order of their texts."""

    constant: int
    terms: tuple[tuple[Atom, int], ...]

    @cached_property
    def free(self) -> frozenset[str]:
        """The free axes that it depends on."""
        parts = ({atom} if isinstance(atom, str) else atom.of.free for atom, _ in self.terms)
        return frozenset(name for part in parts for name in part)

    @cached_property
    def never_falls(self) -> bool:
        """Whether it is seen not to fall where a free axis grows."""
        return all(count > 0 and (isinstance(atom, str) or atom.of.never_falls) for atom, count in self.terms)

    def at(self, sizes: Mapping[str, int]) -> int:
        """The number, where the free axes have these sizes."""
        return self.constant + sum(count * _at(atom, sizes) for atom, count in self.terms)

    def __add__(self, other: Whole) -> Whole:
        more = other if isinstance(other, SizeForm) else SizeForm(other, ())
        return _of(self.constant + more.constant, (*self.terms, *more.terms))

    def __radd__(self, other: int) -> Whole:
        return self + other

    def __neg__(self) -> Whole:
        return self * -1

    def __sub__(self, other: Whole) -> Whole:
        return self + -1 * other

    def __rsub__(self, other: int) -> Whole:
        return self * -1 + other

    def __mul__(self, factor: int) -> Whole:
        return _of(factor * self.constant, [(atom, factor * count) for atom, count in self.terms])

    def __rmul__(self, factor: int) -> Whole:
        return self * factor

    def __floordiv__(self, by: int) -> Whole:
        whole, rest = divmod(self.constant, by)
        found = [(atom, *divmod(count, by)) for atom, count in self.terms]
        left = _of(rest, [(atom, count) for atom, _, count in found])
        quotient = 0 if isinstance(left, int) else _quotient(left, by)
        return quotient + _of(whole, [(atom, count) for atom, count, _ in found])

    def __str__(self) -> str:
        return self.written({})

    def written(self, names: Mapping[str, str]) -> str:
        """The formula as text, with other names for the free axes."""
        parts = [(count, _multiple(atom, count, names)) for atom, count in self.terms]
        parts += [(self.constant, str(abs(self.constant)))] if self.constant else []
        (first, text), *others = parts
        signed = "".join(f" {'-' if count < 0 else '+'} {part}" for count, part in others)
        return f"{'-' if first < 0 else ''}{text}{signed}"

    @property
    def spelled(self) -> str:
        """The formula as a name in a text: `T_plus_2`."""
        parts = [(count, atom if isinstance(atom, str) else atom.spelled) for atom, count in self.terms]
        words = [(count, text if abs(count) == 1 else f"{text}_times_{abs(count)}") for count, text in parts]
        words += [(self.constant, str(abs(self.constant)))] if self.constant else []
        (first, text), *others = words
        joined = "".join(f"_{'minus' if count < 0 else 'plus'}_{word}" for count, word in others)
        return f"{'minus_' if first < 0 else ''}{text}{joined}"


def free_size(name: str) -> SizeForm:
    """The size of a free axis."""
    return SizeForm(0, ((name, 1),))


def is_never_negative(size: Whole, least: int = 1) -> bool:
    """Whether it was shown not to be negative where every free axis has this size at least.

    For a quotient stands the end of its range: by·q is at most what is divided, and less than by below it.
    """
    if isinstance(size, int):
        return size >= 0
    if size.never_falls:
        return size.at(dict.fromkeys(size.free, least)) >= 0
    quotients = [(atom, count) for atom, count in size.terms if isinstance(atom, SizeQuotient)]
    if not quotients:
        lowest = size.constant + sum(count * least for _, count in size.terms)
        return all(count > 0 for _, count in size.terms) and lowest >= 0
    quotient, count = max(quotients, key=lambda term: len(str(term[0])))
    rest = size - SizeForm(0, ((quotient, count),))
    end = quotient.of if count < 0 else quotient.of - (quotient.by - 1)
    return is_never_negative(rest * quotient.by + end * count, least)


def least_size(size: Whole, wanted: int) -> tuple[str, int] | None:
    """A free axis and how long it must be at least for the size to be so large; None where that is not known.

    From there on the size must be large enough for all that is longer.
    """
    if isinstance(size, int) or len(size.free) != 1:
        return None
    (name,) = size.free
    low, high = 0, 1
    while size.at({name: high}) < wanted:
        low, high = high, 2 * high
        if high > LONGEST:
            return None
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (low, middle) if size.at({name: middle}) >= wanted else (middle, high)
    return (name, high) if size.never_falls or is_never_negative(size - wanted, high) else None


def may_hold(size: Whole) -> bool:
    """Whether a size is nowhere negative where the data are long enough."""
    return is_never_negative(size) or least_size(size, 0) is not None


def _at(atom: Atom, sizes: Mapping[str, int]) -> int:
    return sizes[atom] if isinstance(atom, str) else atom.of.at(sizes) // atom.by


def _multiple(atom: Atom, count: int, names: Mapping[str, str]) -> str:
    text = names.get(atom, atom) if isinstance(atom, str) else atom.written(names)
    text = text if isinstance(atom, str) or count == 1 else f"({text})"
    return text if abs(count) == 1 else f"{abs(count)}*{text}"


def _of(constant: int, terms: Iterable[tuple[Atom, int]]) -> Whole:
    """The form in its one order, a number where it depends on nothing."""
    counts: dict[Atom, int] = {}
    for atom, count in terms:
        counts[atom] = counts.get(atom, 0) + count
    kept = sorted(((atom, count) for atom, count in counts.items() if count), key=lambda term: str(term[0]))
    return SizeForm(constant, tuple(kept)) if kept else constant


def _quotient(form: SizeForm, by: int) -> Whole:
    """A form whose numbers lie from 0 to below the divisor, divided in lowest terms.

    A quotient of a quotient stays one: that its windows fit into the axis it is of shows in this form alone.
    """
    common = gcd(by, *(count for _, count in form.terms))
    if common == 1:
        return SizeForm(0, ((SizeQuotient(form, by), 1),))
    terms = [(atom, count // common) for atom, count in form.terms]
    shorter = _of(form.constant // common, terms)
    return shorter if common == by else shorter // (by // common)
