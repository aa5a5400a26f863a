"""Functions of the caller that are told of epochs and steps, and may end training or change its numbers."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np

from symgrad.arguments import whole
from symgrad.errors import CallbackError, StopTraining, SymgradError
from symgrad.training.epochs.chosen_hyper import chosen_hyper, first_state
from symgrad.training.records.history import EpochRecord

if TYPE_CHECKING:
    from types import ModuleType

    from symgrad.spec.model import Spec


@dataclass(frozen=True)
class StepRecord:
    """Where training stands after a step, counted from 1 over all epochs.

    `loss` is the mean per row over the steps of this epoch since the record before it. `learning_rate` is
    that of this step, as a schedule has it; `hyper` are the module's numbers by name. `averaged` is the
    moving average of the parameters, where the spec asks for an `average`; else None.
    """

    epoch: int
    step: int
    loss: float
    learning_rate: float | None
    hyper: Mapping[str, float]
    averaged: Any = field(default=None, compare=False, repr=False)


AfterEpoch: TypeAlias = Callable[[EpochRecord, Any], object]
"""Takes the record of an epoch and a copy of the parameters after it, from which training goes on: see
`Callbacks`. The moving average of a spec with `average` is the record's `averaged`."""
AfterSteps: TypeAlias = tuple[int, Callable[[StepRecord, Any], object]]
"""Of how many steps each a function is told that takes a StepRecord and a copy of the parameters."""


@dataclass(frozen=True)
class Answer:
    """What a callback wants: that training ends, for the reason `said`, or other numbers from here on."""

    stops: bool = False
    said: str = ""
    hyper: Mapping[str, float] = field(default_factory=dict)


@dataclass(frozen=True)
class Callbacks:
    """Whom training tells of epochs and of every so many steps.

    The answer None or False lets it go on, True ends it, as a StopTraining that is raised does. A mapping of
    hyper-parameters to numbers holds from the next step on.
    """

    spec: Spec
    module: ModuleType
    after_epoch: AfterEpoch | None = None
    after_steps: AfterSteps | None = None

    @property
    def every(self) -> int | None:
        """After how many steps one is called."""
        return self.after_steps[0] if self.after_steps else None

    def epoch_ended(self, record: EpochRecord, params: Any) -> Answer:
        """What the callback of epochs wants. Raises CallbackError."""
        if self.after_epoch is None:
            return Answer()
        return self._asked("after_epoch", self.after_epoch, record, params)

    def step_ended(self, record: StepRecord, params: Any) -> Answer:
        """What the callback of steps wants. Raises CallbackError."""
        if self.after_steps is None:
            return Answer()
        return self._asked("after_steps", self.after_steps[1], record, params)

    def _asked(
        self, name: str, callback: Callable[..., object], record: EpochRecord | StepRecord, params: Any
    ) -> Answer:
        at = f"{self.spec.name}, {name} ({_where(callback)}) of epoch {record.epoch}, step {record.step}"
        try:
            said = callback(record, params)
            return Answer(hyper=self._numbers(record, said)) if isinstance(said, Mapping) else _answer(said)
        except StopTraining as asked:
            return Answer(stops=True, said=str(asked))
        except SymgradError as error:
            raise CallbackError(error.problem, at=at, remedy=error.remedy) from error
        except Exception as error:
            remedy = "mend the callback; what was trained before is kept"
            raise CallbackError(f"{type(error).__name__}: {error}", at=at, remedy=remedy) from error

    def _numbers(self, record: EpochRecord | StepRecord, said: Mapping[str, Any]) -> dict[str, float]:
        """The numbers that differ from those in force. Raises SpecError."""
        named = chosen_hyper(self.spec, said)
        changed = {name: value for name, value in named.items() if record.hyper[name] != value}
        if changed:
            together = {**record.hyper, **changed}
            chosen_hyper(self.spec, together)
            first_state(self.module, self.module.init_params(), together)
        return changed


def checked_steps(given: Any) -> AfterSteps | None:
    """What was given as after_steps. Raises SymgradError unless it is a number of steps and a function."""
    if given is None:
        return None
    remedy = "expected a number of steps and what is called after each so many: (100, told)"
    if not isinstance(given, tuple | list) or len(given) != 2 or not callable(given[1]):
        raise SymgradError(f"after_steps is {given!r}", remedy=remedy)
    return whole("after_steps", given[0], 1), given[1]


def _answer(said: object) -> Answer:
    """Raises SymgradError for what is no answer, such as a number that was returned by mistake."""
    if said is None or isinstance(said, bool | np.bool_):
        return Answer(stops=bool(said))
    remedy = 'expected None, True to stop, or hyper-parameters: {"learning_rate": 0.001}'
    raise SymgradError(f"it returned {said!r:.60}", remedy=remedy)


def _where(callback: Callable[..., object]) -> str:
    """The callback's name and the line where it begins."""
    name = getattr(callback, "__qualname__", type(callback).__qualname__)
    code = getattr(callback, "__code__", None)
    return name if code is None else f"{name}, {code.co_filename}:{code.co_firstlineno}"
