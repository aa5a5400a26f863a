"""What train and sweep do: read, generate, verify, train, report."""

from __future__ import annotations

import signal
import sys
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeAlias

import click

from symgrad import api
from symgrad.cli.actions import demand_target, write_module
from symgrad.cli.endings import FAILED, GOOD, INTERRUPTED, exit_code_of, show_error, warnings_shown
from symgrad.cli.group import ARGUMENTS
from symgrad.cli.output import produce_json, produce_report, say
from symgrad.compiler.loading.cache import kept_text
from symgrad.errors import LostRanksError, SpecError
from symgrad.judgement.shared_batches import demand_shared
from symgrad.not_finite import first_not_finite
from symgrad.ranks.group_of_ranks import ALONE, RankGroup
from symgrad.ranks.mpi_world import leave_status, run_on_ranks, world
from symgrad.ranks.watched_ranks import WatchedComm
from symgrad.spec.reader import with_frozen
from symgrad.spec.reading.derive_block import with_derivatives
from symgrad.sweeping.varied.over_text import over_of
from symgrad.training.borrowed_params import check_source
from symgrad.training.dataset.resampled_points import resamples
from symgrad.training.epochs.chosen_hyper import chosen_hyper
from symgrad.training.logs.run_logs import checked_logs
from symgrad.training.preparing import prepared_parts
from symgrad.training.resuming import kept_in, module_hash, newest, spec_of
from symgrad.training.run import CHECKPOINT, TrainingDivergedError
from symgrad.training.run_folder import run_folder, stopped_run
from symgrad.training.scores.scorers import scorers
from symgrad.training.train import resume, train
from symgrad.unsolved import unsolved
from symgrad.usable_cores import usable_cores

if TYPE_CHECKING:
    from collections.abc import Callable
    from types import ModuleType

    from symgrad.spec.model import Monitor, Spec
    from symgrad.training.run import Run
    from symgrad.training.split import Parts
    from symgrad.verifier.report import Report

MOST_RANKS_OF_A_CORE = 16
"""More processes take each other's time and memory."""


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
    verify_anew: bool
    identity: bool
    as_json: bool
    quiet: bool
    resume: Path | None
    checkpoint_every: tuple[int | None, float | None] | None
    params_from: Path | None
    rename: dict[str, str]
    monitor: Monitor | None
    metrics: tuple[str, ...]
    freeze: tuple[str, ...]
    log: tuple[str, ...]
    derive: tuple[str, ...]
    ranks: int | None
    rank_timeout: float

    def of(self, spec: Spec) -> Spec:
        """The spec, with what is said here of checkpoints."""
        if self.checkpoint_every is None:
            return spec
        epochs, minutes = self.checkpoint_every
        kept = replace(spec.train.checkpoint, epochs=epochs, minutes=minutes)
        return replace(spec, train=replace(spec.train, checkpoint=kept))


def train_spec(spec_file: Path | None, options: TrainOptions) -> int:
    """Train the spec's module; nothing is trained with a gradient that failed its check."""
    if options.rename and options.params_from is None:
        raise click.UsageError("--rename says what parameters are called in --params-from FILE")
    if spec_file is None and options.resume is None:
        raise click.UsageError("which SPEC? Without one, say with --resume which run goes on")
    found = world()
    if found is not None:
        return _as_rank(found, spec_file, options)
    if options.ranks is not None and options.ranks > 1:
        return _on_ranks(options.ranks, spec_file, options)
    return _train_or_resume(spec_file, options, ALONE)


def _as_rank(comm: Any, spec_file: Path | None, options: TrainOptions) -> int:
    """Train as one of some ranks, of whom the first says what there is to say."""
    if options.ranks not in (None, comm.Get_size()):
        raise click.UsageError(f"--ranks {options.ranks}, but mpiexec began {comm.Get_size()}: leave it out")
    ranks = RankGroup(WatchedComm(comm, options.rank_timeout))
    if sys.platform != "win32":
        for asked in (signal.SIGINT, signal.SIGUSR1):
            signal.signal(asked, lambda *_: ranks.stop.set())
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    own = options if ranks.is_first else replace(options, quiet=True, as_json=False)
    return leave_status(exit_code_of(lambda: _train_or_resume(spec_file, own, ranks)))


def _on_ranks(ranks: int, spec_file: Path | None, options: TrainOptions) -> int:
    """Train on ranks of this machine, with the same arguments."""
    most = MOST_RANKS_OF_A_CORE * usable_cores()
    if ranks > most:
        problem = f"--ranks {ranks:,} on this machine, which has {usable_cores()} cores for them"
        raise click.UsageError(f"{problem}; expected at most {most}, or mpiexec over several machines")
    run = options.resume or options.out or Path("runs") / api.read(str(spec_file)).name
    before = () if options.resume else kept_in(run)
    status = run_on_ranks(click.get_current_context().meta[ARGUMENTS], ranks, 60 + options.rank_timeout)
    if status is None:
        remedy = "it has kept nothing yet: begin it anew"
        if kept_in(run) not in ((), before):
            remedy = f"symgrad train --resume {run} --ranks {ranks} goes on from the last checkpoint"
        raise LostRanksError("a rank was lost before training ended", at=str(run), remedy=remedy)
    return status


def _train_or_resume(spec_file: Path | None, options: TrainOptions, ranks: RankGroup) -> int:
    if options.resume is not None:
        return _resume(options.resume, spec_file, options, ranks)
    return _train_anew(Path(spec_file or ""), options, ranks)


def _train_anew(spec_file: Path, options: TrainOptions, ranks: RankGroup) -> int:
    spec = ranks.together(lambda: _asked_for(spec_file, options))
    if ranks.comm is not None:
        ranks.told_by_first(lambda: demand_shared(spec, options.module))
    seed = spec.train.seed if options.seed is None else options.seed
    parts = prepared_parts(spec, options.data, None, seed, ranks)
    folder = options.out or Path("runs") / spec.name
    with ranks.held_by_first(partial(run_folder, folder)):
        return _train_into(folder, spec, spec_file, parts, options, ranks)


def _asked_for(spec_file: Path, options: TrainOptions) -> Spec:
    """The spec as the command line has it; all that can be wrong is told first."""
    spec = options.of(with_derivatives(with_frozen(api.read(spec_file), options.freeze), options.derive))
    _demand_trainable(spec, options)
    chosen_hyper(spec, options.hyper)
    scorers(options.metrics)
    checked_logs(options.log)
    if options.params_from is not None:
        from symgrad.pipeline import parameter_shapes  # and with it SymPy, which other trainings need not

        check_source(options.params_from, options.rename, parameter_shapes(spec), spec.dtype)
    return spec


def _resume(run: Path, spec_file: Path | None, options: TrainOptions, ranks: RankGroup) -> int:
    """Go on with a run. Its module was checked when it began; another one is checked now."""
    begun: dict[str, Any] = {"--seed": options.seed, "--out": options.out, "--set": options.hyper or None}
    begun |= {"--params-from": options.params_from, "--rename": options.rename or None}
    begun |= {"--monitor": options.monitor, "--metric": options.metrics or None}
    begun |= {"--freeze": options.freeze or None, "--with": options.derive or None}
    for option in (name for name, value in begun.items() if value is not None):
        anew = f"train SPEC --params-from {run / CHECKPOINT} --out OTHER begins anew with what it learnt"
        raise click.UsageError(
            f"{option} does not go with --resume: the run goes on as it was begun; symgrad {anew}"
        )
    checked_logs(options.log)
    with ranks.held_by_first(partial(stopped_run, run)):
        checkpoint, orders = ranks.agreed(lambda: newest(run))
        given = ranks.together(lambda: spec_of(run, orders, api.read(spec_file) if spec_file else None))
        spec = options.of(given)

        def prepare() -> Prepared | None:
            there = orders.module_path and Path(orders.module_path)
            file = options.module or (there if there and there.is_file() else None)
            if ranks.comm is not None:
                demand_shared(spec, file)
            file = file or write_module(spec, run, run / f"{spec.name}.py", options.identity)
            is_other = module_hash(api.load(file)) != orders.module_sha256
            return _unless_refused(_verdict(spec, file, options) if is_other else None, file, options)

        prepared = ranks.told_by_first(prepare)
        if prepared is None:
            return FAILED
        file, verified = prepared
        facts = {"module": str(file), "resumed": str(run), "verified": verified}
        shown = not (options.quiet or options.as_json)
        _tell(options, f"goes on from {checkpoint}")

        def go_on() -> Run:
            return resume(
                *(spec, api.load(file), run, checkpoint, orders),
                data=options.data,
                epochs=options.epochs,
                progress=shown,
                log=options.log,
                trace=partial(first_not_finite, spec),
                unsolved=partial(unsolved, spec),
                ranks=ranks,
            )

        return _ended(go_on, options, facts, ranks)


def _train_into(
    folder: Path, spec: Spec, spec_file: Path, parts: Parts, options: TrainOptions, ranks: RankGroup
) -> int:
    file = options.module or folder / f"{spec.name}.py"

    def prepare() -> Prepared | None:
        report = _judged_first(spec, file, spec_file, options)
        if options.module is None:
            write_module(spec, spec_file, file, options.identity)
        _tell(options, f"using {file}" if options.module else f"wrote {file}")
        report = report or _verdict(spec, file, options)
        if report is not None and report.passed:
            _tell(options, f"verified {_checked(report)}")
        return _unless_refused(report, file, options)

    prepared = ranks.told_by_first(prepare)
    if prepared is None:
        return FAILED
    facts = {"module": str(file), "verified": prepared[1]}
    return _train(spec, api.load(file), parts, folder, options, facts, ranks)


Prepared: TypeAlias = tuple[Path, dict[str, Any] | None]
"""The file of a module that may be trained, and what was found of it."""


def _unless_refused(report: Report | None, file: Path, options: TrainOptions) -> Prepared | None:
    """Say that a module is not trained, where it did not pass."""
    if report is not None and not report.passed:
        _refuse(report, options, file)
        return None
    return file, report.as_dict() if report else None


def _judged_first(spec: Spec, file: Path, spec_file: Path, options: TrainOptions) -> Report | None:
    """The verdict on a module that was never judged before it is written: its parts are judged side by side.

    Else none: what was judged before is only read, and what is not compared exactly is written first.
    """
    if options.module or options.no_verify or not options.identity:
        return None
    if kept_text(spec) is not None and not options.verify_anew:
        return None
    demand_target(file, spec_file)
    return api.verify(spec)


def _verdict(spec: Spec, file: Path, options: TrainOptions) -> Report | None:
    return None if options.no_verify else api.verify(spec, file, anew=options.verify_anew)


def _demand_trainable(spec: Spec, options: TrainOptions) -> None:
    if spec.loss is None:
        raise SpecError("this spec has no loss to train on", at=spec.at, remedy="add loss: ...")
    if spec.train.data is None and options.data is None:
        raise SpecError("this spec names no data", at=spec.at, remedy="add train: {data: ...} or give --data")


def _train(
    spec: Spec,
    module: ModuleType,
    parts: Parts,
    folder: Path,
    options: TrainOptions,
    facts: dict[str, Any],
    ranks: RankGroup,
) -> int:
    shown = not (options.quiet or options.as_json)
    draws_its_own = options.data is None and resamples(spec)  # others for each epoch: not those of the first

    def begin() -> Run:
        return train(
            *(spec, module),
            data=None if draws_its_own else parts,
            epochs=options.epochs,
            seed=options.seed,
            out=folder,
            progress=shown,
            hyper=options.hyper,
            params_from=options.params_from,
            names=options.rename,
            monitor=options.monitor,
            metrics=options.metrics,
            log=options.log,
            trace=partial(first_not_finite, spec),
            unsolved=partial(unsolved, spec),
            ranks=ranks,
        )

    return _ended(begin, options, facts, ranks)


def _ended(
    training: Callable[[], Run], options: TrainOptions, facts: dict[str, Any], ranks: RankGroup
) -> int:
    """Train, say what came out, and how that ended."""
    try:
        run = training()
    except TrainingDivergedError as error:
        _finish(error.run, options, facts)
        if ranks.is_first:
            show_error(error)
        return FAILED
    _finish(run, options, facts)
    return INTERRUPTED if run.stop_reason == "interrupted" else GOOD


def _finish(run: Run, options: TrainOptions, facts: dict[str, Any]) -> None:
    if options.as_json:
        produce_json({**facts, **run.as_dict(), "warnings": warnings_shown()})
    else:
        _tell(options, str(run))


def _refuse(report: Report, options: TrainOptions, file: Path) -> None:
    if options.as_json:
        facts = {"spec": report.name, "module": str(file), "verified": report.as_dict()}
        produce_json(facts | {"warnings": warnings_shown()})
    say(report.table(), "nothing was trained: the module did not pass its check")


def _checked(report: Report) -> str:
    found = f"{len(report.parameters)} gradients and {len(report.checks)} other checks: all good"
    return f"{found}, judged on {report.kept}" if report.kept else found


def _tell(options: TrainOptions, text: str) -> None:
    if not (options.quiet or options.as_json):
        say(text)


def sweep_spec(
    spec_file: Path | None,
    over: tuple[str, ...],
    resume: Path | None,
    as_json: bool,
    quiet: bool,
    **options: Any,
) -> int:
    """Train with many settings, show the table and name the files."""
    if spec_file is None and resume is None:
        raise click.UsageError("which SPEC? Without one, say with --resume which sweep goes on")
    said = over_of(over) if over or resume is None else None
    found = api.sweep(spec_file, said, resume=resume, progress=not (quiet or as_json), **options)
    if as_json:
        produce_json(found.as_dict() | {"warnings": warnings_shown()})
    elif not quiet:
        produce_report(found.table())
        say(*(f"wrote {path}" for path in found.paths), *found.notes)
    if not found.is_complete:
        return INTERRUPTED
    return GOOD if found.best is not None else FAILED
