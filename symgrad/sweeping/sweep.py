"""A sweep as one call: what is varied is checked, trials are made, what came of them is written."""

from __future__ import annotations

from contextlib import ExitStack, closing, nullcontext
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from symgrad.compiler.loading.sources import sources_digest
from symgrad.errors import DataError, DataWarning, SpecError, SymgradError, warn
from symgrad.sweeping.best_run import best_of, clear
from symgrad.sweeping.run_sweep import SweepLoop, trials_made
from symgrad.sweeping.sampling.samplers import GridSampler, RandomSampler, number_of_trials
from symgrad.sweeping.sampling.tpe_sampler import TpeSampler, demand_optuna
from symgrad.sweeping.sweep_journal import (
    JournalContent,
    append_trials,
    begin_journal,
    read_journal,
)
from symgrad.sweeping.sweep_metrics import chosen_metric
from symgrad.sweeping.sweep_plan import SweepPlan
from symgrad.sweeping.sweep_progress import shown_trials
from symgrad.sweeping.sweep_result import Sweep, in_order, written
from symgrad.sweeping.varied.dotted_entries import with_entries
from symgrad.sweeping.varied.over_text import axes_of
from symgrad.sweeping.varied.structures import Structures
from symgrad.sweeping.varied.sweep_axes import shown
from symgrad.sweeping.working.dask_workers import DaskWorkers
from symgrad.sweeping.working.joblib_workers import JoblibWorkers
from symgrad.training.dataset.data import load_data
from symgrad.training.run_folder import run_folder, stopped_run
from symgrad.training.split import sha256_of
from symgrad.usable_cores import usable_cores

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from symgrad.spec.model import Spec
    from symgrad.sweeping.sampling.samplers import Sampler, SamplerName
    from symgrad.sweeping.sweep_metrics import Direction
    from symgrad.sweeping.varied.sweep_axes import SweepAxis, Values
    from symgrad.sweeping.working.workers import Workers


@dataclass(frozen=True)
class WhoWorks:
    """How many processes of this machine make trials, or where a scheduler of dask's is."""

    workers: int | None = None
    dask: str | None = None


def begin_sweep(
    spec: Spec,
    over: Mapping[str, Any],
    *,
    metric: str | None,
    direction: Direction | None,
    sampler: SamplerName,
    trials: int | None,
    seed: int,
    data: Path | None,
    threads: int,
    out: Path,
    who: WhoWorks,
    progress: bool,
) -> Sweep:
    """Make all trials of a new sweep.

    Raises:
        SpecError: for what cannot be varied, or not so.
        DataError: the data do not fit; the folder holds a sweep or cannot be written.
        ModuleError: a package is missing.
    """
    if spec.path is not None:  # workers elsewhere stand in other folders
        spec = replace(spec, path=spec.path.absolute())
    axes = axes_of(over)
    total = number_of_trials(axes, sampler, trials)
    if sampler == "tpe":
        demand_optuna()
    plan = SweepPlan(spec, axes, sampler, total, seed, chosen_metric(spec, metric, direction), data, threads)
    _check_values(spec, axes)
    content = JournalContent(plan, sources_digest(), _data_hash(plan), {})
    workers = _workers(who, plan)  # a scheduler that is not there leaves no folder
    with closing(workers), run_folder(out) as folder:
        begin_journal(folder, content)
        return _made(content, folder, workers, who, progress=progress)


def resume_sweep(folder: Path, *, trials: int | None, who: WhoWorks, progress: bool) -> Sweep:
    """Make the trials of a sweep that were not made before it was stopped, and those that were lost.

    Raises:
        DataError: there is no sweep, its journal cannot be read, or its data have changed.
    """
    with ExitStack() as stack:
        stack.enter_context(stopped_run(folder))
        content = read_journal(folder)
        plan = content.plan
        if trials is not None and trials != plan.trials:
            plan = replace(plan, trials=_more_trials(plan, trials))
            append_trials(folder, plan.trials)
            content = replace(content, plan=plan)
        if content.data_sha256 != _data_hash(plan):
            remedy = "put back what was changed, or begin anew with --out OTHER"
            raise DataError(
                "the data are not those that this sweep was begun with", at=str(folder), remedy=remedy
            )
        if content.sources != sources_digest():
            remedy = "the last digits of its trials may differ from those made before"
            warn(
                DataWarning(
                    "this sweep was begun with another version of symgrad", at=str(folder), remedy=remedy
                )
            )
        workers = stack.enter_context(closing(_workers(who, plan)))
        return _made(content, folder, workers, who, progress=progress)


def _more_trials(plan: SweepPlan, trials: int) -> int:
    """Raises SpecError for fewer, and for more than there can be."""
    if plan.sampler == "grid" or trials < plan.trials:
        problem = f"this sweep has {plan.trials:,} trials"
        raise SpecError(problem, at="trials", remedy="random and tpe can make more of them")
    return number_of_trials(plan.axes, plan.sampler, trials)


def _made(content: JournalContent, folder: Path, workers: Workers, who: WhoWorks, *, progress: bool) -> Sweep:
    plan = content.plan
    clear(folder)
    made = trials_made(plan, folder, content.rows)
    shown = shown_trials(plan.metric, plan.trials, len(made), best_of(made.values(), plan.metric))
    notes: tuple[str, ...] = ()
    with shown if progress else nullcontext(_unseen) as told:
        sampler = _sampler(plan, folder)
        loop = SweepLoop(plan, folder, sampler, content.rows, made, told, at_node=who.dask is not None)
        try:
            loop.run(workers)
        except KeyboardInterrupt:
            notes = ("interrupted",)
            workers.close()  # they would go on while tables are written
    clear(folder)
    rows = in_order(loop.rows.values(), plan.metric)
    return written(Sweep(plan.spec.name, plan.axes, plan.metric, rows, plan.trials, folder, notes=notes))


def _unseen(_: object) -> None:
    """Nobody is told."""


def _sampler(plan: SweepPlan, folder: Path) -> Sampler:
    if plan.sampler == "grid":
        return GridSampler(plan.axes)
    if plan.sampler == "tpe":
        return TpeSampler(plan.axes, plan.seed, plan.spec.name, plan.metric.direction, folder)
    return RandomSampler(plan.axes, plan.trials, plan.seed)


def _workers(who: WhoWorks, plan: SweepPlan) -> Workers:
    if who.dask is not None:
        return DaskWorkers(who.dask)
    asked = who.workers or max(1, usable_cores() // plan.threads)
    return JoblibWorkers(min(asked, plan.trials), plan.threads)


def _check_values(spec: Spec, axes: Sequence[SweepAxis]) -> None:
    """Every value of an axis can be had with some values of those axes that its path lies in.

    Raises:
        SpecError: a path leads nowhere, or a spec cannot have a value there.
    """
    structures = Structures(spec, axes)
    for axis in axes:
        above = [other for other in axes if axis.path.startswith(f"{other.path}.")]
        bases: list[Values] = [{}]
        for other in above:
            bases = [{**base, other.path: value} for base in bases for value in other.ends]
        for value in axis.ends:
            _check_value(structures, axis.path, value, bases)


def _check_value(structures: Structures, path: str, value: Any, bases: Sequence[Values]) -> None:
    refusals = []
    for base in bases:
        try:
            with_entries(structures.spec, {**base, path: value})
            structures.of({**base, path: value})
        except SymgradError as error:
            refusals.append(error)
        else:
            return
    first = refusals[0]
    if first.at == path:  # it leads nowhere, whatever the value
        raise first
    raise SpecError(first.problem, at=f"{path}={shown(value)}", remedy=first.remedy)


def _data_hash(plan: SweepPlan) -> str:
    """The SHA-256 of the rows that are trained on, held out or not. Raises DataError where there are none."""
    if plan.spec.train.data is None and plan.data is None:
        remedy = "add train: {data: ...} or give --data"
        raise SpecError("this spec names no data", at=plan.spec.at, remedy=remedy)
    return sha256_of(load_data(plan.spec, plan.data))
