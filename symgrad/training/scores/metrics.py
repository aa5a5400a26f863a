"""How good predictions are: accuracy for classes and decisions, R² and RMSE for values."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal, TypeAlias

import numpy as np

from symgrad.errors import DataError
from symgrad.training.scores.in_pieces import loss_of, predictions_of

if TYPE_CHECKING:
    from collections.abc import Iterator
    from types import ModuleType

    from numpy.typing import NDArray

    from symgrad.training.dataset.data import Dataset

ScoreName: TypeAlias = Literal["accuracy", "r2"]
SCORE_WORDS: dict[ScoreName, str] = {"accuracy": "accuracy", "r2": "R²"}


@dataclass(frozen=True)
class Metrics:
    """The loss on a whole data set, and what its task allows: an accuracy, or R² and RMSE."""

    rows: int
    loss: float
    accuracy: float | None = None
    r2: float | None = None
    rmse: float | None = None


def evaluate(module: ModuleType, params: Any, dataset: Dataset) -> Metrics:
    """All metrics of the module with these parameters on a prepared (standardised) data set."""
    loss = loss_of(module, params, dataset.arrays)
    pair = _scored_pair(module, params, dataset)
    if pair is None:
        return Metrics(dataset.rows, loss)
    if module.TASK == "values":
        return Metrics(dataset.rows, loss, r2=_r2(*pair), rmse=_rmse(*pair))
    return Metrics(dataset.rows, loss, accuracy=_accuracy(module.TASK, *pair))


def score_name(module: ModuleType) -> ScoreName:
    """What the module's task is scored by."""
    return "r2" if module.TASK == "values" else "accuracy"


def score(module: ModuleType, params: Any, dataset: Dataset) -> float | None:
    """Accuracy or R², higher is better; None where predictions and one target cannot be compared."""
    pair = _scored_pair(module, params, dataset)
    if pair is None:
        return None
    return _r2(*pair) if module.TASK == "values" else _accuracy(module.TASK, *pair)


@dataclass(frozen=True)
class ScoredEntries:
    """Predictions and the target they are scored against, entry for entry, without ignored labels.

    Where labels or one-hot rows are the target, both are class numbers, and `values` has the prediction for
    every class of every entry; else it is the prediction.
    """

    values: NDArray[Any]
    prediction: NDArray[Any]
    target: NDArray[Any]


def scored_pieces(module: ModuleType, params: Any, dataset: Dataset) -> Iterator[ScoredEntries]:
    """What a score is computed from, of some rows after the others; nothing where predictions and one target
    cannot be compared.

    So of a network with several outputs, none of which is the prediction.
    """
    scored = scored_target(module, dataset)
    if scored is None or len(getattr(module, "PREDICTED", ())) > 1:
        return
    name, target = scored
    for rows, said in predictions_of(module, params, [*dataset.inputs.values()]):
        are_alike = rows is None or module.AXES[name][:1] == (module.BATCH_AXIS,)
        if isinstance(said, tuple) or not are_alike:
            return
        found = _compared(module, name, np.asarray(said), target if rows is None else target[rows])
        if found is None:
            return
        yield found


def scored_entries(module: ModuleType, params: Any, dataset: Dataset) -> ScoredEntries | None:
    """The same of all rows; None where predictions and one target cannot be compared."""
    found = [(e.values, e.prediction, e.target) for e in scored_pieces(module, params, dataset)]
    return ScoredEntries(*map(_joined, zip(*found, strict=True))) if found else None


def _scored_pair(
    module: ModuleType, params: Any, dataset: Dataset
) -> tuple[NDArray[Any], NDArray[Any]] | None:
    """Predictions and the target they are scored against, without what is predicted of every class."""
    found = [(e.prediction, e.target) for e in scored_pieces(module, params, dataset)]
    if not found:
        return None
    prediction, target = map(_joined, zip(*found, strict=True))
    return prediction, target


def _joined(parts: tuple[NDArray[Any], ...]) -> NDArray[Any]:
    return parts[0] if len(parts) == 1 else np.concatenate(parts)


def _compared(
    module: ModuleType, name: str, values: NDArray[Any], target: NDArray[Any]
) -> ScoredEntries | None:
    """Predictions of some rows and their target, entry for entry; None where these do not fit."""
    prediction = values
    if module.TASK == "classes":
        prediction, target = _decide(prediction, target)
    same_rows = prediction.ndim and target.ndim and len(prediction) == len(target)
    if not same_rows or prediction.size != target.size:
        return None
    values = values.reshape(*target.shape, *values.shape[prediction.ndim :])
    prediction, ignored = prediction.reshape(target.shape), module.IGNORED
    counts = target != ignored[name] if name in ignored else ...
    return ScoredEntries(values[counts], prediction[counts], target[counts])


def scored_target(module: ModuleType, dataset: Dataset) -> tuple[str, NDArray[Any]] | None:
    """The target that predictions are scored against, and its name: the only one, or the loss's own."""
    targets = dataset.targets
    name = next(iter(targets)) if len(targets) == 1 else module.SCORED
    return (name, targets[name]) if name else None


def _decide(prediction: NDArray[Any], target: NDArray[Any]) -> tuple[NDArray[Any], NDArray[Any]]:
    """Class numbers, whether each side came as labels, as scores or one-hot in the last axis."""
    if target.dtype.kind == "f" and target.ndim > 1:
        target = target.argmax(axis=-1)
    if prediction.dtype.kind == "f" and prediction.ndim > 1:
        prediction = prediction.argmax(axis=-1)
    return prediction, target


def _accuracy(task: str, prediction: NDArray[Any], target: NDArray[Any]) -> float | None:
    """The share of right decisions; None where there is nothing to decide."""
    if not target.size:
        return None
    if task == "classes":
        return float(np.mean(prediction == target))
    if task == "sign":
        return float(np.mean(prediction * target > 0))
    return float(np.mean((prediction > 0.5) == (target > 0.5)))


def _r2(prediction: NDArray[Any], target: NDArray[Any]) -> float | None:
    """1 − residual / spread around each column's mean; None for targets that never change."""
    truth = target.astype(np.float64)
    with np.errstate(over="ignore", invalid="ignore"):
        residual = float(np.sum((prediction - truth) ** 2))
        spread = float(np.sum((truth - truth.mean(axis=0)) ** 2))
    return 1 - residual / spread if spread > 0 else None


def _rmse(prediction: NDArray[Any], target: NDArray[Any]) -> float:
    with np.errstate(over="ignore", invalid="ignore"):
        return float(np.sqrt(np.mean((prediction - target.astype(np.float64)) ** 2)))


def check_targets(module: ModuleType, dataset: Dataset) -> None:
    """Raise DataError for targets the task's loss has no meaning for, such as 0/1 for a margin loss."""
    scored = scored_target(module, dataset)
    if scored is None:
        return
    name, target = scored
    if module.TASK == "sign" and not np.isin(target, (-1, 1)).all():
        remedy = "code the two classes as -1 and 1"
        raise DataError(f"target '{name}' must be -1 or 1", at=dataset.origin, remedy=remedy)
    if module.TASK == "binary" and not ((target >= 0) & (target <= 1)).all():
        remedy = "code the two classes as 0 and 1"
        raise DataError(f"target '{name}' must lie between 0 and 1", at=dataset.origin, remedy=remedy)
    if module.TASK == "classes" and target.dtype.kind == "f" and not (target >= 0).all():
        remedy = "each row holds the probabilities of the classes"
        raise DataError(f"target '{name}' must not be negative", at=dataset.origin, remedy=remedy)
