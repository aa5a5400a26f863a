"""Numbers of training that may change at run time: of optimiser and schedule, and the bounds of gradients."""

from __future__ import annotations

from dataclasses import replace
from fractions import Fraction
from typing import TYPE_CHECKING

from symgrad.errors import Position, SpecError, did_you_mean
from symgrad.spec import library
from symgrad.spec.expansion.parameter_groups import ranges_of
from symgrad.spec.language.syntax import Call, Name, Node, Number
from symgrad.spec.language.trees import is_number, substitute
from symgrad.spec.model import HyperParameter, Model, OptimizerSpec, TrainSpec
from symgrad.spec.numbers import number
from symgrad.spec.ranges import check_ranges
from symgrad.spec.taken_names import unused

if TYPE_CHECKING:
    from collections.abc import Mapping

_BOUNDS = ("clip_norm", "clip_value")
_RESERVED = ("learning_rate", "epoch", "epochs", "step", "theta", "g", "t", *_BOUNDS)


def of_optimizer(train: TrainSpec, optimizer: OptimizerSpec) -> tuple[HyperParameter, ...]:
    """Those of the optimiser. One that is 0 is none: what it switches off is no part of a step."""
    ranges = ranges_of(train, optimizer)
    return tuple(
        HyperParameter(name, f"optimizer.{name}", value, ranges.get(name, ""))
        for name, value in optimizer.hyper
        if number(value, {})
    )


def of_clipping(train: TrainSpec, optimizer: OptimizerSpec, at: Position) -> tuple[HyperParameter, ...]:
    """The bounds of gradients."""
    bounds = {"clip_norm": train.clip_norm, "clip_value": train.clip_value}
    return tuple(
        HyperParameter(unused(key, dict(optimizer.hyper)), key, Number(Fraction(repr(bound)), at), "(0, inf)")
        for key, bound in bounds.items()
        if bound is not None
    )


class ScheduleNumbers:
    """Gives the constants of the library's schedules names that nothing else has; `hyper` collects them."""

    def __init__(self, optimizer: OptimizerSpec) -> None:
        parts = (*optimizer.hyper, *optimizer.state, *optimizer.update)
        self.taken = {*_RESERVED, *(name for name, _ in parts)}
        self.hyper: list[HyperParameter] = []

    def named(self, entry: library.Schedule, values: Mapping[str, Node]) -> dict[str, Node]:
        """The arguments of a call, with a name for every number."""
        ranges = dict(entry.ranges)
        return {name: self._name(name, value, ranges.get(name, "")) for name, value in values.items()}

    def _name(self, argument: str, value: Node, allowed: str) -> Node:
        if not is_number(value):
            return value
        name = unused(argument, self.taken)
        self.taken.add(name)
        self.hyper.append(HyperParameter(name, f"schedule.{name}", value, allowed))
        return Name(name, value.at)


def with_hyper(model: Model, values: Mapping[str, float]) -> Model:
    """The model with other hyper-parameters, finite numbers by their names.

    Raises:
        SpecError: one is outside of its range.
    """
    hyper = tuple(
        replace(h, value=Number(Fraction(repr(float(values[h.name]))), h.value.at)) if h.name in values else h
        for h in model.hyper
    )
    numbers = {h.name: h.value for h in hyper}
    ranges = tuple((h.name, h.allowed) for h in hyper if h.allowed)
    check_ranges(Call("hyper", (), (), model.spec.at), ranges, numbers)
    bounds = {h.key: values[h.name] for h in hyper if h.name in values}
    train = model.spec.train
    train = replace(
        train,
        clip_norm=bounds.get("clip_norm", train.clip_norm),
        clip_value=bounds.get("clip_value", train.clip_value),
    )
    of_optimizer = tuple((name, numbers.get(name, value)) for name, value in model.optimizer.hyper)
    optimizer, asked = replace(model.optimizer, hyper=of_optimizer), train.optimizer
    if isinstance(asked, Call):
        own = dict(library.optimizers[optimizer.name].signature.defaults)
        asked = replace(asked, arguments=(), keywords=tuple((n, v) for n, v in of_optimizer if n in own))
    else:
        asked = optimizer
    of_schedule = {h.name: h.value for h in hyper if h.key.startswith("schedule.")}
    now = {h.name: h for h in hyper}
    groups = tuple(replace(g, hyper=tuple(now.get(h.name, h) for h in g.hyper)) for g in model.groups)
    return replace(
        model,
        spec=replace(model.spec, train=replace(train, optimizer=asked)),
        optimizer=optimizer,
        schedule=substitute(model.named_schedule, of_schedule),
        hyper=hyper,
        groups=groups,
    )


def hyper_name(model: Model, key: str) -> str:
    """The name of a hyper-parameter that is called by its name or key.

    Raises:
        SpecError: there is none.
    """
    for hyper in model.hyper:
        if key in (hyper.name, hyper.key):
            return hyper.name
    keys = [hyper.key for hyper in model.hyper]
    remedy = did_you_mean(key, keys) or f"expected {' or '.join(keys)}"
    name = key.removeprefix("optimizer.")
    if name in dict(model.optimizer.hyper):
        remedy = f"the spec leaves {name} at 0, so no step computes its terms: write it in the spec"
    raise SpecError(f"there is no hyper-parameter '{key}' here", at=model.spec.at, remedy=remedy)
