"""The functions of training in an emitted module: the optimiser, one step, an epoch of steps."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from symgrad.compiler.kernels import shared_turns
from symgrad.compiler.kernels.instructions import (
    Add,
    Applied,
    Assign,
    Cell,
    Clear,
    Denied,
    Divided,
    Expression,
    ForRange,
    Give,
    Instruction,
    Invoke,
    Length,
    Literal,
    Multiplied,
    Typed,
    TypeOf,
    Variable,
    Verbatim,
    When,
)
from symgrad.compiler.kernels.shared_turns import has_turns
from symgrad.compiler.kernels.statements import KEY
from symgrad.compiler.kernels.update_kernels import COUNTING, share_body, state_names, update_part
from symgrad.compiler.planning.accumulation import accumulation_of
from symgrad.compiler.planning.update_plan import plan_update
from symgrad.compiler.targets.numba.network import VALUE
from symgrad.compiler.targets.numba.records import Definition, Driver
from symgrad.compiler.targets.numba.signatures import Signatures, as_tuple, listed
from symgrad.compiler.targets.numba.spelling import NUMBA

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from symgrad.calculus.program import Program
    from symgrad.compiler.planning.plan import Plan
    from symgrad.compiler.planning.trained_spans import Span


@dataclass(frozen=True)
class AccumulationText:
    """How a step adds gradients to their destination while they are formed, and the rest of the step."""

    name: str
    destination: str
    shares: tuple[Instruction, ...]
    rest: tuple[Instruction, ...]


def accumulated(plan: Plan, update: Program, reserved: frozenset[str]) -> AccumulationText | None:
    """The vector that takes gradients in, if one does."""
    found = accumulation_of(update)
    if found is None or not plan.program.accumulated:
        return None
    states = list(state_names(update, reserved))
    is_theta = found.destination == "theta"
    destination = "theta" if is_theta else f"state[{1 + states.index(found.destination)}]"
    shares = share_body(plan_update(found.shares), reserved)
    rest = update_part(plan_update(found.rest), reserved, is_long=plan.parameter_count > shared_turns.PART)
    return AccumulationText(found.destination, destination, shares, rest)


def lines(body: tuple[Instruction, ...]) -> tuple[str, ...]:
    """Instructions as the lines of a function."""
    return tuple(NUMBA.lines(body))


def update(calls: Signatures, rule: Sequence[str], lines: Sequence[str]) -> Definition:
    """The optimiser's update of all parameters."""
    arguments = listed(["theta", "grad", calls.state, calls.setting])
    return Definition("_update", arguments, ("; ".join(rule),), tuple(lines), "update")


def first_states(found: tuple[Instruction, ...], starts: Sequence[Expression]) -> Definition:
    """What the optimiser's states start from."""
    doc = "What every state of the optimiser starts from, in all its entries."
    given = f"return {as_tuple(map(NUMBA.text, starts))}"
    return Definition("_first_states", "hyper", (doc,), (*lines(found), given))


def look_ahead(calls: Signatures, rule: Sequence[str], lines: Sequence[str]) -> Definition:
    """The point where the gradient of the next step is taken."""
    arguments = listed(["theta", "ahead", calls.state, calls.setting])
    return Definition("_look_ahead", arguments, ("; ".join(rule),), tuple(lines), "update")


THETA, GRAD, PIECE, ENTRY, TOTAL = map(Variable, ("theta", "grad", "piece", "entry", "total"))
START, SHARE, WEIGHT, GATHERED = map(Variable, ("start", "share", "weight", "gathered"))
ROWS = Length(Variable("order"), 0)


def gradient_in_pieces(calls: Signatures) -> Driver:
    """The gradient of a batch as the mean over pieces that fit into `rows`."""
    rows, most = Variable(calls.batch_axis), Variable("MICRO_BATCH_SIZE")
    loss = Applied(calls.step_gradient, (Verbatim(f"theta, piece, {calls.gathered_piece}"),))
    weighted = Multiplied((WEIGHT, Cell(PIECE, (ENTRY,))))
    piece: tuple[Instruction, ...] = (
        _rows_from_start(rows, most),
        *([Assign(KEY, Verbatim("(key[0], key[1], start)"))] if calls.draws else []),
        Assign(SHARE, Divided(rows, ROWS)),
        *(Add(VALUE, gather) for gather in gathering(calls)),
        Add(VALUE, Multiplied((SHARE, loss))),
        Assign(WEIGHT, Applied("grad.dtype.type", (SHARE,))),
        ForRange(ENTRY, Length(GRAD, 0), (Add(Cell(GRAD, (ENTRY,)), weighted),)),
    )
    body = (Assign(VALUE, Literal(0.0)), Clear(GRAD), ForRange(START, ROWS, piece, step=most), Give((VALUE,)))
    doc = "The loss of the rows in `order`; its gradient goes into `grad`, the mean over pieces."
    return Driver("_gradient_in_pieces", f"theta, grad, piece, {calls.step_gradients}", doc, body)


def _rows_from_start(rows: Variable, most: Variable) -> Assign:
    return Assign(rows, Applied("min", (most, Verbatim("order.shape[0] - start"))))


def gathering(calls: Signatures) -> tuple[Applied, ...]:
    return tuple(Applied("_gather", (Verbatim(arguments),)) for arguments in calls.gathering)


def accumulation(calls: Signatures, added: AccumulationText) -> Iterator[Definition]:
    """What of an update is left where a vector takes in the gradient while that is formed."""
    target = f"keep and scale, with which {added.name} takes in the gradient of the coming step."
    doc = ("What is left of a step after the gradient has been taken in.",)
    given, rest, counted = f"theta, {calls.state}, {calls.setting}", lines(added.rest), lines((COUNTING,))
    yield Definition("_shares", f"{calls.state}, {calls.setting}", (target,), lines(added.shares), "kernel")
    if has_turns(added.rest):
        of_part = ("The same of some entries, in a step that is counted.",)
        yield Definition("_end_of_part", f"{given}, start, stop", of_part, rest, "kernel")
        rest = (f"in_parts(_end_of_part, theta.shape[0], 1, ({given}))",)
    yield Definition("_end_of_step", given, doc, (*counted, *rest), "kernel")


def advance(spans: Sequence[Span]) -> Definition:
    """The states of the model after a step."""
    doc = ("Lets states have their next values, which lie where others have their gradient.",)
    return Definition("_advance", "theta, grad", doc, tuple(_taken_over(spans)), "update")


def _taken_over(spans: Sequence[Span]) -> Iterator[str]:
    for span in spans:
        yield f"# {', '.join(span.names)}"
        yield f"for n in range({span.first}, {span.first + span.size}):"
        yield "    theta[n] = grad[n]"


def step(calls: Signatures, added: AccumulationText | None, *, advances: bool) -> Driver:
    """One step of training."""
    ahead = Invoke("_look_ahead", (Verbatim(f"theta, ahead, {calls.entries_of_state}, {calls.setting}"),))
    key = Assign(KEY, Verbatim("(state[0][1], state[0][0], 0)"))
    body = (
        *([key] if calls.draws else []),
        *([ahead] if calls.point == "ahead" else []),
        *(_step_by_parts(calls, added) if added else _step_at_once(calls, advances)),
        Give((VALUE,)),
    )
    doc = "One step; parameters stay as they are where the loss is not finite."
    return Driver("_step", listed([calls.vectors, "state", calls.setting, calls.step]), doc, body)


_ADVANCED = (Verbatim("theta, grad"),)


def _step_at_once(calls: Signatures, advances: bool) -> tuple[Instruction, ...]:
    gradient = "_gradient_in_pieces" if calls.takes_pieces else calls.step_gradient
    memory = listed(name for name in calls.step_memory if name != "ahead")
    function = "_update_looked_up" if calls.looked_up else "_update"
    given = listed(["theta, grad", calls.entries_of_state, calls.setting, calls.labels])
    update = Invoke(function, (Verbatim(given),))
    return (
        Assign(VALUE, Applied(gradient, (Verbatim(f"{calls.point}, {memory}, {calls.step_gradients}"),))),
        When(is_finite(VALUE), (update, Invoke("_advance", _ADVANCED)) if advances else (update,)),
    )


def _step_by_parts(calls: Signatures, added: AccumulationText) -> tuple[Instruction, ...]:
    state = f"{calls.entries_of_state}, {calls.setting}"
    shares = Typed(Variable("keep")), Typed(Variable("scale"))
    backward = (Verbatim(f"{calls.point}, {added.destination}"), *shares, Verbatim(calls.loss))
    rest = (
        Assign(Variable("keep, scale"), Applied("_shares", (Verbatim(state),))),
        Invoke("_backward", backward),
        Invoke("_end_of_step", (Verbatim(f"theta, {state}"),)),
    )
    loss = Applied("_loss", (Verbatim(f"{calls.point}, {calls.loss}"),))
    return (TypeOf(THETA), Assign(VALUE, loss), When(is_finite(VALUE), rest))


def is_finite(number: Variable) -> Applied:
    return Applied("np.isfinite", (number,))


def epoch(calls: Signatures) -> Driver:
    """Steps over the batches of an epoch."""
    rows, size = Variable(calls.batch_axis), Variable("batch_size")
    batch: tuple[Instruction, ...]
    if calls.takes_pieces:
        arguments = listed([calls.data, "chosen", "rows", "work", *calls.other_extents])
        batch = (Assign(Variable("chosen"), Verbatim(f"order[start : start + {rows.name}]")),)
    else:
        arguments = calls.gathered
        batch = (
            Assign(GATHERED, Literal(0.0)),
            *(Add(GATHERED, gather) for gather in gathering(calls)),
            When(Denied(is_finite(GATHERED)), (Give((Variable("np.nan"),)),)),
        )
    step = Applied("_step", (Verbatim(f"{calls.vectors}, state, {calls.setting}, {arguments}"),))
    body = (
        _rows_from_start(rows, size),
        *batch,
        Assign(VALUE, step),
        When(Denied(is_finite(VALUE)), (Give((Applied("float", (VALUE,)),)),)),
        Add(TOTAL, Multiplied((VALUE, Divided(rows, ROWS)))),
    )
    whole = (
        Assign(TOTAL, Literal(0.0)),
        ForRange(START, ROWS, body, step=size),
        Give((TOTAL,)),
    )
    given = ["state", calls.setting, calls.data, "order", "batch_size", "rows", "work", *calls.other_extents]
    doc = "Steps over all batches of the rows in `order`, the last one as short as it must be; the mean loss."
    return Driver("_epoch", listed([calls.vectors, *given]), doc, whole)
