"""Parameters whose optimiser has numbers of their own: `per_parameter` of the train block."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from symgrad.errors import SpecError, did_you_mean
from symgrad.spec import library
from symgrad.spec.expansion.chosen_parameters import chosen
from symgrad.spec.language.syntax import Call
from symgrad.spec.language.trees import names_in
from symgrad.spec.model import HyperParameter, ParameterGroup
from symgrad.spec.numbers import number
from symgrad.spec.ranges import check_ranges

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence

    from symgrad.errors import Position
    from symgrad.spec.language.syntax import Node
    from symgrad.spec.model import Model, OptimizerSpec, TrainSpec

OWN_RANGES = {"learning_rate": "(0, inf)"}
"""Of a user's own optimiser."""


def ranges_of(train: TrainSpec, optimizer: OptimizerSpec) -> dict[str, str]:
    """The intervals of its hyper-parameters."""
    is_own = not isinstance(train.optimizer, Call)
    ranges = OWN_RANGES if is_own else dict(library.optimizers[optimizer.name].ranges)
    return ranges | ({optimizer.average.decay: "(0, 1)"} if optimizer.average else {})


def parameter_groups(
    train: TrainSpec, optimizer: OptimizerSpec, names: Sequence[str], frozen: Collection[str]
) -> tuple[ParameterGroup, ...]:
    """Parameters of the same settings, in the order of their first; of two patterns the later one counts.

    Raises:
        SpecError: a pattern without a trained parameter, an unknown hyper-parameter, a number out of its
            range, or one that states start from.
    """
    found: dict[str, dict[str, HyperParameter]] = {}
    for pattern, settings in train.per_parameter:
        hyper = {name: _setting(pattern, name, node, train, optimizer) for name, node in settings}
        at = settings[0][1].at
        for parameter in _trained(pattern, names, frozen, at):
            found[parameter] = found.get(parameter, {}) | hyper
    groups: dict[tuple[HyperParameter, ...], list[str]] = {}
    for parameter in (name for name in names if name in found):
        groups.setdefault(tuple(found[parameter].values()), []).append(parameter)
    return tuple(ParameterGroup(tuple(members), hyper) for hyper, members in groups.items())


def _trained(pattern: str, names: Sequence[str], frozen: Collection[str], at: Position) -> list[str]:
    trained = [name for name in chosen(pattern, names, at) if name not in frozen]
    if not trained:
        problem = f"all that '{pattern}' names is frozen, so no step reads its settings"
        raise SpecError(problem, at=at, remedy="leave them out, or do not freeze it")
    return trained


def _setting(
    pattern: str, name: str, node: Node, train: TrainSpec, optimizer: OptimizerSpec
) -> HyperParameter:
    known, ranges = dict(optimizer.hyper), ranges_of(train, optimizer)
    if optimizer.average:
        del known[optimizer.average.decay]
    if name not in known:
        remedy = did_you_mean(name, known) or f"expected {' or '.join(known) or 'none'}"
        raise SpecError(f"{optimizer.name} has no hyper-parameter '{name}'", at=node.at, remedy=remedy)
    if any(name in names_in(start) for _, start in optimizer.state):
        problem = f"states start from {name}, and all entries of a state start alike"
        raise SpecError(problem, at=node.at, remedy="set it in the optimiser")
    allowed = ranges.get(name, "")
    call = Call(f"per_parameter of {pattern}", (), (), node.at)
    check_ranges(call, ((name, allowed),) if allowed else (), {**known, name: node})
    return HyperParameter(f"{pattern}.{name}", f"per_parameter.{pattern}.{name}", node, allowed)


def of_groups(groups: Sequence[ParameterGroup]) -> tuple[HyperParameter, ...]:
    """Their hyper-parameters. One that is 0 is none: what it switches off is no part of a step."""
    found = {hyper.name: hyper for group in groups for hyper in group.hyper if number(hyper.value, {})}
    return tuple(found.values())


def of_group(model: Model, group: ParameterGroup) -> Model:
    """The model as if its optimiser were that of one group for all parameters."""
    numbers = dict(model.optimizer.hyper) | {hyper.of: hyper.value for hyper in group.hyper}
    return replace(model, optimizer=replace(model.optimizer, hyper=tuple(numbers.items())))
