"""First values that NumPy does not draw by itself."""

import numpy as np


def _truncated_normal(rng: np.random.Generator, deviation: float, size: int) -> np.ndarray:
    """Normal numbers; those beyond two deviations are drawn again."""
    values = rng.normal(0.0, deviation, size)
    while (beyond := np.abs(values) > 2 * deviation).any():
        values[beyond] = rng.normal(0.0, deviation, np.count_nonzero(beyond))
    return values


def _orthogonal(rng: np.random.Generator, gain: float, rows: int, columns: int) -> np.ndarray:
    """The entries of a matrix whose rows or columns, whichever are fewer, are orthonormal, times a gain.

    The signs make every such matrix as likely as any other (Mezzadri 2007).
    """
    q, r = np.linalg.qr(rng.normal(size=(max(rows, columns), min(rows, columns))))
    q *= np.where(np.diag(r) < 0, -1.0, 1.0)
    return gain * (q if rows >= columns else q.T).ravel()
