"""Predictions as the data call their classes."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from symgrad.errors import DataError

if TYPE_CHECKING:
    from types import ModuleType

    from numpy.typing import NDArray

    from symgrad.spec.model import Word
    from symgrad.training.dataset.preparation import Preparation


def class_names(module: ModuleType, preparation: Preparation) -> tuple[Word, ...]:
    """What the classes of the target that is scored are called; empty where by their numbers, or unknown."""
    names = module.TARGETS
    target = preparation.targets.get(names[0] if len(names) == 1 else module.SCORED)
    return () if target is None else target.classes


def only_prediction(module: ModuleType, said: Any) -> NDArray[Any]:
    """What `predict` of the module said, as one array. Raises DataError for several outputs."""
    if isinstance(said, tuple):
        problem = f"this network has {len(said)} outputs, and none of them is the prediction"
        raise DataError(problem, at=module.SPEC_NAME, remedy="give the spec one: outputs: [y]")
    return np.asarray(said)


def named_labels(module: ModuleType, preparation: Preparation, prediction: Any) -> NDArray[Any]:
    """The class of each row of the module's prediction, as the data call it: its name, or its number.

    The most probable class, or of two the second from a probability of one half, or the sign.
    Raises DataError where values are predicted.
    """
    if module.TASK == "values":
        problem = "this network predicts values, not classes"
        raise DataError(problem, at=module.SPEC_NAME, remedy="use predict")
    values = only_prediction(module, prediction)
    if module.TASK == "classes":
        codes = values.argmax(axis=-1) if values.dtype.kind == "f" and values.ndim > 1 else values
    else:
        codes = np.asarray(values > (0.5 if module.TASK == "binary" else 0), np.int64)
        codes = codes[..., 0] if codes.ndim > 1 and codes.shape[-1] == 1 else codes
    if module.TASK == "sign":
        return 2 * codes - 1
    names = class_names(module, preparation)
    return np.array(names)[codes] if names else np.asarray(codes, np.int64)
