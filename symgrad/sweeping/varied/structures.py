"""What of a trial is a module of its own, and what such a module is told when it trains.

Modules take seeds, epochs, sizes of batches and their hyper-parameters at run time. So trials that differ in
these alone are of one structure: one spec, derived and compiled once.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from functools import lru_cache
from typing import TYPE_CHECKING, Any, Literal

from symgrad.errors import SpecError
from symgrad.spec.expand import expand
from symgrad.spec.numbers import number
from symgrad.sweeping.varied.dotted_entries import full_path, hyper_key, with_entries
from symgrad.training.epochs.chosen_hyper import chosen_hyper

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from symgrad.spec.model import Model, Spec
    from symgrad.sweeping.varied.dotted_entries import Scalar
    from symgrad.sweeping.varied.sweep_axes import SweepAxis, Values

_TOLD = {"train.seed": "seed", "train.epochs": "epochs", "train.batch_size": "batch_size"}
"""Settings that training takes in place of its spec's."""
_MOST_SPECS = 256
"""So many specs are remembered."""


@dataclass(frozen=True)
class TrialSpec:
    """What is trained: the spec of a module, and the numbers that take the place of the spec's own."""

    spec: Spec
    hyper: Mapping[str, float] = field(default_factory=dict)
    seed: int | None = None
    epochs: int | None = None
    batch_size: int | Literal["full"] | None = None


class Structures:
    """The specs that a sweep trains, each of which serves as many trials as it can."""

    def __init__(self, spec: Spec, axes: Sequence[SweepAxis]) -> None:
        self.spec = spec
        self._stand_in = {axis.path: _some_number(axis) for axis in axes}
        self._known = lru_cache(maxsize=_MOST_SPECS)(self._made)

    def of(self, values: Values) -> TrialSpec:
        """What a trial trains.

        Raises:
            SpecError: no spec has these values together.
        """
        told: dict[str, Any] = {
            _TOLD[full]: v for path, v in values.items() if (full := full_path(path)) in _TOLD
        }
        rest = {path: value for path, value in values.items() if full_path(path) not in _TOLD}
        hyper = _numbers_told(self._model(rest), rest)
        try:
            return self._with_told(rest, hyper, told)
        except SpecError:  # of the numbers that stand in for others
            return TrialSpec(self._spec(rest), **told)

    def _with_told(
        self, values: Mapping[str, Scalar], hyper: Mapping[str, float], told: Mapping[str, Any]
    ) -> TrialSpec:
        """The spec with its own numbers, or with some that stand in for those that it leaves at 0."""
        fixed = {path: value for path, value in values.items() if path not in hyper}
        known = {h.key for h in self._model(fixed).hyper}
        absent = {path: self._stand_in[path] for path in hyper if hyper_key(path) not in known}
        numbers = {hyper_key(path): value for path, value in hyper.items()}
        chosen_hyper(self._model({**fixed, **absent}).spec, numbers)
        return TrialSpec(self._spec({**fixed, **absent}), numbers, **told)

    def _spec(self, values: Mapping[str, Scalar]) -> Spec:
        """As it is written: who trains it expands it."""
        return with_entries(self.spec, dict(values))

    def _model(self, values: Mapping[str, Scalar]) -> Model:
        return self._known(json.dumps(sorted(values.items())))

    def _made(self, values: str) -> Model:
        return expand(self._spec(dict(json.loads(values))))


def _some_number(axis: SweepAxis) -> Scalar:
    """One of the values that is not 0."""
    return next((value for value in reversed(axis.ends) if value), 0)


def _numbers_told(model: Model, values: Mapping[str, Scalar]) -> dict[str, float]:
    """Those of the values that the model's module takes at run time; what is 0 there is none."""
    known = {h.key: number(h.value, {}) for h in model.hyper}
    return {
        path: float(value)
        for path, value in values.items()
        if isinstance(value, int | float)
        and not isinstance(value, bool)
        and known.get(hyper_key(path)) == float(value)
    }
