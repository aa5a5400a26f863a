"""What training goes on from: whole checkpoints in the folder of a run, the last few of them kept.

Each is a checkpoint of the last epoch, and holds besides the best epoch, the history, what the run was told
and a hash of its data. They are written beside the run's own files and never changed: whenever a run is
killed, one that is whole is there.
"""

from __future__ import annotations

import hashlib
import json
import shutil
import time
from dataclasses import asdict, dataclass, fields, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from symgrad.errors import DataError, DataWarning, SpecError, warn
from symgrad.runtime.array_archives import read_archive
from symgrad.spec.reader import read, with_frozen
from symgrad.spec.reading.derive_block import with_derivatives
from symgrad.training.checkpoint import Checkpoint, load_checkpoint, save_checkpoint
from symgrad.training.epochs.snapshots import Reached, Snapshot
from symgrad.training.records.history import EpochRecord, HyperChange
from symgrad.training.run import FILES

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence
    from types import ModuleType

    from numpy.typing import NDArray

    from symgrad.spec.model import Monitor, Spec
    from symgrad.training.epochs.loop import Trainer
    from symgrad.training.split import Parts

FOLDER = "checkpoints"
_NAMED = ("gradient_norms", "metrics")
_COLUMNS = tuple(
    field.name for field in fields(EpochRecord) if field.name not in (*_NAMED, "hyper", "averaged")
)


@dataclass(frozen=True)
class Orders:
    """What a run was told: its spec and where that lay, the data, what replaced the spec's settings.

    `spec` is its text, or a dict where it was one. `data` and `validation` are files, or None: as the spec
    says, or only in memory. The hashes are of the arrays trained on and of the module's file. `every` is of
    how many steps a callback was told, `metrics` are scores measured besides those of the spec,
    `log` where epochs are logged, `derive` the derivatives beyond the gradient that the module has, `ranks`
    how many processes share its batches.
    """

    spec: str | dict[str, Any]
    spec_path: str | None
    module_path: str | None
    data: str | None
    validation: str | None
    epochs: int
    batch_size: int | Literal["full"]
    seed: int
    hyper: dict[str, float]
    data_sha256: str
    module_sha256: str
    monitor: Monitor | None = None
    every: int | None = None
    metrics: Sequence[str] = ()
    log: Sequence[str] = ()
    derive: Sequence[str] = ()
    ranks: int = 1


def module_hash(module: ModuleType) -> str:
    """The SHA-256 of a module's file; empty where it is in none."""
    try:
        return hashlib.sha256(Path(str(module.__file__)).read_bytes()).hexdigest()
    except (AttributeError, OSError):
        return ""


class Series:
    """The checkpoints in the folder of a run, of which `keep` stay."""

    def __init__(self, run: Path, keep: int) -> None:
        self.folder, self.keep = run / FOLDER, keep

    def begin(self) -> None:
        """Make room for a new run. What an earlier one left there is kept as `checkpoints.before`."""
        before = self.folder.with_name(f"{FOLDER}.before")
        if self.folder.is_dir():
            shutil.rmtree(before, ignore_errors=True)
            self.folder.rename(before)
        self.folder.mkdir()

    def go_on(self, epoch: int) -> None:
        """Go on after this epoch: those of later epochs, which are damaged, are set aside."""
        for file in _files(self.folder):
            if _epoch(file) > epoch:
                file.rename(file.with_suffix(".damaged"))

    def save(self, checkpoint: Checkpoint, reached: Reached, orders: Orders) -> None:
        """Write what training can go on from; then the oldest go. Raises DataError."""
        more = {**_best(reached.best), **_history(reached), "orders": np.array(json.dumps(vars(orders)))}
        file = self.folder / f"epoch-{reached.last.epoch:07}.npz"
        save_checkpoint(file, replace(checkpoint, more=more))
        for old in _files(self.folder)[: -self.keep]:
            old.unlink(missing_ok=True)


def kept_in(run: Path) -> tuple[tuple[str, int], ...]:
    """What a run has kept to go on from: the names of checkpoints, and when each was written."""
    return tuple((file.name, file.stat().st_mtime_ns) for file in _files(run / FOLDER))


def newest(run: Path) -> tuple[Path, Orders]:
    """The newest whole checkpoint of a run, and what the run was told; those that are damaged are warned of.

    Raises:
        DataError: there is none.
    """
    damaged: list[tuple[Path, str]] = []
    for file in reversed(_files(run / FOLDER)):
        try:
            orders = Orders(**json.loads(str(read_archive(file)["orders"])))
        except (OSError, KeyError, TypeError, ValueError) as error:
            damaged.append((file, str(error)))
            continue
        for bad, why in damaged:
            remedy = f"{file.name}, the one before, is used"
            warn(DataWarning(f"cannot be used: {why}", at=str(bad), remedy=remedy))
        return file, orders
    problem = "there is no training here to go on with"
    if damaged:
        problem = f"no checkpoint can be used: {'; '.join(f'{bad.name}: {why}' for bad, why in damaged)}"
    raise DataError(problem, at=str(run), remedy="name the folder of a run, or train without --resume")


class Keeper:
    """Saves what a run could go on from: at its start, as often as its spec says, and at its end."""

    def __init__(
        self, run: Path, orders: Orders, trainer: Trainer, reached: Reached, *, is_new: bool
    ) -> None:
        self.plan, self.trainer, self.orders = trainer.plan.checkpoint, trainer, orders
        self.series = Series(run, self.plan.keep)
        self.epoch, self.time = reached.last.epoch, time.perf_counter()
        for pattern in (f"{FOLDER}/.*.part", *(f".{name}.*.part" for name in FILES)):
            for left in run.glob(pattern):  # of writers that were killed
                left.unlink(missing_ok=True)
        if is_new:
            self.series.begin()
            self.save(reached)
        else:
            self.series.go_on(self.epoch)

    def is_due(self, epoch: int) -> bool:
        """Whether it is time to save what this epoch left."""
        every, minutes = self.plan.epochs, self.plan.minutes
        if every is None and minutes is None:
            minutes = 1.0
        is_due = every is not None and epoch % every == 0
        return is_due or (minutes is not None and time.perf_counter() - self.time >= 60 * minutes)

    def after(self, reached: Reached) -> None:
        """Save it. A disk that is full now may not be so at the next time."""
        try:
            self.save(reached)
        except DataError as error:
            problem = f"no checkpoint of epoch {reached.last.epoch}: {error.problem}"
            remedy = "training goes on, and tries again at the next one"
            warn(DataWarning(problem, at=error.at, remedy=remedy))

    def finish(self, reached: Reached) -> None:
        """Save the last whole epoch, if it is not. Raises DataError."""
        if reached.last.epoch != self.epoch:
            self.save(reached)

    def save(self, reached: Reached) -> None:
        """Save the last whole epoch. Raises DataError."""
        self.series.save(checkpoint_of(self.trainer, reached.last), reached, self.orders)
        self.epoch, self.time = reached.last.epoch, time.perf_counter()


def checkpoint_of(trainer: Trainer, snapshot: Snapshot) -> Checkpoint:
    """A snapshot with all that others need to use it."""
    fitted, state = snapshot.restored(trainer.module)
    preparation, seed = trainer.parts.preparation, trainer.plan.seed
    return Checkpoint(fitted, state, preparation, snapshot.epoch, seed, trainer.module)


@dataclass(frozen=True)
class GoingOn:
    """A run that was stopped: what it was told, and how far it came."""

    run: Path
    orders: Orders
    reached: Reached

    def check_data(self, parts: Parts) -> None:
        """Raise DataError unless the data are those that the run was trained on."""
        if parts.sha256 != self.orders.data_sha256:
            problem = f"the data are not those that this run was trained on ({parts.training.rows} rows now)"
            remedy = "put back what was changed, or train anew; --params-from takes what was learnt so far"
            raise DataError(problem, at=str(self.run), remedy=remedy)


def reached_by(file: Path, module: ModuleType) -> Reached:
    """What training goes on from, by a checkpoint.

    Raises:
        DataError: it is that of another network, number type or optimiser.
    """
    found = load_checkpoint(file, module)
    last = Snapshot(found.epoch, np.copy(module.flatten(found.fitted)), found.state)
    more, theta = found.more, found.more["best.params"]
    problem = "" if found.state else "it was trained by another optimiser, whose state does not fit"
    if theta.dtype != np.dtype(module.DTYPE):
        problem = f"it was trained in {theta.dtype}, the module computes in {np.dtype(module.DTYPE)}"
    if problem:
        raise DataError(problem, at=str(file), remedy="params_from takes the parameters alone")
    state = type(found.state)(*(more[f"best.state.{name}"] for name in found.state._fields))
    best = Snapshot(int(more["best.epoch"]), theta, state)
    changes = tuple(HyperChange(**change) for change in json.loads(str(more.get("changes", "[]"))))
    own = {**module.HYPER, **json.loads(str(more["orders"]))["hyper"]}
    records = tuple(_with_hyper(_records(more), own, changes))
    return Reached(last, best, records, changes, bool(more.get("is_answered", True)), float(more["seconds"]))


def spec_of(run: Path, orders: Orders, given: Spec | None) -> Spec:
    """The spec that a run was begun with; one that is given must be it.

    Raises:
        DataError: it is another one.
    """
    begun = replace(read(orders.spec), path=Path(orders.spec_path) if orders.spec_path else None)
    spec = with_derivatives(begun, orders.derive)
    if given is not None and not _is_same(given, spec):
        problem = f"the spec is not the one that this run was begun with: '{given.name}' has another text"
        remedy = "leave it out to go on as begun, or train anew and take --params-from this run"
        raise DataError(problem, at=str(run), remedy=remedy)
    return spec


def _is_same(given: Spec, begun: Spec) -> bool:
    """Whether this is the spec that a run was begun with, maybe with parameters frozen beside it."""
    if given.sha256 == begun.sha256:
        return True
    try:
        return with_frozen(given, begun.train.freeze).sha256 == begun.sha256
    except SpecError:  # the parameters are others
        return False


def _files(folder: Path) -> list[Path]:
    """The checkpoints, in the order of their epochs, which their names say."""
    return sorted(folder.glob("epoch-" + 7 * "[0-9]" + ".npz"))


def _epoch(file: Path) -> int:
    return int(file.stem.removeprefix("epoch-"))


def _best(best: Snapshot) -> dict[str, NDArray[Any]]:
    state = {f"best.state.{name}": array for name, array in best.state._asdict().items()}
    return {"best.epoch": np.array(best.epoch), "best.params": best.theta, **state}


def _history(reached: Reached) -> dict[str, NDArray[Any]]:
    """A row per epoch with the numbers of its record, and whether each was measured."""
    rows = [[getattr(record, name) for name in _COLUMNS] for record in reached.records]
    known = np.array([[value is not None for value in row] for row in rows]).reshape(-1, len(_COLUMNS))
    numbers = np.array([[0.0 if value is None else value for value in row] for row in rows], np.float64)
    return {
        "history": numbers.reshape(-1, len(_COLUMNS)),
        "history_known": known,
        "changes": np.array(json.dumps([asdict(change) for change in reached.changes])),
        "is_answered": np.array(reached.is_answered),
        "seconds": np.array(reached.seconds),
        **{n: np.array(json.dumps([dict(getattr(r, n)) for r in reached.records])) for n in _NAMED},
    }


def _records(more: Any) -> Iterable[EpochRecord]:
    """The epochs; older checkpoints have fewer columns."""
    rows = more["history"].tolist()
    named = {n: json.loads(str(more[n])) if n in more else [{} for _ in rows] for n in _NAMED}
    for k, (numbers, known) in enumerate(zip(rows, more["history_known"].tolist(), strict=True)):
        row = dict(zip(_COLUMNS, numbers, strict=False))
        unknown = (name for name, is_known in zip(_COLUMNS, known, strict=False) if not is_known)
        measured: dict[str, Any] = {**row, "epoch": int(row["epoch"]), **dict.fromkeys(unknown)}
        measured |= {name: tuple(named[name][k].items()) for name in _NAMED}
        found = EpochRecord(**measured)
        yield found if found.step is None else replace(found, step=int(found.step))


def _with_hyper(
    records: Iterable[EpochRecord], begun: Mapping[str, float], changes: Sequence[HyperChange]
) -> Iterable[EpochRecord]:
    """The same, with the numbers that the last step of each was made with."""
    numbers, later = dict(begun), list(changes)
    for record in records:
        while later and later[0].step < (record.step or 0):
            numbers = {**numbers, **later.pop(0).hyper}
        yield replace(record, hyper=numbers)
