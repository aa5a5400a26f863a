"""Where a training stands: what it would go on from, and what it left."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from symgrad.training.epochs.chosen_hyper import first_state

if TYPE_CHECKING:
    from collections.abc import Mapping
    from types import ModuleType

    from numpy.typing import NDArray

    from symgrad.errors import CallbackError, DivergenceError
    from symgrad.training.epochs.stopping import StopReason, Watch
    from symgrad.training.records.history import EpochRecord, HyperChange


@dataclass(frozen=True)
class Snapshot:
    """Copies of the parameters, as one vector, and of the optimiser state after `epoch` epochs."""

    epoch: int
    theta: NDArray[Any]
    state: Any

    def restored(self, module: ModuleType) -> tuple[Any, Any]:
        """Parameters and state that may be trained on without changing the snapshot."""
        return module.unflatten(np.copy(self.theta)), copied_state(self.state)


@dataclass(frozen=True)
class Reached:
    """How far training has come: all that it goes on from, and nothing that does not follow from it.

    `records` are those of all epochs up to the last, `changes` what callbacks changed up to there;
    `is_answered` unless the callback after the last epoch was not heard. `seconds` is how long training took.
    """

    last: Snapshot
    best: Snapshot
    records: tuple[EpochRecord, ...] = ()
    changes: tuple[HyperChange, ...] = ()
    is_answered: bool = True
    seconds: float = 0.0


def beginning(module: ModuleType, params: Any, hyper: Mapping[str, float], seed: int) -> Reached:
    """Before the first epoch, at some parameters; what is drawn is drawn by a seed."""
    first = Snapshot(0, np.copy(module.flatten(params)), first_state(module, params, hyper, seed))
    return Reached(first, first)


@dataclass(frozen=True)
class TrainingOutcome:
    """What a run of epochs left: the last good epoch, the best one, and why it ended.

    `defect` is set when it diverged, or a callback failed; `said` is what a callback said that stopped
    it, `finish` what became of the iterations after the epochs.
    """

    records: tuple[EpochRecord, ...]
    changes: tuple[HyperChange, ...]
    last: Snapshot
    best: Snapshot
    reason: StopReason
    defect: DivergenceError | CallbackError | None = None
    said: str = ""
    finish: str = ""


@dataclass(frozen=True)
class Standing:
    """Where a run stands after a whole epoch; it is replaced as one."""

    last: Snapshot
    best: Snapshot
    lowest: float
    watch: Watch
    changes: tuple[HyperChange, ...]
    is_answered: bool


def copied_state(state: Any) -> Any:
    """An optimiser's state that may be trained on."""
    return type(state)(*(np.copy(values) for values in state))


def averaged(module: ModuleType, params: Any, state: Any) -> Any:
    """What is measured and kept of a training: the parameters, or where the module has one, their average."""
    return module.averaged(params, state) if hasattr(module, "averaged") else params
