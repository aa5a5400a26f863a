"""What is said of a network that answers worse than a mean would, where the size of its numbers tells why."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from symgrad.errors import DataWarning

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray

_LONG = 10
"""A power of ten from which on it is no longer written out."""
LARGE = 10.0
"""Steps of usual rates reach numbers near 1 soon; those beyond this late, if ever."""


def unreached(
    r2: float | None,
    target: tuple[str, NDArray[Any]],
    inputs: Mapping[str, NDArray[Any]],
    *,
    at: str,
    remedies: tuple[str, str],
) -> DataWarning | None:
    """A warning where R² on the rows trained on is below 0 and a target, or else an input, is large.

    `remedies` say how to mend the one and the other; a `{}` in that of targets is what to divide by.
    """
    if r2 is None or not r2 < 0:  # beyond the largest numbers it is none
        return None
    worse = f"R² is {r2:.3g} on the rows trained on, worse than the mean alone would be"
    name, values = target
    if _size(values) >= LARGE:
        problem = f"{worse}: the target '{name}' has {_shown(values)}"
        return DataWarning(problem, at=at, remedy=remedies[0].format(_divisor(values)))
    for name, values in inputs.items():
        if values.dtype.kind == "f" and _size(values) >= LARGE:
            return DataWarning(f"{worse}: the input '{name}' has {_shown(values)}", at=at, remedy=remedies[1])
    return None


def _size(values: NDArray[Any]) -> float:
    """The root of the mean square of its largest column."""
    sizes = np.abs(values, dtype=np.float64)
    largest = float(np.max(sizes, initial=0.0)) or 1.0
    means = np.mean(np.square(sizes / largest), axis=0)  # no square overflows
    return largest * float(np.sqrt(np.max(means, initial=0.0)))


def _shown(values: NDArray[Any]) -> str:
    return f"numbers up to {float(np.abs(values).max()):.3g}"


def _divisor(values: NDArray[Any]) -> str:
    power = round(np.log10(_size(values)))
    return f"{10**power:,}" if power < _LONG else f"1e{power}"
