"""A text written on by a network that says which byte may come next."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from symgrad.errors import DataError

if TYPE_CHECKING:
    from types import ModuleType

    from numpy.typing import NDArray

    from symgrad.training.checkpoint import Checkpoint

MOST = 1_000_000


def continued_text(
    trained: Checkpoint, start: bytes, length: int, temperature: float = 1.0, seed: int = 0
) -> bytes:
    """`start` with `length` bytes more, each drawn by the chances that the network gives it after the others.

    A temperature below 1 makes what is likely more so; 0 takes the likeliest byte.

    Raises:
        DataError: the network is none of bytes that looks back only, or an argument is out of range.
    """
    module = trained.module
    window = _window(module)
    classes = module.CLASSES[module.INPUTS[0]]
    if not start or max(start) >= classes:
        remedy = f"expected a start of bytes below {classes}"
        raise DataError(f"{start!r} cannot be written on", at=module.SPEC_NAME, remedy=remedy)
    if not 0 <= length <= MOST or not 0 <= temperature < np.inf:
        remedy = f"expected up to {MOST:,} bytes, and a temperature from 0 on"
        raise DataError("so no text can be written", at=module.SPEC_NAME, remedy=remedy)
    _check_looks_back(trained, window, classes)
    rng, text = np.random.default_rng(seed), list(start)
    for _ in range(length):
        seen = text[-window:]
        chances = _predicted(trained, [*seen, *[0] * (window - len(seen))])[len(seen) - 1]
        text.append(_drawn(chances, temperature, rng))
    return bytes(text)


def _window(module: ModuleType) -> int:
    """How many bytes the network sees at once."""
    axes: tuple[Any, ...] = module.AXES.get(module.INPUTS[0], ()) if len(module.INPUTS) == 1 else ()
    is_known = len(axes) == 2 and axes[0] == module.BATCH_AXIS and isinstance(axes[1], int)
    if not is_known or not module.CLASSES.get(module.INPUTS[0], 257) <= 256 or module.TASK != "classes":
        problem = "this network takes no sequence of bytes, or says nothing of the next"
        remedy = "expected one input [batch, T] with at most 256 classes, and a loss of classes"
        raise DataError(problem, at=module.SPEC_NAME, remedy=remedy)
    return int(axes[1])


def _check_looks_back(trained: Checkpoint, window: int, classes: int) -> None:
    """Refuse a network to which it matters what stands behind: nothing does yet."""
    one, other = (_predicted(trained, [0] * (window - 1) + [last]) for last in (0, classes - 1))
    if not np.isfinite(one).all():
        remedy = "train again: its parameters are no numbers"
        raise DataError("what it says are no chances", at=trained.module.SPEC_NAME, remedy=remedy)
    if one.shape != (window, classes) or not np.allclose(one[:-1], other[:-1], rtol=1e-4, atol=1e-6):
        problem = "what it says of a place depends on places behind it, or there is no answer for each"
        raise DataError(problem, at=trained.module.SPEC_NAME, remedy="expected causal=true in its attention")


def _predicted(trained: Checkpoint, row: list[int]) -> NDArray[Any]:
    found: NDArray[Any] = trained.module.predict(trained.fitted, np.array([row], np.int64))
    return np.asarray(found[0], np.float64)


def _drawn(chances: NDArray[Any], temperature: float, rng: np.random.Generator) -> int:
    if temperature == 0:
        return int(chances.argmax())
    with np.errstate(divide="ignore"):
        scores = np.log(chances)
    powers = np.exp((scores - scores.max()) / temperature)
    return int(rng.choice(len(chances), p=powers / powers.sum()))
