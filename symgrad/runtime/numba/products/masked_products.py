"""Products of a matrix whose zeros mask what they are multiplied by."""

import numpy as np

from symgrad.runtime.numba.compiling import kernel
from symgrad.runtime.numba.products.in_blocks import gemm


@kernel
def masked_gemm(alpha: float, a: np.ndarray, b: np.ndarray, beta: float, c: np.ndarray) -> None:
    """c ← alpha·a·b + beta·c, where an entry of a that is exactly 0 adds nothing, even times NaN."""
    sign = c.dtype.type(0)
    for k in range(b.shape[0]):
        for j in range(b.shape[1]):
            sign += b[k, j] * 0
    if sign == 0:
        gemm(alpha, a, b, beta, c)
        return
    for i in range(c.shape[0]):
        for j in range(c.shape[1]):
            total = c.dtype.type(0)
            for k in range(a.shape[1]):
                if a[i, k] != 0:
                    total += a[i, k] * b[k, j]
            c[i, j] = alpha * total + (beta * c[i, j] if beta else 0)
