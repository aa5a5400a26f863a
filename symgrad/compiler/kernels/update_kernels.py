"""The optimiser's equations as the bodies of compiled functions: loops over the parameter vector."""

from __future__ import annotations

from itertools import count
from typing import TYPE_CHECKING

from symgrad.calculus.terms import entries
from symgrad.compiler.kernels.identifiers import identifiers
from symgrad.compiler.kernels.instructions import (
    Add,
    Applied,
    Assign,
    Cases,
    Cell,
    Compared,
    Divided,
    ForRange,
    Give,
    Length,
    Literal,
    Multiplied,
    Negated,
    Note,
    Summed,
    Typed,
    TypeOf,
    Variable,
    When,
    walk,
)
from symgrad.compiler.kernels.invariants import collect_fixed
from symgrad.compiler.kernels.lowering import Lowering
from symgrad.elaborate.optimizer import AHEAD, POSITION
from symgrad.passes.guards import guarded_step

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    import sympy as sp

    from symgrad.compiler.kernels.instructions import Expression, Instruction
    from symgrad.compiler.planning.accumulation import Accumulation
    from symgrad.elaborate.optimizer import Equations, Update

INDEX, STEP, GRADIENT, BEFORE, LIMIT = map(Variable, ("i", "t", "g", "before", "limit"))
"""What the loops call their own."""
THETA, GRAD = Variable("theta"), Variable("grad")
SCALE, NORM, LARGEST = Variable("scale"), Variable("norm"), Variable("largest")
COUNTED = Cell(Variable("step"), (Literal(0),))
"""How many steps have been made."""
NEXT = Summed(((False, COUNTED), (False, Literal(1))))


def update_body(update: Update, reserved: frozenset[str]) -> tuple[Instruction, ...]:
    """The body of the compiled update. Numbers of the step are computed in double precision."""
    names = _Names(update, reserved)
    entry: Expression = _at_index(GRAD)
    if update.clip_norm is not None:
        entry = Multiplied((SCALE, entry))
    inside: list[Instruction] = [Assign(GRADIENT, entry)]
    if update.clip_value is not None:
        below = (Negated(LIMIT), Compared(GRADIENT, "<", Negated(LIMIT)))
        inside.append(Assign(GRADIENT, Cases(((LIMIT, Compared(GRADIENT, ">", LIMIT)), below), GRADIENT)))
    body = (
        *names.numbers(update.updates),
        *_clipping(update),
        *names.loop(update.updates, inside, update.keeps_theta),
    )
    return (TypeOf(THETA), Add(COUNTED, Literal(1)), *_counted(COUNTED, body))


def look_ahead_body(update: Update, reserved: frozenset[str]) -> tuple[Instruction, ...]:
    """The body of the function that finds where the gradient of the coming step is taken."""
    names = _Names(update, reserved)
    body = (*names.numbers(update.look_ahead), *names.loop(update.look_ahead))
    return (TypeOf(THETA), *_counted(NEXT, body))


def share_body(
    update: Update, accumulation: Accumulation, reserved: frozenset[str]
) -> tuple[Instruction, ...]:
    """The body of the function that finds `keep` and `scale`, before the step is counted."""
    names = _Names(update, reserved)
    shares = (("keep", accumulation.keep), ("scale", accumulation.scale))
    found = Give(tuple(names.number(body) for _, body in shares))
    return _counted(NEXT, (*names.numbers(shares), found))


def rest_body(
    update: Update, accumulation: Accumulation, reserved: frozenset[str]
) -> tuple[Instruction, ...]:
    """The body of the function that ends a step whose gradient has been taken in where it belongs."""
    if not accumulation.rest:
        return (Add(COUNTED, Literal(1)),)
    names = _Names(update, reserved)
    loop = names.loop(accumulation.rest, keeps_theta=update.keeps_theta)
    body = (*names.numbers(accumulation.rest), *loop)
    return (TypeOf(THETA), Add(COUNTED, Literal(1)), *_counted(COUNTED, body))


def _counted(step: Expression, body: tuple[Instruction, ...]) -> tuple[Instruction, ...]:
    """The instructions, below the number of the step where they use it."""
    return (Assign(STEP, Applied("float", (step,))), *body) if STEP in walk(body) else body


def state_names(update: Update, reserved: frozenset[str]) -> dict[str, str]:
    """The Python name of every state."""
    own = {v.name for v in (INDEX, STEP, GRADIENT, BEFORE, LIMIT)}
    return identifiers((name for name, _ in update.states), own | reserved)


def _at_index(vector: Variable) -> Cell:
    return Cell(vector, (INDEX,))


def _over(vector: Variable, *body: Instruction) -> ForRange:
    return ForRange(INDEX, Length(vector, 0), body)


def _clipping(update: Update) -> Iterator[Instruction]:
    entry = Applied("float", (_at_index(GRAD),))
    if update.clip_norm is not None:
        most = Literal(update.clip_norm)
        in_units = Divided(entry, LARGEST)
        yield Assign(NORM, Literal(0.0))
        yield _over(GRAD, Add(NORM, Applied("square", (entry,))))
        yield Assign(NORM, Divided(Applied("sqrt", (NORM,)), most))
        yield Note("where the squares overflow: once more, in units of the largest entry")
        again = (
            Assign(LARGEST, Literal(0.0)),
            Assign(NORM, Literal(0.0)),
            _over(GRAD, Assign(LARGEST, Applied("max", (LARGEST, Applied("abs", (entry,)))))),
            _over(GRAD, Add(NORM, Applied("square", (in_units,)))),
            Assign(NORM, Multiplied((Divided(LARGEST, most), Applied("sqrt", (NORM,))))),
        )
        yield When(Compared(NORM, "==", Literal(float("inf"))), again)
        shrunk = (Typed(Divided(Literal(1.0), NORM)), Compared(NORM, ">", Literal(1.0)))
        yield Assign(SCALE, Cases((shrunk,), Typed(Literal(1))))
    if update.clip_value is not None:
        yield Assign(LIMIT, Typed(Literal(update.clip_value)))


class _Names:
    """Where the quantities of a step are, and what is computed from them."""

    def __init__(self, update: Update, reserved: frozenset[str]) -> None:
        self.update = update
        self.states = state_names(update, reserved)
        own = {v.name for v in (INDEX, STEP, GRADIENT, BEFORE, LIMIT)}
        numbers = dict.fromkeys(name for name, _ in update.numbers if name != "learning_rate")
        taken = {*own, *self.states.values(), *reserved}
        local = identifiers(dict.fromkeys((*numbers, *update.quantities)), taken)
        local |= {"g": "g", "t": "t", "learning_rate": "learning_rate"}
        self.local = {name: Variable(identifier) for name, identifier in local.items()}
        time: dict[str, Expression] = {
            "step": Summed(((False, STEP), (True, Literal(1.0)))),
            "epoch": Applied("float", (Variable("epoch"),)),
            "epochs": Applied("float", (Variable("epochs"),)),
        }
        places = {**self.local, **time}
        self.number = Lowering(lambda entry: places[entry.tensor], {}, typed=False)

    def numbers(self, equations: Equations) -> Iterator[Instruction]:
        """The numbers of the step that some equations read, and those that these read in turn."""
        read = {e.tensor for _, body in equations for e in entries(body) if not e.indices}
        for name, body in reversed(self.update.numbers):
            read |= {e.tensor for e in entries(body)} if name in read else set()
        for name, body in self.update.numbers:
            if name in read:
                yield Assign(self.local[name], self.number(body))

    def loop(
        self, equations: Equations, inside: Iterable[Instruction] = (), keeps_theta: bool = False
    ) -> Iterator[Instruction]:
        """The equations for every entry, after those `inside`; what is the same for all is computed once.

        With `keeps_theta` an equation that reads theta means the parameter before the step.
        """
        equations = tuple((name, guarded_step(body)) for name, body in equations)
        vectors = {name: _at_index(Variable(identifier)) for name, identifier in self.states.items()}
        own = {AHEAD: _at_index(Variable("ahead")), "theta": _at_index(THETA), **vectors}
        targets: dict[str, Variable | Cell] = {**self.local, **own}
        places = {**targets, "theta": BEFORE} if keeps_theta else targets
        taken = {*(v.name for v in self.local.values()), *vectors}
        unused = (Variable(name) for n in count(1) if (name := f"factor_{n}") not in taken)
        fixed: dict[sp.Expr, None] = {}
        for _, body in equations:
            collect_fixed(body, {POSITION}, set(), fixed)
        known: dict[sp.Basic, Variable] = dict(zip(fixed, unused, strict=False))
        yield from (Assign(known[expr], Typed(self.number(expr))) for expr in fixed)
        lower = Lowering(lambda entry: places[entry.tensor], known)
        kept = (Assign(BEFORE, _at_index(THETA)),) if keeps_theta else ()
        computed = (Assign(targets[name], lower(body)) for name, body in equations)
        yield _over(THETA, *inside, *kept, *computed)
