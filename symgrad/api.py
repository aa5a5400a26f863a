"""The Python interface: from a spec to what is derived, generated, judged, compared, trained and timed.

A spec may be given as `read` gives it, or as `read` takes it: the path of a file, YAML text or a dict; a
module as `load` gives it, or by its file. Every function raises a SpecError for what is no spec.
"""

from __future__ import annotations

import os
from contextlib import contextmanager, nullcontext
from functools import partial
from glob import escape
from pathlib import Path
from typing import TYPE_CHECKING, Any

from symgrad.arguments import one_of, positive, whole
from symgrad.errors import DataError, ModuleError, SpecError, SymgradError, how_to_install, warn
from symgrad.files import replace_file
from symgrad.spec.language.names import hides_module
from symgrad.spec.reader import read as read_spec
from symgrad.spec.reader import with_frozen
from symgrad.spec.reading.derive_block import with_derivatives

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence
    from types import ModuleType

    from symgrad.benchmark.benchmark_report import Benchmark
    from symgrad.comparison.comparison_report import Comparison
    from symgrad.compiler.loading.load import ModuleSource
    from symgrad.diagnosis.diagnosis_report import Diagnosis
    from symgrad.exchange.export import Export
    from symgrad.exchange.imported import Import
    from symgrad.exchange.learnt import LearntSource
    from symgrad.graphs.graph import Graph
    from symgrad.graphs.trace import Detail
    from symgrad.judgement.kept_reports import Judgement
    from symgrad.prediction.evaluation import EvaluationReport
    from symgrad.ranks.group_of_ranks import RankGroup
    from symgrad.report.derivation import Derivation
    from symgrad.report.stage_view import StageView
    from symgrad.report.summary import Summary
    from symgrad.scaling.scaling_plan import ScalingPlan
    from symgrad.spec.model import Monitor, Spec
    from symgrad.spec.reader import SpecSource
    from symgrad.sweeping.sampling.samplers import SamplerName
    from symgrad.sweeping.sweep_metrics import Direction
    from symgrad.sweeping.sweep_result import Sweep
    from symgrad.training.borrowed_params import ParamsSource
    from symgrad.training.checkpoint import Checkpoint
    from symgrad.training.dataset.data import Data
    from symgrad.training.epochs.training_callbacks import AfterEpoch, AfterSteps
    from symgrad.training.rates.rate_test import RateTest
    from symgrad.training.run import Run
    from symgrad.verifier.report import Report
    from symgrad.verifier.trials.subject import Door


def read(source: SpecSource, *, derive: str | Sequence[str] = ()) -> Spec:
    """The spec in a YAML file, in YAML text or in a dict, with a SpecWarning for what is likely a mistake.

    A string is a text when it has a line break or a `key: value` and no file bears its name; a `Spec` is
    itself, of which nothing is said again. `derive` are derivatives that its modules compute beyond those it
    asks for itself, such as `["hvp", "jacobian(y, x)"]`.

    Raises:
        SpecError: for everything a spec cannot say or mean, with `file:line:column`, the cause and a remedy.
    """
    from symgrad.spec.expand import expand
    from symgrad.spec.sense import doubts

    spec = read_spec(source)
    if spec is not source:
        for found in doubts(expand(spec)):
            warn(found)
    return with_derivatives(spec, derive) if derive else spec


def derive(spec: SpecSource) -> Derivation:
    """The equations of a spec, its gradients and its update rules, as mathematics.

    Raises:
        SpecError: the spec does not describe a network.
    """
    from symgrad.report.derivation import derivation_of

    return derivation_of(read(spec))


def stages(spec: SpecSource) -> StageView:
    """Every stage from a spec to the text of its module: `str` shows what each gave and what it changed.

    Its attributes are the stages' own values, each computed when first asked for: `stages(spec).derived`.

    Raises:
        SpecError: the spec does not describe a network.
    """
    from symgrad.report.stage_view import stage_view

    return stage_view(read(spec))


def summary(spec: SpecSource, sizes: Mapping[str, int] | None = None) -> Summary:
    """A network at a glance: layers, shapes, parameters, and the operations and memory of one step.

    `sizes` are of free axes, `{"batch": 64}`; without them rows are those of the spec's batch, where it says
    how many, and every other free axis is 1 long.

    Raises:
        SpecError: the spec does not describe a network, or a size is given for what is no free axis.
    """
    from symgrad.pipeline import stages_of
    from symgrad.report.summary import summarize

    spec = read(spec)
    return summarize(spec, stages_of(spec), sizes)


def graph(
    spec: SpecSource,
    *,
    detail: Detail | None = None,
    at: Mapping[str, Any] | None = None,
    seed: int | None = None,
) -> Graph:
    """The computation graph of a spec: its equations as `blocks`, or every operation as `gates`.

    With `at`, numbers or arrays for inputs, targets and parameters by name, every edge bears its value
    and the gradient that flows back along it. A seed draws the inputs and targets that are not given;
    parameters that are not given take their first values. Without `detail`, programs of single numbers
    are drawn as gates, networks as blocks.

    Raises:
        SpecError: the spec does not describe a network, or one too large for a picture.
        DataError: the numbers do not fit the spec.
    """
    from symgrad.graphs.make import graph_of

    return graph_of(read(spec), detail, at, seed)


def generate(spec: SpecSource, path: str | os.PathLike[str], *, identity: bool = True) -> Path:
    """Write the training module of a spec to a file, replacing it whole or not at all.

    Its text is first compared with the spec, exactly: see `symgrad.judgement.gate`.
    Without `identity` it is not.
    A file that holds this text already is left as it is, and with it the compiled code that Numba keeps.

    Raises:
        SpecError: the spec does not describe a network.
        ModuleError: the file cannot be written, or would hide a module that others import.
        NotIdenticalError: the module would compute something else than the spec says.
    """
    spec, file = read(spec), Path(path)
    if hides_module(file.stem):
        problem = f"this file would hide '{file.stem}', a module that other programs import"
        raise ModuleError(problem, at=str(file), remedy=f"name it {file.stem}_net.py, for example")
    content = _text(spec, identity).encode()
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
        if not (file.is_file() and file.read_bytes() == content):
            replace_file(file, content)
            # Python compares times to the second and sizes: import might still believe the old text's code.
            for stale in file.parent.glob(f"__pycache__/{escape(file.stem)}.*.pyc"):
                stale.unlink(missing_ok=True)
    except OSError as error:
        raise ModuleError(
            f"cannot be written: {error.strerror}", at=str(file), remedy="name another file"
        ) from None
    return file


def load(path: str | os.PathLike[str]) -> ModuleType:
    """Load an emitted module from its file.

    Raises:
        ModuleError: it cannot be loaded or lacks one of the stable names.
    """
    from symgrad.compiler.loading.load import load as load_module

    return load_module(path)


def _loaded(module: ModuleSource) -> ModuleType:
    return load(module) if isinstance(module, str | os.PathLike) else module


def build(spec: SpecSource, *, identity: bool = True) -> ModuleType:
    """Generate the module into the user's cache folder and load it.

    Its text is first compared with the spec, exactly: see `symgrad.judgement.gate`.
    Without `identity` it is not.

    Raises:
        SpecError: the spec does not describe a network.
        NotIdenticalError: the module would compute something else than the spec says.
    """
    from symgrad.compiler.loading.cache import cached_module, cached_text
    from symgrad.judgement.gate import checked_text

    spec = read(spec)
    if identity:
        return cached_module(spec, checked_text)
    return cached_text(f"{spec.name}_unchecked", _text(spec, identity))


def _text(spec: Spec, identity: bool) -> str:
    from symgrad.compiler.loading.cache import keep_text
    from symgrad.judgement.gate import checked_text, emitted

    if not identity:
        return emitted(spec).text
    text = checked_text(spec)
    keep_text(spec, text)
    return text


def verify(
    spec: SpecSource,
    module: ModuleSource | None = None,
    *,
    points: int = 3,
    seed: int = 0,
    time_limit: float = 120.0,
    anew: bool = True,
) -> Report:
    """Judge a module, or the module in a file, against its spec; without one, the module symgrad generates.

    The module's file runs in a process of its own: a crash there, or a call that computes or waits for more
    than `time_limit` seconds, its compilation included, is a failure that the report names. What in the file
    is not as symgrad emits it is named too, and judged by its behaviour. A module that is in no file is
    judged in this process.

    What passed as symgrad emits it is kept in the user's cache. With `anew=False` that verdict will do, where
    it is of the very same text, spec, judge, packages and machine: the report says when it was found.

    Raises:
        ModuleError: there is no such module, it cannot be loaded, or it lacks one of the stable names.
        NoVerdictError: the machine was too busy, or had too little memory, to judge it.
    """
    from symgrad.judgement.kept_reports import Judgement

    spec, points, seed = read(spec), whole("points", points, 1), whole("seed", seed, 0)
    how = Judgement(spec, points, seed, positive("time_limit", time_limit))
    file = None if module is None else _file_of(spec, module)
    if file is None or isinstance(file, str | os.PathLike):
        place = None if file is None else Path(file)
        before = None if anew or not place or not place.is_file() else how.kept(place.read_bytes())
        return before or _judged(how, place, anew)
    from symgrad.spec.expand import expand
    from symgrad.verifier.verdict import verify as judge

    return judge(expand(spec), file, points=points, seed=seed)


def _judged(how: Judgement, file: Path | None, anew: bool) -> Report:
    from symgrad.judgement.verification import (
        judged,  # and with it the judge, whom a report that is kept does not need
    )

    return judged(how, file, anew=anew)


def certify(
    spec: SpecSource, module: ModuleSource | None = None, *, seed: int = 0, time_limit: float = 120.0
) -> dict[str, Any]:
    """A certificate of a module: at one point, the ball that holds the exact value of every entry of the
    gradient, and how many units in the last place the module is away from it.

    Needs the extra `certify`. `module` and `time_limit` are those of `verify`.

    Raises:
        ModuleError: python-flint is missing, there is no gradient, the point lies at a kink, or the module
            fails there.
    """
    from symgrad.spec.expand import expand

    judge, spec = _certificates(), read(spec)
    with _behind_a_door(_file(spec, module), time_limit) as door:
        certificate: dict[str, Any] = judge.certify(expand(spec), door, whole("seed", seed, 0))
    return certificate


def check_certificate(
    spec: SpecSource,
    certificate: str | os.PathLike[str],
    module: ModuleSource | None = None,
    *,
    time_limit: float = 120.0,
) -> list[str]:
    """What is not true in a certificate in a file, line by line; nothing where all of it is.

    Raises:
        ModuleError: python-flint is missing, the file is no certificate of this spec, or the module fails.
    """
    from symgrad.spec.expand import expand

    judge, spec = _certificates(), read(spec)
    try:
        text = Path(certificate).read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        reason = getattr(error, "strerror", None) or "it is not UTF-8 text"
        raise ModuleError(
            f"the certificate cannot be read: {reason}", at=str(certificate), remedy="write it with certify"
        ) from None
    with _behind_a_door(_file(spec, module), time_limit) as door:
        untrue: list[str] = judge.recheck(expand(spec), door, text)
    return untrue


def _certificates() -> ModuleType:
    try:
        from symgrad.verifier.certificate import certificate
    except ModuleNotFoundError as missing:
        if missing.name != "flint":
            raise
        raise ModuleError("python-flint is missing", remedy=how_to_install("certify")) from None
    return certificate


@contextmanager
def _behind_a_door(file: str | os.PathLike[str], time_limit: float) -> Iterator[Door]:
    """The module in a file, in its own process; where it fails there, that is a ModuleError."""
    from symgrad.isolation import isolated
    from symgrad.verifier.trials.subject import FaultError

    with isolated(file, positive("time_limit", time_limit)) as (door, _):
        try:
            yield door
        except FaultError as fault:
            raise ModuleError(str(fault), at=str(file), remedy="symgrad verify says more") from None


def _file(spec: Spec, module: ModuleSource | None) -> str | os.PathLike[str]:
    file = _file_of(spec, module)
    if not isinstance(file, str | os.PathLike):
        raise ModuleError("a certificate is of a module in a file", at=file.__name__)
    return file


def _file_of(spec: Spec, module: ModuleSource | None) -> ModuleSource:
    """The file that a module is in, the one in the cache where none is given; the module if it is in none."""
    from symgrad.compiler.loading.cache import cached_file
    from symgrad.judgement.gate import checked_text

    if module is None:
        return cached_file(spec, checked_text)
    file = getattr(module, "__file__", None)
    return file if isinstance(file, str) and Path(file).is_file() else module


def compare(
    spec: SpecSource,
    *,
    rows: int | None = None,
    seed: int = 0,
    random: bool = False,
    time_limit: float = 60.0,
    progress: Callable[[str], None] = lambda _: None,
) -> Comparison:
    """The gradient of a spec's loss in every way there is, side by side, and its manual formulas checked.

    The point is at random parameters, drawn from `seed`, on the first `rows` rows of the spec's own data, or
    with `random`, and where it has none, on random rows. A way that would take longer than `time_limit`
    seconds is left out. `progress` is told what is done next.

    Raises:
        SpecError: there is no loss, nothing to differentiate by, or a manual formula that makes no sense.
        DataError: the spec's data cannot be used.
    """
    from symgrad.comparison.compare import compare as compare_ways
    from symgrad.compiler.loading.load import double_precision_twin

    rows = None if rows is None else whole("rows", rows, 1)
    seed, time_limit = whole("seed", seed, 0), positive("time_limit", time_limit)
    spec = read(spec)
    module = double_precision_twin(build(spec))
    return compare_ways(
        spec, module, rows=rows, seed=seed, random=random, time_limit=time_limit, progress=progress
    )


def train(
    spec: SpecSource | None = None,
    module: ModuleSource | None = None,
    *,
    data: Data | None = None,
    out: str | os.PathLike[str] | None = None,
    epochs: int | None = None,
    seed: int | None = None,
    hyper: Mapping[str, float] | None = None,
    progress: bool = True,
    after_epoch: AfterEpoch | None = None,
    after_steps: AfterSteps | None = None,
    identity: bool = True,
    params_from: ParamsSource | None = None,
    names: Mapping[str, str] | None = None,
    resume: str | os.PathLike[str] | None = None,
    monitor: Monitor | None = None,
    metrics: Sequence[str] = (),
    freeze: Sequence[str] = (),
    log: Sequence[str] = (),
    derive: Sequence[str] = (),
    comm: Any = None,
) -> Run:
    """Train the spec's network on its data, or on `data`; write what was learnt, and the module, into `out`.

    `data` is a file, a data frame of any library that narwhals knows, a mapping of names to arrays, or a
    tuple of inputs and targets.

    `hyper` are other hyper-parameters than the spec's, as `{"learning_rate": 0.01, "b1": 0.95}`; names are
    those of `HYPER` in the module, which is the same for all of them: a sweep compiles once.

    Without `module` it is built as `build` does it, with or without `identity`. `params_from` has the
    parameters of a network that is equal in part, in a checkpoint, a safetensors file or by name, as in a
    `state_dict` of PyTorch: those of the same name and shape are taken instead of first values, or those that
    `names` says, `{"W1": "encoder_W", "W2": "0.weight.T"}`, the last transposed; the run's notes tell which.

    `after_epoch` is called with the record of each epoch (`epoch`, `step`, `loss`, `score`,
    `validation_loss`, `learning_rate`, `hyper`, ...) and a copy of the parameters that training goes on from
    (with `average` in the spec, `record.averaged` is what the numbers of the record are of); of
    `after_steps=(100, told)` the function after every hundred steps. They answer None to go on, True to stop
    (or raise `sg.StopTraining("why")`), or with hyper-parameters from the next step on:
    `{"learning_rate": record.hyper["learning_rate"] / 2}`. What was changed stands in `run.history.changes`,
    and a run that goes on has it.

    `freeze` names parameters that stay as they are, to the last bit, besides those of the spec: most of a
    network whose parameters come by `params_from`. They have no state of the optimiser, do not decay, and are
    no part of the norm that `clip_norm` bounds.

    `monitor="gradients"` has the norm of the gradient in the history, whole and of each parameter's part: of
    the first batch of every epoch, at the parameters that the epoch ended with.

    `metrics` are names of scikit-learn's scorers, such as "f1_macro", measured on held-out rows after every
    epoch besides those of the spec; `stop: {watch: f1_macro}` there keeps the best epoch by it.

    `out` gets history.csv and history.jsonl, a line when an epoch has ended. `log` names what is told
    besides: "tensorboard" writes event files into `out`, "mlflow" a run where MLFLOW_TRACKING_URI says.

    `derive` are derivatives that the module computes beyond those of the spec, as those of `read`.

    `comm` is a communicator of mpi4py, `MPI.COMM_WORLD`, all of whose ranks make this call: they share the
    rows of every batch and come to what one process comes to, but for rounding, and to the same bits for the
    same number of ranks. Of each machine one rank reads a data file, for all of them; of other data each has
    its own. The first measures, calls callbacks and writes. Start the ranks with
    `mpiexec -n 4 python -m mpi4py script.py`, so that an exception on one ends all.

    `resume` is the folder of a run that was stopped or killed, which goes on to the end that it would have
    come to, to the last bit on the same machine. Then no spec is needed, `epochs` may be more, and `log` may
    name another log, which gets the epochs made before too.

    Raises:
        ModuleError: a package is missing for what is asked.
        SpecError: there is no such hyper-parameter, or a spec could not have it; ranks cannot share a batch.
        DataError: the data does not fit the spec; there is nothing to go on with, or its data have changed;
            the files cannot be written.
        DivergenceError: the loss stopped being a finite number; it names the epoch, the step, and the first
            tensor that is not finite.
        CallbackError: a callback failed; its `run` has what was trained before.
    """
    from symgrad.not_finite import first_not_finite
    from symgrad.ranks.group_of_ranks import RankGroup
    from symgrad.ranks.patient_comm import PatientComm
    from symgrad.training.borrowed_params import check_source
    from symgrad.training.logs.run_logs import checked_logs
    from symgrad.training.train import train as run_training
    from symgrad.unsolved import unsolved

    ranks = RankGroup(None if comm is None else PatientComm(comm))
    if resume is not None:
        begun: dict[str, Any] = {
            "out": out,
            "seed": seed,
            "hyper": hyper,
            "params_from": params_from,
            "names": names,
        }
        begun |= {
            "monitor": monitor,
            "metrics": metrics or None,
            "freeze": freeze or None,
            "derive": derive or None,
        }
        for name in (name for name, value in begun.items() if value is not None):
            raise DataError(
                f"{name} does not go with resume: the run goes on as it was begun", at=str(resume)
            )
        return _resumed(
            *(spec, module, Path(resume), data, epochs, identity, progress, after_epoch, after_steps, log),
            ranks,
        )
    if spec is None:
        raise SpecError("there is no spec to train", remedy="give one, or resume=, the folder of a run")
    spec = with_frozen(read(spec), [freeze] if isinstance(freeze, str) else [*freeze])
    spec = with_derivatives(spec, derive)
    if spec.loss is None:
        raise SpecError("this spec has no loss to train on", at=spec.at, remedy="add loss: ...")
    checked_logs(log, has_folder=out is not None)
    if params_from is not None:
        from symgrad.pipeline import parameter_shapes  # and with it SymPy, which other trainings need not

        check_source(params_from, names or {}, parameter_shapes(spec), spec.dtype)
    found = ranks.after_first(lambda: _trainable(spec, module, identity, ranks))
    return run_training(
        spec,
        found,
        data=data,
        out=out,
        epochs=epochs,
        seed=seed,
        hyper=hyper,
        progress=progress,
        after_epoch=after_epoch,
        after_steps=after_steps,
        params_from=params_from,
        names=names,
        monitor=monitor,
        metrics=metrics,
        log=log,
        trace=partial(first_not_finite, spec),
        unsolved=partial(unsolved, spec),
        ranks=ranks,
    )


def _trainable(spec: Spec, module: ModuleSource | None, identity: bool, ranks: RankGroup) -> ModuleType:
    if module is not None:
        return _loaded(module)
    if ranks.comm is not None:
        from symgrad.judgement.shared_batches import demand_shared

        demand_shared(spec)
    return build(spec, identity=identity)


def rates(
    spec: SpecSource,
    module: ModuleSource | None = None,
    *,
    data: Data | None = None,
    seed: int | None = None,
    hyper: Mapping[str, float] | None = None,
    least: float = 1e-7,
    most: float = 10.0,
    steps: int = 200,
) -> RateTest:
    """Which learning rate to begin with: the range test of Smith (2017).

    A step is made with each of so many rates from `least` to `most`, on the spec's data or on `data`, from
    first values that nobody sees. `suggestion` is where the loss falls most steeply, or None where it
    never does. What comes prints as a table, and is a picture in notebooks.

    Raises:
        SpecError: the optimiser has no learning rate, or the schedule does not make every rate.
        DataError: the data do not fit.
    """
    from symgrad.training.rates.find_rate import find_rate

    spec = read(spec)
    if spec.loss is None:
        raise SpecError("this spec has no loss to train on", at=spec.at, remedy="add loss: ...")
    module = build(spec) if module is None else _loaded(module)
    return find_rate(spec, module, data=data, seed=seed, hyper=hyper, least=least, most=most, steps=steps)


def sweep(
    spec: SpecSource | None = None,
    over: Mapping[str, Any] | None = None,
    *,
    metric: str | None = None,
    direction: Direction | None = None,
    sampler: SamplerName | None = None,
    trials: int | None = None,
    seed: int | None = None,
    data: str | os.PathLike[str] | None = None,
    out: str | os.PathLike[str] | None = None,
    workers: int | None = None,
    dask: str | None = None,
    threads: int | None = None,
    resume: str | os.PathLike[str] | None = None,
    progress: bool = True,
) -> Sweep:
    """Train a spec with many settings, at the same time, and set what came out side by side.

    `over` says what is varied: values by their places in the spec, `{"optimizer.learning_rate":
    "1e-4..1e-1:log:20", "layers.0.units": [32, 64], "seed": range(5)}`. A path leads through the blocks and
    lists of the spec, `layers.0`, and through the arguments of a call, `units`; what stands in the train
    block needs no `train.` before it. A text is a list, `adam,sgd`, whole numbers, `0..4`, or a range, with
    points or, for samplers that draw, without.

    Trials that differ in seeds, sizes of batches, epochs and hyper-parameters alone share one module, as
    those of `train(spec, seed=..., hyper=...)` do. Each has `threads` for its products, one if not said:
    the same number gives the same bits, however many `workers` there are.

    `sampler` is "grid", which makes all combinations, "random", which draws `trials` of them by `seed`, or
    "tpe", which has Optuna propose values near good ones. Its proposals are the same for the same seed where
    one trial is made at a time; with more, they follow from which trials have ended when another begins.

    `dask` is the address of a scheduler of dask's, whose workers make the trials in place of processes here:
    they read the same data files, and keep compiled code in a folder of their own machine.

    `metric` is `held_out_` or `training_` with `loss`, `accuracy`, `r2` or `rmse`, or `held_out_` with a
    score of scikit-learn's, `held_out_f1_macro`; without it the loss of held-out rows, where there are any.
    `direction`, "minimize" or "maximize", is needed for `trained_epochs` and `kept_epoch` alone.

    `out`, `sweeps/NAME` if not said, gets `trials.csv`, `trials.parquet`, a picture, and in `best` the run of
    the best trial, as `train` writes it. A trial that diverges, that no spec can have or whose process dies
    three times is a row with its reason. `resume` is the folder of a sweep that was stopped, however: trials
    that ended are not made again. Then `trials` may be more, and nothing else can be said but who works.

    Raises:
        SpecError: for what cannot be varied, or not so.
        DataError: the data do not fit, or are others than a sweep was begun with; the folder holds a sweep,
            or another process writes into it.
        ModuleError: a package is missing.
    """
    from symgrad.sweeping.sweep import WhoWorks, begin_sweep, resume_sweep

    if not (dask is None or isinstance(dask, str)):
        raise SymgradError(f"dask is a {type(dask).__name__}", remedy="expected an address: tcp://host:8786")
    if workers is not None and dask is not None:
        raise SymgradError("workers beside dask", remedy="a scheduler has the workers that were started")
    who = WhoWorks(None if workers is None else whole("workers", workers, 1), dask)
    trials = None if trials is None else whole("trials", trials, 1)
    if resume is not None:
        begun: dict[str, Any] = {
            "spec": spec,
            "over": over,
            "metric": metric,
            "direction": direction,
            "sampler": sampler,
        }
        begun |= {"seed": seed, "data": data, "out": out, "threads": threads}
        for name in (name for name, value in begun.items() if value is not None):
            problem = f"{name} does not go with resume: the sweep goes on as it was begun"
            raise DataError(problem, at=str(resume))
        return resume_sweep(Path(resume), trials=trials, who=who, progress=progress)
    if spec is None:
        raise SpecError("there is no spec to train", remedy="give one, or resume=, the folder of a sweep")
    spec = read(spec)
    if spec.loss is None:
        raise SpecError("this spec has no loss to train on", at=spec.at, remedy="add loss: ...")
    return begin_sweep(
        spec,
        {} if over is None else over,
        metric=metric,
        direction=None if direction is None else one_of("direction", direction, ("minimize", "maximize")),
        sampler=one_of("sampler", "grid" if sampler is None else sampler, ("grid", "random", "tpe")),
        trials=trials,
        seed=whole("seed", 0 if seed is None else seed, 0),
        data=None if data is None else _data_file(data),
        threads=whole("threads", 1 if threads is None else threads, 1),
        out=Path("sweeps") / spec.name if out is None else Path(out),
        who=who,
        progress=progress,
    )


def _data_file(data: object) -> Path:
    """Raises DataError for rows that are in no file: other processes read them."""
    if not isinstance(data, str | os.PathLike):
        remedy = "write them to a file, such as an .npz or .parquet"
        raise DataError(f"the data are a {type(data).__name__} in memory", at="data", remedy=remedy)
    return Path(data).absolute()


def _resumed(
    spec: SpecSource | None,
    module: ModuleSource | None,
    run: Path,
    data: str | os.PathLike[str] | None,
    epochs: int | None,
    identity: bool,
    progress: bool,
    after_epoch: AfterEpoch | None,
    after_steps: AfterSteps | None,
    log: Sequence[str],
    ranks: RankGroup,
) -> Run:
    from symgrad.not_finite import first_not_finite
    from symgrad.training.resuming import newest, spec_of
    from symgrad.training.run_folder import stopped_run
    from symgrad.training.train import resume as run_on
    from symgrad.unsolved import unsolved

    with stopped_run(run) if ranks.is_first else nullcontext():
        file, orders = ranks.agreed(lambda: newest(run))
        begun = ranks.together(lambda: spec_of(run, orders, None if spec is None else read(spec)))
        there = orders.module_path
        source = there if module is None and there and Path(there).is_file() else module
        return run_on(
            begun,
            ranks.after_first(lambda: _trainable(begun, source, identity, ranks)),
            run,
            file,
            orders,
            data=data,
            epochs=epochs,
            progress=progress,
            after_epoch=after_epoch,
            trace=partial(first_not_finite, begun),
            unsolved=partial(unsolved, begun),
            after_steps=after_steps,
            log=log,
            ranks=ranks,
        )


def open_run(run: str | os.PathLike[str], module: ModuleSource | None = None) -> Checkpoint:
    """What training wrote into a folder, or a checkpoint in it, with its module: it predicts.

    Without `module` the one that lies beside the checkpoint under the spec's name is loaded.

    Raises:
        DataError: there is no checkpoint, or it belongs to another network.
        ModuleError: the module is not there, or cannot be loaded.
    """
    from symgrad.prediction.trained import open_trained

    return open_trained(run, None if module is None else _loaded(module))


def evaluate(
    trained: Run | Checkpoint | str | os.PathLike[str], data: Any, metrics: Sequence[str] = ()
) -> EvaluationReport:
    """How good a trained network is on rows with targets: a file, a data frame, arrays by name or a tuple.

    `trained` is a run, a checkpoint, or what `open_run` takes. `metrics` are names of scikit-learn's scorers,
    such as "f1_macro".

    Raises:
        DataError: the data cannot be used.
        ModuleError: scikit-learn is missing, or has no such metric, or it does not fit.
    """
    from symgrad.prediction.evaluation import evaluate as measure
    from symgrad.training.run import Run

    if isinstance(trained, str | os.PathLike):
        trained = open_run(trained)
    return measure(trained.checkpoint if isinstance(trained, Run) else trained, data, metrics)


def export(
    spec: SpecSource,
    learnt: LearntSource,
    path: str | os.PathLike[str],
    names: Mapping[str, str] | None = None,
) -> Export:
    """Write what was learnt to a file that other programs read; its ending says of which standard.

    `.onnx` holds the network, its parameters, what fills in and scales inputs, and gives the prediction, of
    classes also the likeliest `label`. ONNX's own checker has passed it, and ONNX Runtime's answers on random
    data were compared with the spec's. `.safetensors` holds the parameters by name, or by those that `names`
    says: `{"W1": "0.weight.T"}` is W1 transposed, as PyTorch has it.
    `learnt` is a run, a checkpoint, a module's Params, or a dict of arrays.

    Raises:
        DataError: these are not the parameters of the network, or the file cannot be written.
        ModuleError: the package for it is missing, or ONNX has no operators for an equation.
    """
    from symgrad.exchange.export import export as write_file

    return write_file(read(spec), learnt, path, names or {})


def import_onnx(
    path: str | os.PathLike[str],
    out: str | os.PathLike[str] | None = None,
    *,
    loss: str | None = None,
    force: bool = False,
    identity: bool = True,
) -> Import:
    """A network of dense layers from an ONNX file: its spec, and beside it the module and what it has learnt.

    `out` is the spec, the file's name with .yaml otherwise; NAME.py and NAME.npz lie beside it, so that
    `open_run("NAME.npz")` predicts, and `train(out, params_from="NAME.npz")` goes on. The loss is one of the
    library's; without it that which the last operator belongs to, softmax or sigmoid, else `mse`. `force`
    replaces files that are there. The spec's answers were compared with ONNX Runtime's on random data.

    Raises:
        ModuleError: the file is damaged, a node in it has no place in a spec, a package is missing, or a file
            is there already.
    """
    imported = _onnx_reader()
    source = Path(path)
    spec_file = Path(out) if out is not None else Path(f"{imported.spec_name(source)}.yaml")
    network = imported.import_onnx(source, imported.spec_name(spec_file), loss)
    files = [spec_file, *(spec_file.with_name(f"{network.model.spec.name}{end}") for end in (".py", ".npz"))]
    for file in files:
        if file.exists() and not force:
            raise ModuleError(
                "this file is there already",
                at=str(file),
                remedy="with force=True, or --force, it is overwritten",
            )
    written: Import = imported.written(network, files, partial(generate, identity=identity), load)
    return written


def _onnx_reader() -> ModuleType:
    try:
        from symgrad.exchange import import_onnx as reader
    except ModuleNotFoundError as missing:
        if missing.name not in ("onnx", "onnxruntime"):
            raise
        raise ModuleError(f"{missing.name} is missing", remedy=how_to_install("onnx")) from None
    return reader


def bench(
    spec: SpecSource,
    *,
    batch: int | None = None,
    rows: int | None = None,
    seconds: float = 5.0,
    cores: int = 1,
    random: bool = False,
    peers: bool = True,
    with_compile: bool = False,
    progress: Callable[[str], None] = lambda _: None,
) -> Benchmark:
    """How long a step of a spec takes, where its time goes, and how far that is from the machine's limit.

    Steps are made on the first `rows` rows of the spec's own data, or with `random`, and where it has none,
    on random rows, in batches of the spec's size or of `batch`. symgrad, and with `peers` PyTorch and JAX
    where they are installed, take turns for `seconds` on so many cores; `with_compile` adds torch.compile,
    which is slow to compile. A spec that trains nothing is timed at what it does: its gradient, loss or
    forward pass. `progress` is told what is done next.

    Raises:
        SpecError: the spec does not describe a network, or has no axis of rows to choose from.
        DataError: the spec's data cannot be used, a batch or the cores are too many, or a loss is not finite.
    """
    from symgrad.benchmark.bench import bench as run_benchmark

    return run_benchmark(
        read(spec),
        batch=None if batch is None else whole("batch", batch, 1),
        rows=None if rows is None else whole("rows", rows, 1),
        seconds=positive("seconds", seconds),
        cores=whole("cores", cores, 1),
        random=random,
        with_peers=peers,
        with_compile=with_compile,
        progress=progress,
    )


def plan(
    spec: SpecSource,
    *,
    ranks: int = 64,
    bandwidth: str = "10Gb",
    latency: str = "20us",
    ranks_per_machine: int | None = None,
    batch: int | None = None,
    weak: bool = False,
    random: bool = False,
    measure: Sequence[int] = (),
    progress: Callable[[str], None] = lambda _: None,
) -> ScalingPlan:
    """What a step of a spec would take on 1, 2, 4 ... `ranks` ranks: time, what part is sending, memory.

    Steps are timed here, of one process and of one on every core, of the spec's data or with `random` of
    random rows; and so is what ranks of one machine send each other, by its memory and by TCP as machines do.
    Between machines like this one, of so many ranks each (one a core where not said), lie `bandwidth`, in
    either direction, and `latency`, of a message on its way. Ranks share a batch of the
    spec's size, or of `batch` rows; `weak` gives each as many. Real steps of as many ranks of this machine as
    `measure` says are timed too.

    Raises:
        SpecError: the spec does not train on batches of rows, or ranks cannot share these.
        DataError: a number, rate or time cannot be meant, the data cannot be used, or no step could be timed.
        ModuleError: mpi4py or mpiexec is missing.
    """
    from symgrad.scaling.plan_ranks import plan_ranks
    from symgrad.scaling.quantities import bytes_per_second, seconds
    from symgrad.scaling.step_model import Link

    most = whole("ranks", ranks, 1)
    return plan_ranks(
        read(spec),
        ranks=most,
        ranks_per_machine=None
        if ranks_per_machine is None
        else whole("ranks_per_machine", ranks_per_machine, 1),
        network=Link(seconds(latency, "latency"), bytes_per_second(bandwidth, "bandwidth")),
        batch=None if batch is None else whole("batch", batch, 1),
        is_weak=weak,
        random=random,
        measure=sorted({whole("measure", count, 1) for count in measure}),
        progress=progress,
    )


def doctor(progress: Callable[[str], None] = lambda _: None) -> Diagnosis:
    """What this machine and installation can do, and what is wrong with them.

    `progress` is told what is done next.
    """
    from symgrad.diagnosis.examine import examine

    return examine(progress)


def load_checkpoint(path: str | os.PathLike[str], module: ModuleSource) -> Checkpoint:
    """What training wrote: parameters, optimiser state and what was learnt of the data.

    Raises:
        DataError: the file is no checkpoint, or one of another spec.
    """
    from symgrad.training.checkpoint import load_checkpoint as load_saved

    return load_saved(path, _loaded(module))
