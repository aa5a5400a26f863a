"""Numbers that are drawn: Philox 4x32-10 of Salmon, Moraes, Dror & Shaw, Parallel random numbers, 2011."""

from collections.abc import Callable
from typing import Any

import numpy as np

from symgrad.runtime.numba.compiling import compiled, kernel


def _put_in(function: Callable) -> Any:
    """Compile into every caller."""
    return compiled(function, forceinline=True, no_cpython_wrapper=True, no_cfunc_wrapper=True)


@_put_in
def _philox(block: Any, step: Any, stream: Any, seed: Any) -> tuple[Any, ...]:
    """Four words of 32 bits, of the block of this number."""
    low = 0xFFFFFFFF
    a, b, c, d = np.uint32(block & low), np.uint32(block >> 32), np.uint32(step & low), np.uint32(stream)
    e, f = np.uint32(seed & low), np.uint32(seed >> 32)
    for _ in range(10):
        p, q = np.uint64(a) * np.uint64(0xD2511F53), np.uint64(c) * np.uint64(0xCD9E8D57)
        a, c = (
            np.uint32(np.uint32(q >> np.uint64(32)) ^ b ^ e),
            np.uint32(np.uint32(p >> np.uint64(32)) ^ d ^ f),
        )
        b, d = np.uint32(q), np.uint32(p)
        e = np.uint32(np.uint64(e) + np.uint64(0x9E3779B9))
        f = np.uint32(np.uint64(f) + np.uint64(0xBB67AE85))
    return a, b, c, d


@_put_in
def _from_word(word: Any, real: Any) -> Any:
    """The odd number of its first 23 bits and a 1, of 2**24: exact in both precisions, never 0 or 1."""
    return real(np.int32((word >> np.uint32(8)) | np.uint32(1))) * real(5.9604644775390625e-08)


@kernel
def draw(numbers: Any, key: Any, stream: Any) -> None:
    """Fill an array with the numbers of a stream, by `key`: the seed, the step, how many rows went before.

    The numbers of an array are counted row by row; four in a row are of one block.
    """
    real, flat = numbers.dtype.type, numbers.reshape(-1)
    seed, step, rows = key
    size = flat.shape[0]
    first = rows * (size // numbers.shape[0])
    lead = min(-first % 4, size)
    for i in range(lead):
        flat[i] = _from_word(_philox(first // 4, step, stream, seed)[first % 4 + i], real)
    block, whole = (first + lead) // 4, (size - lead) // 4
    body = flat[lead : lead + 4 * whole]  # from 0 on, or LLVM does not vectorise it
    for n in range(whole):
        a, b, c, d = _philox(block + n, step, stream, seed)
        body[4 * n] = _from_word(a, real)
        body[4 * n + 1] = _from_word(b, real)
        body[4 * n + 2] = _from_word(c, real)
        body[4 * n + 3] = _from_word(d, real)
    rest = flat[lead + 4 * whole :]
    for i in range(rest.shape[0]):
        rest[i] = _from_word(_philox(block + whole, step, stream, seed)[i], real)
