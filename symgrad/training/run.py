"""What a training run gives back, and the files it leaves."""

from __future__ import annotations

import statistics
from dataclasses import asdict, dataclass, field, replace
from typing import TYPE_CHECKING, Any

from symgrad.displayed import Displayed
from symgrad.errors import DataError, DivergenceError, how_to_install
from symgrad.training.checkpoint import Checkpoint, save_checkpoint
from symgrad.training.records.history import (
    HISTORY_CSV,
    HISTORY_JSON,
    HISTORY_LINES,
    History,
    counted,
    finite,
)
from symgrad.training.records.plot import history_svg, plot_history

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from numpy.typing import NDArray

    from symgrad.training.epochs.stopping import StopReason
    from symgrad.training.scores.metrics import Metrics

CHECKPOINT, CURVES = "checkpoint.npz", "curves.png"
FILES = (CHECKPOINT, HISTORY_CSV, HISTORY_LINES, HISTORY_JSON, CURVES)


@dataclass(frozen=True, repr=False)
class Run(Displayed):
    """A finished training run.

    `checkpoint` holds the parameters kept: those of the best epoch where the spec stops on the loss
    (`patience` or `tolerance`), else the last good ones; `training` and `validation` are their
    metrics. `best_epoch` has the lowest loss (0 before any epoch). `seconds` counts everything. `hyper` are
    the hyper-parameters that were not the spec's.
    `paths` are the files written, `notes` what a reader should know besides.
    """

    spec_name: str
    checkpoint: Checkpoint
    history: History
    stop_reason: StopReason
    best_epoch: int
    training: Metrics
    validation: Metrics | None
    seconds: float
    steps_per_epoch: int
    hyper: Mapping[str, float] = field(default_factory=dict)
    paths: tuple[Path, ...] = ()
    notes: tuple[str, ...] = ()

    @property
    def params(self) -> Any:
        """The parameters kept, as the module's `Params`; warns where they take standardised inputs."""
        return self.checkpoint.params

    def predict(self, *inputs: Any) -> Any:
        """The prediction for inputs as they stand in the data, prepared as in training. Raises DataError."""
        return self.checkpoint.predict(*inputs)

    def predict_often(self, *inputs: Any, draws: int = 50, seed: int = 0) -> tuple[Any, Any]:
        """The mean and the spread of what is predicted by chance, as of a checkpoint. Raises DataError."""
        return self.checkpoint.predict_often(*inputs, draws=draws, seed=seed)

    def labels(self, *inputs: Any) -> NDArray[Any]:
        """The class of each row as the data call it, for inputs that `predict` takes. Raises DataError."""
        return self.checkpoint.labels(*inputs)

    def _picture(self) -> str | None:
        """The learning curves, where matplotlib is installed."""
        return history_svg(self.history) if self.history.records else None

    @property
    def steps_per_second(self) -> float | None:
        """From the median epoch, so that the first one, which may compile, does not count."""
        seconds = [record.seconds for record in self.history.records if record.iteration is None]
        median = statistics.median_low(seconds) if seconds else 0.0
        return self.steps_per_epoch / median if median else None

    def as_dict(self) -> dict[str, Any]:
        """A dictionary that `json.dumps` takes, without the parameters; not-a-number becomes None."""
        return {
            "spec": self.spec_name,
            "seed": self.checkpoint.seed,
            "hyper": dict(self.hyper),
            "stop_reason": self.stop_reason,
            "epochs": len(self.history.records),
            "best_epoch": self.best_epoch,
            "kept_epoch": self.checkpoint.epoch,
            "training": _numbers(self.training),
            "validation": _numbers(self.validation) if self.validation else None,
            "metrics": {name: finite(value) for name, value in self.named_metrics},
            "seconds": self.seconds,
            "steps_per_second": self.steps_per_second,
            "history": self.history.as_dict()["columns"],
            "paths": [str(path) for path in self.paths],
            "notes": list(self.notes),
        }

    @property
    def named_metrics(self) -> tuple[tuple[str, float], ...]:
        """The metrics by name of the parameters kept, on the rows held out."""
        kept = [r.metrics for r in self.history.records if r.epoch == self.checkpoint.epoch]
        return kept[-1] if kept else ()

    @property
    def _ending(self) -> str:
        """The stop reason in words."""
        loss = f"held-out {self.history.watched or 'loss'}" if self.validation else "training loss"
        words: dict[StopReason, str] = {
            "epochs": "as many as planned",
            "converged": "the training loss converged",
            "no progress": f"the {loss} made no progress any more",
            "time limit": "the time limit was reached",
            "callback": "as the callback asked",
            "callback failed": "the callback failed",
        }
        return words.get(self.stop_reason, self.stop_reason)

    @property
    def _least_held_out(self) -> list[str]:
        """Where an earlier epoch than that of the parameters had less loss on the rows held out: which."""
        for record in self.history.records if self.history.watched is None else ():
            if record.epoch == self.best_epoch < self.checkpoint.epoch and record.validation_loss is not None:
                found = f"least held-out loss {record.validation_loss:.4g} in epoch {record.epoch}"
                return [f"{found}; `stop: {{patience: 10}}` keeps the best parameters"]
        return []

    @property
    def _kept(self) -> str:
        """Of which epoch the parameters are, or of which iteration after them."""
        found = [r.iteration for r in self.history.records if r.epoch == self.checkpoint.epoch]
        return f"iteration {found[-1]}" if found and found[-1] else f"epoch {self.checkpoint.epoch}"

    def __str__(self) -> str:
        lines = [
            f"{self.spec_name}: {counted(self.history.records)} in {self.seconds:.3g} s "
            f"({self._ending}), parameters of {self._kept}",
            *_metric_lines("training", self.training),
            *(_metric_lines("held-out", self.validation) if self.validation else ()),
            *(f"held-out {name} {value:.4g}" for name, value in self.named_metrics),
            *self._least_held_out,
        ]
        if rate := self.steps_per_second:
            lines.append(f"{rate:{',.0f' if rate >= 10 else '.2g'}} steps per second in the median epoch")
        lines += [f"wrote {path}" for path in self.paths]
        return "\n".join([*lines, *self.notes])


class TrainingDivergedError(DivergenceError):
    """A loss or parameter stopped being finite; `run` holds the last good parameters and the history."""

    def __init__(self, cause: DivergenceError, run: Run) -> None:
        super().__init__(cause.problem, at=cause.at, remedy=cause.remedy)
        self.run = run


class RunNotWrittenError(DataError):
    """The files of a run cannot be written; `run` holds what was trained."""

    def __init__(self, cause: DataError, run: Run) -> None:
        super().__init__(cause.problem, at=cause.at, remedy=cause.remedy)
        self.run = run


def _numbers(metrics: Metrics) -> dict[str, float | None]:
    return {name: finite(value) for name, value in asdict(metrics).items() if value is not None}


def _metric_lines(part: str, metrics: Metrics) -> list[str]:
    """`held-out accuracy 0.9722 (359 rows)`, one line per number."""
    named = {"loss": metrics.loss, "accuracy": metrics.accuracy, "R²": metrics.r2, "RMSE": metrics.rmse}
    return [
        f"{part} {name} {value:.4g} ({metrics.rows} rows)"
        for name, value in named.items()
        if value is not None
    ]


def write_run(folder: Path, run: Run) -> Run:
    """Write checkpoint, history (CSV, JSON lines, JSON) and learning curves; returns the run with `paths`.

    Raises DataError when a file cannot be written.
    """
    paths = tuple(folder / name for name in FILES[:-1])
    save_checkpoint(paths[0], run.checkpoint)
    run.history.write_csv(paths[1])
    run.history.write_lines(paths[2])
    run.history.write_json(paths[3])
    if not run.history.records:
        return replace(run, paths=paths)
    picture = plot_history(run.history, folder / CURVES)
    if picture is None:
        note = f"no learning curves: matplotlib is not installed; {how_to_install('plot')}"
        return replace(run, paths=paths, notes=(*run.notes, note))
    return replace(run, paths=(*paths, picture))
