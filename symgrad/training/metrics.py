"""How good predictions are: accuracy for classes and decisions, RMSE and R² for values."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from symgrad.errors import DataError

if TYPE_CHECKING:
    from types import ModuleType

    from numpy.typing import NDArray

    from symgrad.training.data import Dataset


@dataclass(frozen=True)
class Metrics:
    """The loss on a whole data set, and what its task allows: an accuracy, or RMSE and R²."""

    rows: int
    loss: float
    accuracy: float | None = None
    rmse: float | None = None
    r2: float | None = None


def evaluate(module: ModuleType, params: Any, dataset: Dataset) -> Metrics:
    """All metrics of the module with these parameters on a prepared (standardised) data set."""
    loss = float(module.loss(params, *dataset.arrays))
    if module.TASK != "values":
        return Metrics(dataset.rows, loss, accuracy=accuracy(module, params, dataset))
    rmse, r2 = _regression(module, params, dataset)
    return Metrics(dataset.rows, loss, rmse=rmse, r2=r2)


def accuracy(module: ModuleType, params: Any, dataset: Dataset) -> float | None:
    """The fraction of right decisions; None for values and for several targets."""
    if module.TASK == "values" or len(dataset.targets) != 1:
        return None
    (target,) = dataset.targets.values()
    predictions = np.asarray(module.predict(params, *dataset.inputs.values()))
    return float(np.mean(_is_right(module.TASK, predictions, target)))


def _is_right(task: str, predictions: NDArray[Any], target: NDArray[Any]) -> NDArray[np.bool_]:
    if task == "classes":
        one_hot = target.dtype.kind == "f" and target.shape == predictions.shape
        labels = target.argmax(axis=-1) if one_hot else target
        decided = predictions.dtype.kind in "iu" and not one_hot
        classes = predictions if decided else predictions.argmax(axis=-1)
        return np.asarray(classes.reshape(-1) == labels.reshape(-1))
    scores, truth = predictions.reshape(-1), target.reshape(-1)
    if task == "sign":
        return np.asarray(scores * truth > 0)
    return np.asarray((scores > 0.5) == (truth > 0.5))


def _regression(module: ModuleType, params: Any, dataset: Dataset) -> tuple[float | None, float | None]:
    """RMSE over all entries, and R² against predicting each column's mean (None for constant targets)."""
    predictions = np.asarray(module.predict(params, *dataset.inputs.values()), dtype=np.float64)
    targets = list(dataset.targets.values())
    if len(targets) != 1 or targets[0].size != predictions.size:
        return None, None
    target = targets[0].astype(np.float64)
    residual = float(np.sum((predictions.reshape(target.shape) - target) ** 2))
    spread = float(np.sum((target - target.mean(axis=0)) ** 2))
    return (residual / target.size) ** 0.5, 1 - residual / spread if spread > 0 else None


def check_targets(module: ModuleType, dataset: Dataset) -> None:
    """Raise DataError for targets the task's loss has no meaning for, such as 0/1 for a margin loss."""
    for name, target in dataset.targets.items() if len(dataset.targets) == 1 else ():
        if module.TASK == "sign" and not np.isin(target, (-1, 1)).all():
            remedy = "code the two classes as -1 and 1"
            raise DataError(f"target '{name}' must be -1 or 1", at=dataset.provenance, remedy=remedy)
        if module.TASK == "binary" and not ((target >= 0) & (target <= 1)).all():
            remedy = "code the two classes as 0 and 1"
            raise DataError(f"target '{name}' must lie between 0 and 1", at=dataset.provenance, remedy=remedy)
