"""The learning rate over time: a schedule of the library, a formula, or one made of both."""

from __future__ import annotations

from dataclasses import dataclass, replace
from fractions import Fraction
from typing import TYPE_CHECKING

from symgrad.errors import Position, SpecError
from symgrad.spec import library
from symgrad.spec.expansion.calls import bind
from symgrad.spec.expansion.entrywise import check_entrywise, is_entrywise, written_out
from symgrad.spec.expansion.hyper_parameters import ScheduleNumbers
from symgrad.spec.expansion.resolve import look_up
from symgrad.spec.language.formula_constants import check_constants
from symgrad.spec.language.syntax import Binary, Call, Name, Negate, Node, Number
from symgrad.spec.language.trees import placed, substitute, transform, walk
from symgrad.spec.ranges import check_ranges

if TYPE_CHECKING:
    from collections.abc import Mapping

    from symgrad.spec.model import HyperParameter, OptimizerSpec, TrainSpec

TIME = ("learning_rate", "epoch", "epochs", "step")
"""What a schedule may be written in: `epoch` and `step` count from 0, `epochs` is how many there will be."""

_TWICE = "pass one schedule to the other, as in linear_warmup(learning_rate=cosine()), or leave one out"


@dataclass(frozen=True)
class Rate:
    """The learning rate as a formula over TIME: with its numbers, and `named`, with those of `hyper`."""

    formula: Node
    named: Node
    hyper: tuple[HyperParameter, ...] = ()


def resolve_schedule(train: TrainSpec, optimizer: OptimizerSpec, at: Position) -> Rate:
    """The learning rate, with the library's schedules written out.

    Raises:
        SpecError: an optimiser without a learning rate, a wrong call, or a formula that is no rate.
    """
    if train.schedule is None:
        return Rate(Name("learning_rate", at), Name("learning_rate", at))
    schedule = written_out(train.schedule, TIME)
    if "learning_rate" not in dict(optimizer.hyper):
        raise SpecError(
            "a schedule needs an optimiser with a learning_rate",
            at=schedule.at,
            remedy="name the step size learning_rate, or drop the schedule",
        )
    _check_kind(schedule)
    rate = dict(optimizer.hyper)["learning_rate"]
    numbers = ScheduleNumbers(optimizer)
    named = transform(schedule, lambda node: _without_schedules(node, rate, numbers))
    formula = substitute(named, {hyper.name: hyper.value for hyper in numbers.hyper})
    check_entrywise(formula, TIME, "a schedule", library.schedules)
    check_constants(formula)
    _check_start(formula)
    _check_factors(schedule)
    return Rate(formula, named, tuple(numbers.hyper))


def _check_kind(schedule: Node) -> None:
    """Refuse a lone word that names no schedule."""
    if isinstance(schedule, Name) and schedule.id in TIME[1:]:
        problem = f"the learning rate would be the number '{schedule.id}' itself"
        remedy = "write step_decay(10), or a formula such as learning_rate / (1 + epoch)"
        raise SpecError(problem, at=schedule.at, remedy=remedy)
    if isinstance(schedule, Name) and schedule.id not in TIME:
        look_up("schedule", Call(schedule.id, (), (), schedule.at), library.schedules)
    if isinstance(schedule, Call) and not is_entrywise(schedule.function):
        look_up("schedule", schedule, library.schedules)


def _without_schedules(node: Node, rate: Node, numbers: ScheduleNumbers) -> Node:
    """The formula of a library schedule in place of its call; a bare name is a call without arguments."""
    if isinstance(node, Name) and node.id in library.schedules:
        node = Call(node.id, (), (), node.at)
    if not isinstance(node, Call) or node.function not in library.schedules:
        return node
    entry, at = library.schedules[node.function], node.at
    defaults = tuple((name, placed(value, at)) for name, value in entry.signature.defaults)
    values = bind(node, replace(entry.signature, defaults=defaults), extra=("learning_rate",))
    check_ranges(node, entry.ranges, {"learning_rate": rate, **values})
    _check_units(node, values)
    return substitute(placed(entry.body, at), numbers.named(entry, values))


def _check_units(call: Call, values: Mapping[str, Node]) -> None:
    """Refuse a schedule that counts in steps and whose length is in epochs, or the other way about."""
    if "k" not in values or "total" not in values:
        return
    counted, length = _unit(values["k"]), _unit(values["total"])
    if counted and length and counted != length:
        problem = f"{call.function} counts {counted}s, and its total is a number of {length}s"
        remedy = f"write its length in {counted}s, as in total=1000"
        raise SpecError(problem, at=call.at, remedy=remedy)


def _unit(node: Node) -> str:
    """Whether a time is in epochs or in steps; empty where that is open, as with a factor."""
    match node:
        case Name("epoch" | "epochs"):
            return "epoch"
        case Name("step"):
            return "step"
        case Binary("+" | "-", left, right):
            return _unit(left) or _unit(right)
        case Call("max" | "min" | "floor", arguments):
            return next(filter(None, map(_unit, arguments)), "")
    return ""


def _check_start(formula: Node) -> None:
    """Refuse a rate without a value at the first step, as of learning_rate / epoch; `where` may guard it."""

    def at_the_first_step(node: Node) -> Node:
        if isinstance(node, Name) and node.id in ("epoch", "step"):
            return Number(Fraction(0), node.at)
        return Name("learning_rate", node.at) if isinstance(node, Call) and node.function == "where" else node

    try:
        check_constants(transform(formula, at_the_first_step))
    except SpecError as error:
        problem = f"{error.problem} at the first step, where epoch and step are 0"
        remedy = "count from 1, as in learning_rate / (1 + epoch)"
        raise SpecError(problem, at=error.at, remedy=remedy) from None


def _check_factors(schedule: Node) -> None:
    """A library schedule is a multiple of the learning rate: refuse a product of two."""
    if _degree(schedule) > 1 and any(_is_schedule(node) for node in walk(schedule)):
        problem = "the learning rate is a factor of this schedule more than once"
        raise SpecError(problem, at=schedule.at, remedy=_TWICE)


def _is_schedule(node: Node) -> bool:
    name = node.id if isinstance(node, Name) else node.function if isinstance(node, Call) else None
    return name in library.schedules


def _degree(node: Node) -> float:
    """How often the learning rate is a factor of a formula."""
    match node:
        case Name(name):
            return float(name == "learning_rate" or name in library.schedules)
        case Negate(operand):
            return _degree(operand)
        case Binary("*", left, right):
            return _degree(left) + _degree(right)
        case Binary("/", left, right):
            return _degree(left) - _degree(right)
        case Binary("**", left, Number(power)):
            return _degree(left) * float(power)
        case Binary("+" | "-", left, right):
            return max(_degree(left), _degree(right))
        case Call("where", (_, chosen, other)):
            return max(_degree(chosen), _degree(other))
        case Call("max" | "min", arguments):
            return max(map(_degree, arguments), default=0.0)
        case Call(function, _, keywords) if function in library.schedules:
            return _degree(dict(keywords).get("learning_rate", Name("learning_rate", node.at)))
    return 0.0
