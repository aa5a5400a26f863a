"""What a trained network predicts, as columns under names, some rows at a time."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

import numpy as np

from symgrad.errors import DataError, DataWarning, warn
from symgrad.training.dataset.known_rows import read_inputs, read_whole_inputs, warn_of_gaps
from symgrad.training.needed_inputs import predict, predict_often, predicted_from
from symgrad.training.scores.named_labels import class_names, named_labels

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from types import ModuleType

    from numpy.typing import NDArray

    from symgrad.spec.model import Word
    from symgrad.training.checkpoint import Checkpoint
    from symgrad.training.dataset.data import Data
    from symgrad.training.dataset.preparation import Dialect
    from symgrad.training.needed_inputs import Draws

Columns = dict[str, "NDArray[Any]"]
LABEL = "label"
FEW_ROWS = 32
"""So many rows say little of the mean that a prediction takes over them."""


def predictions(
    trained: Checkpoint, data: Data, dialect: Dialect | None = None, draws: Draws | None = None
) -> Iterator[Columns]:
    """Columns of predictions, row for row those of the data, some rows at a time.

    Of classes the first is `label`, and one for each class has its probability or score; of two classes
    `label` and `probability`; of values there is one column for each, named as those of the target, or where
    there is none, or there are several outputs, as the outputs. Inputs that nothing predicted depends on are
    not asked for.
    Where training left out rows that miss a value, these have an empty answer: columns are masked arrays.
    With `draws` they are means of what is predicted by chance, each beside a column of its spread.
    A file larger than memory is read in parts. Where the prediction of a row depends on other rows, all are
    read at once.

    Raises:
        DataError: as `read_inputs` does, for a network without rows, and for one that draws nothing where
            draws are asked for.
    """
    module = trained.module
    if not module.BATCH_AXIS:
        raise DataError("this network has no axis of rows", at=module.SPEC_NAME, remedy="call its predict")
    dtype, known = np.dtype(module.DTYPE), trained.preparation.of_inputs(predicted_from(module))
    if known.drops_missing:
        found = read_whole_inputs(known, data, dtype, dialect)
        label = str(data) if isinstance(data, str | os.PathLike) else "data"
        yield from _with_gaps(trained, found, label, draws)
        return
    for arrays in _independent(trained, read_inputs(known, data, dtype, dialect)):
        yield _answers(trained, arrays, draws)
        draws = draws and draws._replace(before=draws.before + len(arrays[0]))


def _answers(trained: Checkpoint, arrays: tuple[NDArray[Any], ...], draws: Draws | None) -> Columns:
    """The columns of some rows."""
    if draws is None:
        return _columns(trained, _predicted(trained, arrays))
    module = trained.module
    both = predict_often(module, trained.fitted, predicted_from(module), arrays, draws)
    means, spreads = (_columns(trained, _parts(trained, found, len(arrays[0]))) for found in both)
    labels = () if module.TASK == "values" else (LABEL, f"{LABEL}_")
    columns: Columns = {}
    for name, column in means.items():
        columns[name] = column
        if not (labels and (name == LABEL or name.startswith(labels[1]))):
            columns[f"{name}_spread"] = spreads[name]
    return columns


def _with_gaps(
    trained: Checkpoint,
    parts: Iterator[tuple[NDArray[np.bool_], tuple[NDArray[Any], ...]]],
    label: str,
    draws: Draws | None,
) -> Iterator[Columns]:
    """The predictions, with an empty answer for each row that misses a value: masked arrays, row for row."""
    waiting: list[NDArray[np.bool_]] = []
    gaps, rows = 0, 0

    def whole() -> Iterator[tuple[NDArray[Any], ...]]:
        for is_whole, arrays in parts:
            waiting.append(is_whole)
            if is_whole.any():
                yield arrays

    columns: Columns = {}
    for arrays in _independent(trained, whole()):
        columns = _answers(trained, arrays, draws)
        draws = draws and draws._replace(before=draws.before + len(arrays[0]))
        taken: list[NDArray[np.bool_]] = []
        while sum(int(mask.sum()) for mask in taken) < len(arrays[0]):
            taken.append(waiting.pop(0))
        mask = np.concatenate(taken)
        gaps, rows = gaps + int((~mask).sum()), rows + len(mask)
        yield {name: _spread(column, mask) for name, column in columns.items()}
    last = sum(map(len, waiting))
    warn_of_gaps(label, gaps + last, rows + last, "have empty answers")
    if last:
        yield {name: _spread(column[:0], np.zeros(last, bool)) for name, column in columns.items()}


def _spread(column: NDArray[Any], mask: NDArray[np.bool_]) -> NDArray[Any]:
    """A column with its entries where the mask is true, and nothing elsewhere."""
    if mask.all():
        return column
    values = np.zeros(len(mask), column.dtype)
    values[mask] = column
    return np.ma.MaskedArray(values, ~mask)


def _predicted(trained: Checkpoint, arrays: tuple[NDArray[Any], ...]) -> tuple[NDArray[Any], ...]:
    """All that is predicted, an array for each output."""
    module = trained.module
    found = predict(module, trained.fitted, predicted_from(module), arrays)
    return _parts(trained, found, len(arrays[0]))


def _parts(trained: Checkpoint, found: Any, rows: int) -> tuple[NDArray[Any], ...]:
    """An answer for so many rows, an array for each output."""
    module = trained.module
    parts = tuple(map(np.asarray, found)) if isinstance(found, tuple) else (np.asarray(found),)
    if any(part.ndim < 1 or len(part) != rows for part in parts):
        problem = "what it gives is not a row for each row of the data"
        raise DataError(problem, at=module.SPEC_NAME, remedy="call its predict")
    return parts


def _independent(
    trained: Checkpoint, parts: Iterator[tuple[NDArray[Any], ...]]
) -> Iterable[tuple[NDArray[Any], ...]]:
    """The parts, or all rows as one where the first of them shows that rows depend on each other."""
    first = next(parts, None)
    if first is None:
        return
    second = next(parts, None)
    if second is not None and not _rows_alone(trained, first):
        problem = "what is predicted for a row depends on the other rows, so all are read at once"
        remedy = "expected where a mean over rows is taken"
        warn(DataWarning(problem, at=trained.module.SPEC_NAME, remedy=remedy))
        whole = zip(first, second, *parts, strict=True)
        yield tuple(map(np.concatenate, whole))
        return
    yield first
    if second is not None:
        yield second
        yield from parts
    elif 0 < len(first[0]) < FEW_ROWS and not _rows_alone(trained, first):
        count = "one row" if len(first[0]) == 1 else f"{len(first[0])} rows"
        problem = f"what is predicted for a row depends on the rows beside it, and these are {count}"
        remedy = "give about as many at once as a batch of training has"
        warn(DataWarning(problem, at=trained.module.SPEC_NAME, remedy=remedy))


def _rows_alone(trained: Checkpoint, arrays: tuple[NDArray[Any], ...]) -> bool:
    """Whether the first row gets the same prediction by itself, which is far from the mean of many.

    One row alone is set beside one of other numbers.
    """
    if len(arrays[0]) == 1:
        arrays = tuple(np.concatenate([a, a + 1 if a.dtype.kind == "f" else a]) for a in arrays)
    every = _predicted(trained, arrays)
    first = _predicted(trained, tuple(array[:1] for array in arrays))
    for among, alone in zip(every, first, strict=True):
        rounding = np.sqrt(np.finfo(trained.module.DTYPE).eps) * np.abs(among).max(initial=0.0)
        if np.abs(among[:1] - alone).max(initial=0.0) > rounding:
            return False
    return True


def _columns(trained: Checkpoint, parts: tuple[NDArray[Any], ...]) -> Columns:
    if len(parts) > 1:
        named = zip(trained.module.PREDICTED, parts, strict=True)
        return {column: values for name, part in named for column, values in _numbered(name, part)}
    return _of_prediction(trained, *parts)


def _numbered(name: str, values: NDArray[Any]) -> Iterator[tuple[str, NDArray[Any]]]:
    """A column for each number of a row."""
    flat = values.reshape(len(values), -1).T
    for place, column in enumerate(flat, 1):
        yield name if len(flat) == 1 else f"{name}_{place}", column


def _of_prediction(trained: Checkpoint, values: NDArray[Any]) -> Columns:
    module, rows = trained.module, values.shape[0]
    flat = values.reshape(rows, -1)
    if module.TASK == "values" or values.ndim > 2:
        return dict(zip(_value_names(trained, values), flat.T, strict=True))
    label = named_labels(module, trained.preparation, values)
    if module.TASK == "classes":
        names = class_names(module, trained.preparation) or range(flat.shape[1])
        return {
            LABEL: label,
            **dict(zip(_apart(names), flat.T, strict=True)),
        }
    if flat.shape[1] == 1:
        return {LABEL: label, "probability" if module.TASK == "binary" else "score": flat[:, 0]}
    shown = {f"{LABEL}_{k}": column for k, column in enumerate(label.reshape(rows, -1).T, 1)}
    columns = _value_names(trained, values)
    if shown.keys() & set(columns):
        columns = [f"value of {column}" for column in columns]
    return shown | dict(zip(columns, flat.T, strict=True))


def _apart(names: Iterable[Word]) -> list[str]:
    """The names of classes, told apart from each other and from the column of labels."""
    texts = [str(name) for name in names]
    return [f"class {text}" for text in texts] if LABEL in texts else texts


def _value_names(trained: Checkpoint, values: NDArray[Any]) -> list[str]:
    """The columns of the target that is predicted, where these are as many; else numbered."""
    width, target = int(np.prod(values.shape[1:])), _target(trained.module)
    known = trained.preparation.targets.get(target)
    if known is not None and len(set(known.columns)) == width and not known.columns[0].isdecimal():
        return list(known.columns)
    name = target or getattr(trained.module, "PREDICTED", ("prediction",))[0]
    return [column for column, _ in _numbered(name, values[:1])]


def _target(module: ModuleType) -> str:
    """The target that is predicted; none, where it is of another set of points."""
    name = str(module.TARGETS[0] if len(module.TARGETS) == 1 else module.SCORED)
    rows = {axes[0] for n in predicted_from(module) if (axes := module.AXES[n])}
    return name if name and {*module.AXES[name][:1]} <= rows else ""
