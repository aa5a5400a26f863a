"""The norm of a gradient."""

import numpy as np

from symgrad.runtime.numba.compiling import kernel


@kernel
def euclidean_norm(vector: np.ndarray) -> float:
    """The root of the sum of squares, in double precision."""
    total = 0.0
    for i in range(vector.shape[0]):
        total += np.square(float(vector[i]))
    if total < np.inf:
        return float(np.sqrt(total))
    largest, total = 0.0, 0.0  # the squares overflow: once more, in units of the largest entry
    for i in range(vector.shape[0]):
        largest = max(largest, abs(float(vector[i])))
    for i in range(vector.shape[0]):
        total += np.square(float(vector[i]) / largest)
    return float(largest * np.sqrt(total))
