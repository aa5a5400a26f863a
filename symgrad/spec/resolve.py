"""Look up optimisers, schedules and initialisers in the library."""

from __future__ import annotations

from fractions import Fraction
from typing import TYPE_CHECKING, Literal, TypeVar, cast

from symgrad.errors import SpecError, did_you_mean
from symgrad.spec import library
from symgrad.spec.calls import bind, is_number, substitute
from symgrad.spec.entrywise import check_entrywise, is_entrywise
from symgrad.spec.model import InitSpec, OptimizerSpec, TrainSpec
from symgrad.spec.syntax import Call, Name, Node, Number

if TYPE_CHECKING:
    from collections.abc import Mapping

    from symgrad.errors import Position

E_ = TypeVar("E_", bound=library.Entry)

ZERO = Fraction(0)
TIME = ("learning_rate", "epoch", "step")
"""What a schedule may be written in."""

DISTRIBUTIONS = Literal["constant", "normal", "uniform"]


def look_up(kind: str, call: Call, entries: Mapping[str, E_]) -> E_:
    """The library entry a call names.

    Raises:
        SpecError: there is none of that name.
    """
    if call.function not in entries:
        remedy = did_you_mean(call.function, entries) or f"there are {', '.join(entries)}"
        raise SpecError(f"unknown {kind} '{call.function}'", at=call.at, remedy=remedy)
    return entries[call.function]


def as_call(node: Node, kind: str) -> Call:
    """A bare name counts as a call without arguments."""
    if isinstance(node, Name):
        return Call(node.id, (), (), node.at)
    if isinstance(node, Call):
        return node
    raise SpecError(f"expected an {kind}", at=node.at, remedy="write its name, or a call of it")


def resolve_init(node: Node) -> InitSpec:
    """The distribution and scale an initialiser stands for; a number is a constant."""
    if isinstance(node, Number):
        return InitSpec("constant", node)
    call = as_call(node, "initialiser")
    entry = look_up("initialiser", call, library.initializers)
    values = bind(call, entry.signature)
    _demand_numbers(values, call)
    return InitSpec(cast("DISTRIBUTIONS", entry.distribution), substitute(entry.body, values))


def resolve_optimizer(train: TrainSpec) -> OptimizerSpec:
    """The update equations the train block asks for."""
    if isinstance(train.optimizer, OptimizerSpec):
        return train.optimizer
    call = train.optimizer
    entry = look_up("optimizer", call, library.optimizers)
    values = bind(call, entry.signature)
    _demand_numbers(values, call)
    return OptimizerSpec(call.function, tuple(values.items()), entry.states, entry.updates, call.at)


def resolve_schedule(train: TrainSpec, optimizer: OptimizerSpec, at: Position) -> Node:
    """The learning rate as a formula over `learning_rate`, `epoch` and `step`."""
    if train.schedule is None:
        return Name("learning_rate", at)
    if "learning_rate" not in dict(optimizer.hyper):
        raise SpecError(
            "a schedule needs an optimizer with a learning_rate",
            at=train.schedule.at,
            remedy="name the step size learning_rate, or drop the schedule",
        )
    call = train.schedule
    if not isinstance(call, Call) or call.function not in library.schedules:
        if isinstance(call, Call) and not is_entrywise(call.function):
            look_up("schedule", call, library.schedules)
        check_entrywise(call, TIME, "a schedule")
        return call
    entry = library.schedules[call.function]
    values = bind(call, entry.signature)
    _demand_numbers(values, call)
    return substitute(entry.body, values)


def _demand_numbers(values: Mapping[str, Node], call: Call) -> None:
    for name, value in values.items():
        if not is_number(value):
            raise SpecError(
                f"{call.function}: '{name}' must be a number",
                at=value.at,
                remedy=f"write {name}=0.1, for example",
            )
