"""What train does: read, generate, verify, train, report."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from symgrad import api
from symgrad.cli.actions import write_module
from symgrad.cli.endings import FAILED, GOOD, INTERRUPTED, show_error, warnings_shown
from symgrad.cli.output import produce_json, say
from symgrad.errors import SpecError
from symgrad.training.chosen_hyper import chosen_hyper
from symgrad.training.dataset.data import Dataset, load_data
from symgrad.training.run import TrainingDivergedError
from symgrad.training.run_folder import run_folder
from symgrad.training.train import train

if TYPE_CHECKING:
    from types import ModuleType

    from symgrad.spec.model import Spec
    from symgrad.training.run import Run
    from symgrad.verifier.report import Report


@dataclass(frozen=True)
class TrainOptions:
    """What the command line says beside the spec."""

    data: Path | None
    epochs: int | None
    seed: int | None
    hyper: dict[str, float]
    out: Path | None
    module: Path | None
    no_verify: bool
    identity: bool
    as_json: bool
    quiet: bool


def train_spec(spec_file: Path, options: TrainOptions) -> int:
    """Train the spec's module; nothing is trained with a gradient that failed its check."""
    spec = api.read(spec_file)
    _demand_trainable(spec, options)
    chosen_hyper(spec, options.hyper)
    dataset = load_data(spec, options.data)
    with run_folder(options.out or Path("runs") / spec.name) as folder:
        return _train_into(folder, spec, spec_file, dataset, options)


def _train_into(folder: Path, spec: Spec, spec_file: Path, dataset: Dataset, options: TrainOptions) -> int:
    file = options.module or _generated(spec, spec_file, folder, options)
    _tell(options, f"using {file}" if options.module else f"wrote {file}")
    report = None if options.no_verify else api.verify(spec, file)
    if report is not None and not report.passed:
        return _refuse(report, options, file)
    if report is not None:
        _tell(options, f"verified {_checked(report)}")
    facts = {"module": str(file), "verified": report.as_dict() if report else None}
    return _train(spec, api.load(file), dataset, folder, options, facts)


def _generated(spec: Spec, spec_file: Path, folder: Path, options: TrainOptions) -> Path:
    return write_module(spec, spec_file, folder / f"{spec.name}.py", options.identity)


def _demand_trainable(spec: Spec, options: TrainOptions) -> None:
    if spec.loss is None:
        raise SpecError("this spec has no loss to train on", at=spec.at, remedy="add loss: ...")
    if spec.train.data is None and options.data is None:
        raise SpecError("this spec names no data", at=spec.at, remedy="add train: {data: ...} or give --data")


def _train(
    spec: Spec,
    module: ModuleType,
    dataset: Dataset,
    folder: Path,
    options: TrainOptions,
    facts: dict[str, Any],
) -> int:
    epochs, seed, shown = options.epochs, options.seed, not (options.quiet or options.as_json)
    try:
        run = train(
            *(spec, module),
            data=dataset,
            epochs=epochs,
            seed=seed,
            hyper=options.hyper,
            out=folder,
            progress=shown,
        )
    except TrainingDivergedError as error:
        _finish(error.run, options, facts)
        show_error(error)
        return FAILED
    _finish(run, options, facts)
    return INTERRUPTED if run.stop_reason == "interrupted" else GOOD


def _finish(run: Run, options: TrainOptions, facts: dict[str, Any]) -> None:
    if options.as_json:
        produce_json({**facts, **run.as_dict(), "warnings": warnings_shown()})
    else:
        _tell(options, str(run))


def _refuse(report: Report, options: TrainOptions, file: Path) -> int:
    if options.as_json:
        facts = {"spec": report.name, "module": str(file), "verified": report.as_dict()}
        produce_json(facts | {"warnings": warnings_shown()})
    say(report.table(), "nothing was trained: the module did not pass its check")
    return FAILED


def _checked(report: Report) -> str:
    return f"{len(report.parameters)} gradients and {len(report.checks)} other checks: all good"


def _tell(options: TrainOptions, text: str) -> None:
    if not (options.quiet or options.as_json):
        say(text)
