"""Products with second derivatives as the mean over pieces of the rows, in order; in place of all at once."""

from collections.abc import Callable
from typing import Any

import numpy as np

from symgrad.runtime.kept_memory import _kept
from symgrad.runtime.optional.own_workspaces import _as_vector, _by_rows
from symgrad.runtime.optional.pieces.loss_in_pieces import _by_pieces
from symgrad.runtime.parameter_vectors import unflatten
from symgrad.runtime.smallest_model import DTYPE, INPUTS, SIZE, TARGETS


def _product_with(function: Callable, size: Callable, params: Any, vector: Any, data: tuple[Any, ...]) -> Any:
    theta, direction = _as_vector("params", params), _as_vector("vector", vector)
    product: Any = 0
    for share, part in _by_pieces(data):
        arrays, extents = _by_rows(INPUTS + TARGETS, part)
        piece = np.empty(SIZE, DTYPE)
        function(theta, direction, piece, *arrays, _kept("work", size(*extents)), *extents)
        product = piece if share == 1 else product + DTYPE(share) * piece
    return unflatten(product) if isinstance(vector, tuple) else product
