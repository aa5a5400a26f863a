"""The learning rate at every epoch as the spec's type holds it: never below 0, a number, and of use."""

from __future__ import annotations

import math
from bisect import bisect
from functools import partial
from typing import TYPE_CHECKING

from symgrad.errors import SpecError, SpecWarning
from symgrad.spec.intervals import interval
from symgrad.spec.language.number_types import LARGEST, SMALLEST_NORMAL, held
from symgrad.spec.language.trees import names_in
from symgrad.spec.library.hyper import LONG, SHORT, USUAL_STEPS
from symgrad.spec.numbers import number

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from symgrad.spec.model import Model

EPOCHS_TRIED = 1000
STEPS_TRIED = (1, 10, 100)
"""How many steps an epoch may have: a spec does not say how many rows its data will have."""


class _Rates:
    """The learning rate of a model at every epoch, computed once for each."""

    def __init__(self, model: Model) -> None:
        self.schedule, epochs = model.schedule, model.spec.train.epochs
        own = number(dict(model.optimizer.hyper)["learning_rate"], {})
        self.own = math.nan if own is None else own
        """That of the optimiser itself."""
        self.names = {"learning_rate": self.own, "epochs": float(epochs)}
        self.tried = sorted({*range(0, epochs, math.ceil(epochs / EPOCHS_TRIED)), epochs - 1})
        """The epochs of a run, at least one; of many, some of them and the last."""
        self.steps = STEPS_TRIED if "step" in names_in(model.schedule) else (1,)
        self._known: dict[int, tuple[float, ...]] = {}

    def at(self, epoch: int) -> tuple[float, ...]:
        """The rate at the first step of an epoch, for each number of steps tried."""
        if epoch not in self._known:
            names = {**self.names, "epoch": float(epoch)}
            found = (number(self.schedule, {**names, "step": float(epoch * each)}) for each in self.steps)
            self._known[epoch] = tuple(math.nan if rate is None else rate for rate in found)
        return self._known[epoch]

    def largest(self, epoch: int) -> float:
        """The largest of these."""
        return max(self.at(epoch))

    def first_epoch(self, is_so: Callable[[float], bool]) -> int | None:
        """The first epoch known whose largest rate is so; the one before it has another."""

        def holds(epoch: int) -> bool:
            return is_so(self.largest(epoch))

        before = -1
        for epoch in self.tried:
            if holds(epoch):
                return bisect(range(before + 1, epoch), False, key=holds) + before + 1
            before = epoch
        return None


def check_rates(model: Model) -> None:
    """Refuse a schedule that goes below 0, is no finite number, or is 0 throughout.

    Raises:
        SpecError: naming the epoch.
    """
    schedule, dtype = model.spec.train.schedule, model.spec.dtype
    if schedule is None:
        return
    rates = _Rates(model)
    all_rates = [(epoch, rate) for epoch in rates.tried for rate in rates.at(epoch)]
    for epoch, rate in all_rates:
        if not 0 <= rate <= LARGEST[dtype]:
            what = "has no value" if math.isnan(rate) else f"is {rate:g}"
            problem = f"the learning rate {what} in epoch {epoch}, counted from 0"
            remedy = f"a rate is positive, and a number that {dtype} holds, in every epoch"
            raise SpecError(problem, at=schedule.at, remedy=remedy)
    most = max((rate for _, rate in all_rates))
    if not held(most, dtype):
        problem = f"at most {most:g}, which {dtype} cannot tell from 0" if most else "always 0"
        remedy = "write a larger one: nothing would be learnt" if most else "nothing would be learnt"
        raise SpecError(f"the learning rate is {problem}", at=schedule.at, remedy=remedy)


def doubtful_rates(model: Model) -> Iterator[SpecWarning]:
    """A schedule that is 0 for a time, or one number all the time, or so far off that nobody wants it."""
    schedule = model.spec.train.schedule
    if schedule is None:
        return
    warning = partial(SpecWarning, at=schedule.at)
    if not names_in(model.schedule):
        yield warning("the schedule is one number", remedy="give the optimiser this learning_rate instead")
    rates = _Rates(model)
    yield from _of_no_use(rates, model, warning)
    yield from _of_unusual_size(rates, warning)


def _of_no_use(rates: _Rates, model: Model, warning: Callable[..., SpecWarning]) -> Iterator[SpecWarning]:
    """Epochs in which the spec's type holds no rate, or one of few digits."""
    dtype = model.spec.dtype
    idle = rates.first_epoch(lambda rate: not held(rate, dtype))
    blurred = rates.first_epoch(lambda rate: rate < SMALLEST_NORMAL[dtype])
    if idle is not None:
        exact = rates.largest(idle)
        rounded = f", since {dtype} cannot tell {exact:.3g} from it" if exact else ""
        problem = f"the learning rate is 0 in epoch {idle}, counted from 0{rounded}: nothing is learnt there"
        begins = idle == 0 and model.spec.train.epochs > 1 and all(rates.at(1))
        remedy = (
            "count from 1, as in (1 + epoch)" if begins else "let it fall more slowly, or say a longer total"
        )
        yield warning(problem, remedy=remedy)
    elif blurred is not None:
        problem = f"the learning rate is {rates.largest(blurred):.3g} in epoch {blurred}, counted from 0"
        yield warning(f"{problem}: {dtype} holds it with few digits", remedy="let it fall more slowly")


def _of_unusual_size(rates: _Rates, warning: Callable[..., SpecWarning]) -> Iterator[SpecWarning]:
    """What a schedule makes of a usual learning rate: too much in some epoch, or too little in all."""
    usual = interval(USUAL_STEPS)
    if not usual.holds(rates.own):
        return
    largest = max(rates.largest(epoch) for epoch in rates.tried)
    far = rates.first_epoch(lambda rate: rate > usual.most)
    if far is not None:
        problem = f"the learning rate is {rates.largest(far):.3g} in epoch {far}, counted from 0: {LONG}"
        yield warning(problem, remedy=f"expected a number {usual}")
    elif largest < usual.least:
        problem = f"the learning rate is at most {largest:.3g}: {SHORT}"
        yield warning(problem, remedy=f"expected a number {usual}")
