"""The loss on all rows as a function of one vector: the entries of all parameters that are trained."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from collections.abc import Iterator
    from types import ModuleType

    from symgrad.training.dataset.data import Dataset

Vector: TypeAlias = NDArray[np.float64]
Product: TypeAlias = Callable[[Vector, Vector], Vector]


class Objective:
    """Loss, gradient and products of a module on rows, from and to double precision.

    Frozen parameters keep what they have in `theta`. Where the spec divides batches into micro-batches, so
    are all rows here: the sums of pieces, weighted by their rows, are those of the mean over all. `calls`
    counts the gradients.
    """

    def __init__(self, module: ModuleType, training: Dataset, theta: NDArray[Any]) -> None:
        self.module, self.training, self.theta = module, training, theta
        self.trained = _trained_entries(module)
        self.calls = 0

    @property
    def start(self) -> Vector:
        """Where the trained entries stand in `theta`."""
        return self.theta[self.trained].astype(np.float64)

    def vector(self, x: Vector) -> NDArray[Any]:
        """All parameters as the module has them, in one vector."""
        found = np.copy(self.theta)
        found[self.trained] = x
        return found

    def loss_and_gradient(self, x: Vector) -> tuple[float, Vector]:
        """Both at x. Where one of them is not finite the loss is infinite, so that no search ends there."""
        self.calls += 1
        params = self.module.unflatten(self.vector(x))
        loss, gradient = 0.0, np.zeros(len(x))
        for piece, share in self._pieces():
            value, found = self.module.loss_and_grad(params, *piece.arrays)
            loss += share * float(value)
            gradient += share * self.module.flatten(found)[self.trained].astype(np.float64)
        if not (np.isfinite(loss) and np.isfinite(gradient).all()):
            return np.inf, np.zeros(len(x))
        return loss, gradient

    def product(self, name: str) -> Product:
        """What a function of the module, its `hvp` for example, makes of a vector at x."""
        function = getattr(self.module, name)

        def of(x: Vector, direction: Vector) -> Vector:
            params, along = self.vector(x), np.zeros_like(self.theta)
            along[self.trained] = direction
            found = np.zeros(len(x))
            for piece, share in self._pieces():
                found += share * function(params, along, *piece.arrays)[self.trained].astype(np.float64)
            return found

        return of

    def _pieces(self) -> Iterator[tuple[Dataset, float]]:
        """The rows that are computed at once, each time with their share of all."""
        rows, most = self.training.rows, self.module.MICRO_BATCH_SIZE
        if not most or most >= rows:
            yield self.training, 1.0
            return
        for first in range(0, rows, most):
            piece = np.arange(first, min(first + most, rows))
            yield self.training.take(piece), len(piece) / rows


def _trained_entries(module: ModuleType) -> NDArray[np.intp]:
    """Where the entries of parameters that are not frozen lie in the vector of all."""
    frozen = getattr(module, "FROZEN", ())
    parts, first = [np.arange(0)], 0
    for name, shape in module.SHAPES.items():
        size = int(np.prod(shape, dtype=np.int64))
        parts += [] if name in frozen else [np.arange(first, first + size)]
        first += size
    return np.concatenate(parts)
