"""Values that Optuna proposes, by a tree of Parzen estimators (Bergstra et al. 2011, "Algorithms for
hyper-parameter optimization").

The sweep's own journal says what was tried: Optuna's, beside it, is written anew from it, for Optuna's other
programs. What is proposed for a trial follows from the seed, its number and the trials that ended before it.
"""

from __future__ import annotations

import warnings
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import numpy as np

from symgrad.errors import DataError, ModuleError, how_to_install
from symgrad.sweeping.sampling.samplers import TRIALS_STREAM
from symgrad.sweeping.varied.sweep_axes import ListedValues, shown

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    from symgrad.sweeping.sweep_metrics import Direction
    from symgrad.sweeping.varied.sweep_axes import SweepAxis, Values
    from symgrad.sweeping.working.sweep_trial import TrialRow

FILE = "optuna.journal"


def demand_optuna() -> Any:
    """Optuna. Raises ModuleError where it is missing."""
    try:
        import optuna
    except ModuleNotFoundError:
        raise ModuleError("optuna is missing", remedy=how_to_install("sweep")) from None
    return optuna


class TpeSampler:
    """Proposes values near those of good trials. With several at a time, those under way count as bad."""

    def __init__(
        self, axes: Sequence[SweepAxis], seed: int, name: str, direction: Direction, folder: Path
    ) -> None:
        self.optuna, self.axes, self.seed = demand_optuna(), axes, seed
        self.distributions = {axis.path: self._distribution(axis) for axis in axes}
        self._asked: dict[int, Any] = {}
        self._learnt: set[int] = set()
        self._file = folder / FILE
        before = self.optuna.logging.get_verbosity()
        self.optuna.logging.set_verbosity(max(before, self.optuna.logging.WARNING))
        try:
            with self._written():
                for left in folder.glob(f"{FILE}*"):
                    left.unlink()
                backend = self.optuna.storages.journal.JournalFileBackend(str(self._file))
                storage = self.optuna.storages.JournalStorage(backend)
                self.study = self.optuna.create_study(storage=storage, study_name=name, direction=direction)
        finally:
            self.optuna.logging.set_verbosity(before)

    def values(self, number: int) -> Values:
        """The values of a trial, counted from 0, by those that have ended."""
        seed = int(np.random.SeedSequence([self.seed, TRIALS_STREAM, number]).generate_state(1)[0])
        with self._written(), warnings.catch_warnings(action="ignore"):  # that an argument is new in Optuna
            self.study.sampler = self.optuna.samplers.TPESampler(seed=seed, constant_liar=True)
            asked = self._asked[number] = self.study.ask(self.distributions)
            asked.set_user_attr("trial", number)
        return {axis.path: self._value(axis, asked.params[axis.path]) for axis in self.axes}

    def learn(self, row: TrialRow) -> None:
        """A trial that diverged counts as worse than all others; one that no spec could have, not at all."""
        states = self.optuna.trial.TrialState
        if row.number in self._learnt:  # it was made once more, for its files
            return
        self._learnt.add(row.number)
        if row.value is not None:
            state = states.COMPLETE
        else:
            state = states.PRUNED if row.state in ("finished", "diverged") else states.FAIL
        asked = self._asked.pop(row.number, None)
        with self._written():
            if asked is None:
                self.study.add_trial(self._ended(row, state))
            else:
                self.study.tell(asked, row.value, state=state)

    def _ended(self, row: TrialRow, state: Any) -> Any:
        """A trial that was made before, as Optuna has it."""
        return self.optuna.trial.create_trial(
            state=state,
            value=row.value,
            params={axis.path: self._told(axis, row.values[axis.path]) for axis in self.axes},
            distributions=self.distributions,
            user_attrs={"trial": row.number},
        )

    @contextmanager
    def _written(self) -> Iterator[None]:
        """Make a DataError of what the system says of Optuna's journal, which Optuna writes."""
        try:
            yield
        except OSError as error:
            problem = f"Optuna's journal cannot be written: {error.strerror}"
            remedy = f"make room, or move what is there away; --resume {self._file.parent} goes on"
            raise DataError(problem, at=str(self._file), remedy=remedy) from None

    def _distribution(self, axis: SweepAxis) -> Any:
        kinds = self.optuna.distributions
        if not isinstance(axis, ListedValues):
            if axis.whole:
                return kinds.IntDistribution(int(axis.least), int(axis.most), log=axis.log)
            return kinds.FloatDistribution(axis.least, axis.most, log=axis.log)
        if _follow_each_other(axis):
            return kinds.IntDistribution(axis.values[0], axis.values[-1])
        return kinds.CategoricalDistribution([self._told(axis, value) for value in axis.values])

    def _told(self, axis: SweepAxis, value: Any) -> Any:
        """A value as Optuna has it, which knows no lists."""
        return shown(value) if isinstance(value, list) and isinstance(axis, ListedValues) else value

    def _value(self, axis: SweepAxis, told: Any) -> Any:
        if not isinstance(axis, ListedValues):
            return told
        return next(value for value in axis.values if self._told(axis, value) == told)


def _follow_each_other(axis: ListedValues) -> bool:
    """Whether these are whole numbers, each one more than the last."""
    first = axis.values[0]
    if not isinstance(first, int) or isinstance(first, bool) or axis.size == 1:
        return False
    return axis.values == tuple(range(first, first + axis.size))
