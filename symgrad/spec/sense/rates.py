"""The learning rate at every epoch: never below 0, never no number, and of use."""

from __future__ import annotations

import math
from functools import partial
from typing import TYPE_CHECKING

from symgrad.errors import SpecError, SpecWarning
from symgrad.spec.language.number_types import LARGEST
from symgrad.spec.language.trees import names_in
from symgrad.spec.numbers import number

if TYPE_CHECKING:
    from collections.abc import Iterator

    from symgrad.spec.model import Model

EPOCHS_TRIED = 1000
STEPS_TRIED = (1, 10, 100)
"""How many steps an epoch may have: a spec does not say how many rows its data will have."""

Rates = dict[int, tuple[float, ...]]
"""For epochs, the rates at their first steps, for each number of steps tried."""


def check_rates(model: Model) -> None:
    """Refuse a schedule that goes below 0, is no finite number, or is 0 throughout.

    Raises:
        SpecError: naming the epoch.
    """
    schedule = model.spec.train.schedule
    if schedule is None:
        return
    rates = rates_of(model)
    for epoch, values in rates.items():
        for rate in values:
            if not 0 <= rate <= LARGEST[model.spec.dtype]:
                what = "has no value" if math.isnan(rate) else f"is {rate:g}"
                problem = f"the learning rate {what} in epoch {epoch}, counted from 0"
                remedy = f"a rate is positive, and a number that {model.spec.dtype} holds, in every epoch"
                raise SpecError(problem, at=schedule.at, remedy=remedy)
    if not any(rate > 0 for values in rates.values() for rate in values):
        raise SpecError("the learning rate is always 0", at=schedule.at, remedy="nothing would be learnt")


def idle_rates(model: Model) -> Iterator[SpecWarning]:
    """A schedule that is 0 for a time, or one number all the time."""
    schedule = model.spec.train.schedule
    if schedule is None:
        return
    warning = partial(SpecWarning, at=schedule.at)
    if not names_in(model.schedule):
        yield warning("the schedule is one number", remedy="give the optimiser this learning_rate instead")
    idle = [epoch for epoch, values in rates_of(model).items() if not any(values)]
    if idle:
        problem = f"the learning rate is 0 in epoch {idle[0]}, counted from 0: nothing is learnt there"
        remedy = (
            "count from 1, as in (1 + epoch)"
            if idle == [0]
            else "let it fall more slowly, or say a longer total"
        )
        yield warning(problem, remedy=remedy)


def rates_of(model: Model) -> Rates:
    """The learning rate over the epochs of a run; of many epochs, some of them and the last."""
    epochs = model.spec.train.epochs
    apart = math.ceil(epochs / EPOCHS_TRIED)
    rate = number(dict(model.optimizer.hyper)["learning_rate"], {})
    names = {"learning_rate": math.nan if rate is None else rate, "epochs": float(epochs)}
    return {
        epoch: tuple(
            _known(number(model.schedule, {**names, "epoch": float(epoch), "step": float(epoch * steps)}))
            for steps in (STEPS_TRIED if "step" in names_in(model.schedule) else (1,))
        )
        for epoch in sorted({*range(0, epochs, apart), epochs - 1})
    }


def _known(value: float | None) -> float:
    return math.nan if value is None else value
