"""Levenberg and Marquardt's method on products with the Gauss-Newton matrix, which is never written down.

For least squares G is JᵀJ times a number, and this is the textbook's method (Nocedal & Wright 2006, section
10.3); for another convex loss of the outputs G is Jᵀ H J (Schraudolph 2002). Damping follows Nielsen 1999.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from scipy.sparse.linalg import LinearOperator, cg

if TYPE_CHECKING:
    from collections.abc import Callable

    from symgrad.training.finishing.objective import Product, Vector

_MOST_DAMPING = 1e20
"""In units of the largest curvature: no step of this length changes the loss."""
_POWER_STEPS = 10
_EXACT = 1e-10
"""The residual of a linear system, relative to its right side."""


def levenberg_marquardt(
    loss_and_gradient: Callable[[Vector], tuple[float, Vector]],
    gauss_newton: Product,
    x: Vector,
    told: Callable[[Vector, float], object],
    *,
    iterations: int,
    damping: float,
    tolerance: float,
) -> tuple[bool, bool, str]:
    """Minimise from x on: whether the gradient's largest entry met the tolerance, whether all iterations were
    made, and that in words. `told` hears of every step that made the loss less."""
    loss, gradient = loss_and_gradient(x)
    unit = _largest_curvature(gauss_newton, x, gradient)
    least, growth = damping * unit, 2.0
    damping = least
    for made in range(iterations + 1):
        if np.abs(gradient).max(initial=0.0) <= tolerance:
            return True, False, f"the largest entry of the gradient is at most {tolerance:g}"
        if made == iterations:
            break
        while True:
            step = _step(gauss_newton, x, gradient, damping)
            promised = 0.5 * float(step @ (damping * step - gradient))
            new_loss, new_gradient = loss_and_gradient(x + step)
            if new_loss < loss and promised > 0:
                break
            damping, growth = damping * growth, 2 * growth
            if damping > _MOST_DAMPING * unit or not promised > 0:
                return False, False, "no step makes the loss less"
        gain = (loss - new_loss) / promised
        damping, growth = damping * max(1 / 3, 1 - (2 * gain - 1) ** 3), 2.0
        x, loss, gradient = x + step, new_loss, new_gradient
        told(x, loss)
    return False, True, ""


def _step(gauss_newton: Product, x: Vector, gradient: Vector, damping: float) -> Vector:
    """The solution p of (G + damping) p = -gradient, by conjugate gradients."""
    size = len(x)
    matrix = LinearOperator((size, size), lambda v: gauss_newton(x, v) + damping * v, dtype=np.float64)
    step: Vector = cg(matrix, -gradient, rtol=_EXACT, maxiter=2 * size)[0]
    return step


def _largest_curvature(gauss_newton: Product, x: Vector, along: Vector) -> float:
    """The largest eigenvalue of G, roughly, by the power method; 1 where there is no curvature."""
    curvature = 0.0
    for _ in range(_POWER_STEPS):
        length = float(np.linalg.norm(along))
        if not length > 0:
            break
        along = gauss_newton(x, along / length)
        curvature = float(np.linalg.norm(along))
    return curvature if 0 < curvature < np.inf else 1.0
