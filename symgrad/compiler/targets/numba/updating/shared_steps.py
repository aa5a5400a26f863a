"""What ranks compile that share batches: the gradient of some rows, a step of a stretch of the parameters.

A stretch begins anywhere in the vector of all, at `first`; `kept` entries of a state lie before those of it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from symgrad.compiler.kernels.instructions import (
    Add,
    Applied,
    Assign,
    Denied,
    Give,
    Invoke,
    Literal,
    Typed,
    TypeOf,
    Variable,
    Verbatim,
    When,
)
from symgrad.compiler.kernels.statements import KEY
from symgrad.compiler.planning.trained_spans import merged
from symgrad.compiler.targets.numba.network import VALUE
from symgrad.compiler.targets.numba.records import Definition, Driver
from symgrad.compiler.targets.numba.signatures import listed
from symgrad.compiler.targets.numba.steps import GATHERED, gathering, is_finite
from symgrad.compiler.targets.numba.updating.update_parts import COPIED, called

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from symgrad.compiler.kernels.instructions import Instruction
    from symgrad.compiler.planning.trained_spans import Span
    from symgrad.compiler.targets.numba.signatures import Signatures
    from symgrad.compiler.targets.numba.updating.finished_gradient import FinishedGradient
    from symgrad.compiler.targets.numba.updating.update_parts import UpdatePart


def share_of_step(calls: Signatures, weight: str, gradient: FinishedGradient) -> Driver:
    """What a rank does of a step whose batch several share: the gradient of its rows, in parts.

    It forms all of a gradient of which other steps form some rows alone, as these differ between ranks.
    """
    gather: tuple[Instruction, ...] = (
        Assign(GATHERED, Literal(0.0)),
        *(Add(GATHERED, gather) for gather in gathering(calls)),
        When(Denied(is_finite(GATHERED)), (Give((Verbatim("np.nan"), Literal(1.0))),)),
    )
    key = [Assign(KEY, Verbatim("(step[1], step[0], before)"))] if calls.draws else []
    found = Give((Applied("float", (VALUE,)), Applied("float", (Verbatim(weight),))))
    given = ["theta, grad, step, before", calls.data, "order, start", calls.batch_axis, "rows", "work"]
    arguments = listed([*given, *calls.other_extents, "part"])
    doc = "Loss and weight of rows of a batch, with so many `before` them; their gradient goes into `grad`."
    if len(gradient.parts) == 1:
        function = "_gradient" if calls.looked_up else calls.step_gradient
        loss = Applied(function, (Verbatim(f"theta, grad, {calls.gathered_piece}"),))
        return Driver("_share_of_step", arguments, doc, (*key, *gather, Assign(VALUE, loss), found))
    first, *others = (_calls_of(calls, gradient, sections) for sections in gradient.called)
    loss = Applied("_loss", (Verbatim(f"theta, {calls.gathered_piece}"),))
    body: tuple[Instruction, ...] = (
        TypeOf(Variable("theta")),
        *key,
        Assign(VALUE, Literal(0.0)),
        When(Verbatim("part == 1"), (*gather, Assign(VALUE, loss), *first)),
        *(When(Verbatim(f"part == {n}"), sections) for n, sections in enumerate(others, 2)),
        found,
    )
    return Driver("_share_of_step", arguments, f"{doc[:-1]} part by part; the first one gives both.", body)


def _calls_of(
    calls: Signatures, gradient: FinishedGradient, sections: Sequence[str]
) -> tuple[Instruction, ...]:
    """The calls of some sections of a gradient, of rows that were gathered."""
    alone = (Typed(Literal(0)), Typed(Literal(1))) if gradient.is_added else ()
    given = (Verbatim("theta, grad"), *alone, Verbatim(calls.gathered_piece))
    return tuple(Invoke(section, given) for section in sections)


def steps_of_stretch(
    calls: Signatures, parts: Sequence[UpdatePart], renewed: Sequence[Span]
) -> Iterator[Definition]:
    """The step by the gradient of a whole batch, and where the next one is taken, of a stretch; `parts` are
    what a step does to each span of the parameters, none where it treats all alike, entry by entry.
    """
    is_bounded = any(part.is_bounded for part in parts)
    if is_bounded:
        yield _norm(parts)
    given = listed(["theta, grad, state, first, kept, norm", calls.setting])
    doc = ("The step by the gradient of a whole batch, of a stretch of the parameters.",)
    yield Definition("_rest_of_step", given, doc, tuple(_rest(calls, parts, renewed)), "update")
    if calls.point == "ahead":
        given = listed(["theta, ahead, state, first, kept", calls.setting])
        doc = ("Where the next gradient is taken, of a stretch of the parameters.",)
        yield Definition("_ahead_of_stretch", given, doc, tuple(_ahead(calls, parts)), "update")


def _norm(parts: Sequence[UpdatePart]) -> Definition:
    doc = ("The norm of what a stretch has of the gradient of parameters that a step changes.",)
    lines = ["last = first + grad.shape[0]", "norm = 0.0"]
    for span in merged(span for part in parts for span in part.spans):
        lines += _within(span, f"norm = math.hypot(norm, euclidean_norm({_view('grad')}))")
    return Definition("_norm_of_stretch", "grad, first", doc, (*lines, "return norm"), "update")


def _rest(calls: Signatures, parts: Sequence[UpdatePart], renewed: Sequence[Span]) -> Iterator[str]:
    if not parts:
        yield f"_update({listed(['theta, grad', calls.entries_of_state, calls.setting])})"
        return
    yield "state[0][0] += 1"
    yield "last = first + theta.shape[0]"
    for part in parts:
        norm = ["norm"] if part.is_bounded else []
        for span in part.spans:
            given = [_view("theta"), _view("grad"), _state(calls, span), *norm, calls.setting]
            yield f"# {', '.join(span.names)}"
            yield from _within(span, called(part.functions[0], part.step, "size", given))
    for span in renewed:
        yield f"# {', '.join(span.names)}, which have their next values where others have their gradient"
        entries = "for n in range(start - first, start - first + size):"
        yield from _within(span, entries, "    theta[n] = grad[n]")


def _ahead(calls: Signatures, parts: Sequence[UpdatePart]) -> Iterator[str]:
    if not parts:
        yield f"_look_ahead({listed(['theta, ahead', calls.entries_of_state, calls.setting])})"
        return
    yield "last = first + theta.shape[0]"
    yield from COPIED
    for part in parts:
        for span in part.spans:
            given = [_view("theta"), _view("ahead"), _state(calls, span), calls.setting]
            yield from _within(span, called(part.functions[1], part.ahead, "size", given))


def _within(span: Span, *lines: str) -> Iterator[str]:
    """What is done to as much of a span as lies in the stretch: `size` entries from `start`."""
    yield f"start = max(first, {span.first})"
    yield f"size = min(last, {span.first + span.size}) - start"
    yield "if size > 0:"
    yield from (f"    {line}" for line in lines)


def _view(vector: str) -> str:
    return f"view({vector}, start - first, (size,))"


def _state(calls: Signatures, span: Span) -> str:
    behind = span.first - span.kept
    place = f"start - {behind} - kept" if behind else "start - kept"
    views = (f"view(state[{n}], {place}, (size,))" for n in range(1, 1 + len(calls.states)))
    return listed(["state[0]", *views])
