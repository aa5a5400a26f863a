"""The optimiser's equations as the bodies of compiled functions: loops over the parameter vector."""

from __future__ import annotations

import re
from itertools import count
from typing import TYPE_CHECKING

from symgrad.calculus.terms import entries
from symgrad.compiler.kernels.invariants import collect_fixed
from symgrad.compiler.targets.numba.identifiers import identifiers
from symgrad.compiler.targets.numba.printer import Printer
from symgrad.elaborate.optimizer import AHEAD, POSITION
from symgrad.passes.guards import guarded_step

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    import sympy as sp

    from symgrad.compiler.planning.accumulation import Accumulation
    from symgrad.elaborate.optimizer import Equations, Update

_OWN_NAMES = ("i", "t", "g", "before", "limit")
"""What the loops call their own."""


def update_lines(update: Update) -> tuple[str, ...]:
    """The body of the compiled update. Numbers of the step are computed in double precision."""
    gradient = "scale * grad[i]" if update.clip_norm is not None else "grad[i]"
    inside = [f"g = {gradient}"]
    if update.clip_value is not None:
        inside.append("g = limit if g > limit else (-limit if g < -limit else g)")
    lines = (
        *_numbers(update, update.updates),
        *_clipping(update),
        *_loop(update, update.updates, inside, update.keeps_theta),
    )
    return ("real = theta.dtype.type", "step[0] += 1", *_counted("step[0]", lines))


def look_ahead_lines(update: Update) -> tuple[str, ...]:
    """The body of the function that finds where the gradient of the coming step is taken."""
    lines = (*_numbers(update, update.look_ahead), *_loop(update, update.look_ahead))
    return ("real = theta.dtype.type", *_counted("step[0] + 1", lines))


def share_lines(update: Update, accumulation: Accumulation) -> tuple[str, ...]:
    """The body of the function that finds `keep` and `scale`, before the step is counted."""
    shares = (("keep", accumulation.keep), ("scale", accumulation.scale))
    printer = _number_printer(update)
    lines = (*_numbers(update, shares), f"return {', '.join(printer(body) for _, body in shares)}")
    return _counted("step[0] + 1", lines)


def rest_lines(update: Update, accumulation: Accumulation) -> tuple[str, ...]:
    """The body of the function that ends a step whose gradient has been carried to where it belongs."""
    if not accumulation.rest:
        return ("step[0] += 1",)
    loop = _loop(update, accumulation.rest, keeps_theta=update.keeps_theta)
    lines = (*_numbers(update, accumulation.rest), *loop)
    return ("real = theta.dtype.type", "step[0] += 1", *_counted("step[0]", lines))


def _counted(step: str, lines: tuple[str, ...]) -> tuple[str, ...]:
    """The lines, below the number of the step where they use it."""
    uses_it = any(re.search(r"\bt\b", line) for line in lines)
    return (f"t = float({step})", *lines) if uses_it else lines


def state_names(update: Update) -> dict[str, str]:
    """The Python name of every state."""
    return identifiers((name for name, _ in update.states), taken=_OWN_NAMES)


def _local_names(update: Update) -> dict[str, str]:
    """The Python name of every quantity and number of the step."""
    taken = (*_OWN_NAMES, *state_names(update).values())
    numbers = dict.fromkeys(name for name, _ in update.numbers if name != "learning_rate")
    names = identifiers(dict.fromkeys((*numbers, *update.quantities)), taken)
    return {**names, "g": "g", "t": "t", "learning_rate": "learning_rate"}


def _clipping(update: Update) -> Iterator[str]:
    if update.clip_norm is not None:
        yield "norm = 0.0"
        yield "for i in range(grad.shape[0]):"
        yield "    norm += np.square(float(grad[i]))"
        yield f"norm = np.sqrt(norm) / {update.clip_norm!r}"
        yield "if norm == np.inf:  # the squares overflow: once more, in units of the largest entry"
        yield "    largest, norm = 0.0, 0.0"
        yield "    for i in range(grad.shape[0]):"
        yield "        largest = max(largest, abs(float(grad[i])))"
        yield "    for i in range(grad.shape[0]):"
        yield "        norm += np.square(float(grad[i]) / largest)"
        yield f"    norm = largest / {update.clip_norm!r} * np.sqrt(norm)"
        yield "scale = real(1.0 / norm) if norm > 1.0 else real(1)"
    if update.clip_value is not None:
        yield f"limit = real({update.clip_value!r})"


def _numbers(update: Update, equations: Equations) -> Iterator[str]:
    """The numbers of the step that some equations read, and those that these read in turn."""
    read = {e.tensor for _, body in equations for e in entries(body) if not e.indices}
    for name, body in reversed(update.numbers):
        read |= {e.tensor for e in entries(body)} if name in read else set()
    names, printer = _local_names(update), _number_printer(update)
    for name, body in update.numbers:
        if name in read:
            yield f"{names[name]} = {printer(body)}"


def _number_printer(update: Update) -> Printer:
    time = {"step": "(t - 1.0)", "epoch": "float(epoch)", "epochs": "float(epochs)"}
    names = {**_local_names(update), **time}
    return Printer(lambda entry: names[entry.tensor], {}, cast=False)


def _loop(
    update: Update, equations: Equations, inside: Iterable[str] = (), keeps_theta: bool = False
) -> Iterator[str]:
    """The equations for every entry, after the lines `inside`; what is the same for all is computed once.

    With `keeps_theta` an equation that reads theta means the parameter before the step.
    """
    equations = tuple((name, guarded_step(body)) for name, body in equations)
    local, number = _local_names(update), _number_printer(update)
    vectors = {name: f"{identifier}[i]" for name, identifier in state_names(update).items()}
    targets = {**local, AHEAD: "ahead[i]", "theta": "theta[i]", **vectors}
    names = {**targets, "theta": "before"} if keeps_theta else targets
    unused = (name for n in count(1) if (name := f"factor_{n}") not in {*local.values(), *vectors})
    fixed: dict[sp.Expr, None] = {}
    for _, body in equations:
        collect_fixed(body, {POSITION}, set(), fixed)
    symbols: dict[sp.Basic, str] = dict(zip(fixed, unused, strict=False))
    yield from (f"{symbols[expr]} = real({number(expr)})" for expr in fixed)
    yield "for i in range(theta.shape[0]):"
    yield from (f"    {line}" for line in inside)
    if keeps_theta:
        yield "    before = theta[i]"
    printer = Printer(lambda entry: names[entry.tensor], symbols)
    yield from (f"    {targets[name]} = {printer(body)}" for name, body in equations)
