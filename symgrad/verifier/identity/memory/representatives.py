"""Equal elements are one: what a text writes is taken for the equal entry of its spec's tensors.

Elements are compared in the topmost field, the fields below serve exponents. exp of the lowest field is no
homomorphism, so two forms of one formula, as exp(a - b) and exp(a)/exp(b), are equal elements that differ in
the lowest field; exp of them differs in two fields, and a network of many layers would need a field for each.
Where every tensor of the spec that a text writes becomes the spec's own, a difference of form ends there.
A difference of value does not: what equals nothing stays, and what is taken for another equals it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from symgrad.verifier.identity.elements import PRIMES, Element

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from symgrad.verifier.interpretation.array_library import Array


def taken_for(tensors: Iterable[Array]) -> Callable[[Any], Any]:
    """What a number that is written is taken for: the first of these tensors' entries that equals it."""
    known = {
        entry.top: entry
        for tensor in tensors
        if tensor.dtype == object
        for entry in tensor.flat
        if type(entry) is Element
    }
    prime = PRIMES[0]

    def taken(number: Any) -> Any:
        return known.get(number.residue % prime, number) if type(number) is Element else number

    return taken if known else lambda number: number
