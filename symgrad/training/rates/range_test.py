"""The learning-rate range test (Smith 2017, "Cyclical learning rates for training neural networks", §3.3).

A few steps are made from first values, each with a larger rate than the one before; the loss falls where
rates are large enough to learn and small enough not to leap.
"""

from __future__ import annotations

import math
from itertools import count
from typing import TYPE_CHECKING, Any

import numpy as np

from symgrad.errors import DataError, SpecError
from symgrad.training.epochs.chosen_hyper import first_state
from symgrad.training.rates.rate_test import RateTest, has_diverged

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from symgrad.training.dataset.data import Dataset
    from symgrad.training.epochs.epoch_steps import EpochSteps

RATES_STREAM = 4
MEASURED_ROWS = 1_000
"""The loss is that of so many rows, always the same ones, so that it does not change with the batch."""
NAME = "learning_rate"


def tested(steps: EpochSteps, first: Any, least: float, most: float, number: int) -> RateTest:
    """Try so many rates from the least to the most, equally far apart as powers are; `first` is not changed.

    It ends where the loss has diverged.

    Raises:
        SpecError: there is no learning rate to choose.
        DataError: the loss is no number before the first step.
    """
    module, given = steps.module, steps.hyper.given
    if NAME not in module.HYPER:
        remedy = "its step size has another name, or none: name it learning_rate in the spec's own optimiser"
        raise SpecError("the optimiser has no learning_rate to choose", at=module.SPEC_NAME, remedy=remedy)
    params = module.unflatten(np.copy(module.flatten(first)))
    state = first_state(module, params, given)
    sample = measured_rows(steps.training, steps.plan.seed)
    losses = [_learnt_from(module, params, sample.arrays)]
    if not math.isfinite(losses[0]):
        raise DataError(f"the loss is {losses[0]} before the first step", at=module.SPEC_NAME)
    planned = {"epochs": steps.plan.epochs} if module.EPOCHS else {}
    rates = [float(rate) for rate in np.geomspace(least, most, number)]
    for step, (rate, batch) in enumerate(zip(rates, _batches(steps), strict=False), 1):
        hyper = {**given, NAME: _behind_schedule(steps, rate, step)}
        module.train_step(params, state, *batch.arrays, epoch=0, hyper=hyper, **planned)
        losses.append(_learnt_from(module, params, sample.arrays))
        if has_diverged(losses):
            break
    return RateTest(module.SPEC_NAME, tuple(rates[: len(losses) - 1]), tuple(losses[1:]), losses[0])


def _learnt_from(module: Any, params: Any, arrays: Sequence[Any]) -> float:
    """The loss that steps make smaller, which is not that of inference where the two differ."""
    differ = hasattr(module, "_evaluation")
    return float(module.loss_and_grad(params, *arrays)[0] if differ else module.loss(params, *arrays))


def _behind_schedule(steps: EpochSteps, rate: float, step: int) -> float:
    """The number that the schedule makes this rate of, in a step of the first epoch.

    Raises:
        SpecError: the schedule does not make every rate.
    """
    given: Mapping[str, float] = steps.hyper.given
    found = [steps.hyper.learning_rate({**given, NAME: value}, 1, step) for value in (1.0, 2.0, 3.0)]
    one, two, three = (math.nan if value is None else value for value in found)
    slope = two - one
    number = rate if slope == 1 and one == 1 else (rate - one) / slope + 1 if slope else math.nan
    if not (number > 0 and math.isclose(three - two, slope, rel_tol=1e-6)):
        remedy = "leave the schedule out for the test, and put it back with the rate found"
        problem = f"the schedule has no learning_rate with which step {step} is made with {rate:.2g}"
        raise SpecError(problem, at=steps.module.SPEC_NAME, remedy=remedy)
    return number


def _batches(steps: EpochSteps) -> Iterator[Dataset]:
    """Batches of shuffled rows without end."""
    rows, size = steps.training.rows, steps.batch_size
    for epoch in count():
        generator = np.random.default_rng([steps.plan.seed, RATES_STREAM, epoch])
        order = generator.permutation(rows) if size < rows else np.arange(rows)
        for start in range(0, rows - size + 1, size):  # whole batches alone
            yield steps.training.take(order[start : start + size])


def measured_rows(training: Dataset, seed: int) -> Dataset:
    """The rows that the loss is measured on."""
    if training.rows <= MEASURED_ROWS:
        return training
    generator = np.random.default_rng([seed, RATES_STREAM])
    return training.take(np.sort(generator.choice(training.rows, MEASURED_ROWS, replace=False)))
