"""An update that leaves some parameters as they are: the optimiser's rule for each span of the others."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from symgrad.compiler.kernels.update_kernels import COUNTED, look_ahead_part, update_part
from symgrad.compiler.planning.trained_spans import spans_of
from symgrad.compiler.planning.update_plan import plan_update
from symgrad.compiler.targets.numba.records import Definition
from symgrad.compiler.targets.numba.signatures import listed
from symgrad.compiler.targets.numba.spelling import NUMBA
from symgrad.elaborate.optimizer import AHEAD, NORM, after_gradient

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from symgrad.calculus.program import Program
    from symgrad.compiler.kernels.instructions import Instruction
    from symgrad.compiler.planning.trained_spans import Span
    from symgrad.compiler.targets.numba.signatures import Signatures
    from symgrad.spec.model import Model


@dataclass(frozen=True)
class UpdatePart:
    """The rule for the parameters in some spans: what a step does, and what finds where it looks ahead.

    `ahead` is empty where the gradient is taken at the parameters. `is_bounded` says whether the rule reads
    the norm of the whole gradient.
    """

    name: str
    spans: tuple[Span, ...]
    step: tuple[Instruction, ...]
    ahead: tuple[Instruction, ...]
    is_bounded: bool


def update_parts(
    model: Model, program: Program, update: Program, reserved: frozenset[str]
) -> tuple[UpdatePart, ...]:
    """The parts of an update; none where one loop over all entries makes it."""
    if not model.frozen:
        return ()
    parameters = program.of_kind("parameter")
    chosen = [p.name for p in parameters if p.name not in model.frozen]
    looks_ahead = AHEAD in update.outputs
    return (
        UpdatePart(
            name="part",
            spans=spans_of(parameters, model.frozen, chosen),
            step=update_part(plan_update(after_gradient(update)), reserved),
            ahead=look_ahead_part(plan_update(update.giving((AHEAD,))), reserved) if looks_ahead else (),
            is_bounded=any(e.target == NORM for e in update.equations),
        ),
    )


def definitions(
    calls: Signatures, rule: Sequence[str], ahead: Sequence[str], parts: Sequence[UpdatePart], frozen: str
) -> Iterator[Definition]:
    """`_update`, `_look_ahead` where there is one, and the rule of each part."""
    bound = "norm" if any(part.is_bounded for part in parts) else ""
    for part in parts:
        what = "a part of the parameters, and of what belongs to them"
        arguments = listed(["theta", "grad", calls.state, bound, calls.setting])
        lines = tuple(NUMBA.lines(part.step))
        yield Definition(f"_update_{part.name}", arguments, (f"The update of {what}.",), lines, "kernel")
        if part.ahead:
            arguments = listed(["theta", "ahead", calls.state, calls.setting])
            doc = (f"Where the next gradient is taken, of {what}.",)
            yield Definition(
                f"_look_ahead_{part.name}", arguments, doc, tuple(NUMBA.lines(part.ahead)), "kernel"
            )
    arguments = listed(["theta", "grad", calls.state, calls.setting])
    told = "; ".join([*rule, *([f"{frozen} as before"] if frozen else [])])
    yield Definition("_update", arguments, (told,), tuple(_update(calls, parts, bound)), "update")
    if any(part.ahead for part in parts):
        arguments = listed(["theta", "ahead", calls.state, calls.setting])
        yield Definition(
            "_look_ahead", arguments, ("; ".join(ahead),), tuple(_look_ahead(calls, parts)), "update"
        )


def _update(calls: Signatures, parts: Sequence[UpdatePart], bound: str) -> Iterator[str]:
    yield f"{NUMBA.text(COUNTED)} += 1"
    if bound:
        yield "norm = 0.0"
        for span in sorted((span for part in parts for span in part.spans), key=lambda span: span.first):
            yield f"norm = math.hypot(norm, euclidean_norm({_view('grad', span.first, span.size)}))"
    for part in parts:
        for span in part.spans:
            yield f"# {', '.join(span.names)}"
            given = [_view(name, span.first, span.size) for name in ("theta", "grad")]
            yield f"_update_{part.name}({listed([*given, _state(calls, span), bound, calls.setting])})"


def _look_ahead(calls: Signatures, parts: Sequence[UpdatePart]) -> Iterator[str]:
    yield "ahead[:] = theta"
    for part in parts:
        for span in part.spans:
            given = [_view(name, span.first, span.size) for name in ("theta", "ahead")]
            yield f"_look_ahead_{part.name}({listed([*given, _state(calls, span), calls.setting])})"


def _state(calls: Signatures, span: Span) -> str:
    return listed(["step", *(_view(name, span.kept, span.size) for name in calls.states)])


def _view(vector: str, first: int, size: int) -> str:
    return f"view({vector}, {first}, ({size},))"
