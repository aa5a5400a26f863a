"""Products of matrices of residues, exactly, by BLAS: modulo many small primes, then joined again.

A residue is some 170 bits long. Modulo a prime below 2²² the products of a thousand pairs of
numbers add up to less than 2⁵³, so that a product of matrices of floats is exact; the Chinese remainder
theorem gives the whole number from its remainders (as FLINT's fmpz_mat_mul_multi_mod).
"""

from __future__ import annotations

from functools import lru_cache
from itertools import count, islice
from math import isqrt, prod
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from symgrad.verifier.identity.elements import MODULUS

if TYPE_CHECKING:
    from collections.abc import Iterable

    from symgrad.verifier.interpretation.array_library import Array

_LIMB = 16
"""Bits of a number that are one float at first."""

_LIMBS = -(-MODULUS.bit_length() // _LIMB)
_BELOW = 2**22
_MOST = 2**10
"""Products that are added before their remainder is taken: of remainders up to 2²¹, less than 2⁵³."""

_PAYS_OFF = 16
"""Products for each number, from which on taking numbers apart costs less than it saves."""


class _Remainders(NamedTuple):
    """Some primes; the remainders of a limb's unit, a row for each limb; and what joins remainders again:
    for each prime the inverse of the others' product modulo it, and the limbs of that product."""

    primes: Array
    units: Array
    inverses: Array
    others: Array
    product: int


@lru_cache(maxsize=1)
def _remainders() -> _Remainders:
    """As many primes as hold every sum of up to 2³² products of residues."""
    enough = 2 * MODULUS.bit_length() + 32
    primes = list(islice(_primes_down(), -(-enough // (_BELOW.bit_length() - 2))))
    product = prod(primes)
    limbs = -(-product.bit_length() // _LIMB)
    return _Remainders(
        np.array(primes, dtype=float),
        np.array([[pow(2, _LIMB * k, p) for p in primes] for k in range(_LIMBS)], dtype=float),
        np.array([pow(product // p, -1, p) for p in primes], dtype=float),
        _limbs_of((product // p for p in primes), limbs),
        product,
    )


def _primes_down() -> Iterable[int]:
    """The primes below 2²², from the top."""
    odd = count(_BELOW - 1, -2)
    return (n for n in odd if all(n % d for d in range(3, isqrt(n) + 1, 2)))


def _limbs_of(numbers: Iterable[int], limbs: int) -> Array:
    """Whole numbers as rows of limbs, the lowest first."""
    whole = b"".join(number.to_bytes(2 * limbs, "little") for number in numbers)
    return np.frombuffer(whole, dtype="<u2").reshape(-1, limbs).astype(float)


def _reduced(values: Array, primes: Array) -> Array:
    """What whole numbers up to 2⁵² leave when divided by primes, the least in size."""
    return np.asarray(values - primes * np.rint(values / primes))


def pays_off(a: Array, b: Array) -> bool:
    """Whether two stacks of matrices are large enough for this."""
    if a.ndim < 2 or b.ndim < 2:
        return False
    given = a.size + b.size
    return bool(min(a.size * b.shape[-1], b.size * a.shape[-2]) > _PAYS_OFF * given)


def product_of_residues(a: Array, b: Array) -> Array:
    """NumPy's matmul of two stacks of matrices of residues, whole numbers each; again of residues."""
    axes = max(a.ndim, b.ndim)
    left, right = (_taken_apart(matrices, axes) for matrices in (a, b))
    primes = _remainders().primes.reshape(-1, *[1] * axes)
    total = np.zeros(1)
    for start in range(0, a.shape[-1], _MOST):
        part = slice(start, start + _MOST)
        total = total + _reduced(np.matmul(left[..., part], right[..., part, :]), primes)
    return _joined(total)


def _taken_apart(matrices: Array, axes: int) -> Array:
    """The remainders of every number, those of each prime a stack of matrices with so many axes."""
    known = _remainders()
    limbs = _limbs_of(matrices.reshape(-1).tolist(), _LIMBS)
    found = _reduced(limbs @ known.units, known.primes)
    ahead = [1] * (axes - matrices.ndim)
    return np.ascontiguousarray(found.T).reshape(-1, *ahead, *matrices.shape)


def _joined(remainders: Array) -> Array:
    """The residues that leave these remainders, a row of them for each prime."""
    known = _remainders()
    primes = known.primes[:, None]
    each = _reduced(remainders.reshape(len(primes), -1), primes)
    each = _reduced(each * known.inverses[:, None], primes)
    each[each < 0] += np.broadcast_to(primes, each.shape)[each < 0]
    sums = (known.others.T @ each).astype(np.int64)
    limbs = np.zeros((sums.shape[1], len(sums) + 3), dtype="<u2")
    carry = np.zeros(sums.shape[1], dtype=np.int64)
    for place in range(limbs.shape[1]):
        carry += sums[place] if place < len(sums) else 0
        limbs[:, place] = carry & (2**_LIMB - 1)
        carry >>= _LIMB
    whole, size = limbs.tobytes(), 2 * limbs.shape[1]
    found = np.empty(len(limbs), dtype=object)
    found[:] = [
        int.from_bytes(whole[start : start + size], "little") % known.product % MODULUS
        for start in range(0, len(whole), size)
    ]
    return found.reshape(remainders.shape[1:])
