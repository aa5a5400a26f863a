"""The functions of training in an emitted module: the optimiser, one step, an epoch of steps."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from symgrad.compiler.kernels.update_kernels import share_body, state_names, update_body
from symgrad.compiler.module.network import driver
from symgrad.compiler.module.records import Definition
from symgrad.compiler.module.signatures import listed
from symgrad.compiler.planning.accumulation import accumulation_of
from symgrad.compiler.planning.update_plan import plan_update
from symgrad.compiler.targets.numba.spelling import NUMBA

if TYPE_CHECKING:
    from collections.abc import Sequence

    from symgrad.calculus.program import Program
    from symgrad.compiler.kernels.instructions import Instruction
    from symgrad.compiler.module.signatures import Signatures
    from symgrad.compiler.planning.plan import Plan


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
    if found is None or not plan.program.carried:
        return None
    states = list(state_names(update, reserved))
    is_theta = found.destination == "theta"
    destination = "theta" if is_theta else f"state[{1 + states.index(found.destination)}]"
    shares = share_body(plan_update(found.shares), reserved)
    return AccumulationText(
        found.destination, destination, shares, update_body(plan_update(found.rest), reserved)
    )


def lines(body: tuple[Instruction, ...]) -> tuple[str, ...]:
    """Instructions as the lines of a function."""
    return tuple(NUMBA.lines(body))


def update(calls: Signatures, rule: Sequence[str], lines: Sequence[str]) -> Definition:
    """The optimiser's update of all parameters."""
    arguments = listed(["theta", "grad", calls.state, calls.time])
    return Definition("_update", arguments, ("; ".join(rule),), tuple(lines), "update")


def look_ahead(calls: Signatures, rule: Sequence[str], lines: Sequence[str]) -> Definition:
    """The point where the gradient of the next step is taken."""
    arguments = listed(["theta", "ahead", calls.state, calls.time])
    return Definition("_look_ahead", arguments, ("; ".join(rule),), tuple(lines), "update")


def gradient_in_pieces(calls: Signatures) -> Definition:
    """The gradient of a batch as the mean over pieces that fit into `rows`."""
    lines = (
        "value = 0.0",
        "grad[:] = 0",
        "for start in range(0, order.shape[0], MICRO_BATCH_SIZE):",
        f"    {calls.batch_axis} = min(MICRO_BATCH_SIZE, order.shape[0] - start)",
        f"    share = {calls.batch_axis} / order.shape[0]",
        *(f"    value += {call}" for call in calls.gathering),
        f"    value += share * _gradient(theta, piece, {calls.gathered})",
        "    weight = grad.dtype.type(share)",
        "    for entry in range(grad.shape[0]):",
        "        grad[entry] += weight * piece[entry]",
        "return value",
    )
    doc = "The loss of the rows in `order`; its gradient goes into `grad`, the mean over pieces."
    return driver("_gradient_in_pieces", f"theta, grad, piece, {calls.step}", doc, lines)


def accumulation(calls: Signatures, added: AccumulationText) -> tuple[Definition, ...]:
    """What of an update is left where a vector takes in the gradient while that is formed."""
    target = f"keep and scale, with which {added.name} takes in the gradient of the coming step."
    rest = "What is left of a step after the gradient has been taken in."
    state, time = calls.state, calls.time
    return (
        Definition("_shares", f"{state}, {time}", (target,), lines(added.shares), "kernel"),
        Definition("_end_of_step", f"theta, {state}, {time}", (rest,), lines(added.rest), "kernel"),
    )


def step(calls: Signatures, added: AccumulationText | None) -> Definition:
    """One step of training."""
    ahead = f"_look_ahead(theta, ahead, {calls.entries_of_state}, {calls.time})"
    lines = (
        *([ahead] if calls.point == "ahead" else []),
        *(_step_by_parts(calls, added) if added else _step_at_once(calls)),
        "return value",
    )
    doc = "One step; parameters stay as they are where the loss is not finite."
    return driver("_step", listed([calls.vectors, "state", calls.time, calls.step]), doc, lines)


def _step_at_once(calls: Signatures) -> tuple[str, ...]:
    gradient = "_gradient_in_pieces" if calls.takes_pieces else "_gradient"
    memory = listed(name for name in calls.step_memory if name != "ahead")
    return (
        f"value = {gradient}({calls.point}, {memory}, {calls.step})",
        "if np.isfinite(value):",
        f"    _update(theta, grad, {calls.entries_of_state}, {calls.time})",
    )


def _step_by_parts(calls: Signatures, added: AccumulationText) -> tuple[str, ...]:
    state, time = calls.entries_of_state, calls.time
    return (
        "real = theta.dtype.type",
        f"value = _loss({calls.point}, {calls.loss})",
        "if np.isfinite(value):",
        f"    keep, scale = _shares({state}, {time})",
        f"    _backward({calls.point}, {added.destination}, real(keep), real(scale), {calls.loss})",
        f"    _end_of_step(theta, {state}, {time})",
    )


def epoch(calls: Signatures) -> Definition:
    """Steps over the batches of an epoch."""
    rows, call = calls.batch_axis, f"_step({calls.vectors}, state, {calls.time}, "
    if calls.takes_pieces:
        batch: tuple[str, ...] = (
            f"    chosen = order[start : start + {rows}]",
            f"    value = {call}{listed([calls.data, 'chosen', 'rows', 'work', *calls.other_extents])})",
        )
    else:
        batch = (
            "    gathered = 0.0",
            *(f"    gathered += {gather}" for gather in calls.gathering),
            "    if not np.isfinite(gathered):",
            "        return np.nan",
            f"    value = {call}{calls.gathered})",
        )
    lines = (
        "total = 0.0",
        "for start in range(0, order.shape[0], batch_size):",
        f"    {rows} = min(batch_size, order.shape[0] - start)",
        *batch,
        "    if not np.isfinite(value):",
        "        return float(value)",
        f"    total += value * {rows}",
        "return total / order.shape[0]",
    )
    given = ["state", calls.time, calls.data, "order", "batch_size", "rows", "work", *calls.other_extents]
    doc = "Steps over all batches of the rows in `order`, the last one as short as it must be; the mean loss."
    return driver("_epoch", listed([calls.vectors, *given]), doc, lines)
