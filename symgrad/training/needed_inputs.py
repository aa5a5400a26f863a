"""Which inputs a module predicts from, and its prediction by these alone."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Sequence
    from types import ModuleType


def predicted_from(module: ModuleType) -> tuple[str, ...]:
    """The inputs that `predict` asks for; all, of a module that does not say."""
    names: tuple[str, ...] = getattr(module, "PREDICTED_FROM", module.INPUTS)
    return names


def predict(module: ModuleType, params: Any, names: Sequence[str], arrays: Sequence[Any]) -> Any:
    """The module's prediction from the inputs of these names; others are left out."""
    given = dict(zip(names, arrays, strict=True))
    return module.predict(params, *map(given.get, module.INPUTS))
