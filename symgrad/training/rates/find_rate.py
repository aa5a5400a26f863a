"""The range test of a spec's module on its data."""

from __future__ import annotations

from typing import TYPE_CHECKING

from symgrad.arguments import positive, whole
from symgrad.errors import ModuleError, SymgradError
from symgrad.training.epochs.chosen_hyper import chosen_hyper
from symgrad.training.epochs.epoch_steps import EpochSteps
from symgrad.training.epochs.running_hyper import running_hyper
from symgrad.training.preparing import BatchSize, check_module, check_parts, planned, prepared_parts
from symgrad.training.rates.range_test import tested

if TYPE_CHECKING:
    from collections.abc import Mapping
    from types import ModuleType

    from symgrad.spec.model import Spec
    from symgrad.training.dataset.data import Data
    from symgrad.training.rates.rate_test import RateTest


def find_rate(
    spec: Spec,
    module: ModuleType,
    *,
    data: Data | None = None,
    batch_size: BatchSize | None = None,
    seed: int | None = None,
    hyper: Mapping[str, float] | None = None,
    least: float = 1e-7,
    most: float = 10.0,
    steps: int = 200,
) -> RateTest:
    """Try learning rates from `least` to `most` in so many steps on the rows that training would take.

    Raises:
        SymgradError: these are no rates.
        SpecError: the optimiser has no learning rate, or the schedule does not make every rate.
        DataError: the data do not fit.
        ModuleError: the module is not this spec's.
    """
    check_module(module, spec)
    if not hasattr(module, "train_step"):
        raise ModuleError(
            "the module lacks train_step", at=spec.name, remedy="generate it anew from the spec"
        )
    number, ends = whole("steps", steps, 10), (positive("least", least), positive("most", most))
    if not ends[0] < ends[1]:
        raise SymgradError(f"rates from {least:g} to {most:g}", remedy="expected the smaller one first")
    chosen = chosen_hyper(spec, hyper or {})
    plan = planned(spec.train, None, batch_size, seed)
    parts = prepared_parts(spec, data, None, plan.seed)
    check_parts(module, parts)
    running = running_hyper(spec, module, chosen, plan.epochs)
    made = EpochSteps(module, plan, parts.training, running)
    return tested(made, module.init_params(seed=plan.seed), *ends, number)
