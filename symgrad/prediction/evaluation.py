"""How good a trained network is on data: its loss and scores, where it errs, how sure it is."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field, replace
from typing import TYPE_CHECKING, Any

import numpy as np
from rich import box
from rich.console import Group
from rich.table import Table
from rich.text import Text

from symgrad.displayed import Displayed
from symgrad.plain_text import plain_text
from symgrad.prediction.calibration import Calibration, SureDecisions, calibration_of
from symgrad.prediction.evaluation_picture import evaluation_svg
from symgrad.training.dataset.data import joined_rows
from symgrad.training.dataset.known_rows import read_rows, warn_of_gaps
from symgrad.training.scores.decisions import decisions
from symgrad.training.scores.metrics import evaluate as measured
from symgrad.training.scores.metrics import scored_entries, scored_pieces
from symgrad.training.scores.named_labels import class_names
from symgrad.training.scores.scorers import named_scores, scorers

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from symgrad.training.checkpoint import Checkpoint
    from symgrad.training.dataset.data import Data, Dataset
    from symgrad.training.dataset.preparation import Dialect
    from symgrad.training.scores.metrics import Metrics, ScoredEntries

_TITLE = "rows of each class, by what they were taken for; recall and precision in %"
_MOST_SHOWN = 20
"""A confusion matrix of more classes is in the JSON, not in the table."""


@dataclass(frozen=True)
class ClassScores:
    """Of one class: how many rows have it, and how well it is told.

    `precision` is the share of right ones among the rows taken for it, `recall` the share of its rows that
    were: None where there are no such rows.
    """

    name: str
    rows: int
    precision: float | None
    recall: float | None


@dataclass(frozen=True, repr=False)
class EvaluationReport(Displayed):
    """The scores of a trained network on some rows. It prints as a plain table; `table()` is for a terminal.

    `confusion[i][j]` counts the rows of class i that were taken for class j. `named_metrics` are those
    asked for by name. `values` are predictions beside their targets, where these are no classes.
    """

    name: str
    origin: str
    metrics: Metrics
    classes: tuple[ClassScores, ...] = ()
    confusion: tuple[tuple[int, ...], ...] = ()
    calibration: Calibration | None = None
    named_metrics: tuple[tuple[str, float], ...] = ()
    values: ScoredEntries | None = field(default=None, compare=False)

    def table(self) -> Group:
        """For a rich console."""
        parts: list[Any] = [Text(f"{self.name} on {self.metrics.rows:,} rows of {self.origin}", style="bold")]
        parts.append(self._numbers())
        if self.classes and len(self.classes) <= _MOST_SHOWN:
            parts.append(self._confusion())
        return Group(*parts)

    def _picture(self) -> str | None:
        """What was taken for which, where there are classes and matplotlib is installed."""
        return evaluation_svg(self)

    def as_dict(self) -> dict[str, Any]:
        """The evaluation as JSON can hold it; what is no finite number is None."""
        named = (*asdict(self.metrics).items(), *self.named_metrics)
        metrics = {name: _finite(value) for name, value in named if value is not None}
        found = asdict(replace(self, values=None)) | {"metrics": metrics}
        found["classes"] = [asdict(scores) for scores in self.classes]
        del found["values"], found["named_metrics"]
        return found

    def __str__(self) -> str:
        return plain_text(self.table(), 110)

    def _numbers(self) -> Table:
        table = Table(box=box.SIMPLE_HEAD, pad_edge=False)
        table.add_column("metric")
        table.add_column("value", justify="right")
        words = {"loss": "loss", "accuracy": "accuracy", "r2": "R²", "rmse": "RMSE"}
        named = {said: getattr(self.metrics, name) for name, said in words.items()}
        if self.calibration is not None:
            named["calibration error"] = self.calibration.error
        for said, value in (*named.items(), *self.named_metrics):
            if value is not None:
                table.add_row(said, f"{value:.4g}")
        return table

    def _confusion(self) -> Table:
        table = Table(box=box.SIMPLE_HEAD, pad_edge=False, title=_TITLE)
        table.add_column("class")
        for scores in self.classes:
            table.add_column(scores.name, justify="right")
        table.add_column("recall", justify="right")
        for scores, row in zip(self.classes, self.confusion, strict=True):
            table.add_row(
                scores.name, *(f"{count:,}" if count else "·" for count in row), _percent(scores.recall)
            )
        table.add_section()
        table.add_row("precision", *(_percent(scores.precision) for scores in self.classes), "")
        return table


def evaluate(
    trained: Checkpoint, data: Data, metrics: Sequence[str] = (), dialect: Dialect | None = None
) -> EvaluationReport:
    """Scores on rows with targets; `metrics` are names of scikit-learn's.

    Raises:
        DataError: the data cannot be used.
        ModuleError: a scorer is asked for, and scikit-learn is missing or has no such, or it does not fit.
    """
    known, dtype = trained.preparation, np.dtype(trained.module.DTYPE)
    parts = read_rows(known, data, dtype, dialect, drop=known.drops_missing)
    dataset = joined_rows(parts, "data")
    warn_of_gaps(dataset.origin, dataset.left_out, dataset.rows + dataset.left_out, "are left out")
    found = EvaluationReport(
        trained.module.SPEC_NAME, dataset.origin, measured(trained.module, trained.fitted, dataset)
    )
    if trained.module.TASK in ("classes", "binary"):
        found = _with_classes(found, trained, dataset)
    if trained.module.TASK == "values":
        found = replace(found, values=scored_entries(trained.module, trained.fitted, dataset))
    named = named_scores(trained.module, trained.fitted, dataset, scorers(metrics))
    return replace(found, named_metrics=named)


def _with_classes(found: EvaluationReport, trained: Checkpoint, dataset: Dataset) -> EvaluationReport:
    """With what was taken for which, and how sure that was, counted of some rows after the others."""
    module, matrix = trained.module, np.zeros((0, 0), np.int64)
    sure: list[SureDecisions] = []
    for entries in scored_pieces(module, trained.fitted, dataset):
        decided = decisions(module, entries)
        if decided is None:
            return found
        count = decided.probabilities.shape[-1]
        matrix = matrix if sure else np.zeros((count, count), np.int64)
        np.add.at(matrix, (decided.target, decided.prediction), 1)
        sure.append(SureDecisions.of(decided))
    if not sure:
        return found
    names = class_names(module, trained.preparation) or tuple(range(len(matrix)))
    classes = tuple(_class_scores(str(name), k, matrix) for k, name in enumerate(names))
    return replace(
        found,
        classes=classes,
        confusion=tuple(tuple(row) for row in matrix.tolist()),
        calibration=calibration_of(sure),
    )


def _class_scores(name: str, k: int, matrix: NDArray[Any]) -> ClassScores:
    right, told, there = int(matrix[k, k]), int(matrix[:, k].sum()), int(matrix[k].sum())
    return ClassScores(name, there, right / told if told else None, right / there if there else None)


def _finite(value: float) -> float | None:
    return value if np.isfinite(value) else None


def _percent(share: float | None) -> str:
    return "" if share is None else f"{100 * share:.1f}"
