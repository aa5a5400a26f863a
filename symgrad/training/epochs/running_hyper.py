"""The hyper-parameters of every step: those a training began with, and what callbacks made of them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from symgrad.spec.expand import expand
from symgrad.spec.numbers import number

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from types import ModuleType

    from symgrad.spec.language.syntax import Node
    from symgrad.spec.model import Spec
    from symgrad.training.records.history import HyperChange


@dataclass(frozen=True)
class RunningHyper:
    """The numbers of a module: its `own`, and in place of these what a training was `given`.

    `schedule` is the learning rate as a formula over them and over time.
    """

    own: Mapping[str, float]
    given: Mapping[str, float]
    schedule: Node
    epochs: int

    def others(self, changes: Sequence[HyperChange], step: int) -> dict[str, float]:
        """The numbers after so many steps that are not the module's own."""
        found = dict(self.given)
        for change in changes:
            if change.step <= step:
                found |= change.hyper
        return found

    def learning_rate(self, others: Mapping[str, float], epoch: int, step: int) -> float | None:
        """That of a step, counted like its epoch from 1; None where the optimiser has none by this name."""
        time = {"epoch": epoch - 1, "step": step - 1, "epochs": self.epochs}
        return number(self.schedule, {**self.own, **others, **time})


def running_hyper(spec: Spec, module: ModuleType, given: Mapping[str, float], epochs: int) -> RunningHyper:
    """The numbers of the spec's module, some of which were given, over so many epochs."""
    return RunningHyper(module.HYPER, given, expand(spec).named_schedule, epochs)
