"""Look up optimisers and initialisers in the library."""

from __future__ import annotations

from fractions import Fraction
from typing import TYPE_CHECKING, TypeVar, cast

from symgrad.errors import Position, SpecError
from symgrad.spec import library
from symgrad.spec.expansion.calls import bind, usage
from symgrad.spec.language.syntax import Call, Name, Node, Number
from symgrad.spec.language.trees import is_number, names_in, placed, substitute
from symgrad.spec.model import InitSpec, OptimizerSpec, TrainSpec
from symgrad.spec.other_names import meant

if TYPE_CHECKING:
    from collections.abc import Mapping

    from symgrad.spec.model import Distribution

E_ = TypeVar("E_", bound=library.LibraryEntry)

ZERO = Fraction(0)


def look_up(kind: str, call: Call, entries: Mapping[str, E_]) -> E_:
    """The library entry a call names.

    Raises:
        SpecError: there is none of that name.
    """
    if call.function not in entries:
        remedy = meant(call.function, entries, f"there are {', '.join(entries)}")
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
    return InitSpec(cast("Distribution", entry.distribution), substitute(entry.body, values))


def resolve_optimizer(train: TrainSpec) -> OptimizerSpec:
    """The update equations the train block asks for.

    Raises:
        SpecError: an unknown optimiser, a wrong call of one, or a schedule of a rate that no step reads.
    """
    asked = train.optimizer
    optimizer = asked if isinstance(asked, OptimizerSpec) else _library_optimizer(asked)
    if train.schedule is not None and "learning_rate" in dict(optimizer.hyper):
        _demand_rate_is_read(optimizer, train.schedule.at)
    return optimizer


def _library_optimizer(call: Call) -> OptimizerSpec:
    entry = look_up("optimiser", call, library.optimizers)
    _refuse_another(call, entry)
    values = bind(call, entry.signature)
    _demand_numbers(values, call)
    return OptimizerSpec(
        name=call.function,
        hyper=tuple(values.items()),
        state=_placed(entry.states, call.at),
        update=_placed(entry.updates, call.at),
        at=call.at,
        look_ahead=placed(entry.look_ahead, call.at) if entry.look_ahead is not None else None,
        full_batch=entry.full_batch,
    )


def _refuse_another(call: Call, entry: library.Optimizer) -> None:
    """Refuse sgd(momentum=0.9) and its like: another optimiser as an argument of this one."""
    known = dict(entry.signature.defaults)
    for name, value in call.keywords:
        if name in library.optimizers and name not in known:
            problem = f"{call.function} has no argument '{name}': that is an optimiser of its own"
            remedy = f"write {usage(library.optimizers[name].signature)}"
            raise SpecError(problem, at=value.at, remedy=remedy)


def _placed(formulas: tuple[tuple[str, Node], ...], at: Position) -> tuple[tuple[str, Node], ...]:
    return tuple((name, placed(formula, at)) for name, formula in formulas)


def _demand_rate_is_read(optimizer: OptimizerSpec, at: Position) -> None:
    formulas = [formula for _, formula in optimizer.update]
    formulas += [optimizer.look_ahead] if optimizer.look_ahead is not None else []
    if not any("learning_rate" in names_in(formula) for formula in formulas):
        problem = "a schedule would change nothing: no step of this optimiser reads learning_rate"
        raise SpecError(problem, at=at, remedy="drop the schedule")


def _demand_numbers(values: Mapping[str, Node], call: Call) -> None:
    for name, value in values.items():
        if not is_number(value):
            raise SpecError(
                f"{call.function}: '{name}' must be a number",
                at=value.at,
                remedy=f"write {name}=0.1, for example",
            )
