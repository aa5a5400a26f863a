"""Which inputs a module predicts from, and its predictions by these alone."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

from symgrad.errors import DataError

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


class Draws(NamedTuple):
    """How often something is predicted by chance: `number` times, by a seed, behind so many rows."""

    number: int = 50
    seed: int = 0
    before: int = 0


def predict_often(
    module: ModuleType, params: Any, names: Sequence[str], arrays: Sequence[Any], draws: Draws
) -> tuple[Any, Any]:
    """The mean and the spread of what a module predicts by chance.

    Raises:
        DataError: nothing that it predicts is drawn.
    """
    if not hasattr(module, "predict_often"):
        problem = "nothing that it predicts is drawn, so every prediction is the same"
        raise DataError(
            problem, at=module.SPEC_NAME, remedy="leave the draws out, or add dropout to the spec"
        )
    given = map(dict(zip(names, arrays, strict=True)).get, module.INPUTS)
    found: tuple[Any, Any] = module.predict_often(params, *given, draws.number, draws.seed, draws.before)
    return found
