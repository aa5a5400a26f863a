"""An update that does not treat all parameters alike: the optimiser's rule for each span of them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from symgrad.compiler.kernels.update_kernels import COUNTED, look_ahead_part, update_part
from symgrad.compiler.planning.trained_spans import merged, spans_of
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

    @property
    def functions(self) -> tuple[str, str]:
        """What makes its steps, and what looks ahead."""
        return f"_update_{self.name}", f"_look_ahead_{self.name}"


def update_parts(
    model: Model, program: Program, update: Program, groups: Sequence[Program], reserved: frozenset[str]
) -> tuple[UpdatePart, ...]:
    """The parts of an update, first that of parameters in no group; none where one loop makes all of it."""
    if not (model.frozen or model.groups):
        return ()
    parameters = program.of_kind("parameter")
    apart = {*model.frozen, *(name for group in model.groups for name in group.parameters)}
    rest = tuple(p.name for p in parameters if p.name not in apart)
    rules = [(rest, update), *zip((g.parameters for g in model.groups), groups, strict=True)]
    spanned = [(spans_of(parameters, model.frozen, names), rule) for names, rule in rules if names]
    return tuple(
        _part(f"part_{place}" if place > 1 else "part", spans, rule, reserved)
        for place, (spans, rule) in enumerate(spanned, 1)
    )


def _part(name: str, spans: tuple[Span, ...], update: Program, reserved: frozenset[str]) -> UpdatePart:
    looks_ahead = AHEAD in update.outputs
    return UpdatePart(
        name=name,
        spans=spans,
        step=update_part(plan_update(after_gradient(update)), reserved),
        ahead=look_ahead_part(plan_update(update.giving((AHEAD,))), reserved) if looks_ahead else (),
        is_bounded=any(e.target == NORM for e in update.equations),
    )


def definitions(
    calls: Signatures, rule: Sequence[str], ahead: Sequence[str], parts: Sequence[UpdatePart]
) -> Iterator[Definition]:
    """`_update`, `_look_ahead` where there is one, and the rule of each part."""
    bound = "norm" if any(part.is_bounded for part in parts) else ""
    for part in parts:
        names = ", ".join(name for span in part.spans for name in span.names)
        arguments = listed(["theta", "grad", calls.state, bound, calls.setting])
        lines = tuple(NUMBA.lines(part.step))
        yield Definition(
            f"_update_{part.name}", arguments, (f"The update of {names}, a span of them.",), lines, "kernel"
        )
        if part.ahead:
            arguments = listed(["theta", "ahead", calls.state, calls.setting])
            doc = (f"Where the next gradient is taken, of {names}, a span of them.",)
            yield Definition(part.functions[1], arguments, doc, tuple(NUMBA.lines(part.ahead)), "kernel")
    arguments = listed(["theta", "grad", calls.state, calls.setting])
    yield Definition("_update", arguments, ("; ".join(rule),), tuple(_update(calls, parts, bound)), "update")
    if any(part.ahead for part in parts):
        arguments = listed(["theta", "ahead", calls.state, calls.setting])
        yield Definition(
            "_look_ahead", arguments, ("; ".join(ahead),), tuple(_look_ahead(calls, parts)), "update"
        )


def _update(calls: Signatures, parts: Sequence[UpdatePart], bound: str) -> Iterator[str]:
    yield f"{NUMBA.text(COUNTED)} += 1"
    if bound:
        yield "norm = 0.0"
        for span in merged(span for part in parts for span in part.spans):
            yield f"norm = math.hypot(norm, euclidean_norm({_view('grad', span.first, span.size)}))"
    for part in parts:
        for span in part.spans:
            yield f"# {', '.join(span.names)}"
            given = [_view(name, span.first, span.size) for name in ("theta", "grad")]
            yield f"{part.functions[0]}({listed([*given, _state(calls, span), bound, calls.setting])})"


def _look_ahead(calls: Signatures, parts: Sequence[UpdatePart]) -> Iterator[str]:
    yield "ahead[:] = theta"
    for part in parts:
        for span in part.spans:
            given = [_view(name, span.first, span.size) for name in ("theta", "ahead")]
            yield f"{part.functions[1]}({listed([*given, _state(calls, span), calls.setting])})"


def _state(calls: Signatures, span: Span) -> str:
    return listed(["step", *(_view(name, span.kept, span.size) for name in calls.states)])


def _view(vector: str, first: int, size: int) -> str:
    return f"view({vector}, {first}, ({size},))"
