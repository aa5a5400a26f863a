"""A step of the optimiser as the bodies of compiled functions: numbers, then one loop over all entries."""

from __future__ import annotations

from typing import TYPE_CHECKING

from symgrad.calculus.terms import entries
from symgrad.compiler.kernels.identifiers import identifiers
from symgrad.compiler.kernels.instructions import (
    Add,
    Applied,
    Assign,
    Cell,
    Expression,
    ForRange,
    Give,
    Instruction,
    Length,
    Literal,
    Summed,
    Variable,
    walk,
)
from symgrad.compiler.kernels.kernels import kernel_of
from symgrad.compiler.kernels.lowering import Lowering
from symgrad.compiler.kernels.shared_turns import are_apart, in_part
from symgrad.compiler.planning.accumulation import SHARE_ADDED, SHARE_KEPT
from symgrad.compiler.planning.plan import LoopNest, Plan, Scalar
from symgrad.elaborate.optimizer import AHEAD, NORM, SCALE

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Sequence

    import sympy as sp

    from symgrad.calculus.program import Equation, Program

THETA, STEP, SIZE = map(Variable, ("theta", "t", "size"))
_MEASURED = Assign(SIZE, Length(THETA, 0))
COUNTED = Cell(Variable("step"), (Literal(0),))
"""How many steps have been made."""
COUNTING = Add(COUNTED, Literal(1))
HYPER = Variable("hyper")
"""The hyper-parameters, in double precision."""
NEXT = Summed(((False, COUNTED), (False, Literal(1))))
GIVEN = {
    "theta": "theta",
    "g": "grad",
    "t": "t",
    AHEAD: "ahead",
    NORM: "norm",
    SCALE: "scale",
    SHARE_KEPT: "keep",
    SHARE_ADDED: "scale",
}
"""What the module calls tensors of its own."""
OWN = {"g", "t", "size", HYPER.name}


def update_body(plan: Plan, reserved: frozenset[str]) -> tuple[Instruction, ...]:
    """The body of the compiled update, or of what ends a step whose gradient is where it belongs."""
    return (COUNTING, *_body(plan, reserved, COUNTED))


def update_part(plan: Plan, reserved: frozenset[str], *, is_long: bool) -> tuple[Instruction, ...]:
    """The same for a part of the entries, in a step that is counted; the norm of the gradient is given.

    A long part is done in turns: the entries from START on, before STOP.
    """
    body = _body(plan, reserved, COUNTED, is_part=True)
    return in_turns(body) if is_long else body


def look_ahead_part(plan: Plan, reserved: frozenset[str], *, is_long: bool) -> tuple[Instruction, ...]:
    """The body that finds where the gradient of the coming step is taken, for a part of the entries."""
    body = _body(plan, reserved, NEXT, is_part=True)
    return in_turns(body) if is_long else body


def in_turns(body: tuple[Instruction, ...]) -> tuple[Instruction, ...]:
    """The same for the entries from START on, before STOP, where there is a loop over all."""
    turns = (node.index for node in walk(body) if isinstance(node, ForRange) and node.count == SIZE)
    turn = next(turns, None)
    if turn is None or not are_apart(body, turn, SIZE):
        return body
    return in_part(tuple(i for i in body if i != _MEASURED), turn)


def look_ahead_body(plan: Plan, reserved: frozenset[str]) -> tuple[Instruction, ...]:
    """The body of the function that finds where the gradient of the coming step is taken."""
    return _body(plan, reserved, NEXT)


def share_body(plan: Plan, reserved: frozenset[str]) -> tuple[Instruction, ...]:
    """The body of the function that finds `keep` and `scale`, before the step is counted."""
    shares = tuple(Variable(GIVEN[share]) for share in (SHARE_KEPT, SHARE_ADDED))
    return (*_body(plan, reserved, NEXT), Give(shares))


def first_states_body(
    starts: Sequence[sp.Expr], update: Program, reserved: frozenset[str]
) -> tuple[tuple[Instruction, ...], tuple[Expression, ...]]:
    """The first value of every state, over the hyper-parameters, and what finds these."""
    names = identifiers((t.name for t in update.of_kind("hyper")), {*OWN, *reserved})
    lower = Lowering(lambda entry: Variable(names[entry.tensor]), {}, typed=False)
    given = tuple(lower(start) if entries(start) else Literal(float(start)) for start in starts)
    return tuple(_numbers_of_caller(update, names, set(walk(given)))), given


def state_names(update: Program, reserved: frozenset[str]) -> dict[str, str]:
    """The Python name of every state."""
    return identifiers((t.name for t in update.of_kind("state") if not t.of), OWN | reserved)


def _body(
    plan: Plan, reserved: frozenset[str], counter: Expression, *, is_part: bool = False
) -> tuple[Instruction, ...]:
    """The steps of the plan, below the number of the step where they use it."""
    names = _names(plan, reserved)
    body: list[Instruction] = []
    for step in plan.phases[0].steps:
        match step:
            case Scalar(equation) if is_part and equation.reduction == "norm":
                continue
            case Scalar(equation):
                body.append(Assign(Variable(names[equation.target]), _number(equation, plan.program, names)))
            case LoopNest():
                body.append(_MEASURED)
                body += kernel_of(step, plan, names, {"size": SIZE.name}, reserved).body
    used = set(walk(tuple(body)))
    counted = (Assign(STEP, Applied("float", (counter,))),) if STEP in used else ()
    return (*counted, *_numbers_of_caller(plan.program, names, used), *body)


def _numbers_of_caller(
    program: Program, names: dict[str, str], used: Collection[object]
) -> Iterator[Instruction]:
    """The hyper-parameters that are used, by their names."""
    for place, tensor in enumerate(program.of_kind("hyper")):
        variable = Variable(names[tensor.name])
        if variable in used:
            yield Assign(variable, Cell(HYPER, (Literal(place),)))


def _number(equation: Equation, program: Program, names: dict[str, str]) -> Expression:
    """A number of the step, in double precision."""
    if equation.reduction == "norm":
        return Applied("euclidean_norm", tuple(Variable(names[read]) for read in equation.reads))
    time: dict[str, Expression] = {
        "step": Summed(((False, STEP), (True, Literal(1.0)))),
        "epoch": Applied("float", (Variable("epoch"),)),
        "epochs": Applied("float", (Variable("epochs"),)),
    }
    places = {name: time.get(program.tensor[name].of, Variable(names[name])) for name in equation.reads}
    return Lowering(lambda entry: places[entry.tensor], {}, typed=False)(equation.body)


def _names(plan: Plan, reserved: frozenset[str]) -> dict[str, str]:
    """What every tensor of a step is called: by the name of its memory, the gradient bounded or anew `g`."""
    names = {**GIVEN, **state_names(plan.program, reserved)}
    names |= {t.name: "g" for t in plan.program.tensors if t.of == "g"}
    others = [t.name for t in plan.program.tensors if t.name not in names and t.name not in plan.shared]
    names |= identifiers(others, {*OWN, *names.values(), *reserved})
    return names | {name: names[plan.memory_name(name)] for name in plan.shared}
