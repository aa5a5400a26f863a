"""What the interpreter asks of an array library beside operators, indexing and `reshape`."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Callable

Array: TypeAlias = np.ndarray[Any, np.dtype[Any]]


@dataclass(frozen=True)
class ArrayLibrary:
    """`kind` is the type of its arrays; `max`, `min` and `sum` take an array and a tuple of axes,
    `concatenate` a list of arrays and an axis.

    `integers` takes labels and indices. `is_concrete` says whether numbers are known while a formula is
    walked: the interpreter then notes which way every choice went. A library that records operations for
    later has none to look at. `tied` gives max(a, b) and min(a, b) where both are equal, if that matters.
    `stopped` gives the bare numbers of an array, through which no slope passes.
    """

    kind: type[Any]
    integers: Callable[[Any], Array]
    where: Callable[[Any, Any, Any], Array]
    matmul: Callable[[Any, Any], Array]
    broadcast_to: Callable[[Any, tuple[int, ...]], Array]
    permute: Callable[[Any, tuple[int, ...]], Array]
    concatenate: Callable[[Any, int], Array]
    sum: Callable[[Any, tuple[int, ...]], Array]
    max: Callable[[Any, tuple[int, ...]], Array]
    min: Callable[[Any, tuple[int, ...]], Array]
    is_concrete: bool
    tied: Callable[[Any, Any], Array] | None = None
    stopped: Callable[[Any], Any] = lambda values: values


NUMPY = ArrayLibrary(
    kind=np.ndarray,
    integers=lambda values: np.asarray(values).astype(np.int64, copy=False),
    where=np.where,
    matmul=np.matmul,
    broadcast_to=np.broadcast_to,
    permute=np.transpose,
    concatenate=np.concatenate,
    sum=np.sum,
    max=np.max,
    min=np.min,
    is_concrete=True,
)
