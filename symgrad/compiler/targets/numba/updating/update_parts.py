"""An update that does not treat all parameters alike: the optimiser's rule for each span of them.

A step may visit those rows alone of a table that its data look up, where the others rest without a gradient.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from symgrad.compiler.kernels import shared_turns
from symgrad.compiler.kernels.shared_turns import IN_PARTS, START, STOP, has_turns
from symgrad.compiler.kernels.update_kernels import COUNTED, look_ahead_part, update_part
from symgrad.compiler.planning.trained_spans import merged, spans_of, trained_size
from symgrad.compiler.planning.update_plan import plan_update
from symgrad.compiler.targets.numba.own_names import OWN_NAMES
from symgrad.compiler.targets.numba.records import Definition
from symgrad.compiler.targets.numba.signatures import as_tuple, listed
from symgrad.compiler.targets.numba.spelling import NUMBA
from symgrad.elaborate.optimizer import AHEAD, NORM, after_gradient

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence

    from symgrad.calculus.program import Program, Tensor
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


@dataclass(frozen=True)
class Table:
    """A parameter of `count` rows, of which a step visits those that `labels` name, where these are fewer."""

    span: Span
    count: int
    labels: str


@dataclass(frozen=True)
class StepPart:
    """What a step does to the parameters of one rule: all entries in `spans`, and rows of `tables`."""

    rule: UpdatePart
    spans: tuple[Span, ...]
    tables: tuple[Table, ...]


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


def long_rule(program: Program, update: Program) -> UpdatePart | None:
    """The rule for all parameters, where these are so many that threads take turns of it."""
    parameters = program.of_kind("parameter")
    is_long = trained_size(parameters, ()) > shared_turns.PART
    return _whole_part(parameters, update) if is_long else None


def step_parts(
    model: Model, program: Program, parts: Sequence[UpdatePart], update: Program, labels: Mapping[str, str]
) -> tuple[StepPart, ...]:
    """How a step updates all parameters where it visits rows of some: `labels` are what names these, by the
    names of the parameters.
    """
    if not labels:
        return ()
    parameters = program.of_kind("parameter")
    tables = {
        p.name: Table(span, p.axes[0].size or 0, labels[p.name])
        for p in parameters
        if p.name in labels
        for span in spans_of(parameters, model.frozen, [p.name])
    }
    whole = parts or (_whole_part(parameters, update),)
    return tuple(_step_part(part, parameters, model.frozen, tables) for part in whole)


def stretch_parts(program: Program, parts: Sequence[UpdatePart], update: Program) -> tuple[UpdatePart, ...]:
    """The rules for a stretch of the parameters; none where the update of all does for it, as it asks for
    nothing of the others.
    """
    if parts or not any(e.target == NORM for e in update.equations):
        return tuple(parts)
    return (_whole_part(program.of_kind("parameter"), update),)


def _whole_part(parameters: Sequence[Tensor], update: Program) -> UpdatePart:
    return _part("part", spans_of(parameters, (), [p.name for p in parameters]), update, OWN_NAMES)


def _step_part(
    rule: UpdatePart, parameters: Sequence[Tensor], frozen: Collection[str], tables: Mapping[str, Table]
) -> StepPart:
    names = [name for span in rule.spans for name in span.names]
    others = spans_of(parameters, frozen, [name for name in names if name not in tables])
    return StepPart(rule, others, tuple(tables[name] for name in names if name in tables))


def _part(name: str, spans: tuple[Span, ...], update: Program, reserved: frozenset[str]) -> UpdatePart:
    looks_ahead, is_long = AHEAD in update.outputs, max(span.size for span in spans) > shared_turns.PART
    ahead = plan_update(update.giving((AHEAD,))) if looks_ahead else None
    return UpdatePart(
        name=name,
        spans=spans,
        step=update_part(plan_update(after_gradient(update)), reserved, is_long=is_long),
        ahead=look_ahead_part(ahead, reserved, is_long=is_long) if ahead else (),
        is_bounded=any(e.target == NORM for e in update.equations),
    )


def definitions(
    calls: Signatures, rule: Sequence[str], ahead: Sequence[str], parts: Sequence[UpdatePart]
) -> Iterator[Definition]:
    """`_update`, `_look_ahead` where there is one, and the rule of each part."""
    bound = "norm" if any(part.is_bounded for part in parts) else ""
    yield from rules(calls, parts)
    arguments = listed(["theta", "grad", calls.state, calls.setting])
    yield Definition("_update", arguments, ("; ".join(rule),), tuple(_update(calls, parts, bound)), "update")
    if any(part.ahead for part in parts):
        arguments = listed(["theta", "ahead", calls.state, calls.setting])
        yield Definition(
            "_look_ahead", arguments, ("; ".join(ahead),), tuple(_look_ahead(calls, parts)), "update"
        )


def of_all(
    calls: Signatures, rule: Sequence[str], ahead: Sequence[str], part: UpdatePart
) -> Iterator[Definition]:
    """`_update`, and `_look_ahead` where there is one, by a rule that all entries follow."""
    bound = ["norm"] if part.is_bounded else []
    yield from rules(calls, (part,))
    states = ["theta", "grad", calls.state]
    lines = [NUMBA.text(COUNTED) + " += 1", *(f"{name} = euclidean_norm(grad)" for name in bound)]
    lines.append(called(part.functions[0], part.step, _ALL, [*states, *bound, calls.setting]))
    yield Definition("_update", listed([*states, calls.setting]), ("; ".join(rule),), tuple(lines), "update")
    if part.ahead:
        given = ["theta", "ahead", calls.state, calls.setting]
        looked = (called(part.functions[1], part.ahead, _ALL, given),)
        yield Definition("_look_ahead", listed(given), ("; ".join(ahead),), looked, "update")


def rules(calls: Signatures, parts: Sequence[UpdatePart]) -> Iterator[Definition]:
    """The rule of each part, and where it looks ahead."""
    bound = "norm" if any(part.is_bounded for part in parts) else ""
    for part in parts:
        yield _rule(calls, part, bound)
        if part.ahead:
            names = ", ".join(name for span in part.spans for name in span.names)
            arguments = listed(["theta", "ahead", calls.state, calls.setting, *bounds(part.ahead)])
            doc = (f"Where the next gradient is taken, of {names}, a span of them.",)
            yield Definition(part.functions[1], arguments, doc, tuple(NUMBA.lines(part.ahead)), "kernel")


def _rule(calls: Signatures, part: UpdatePart, bound: str) -> Definition:
    names = ", ".join(name for span in part.spans for name in span.names)
    arguments = listed(["theta", "grad", calls.state, bound, calls.setting, *bounds(part.step)])
    doc = (f"The update of {names}, a span of them.",)
    return Definition(part.functions[0], arguments, doc, tuple(NUMBA.lines(part.step)), "kernel")


_ALL = "theta.shape[0]"
COPIED = (f"for n in range({_ALL}):", "    ahead[n] = theta[n]")
"""The point ahead as it is where nothing moves it."""


def bounds(body: tuple[Instruction, ...]) -> tuple[str, ...]:
    """The last arguments of what does some turns of a pass."""
    return (START.name, STOP.name) if has_turns(body) else ()


def called(function: str, body: tuple[Instruction, ...], size: int | str, given: Iterable[str]) -> str:
    """The call of what changes so many entries, in parts where it does some turns."""
    if has_turns(body):
        return f"{IN_PARTS}({function}, {size}, 1, {as_tuple(given)})"
    return f"{function}({listed(given)})"


def of_step(calls: Signatures, parts: Sequence[StepPart], *, anew: bool) -> Iterator[Definition]:
    """`_update_looked_up`, and the rule that it follows where that stands nowhere else."""
    if anew:
        yield from (_rule(calls, part.rule, "") for part in parts)
    arguments = listed(["theta", "grad", calls.state, calls.setting, calls.labels])
    doc = (
        "The update of a step, of tables in the rows alone that were looked up: without a gradient the",
        "others stay as they are. Such a gradient is 0 once it has been used, so that it is used once.",
    )
    lines = (f"{NUMBA.text(COUNTED)} += 1", *(line for part in parts for line in _of_step(calls, part)))
    yield Definition("_update_looked_up", arguments, doc, lines, "update")


def _of_step(calls: Signatures, part: StepPart) -> Iterator[str]:
    for span in part.spans:
        yield f"# {', '.join(span.names)}"
        yield _call(calls, part.rule, span)
    for table in part.tables:
        (name,), width = table.span.names, table.span.size // table.count
        first = [str(table.span.first)] if table.span.first else []
        yield f"# {name}, in the rows that {table.labels} names"
        yield f"chosen = view({table.labels}, 0, ({table.labels}.size,))"
        yield f"if chosen.shape[0] < {table.count}:"
        yield "    for entry in range(chosen.shape[0]):"
        yield f"        start = {' + '.join([*first, f'{width} * chosen[entry]'])}"
        yield f"        {_call(calls, part.rule, replace(table.span, size=width), 'start')}"
        yield f"        {_view('grad', 'start', width)}[:] = 0"
        yield "else:"
        yield f"    {_call(calls, part.rule, table.span)}"


def _call(calls: Signatures, rule: UpdatePart, span: Span, start: str = "", bound: str = "") -> str:
    """The rule for as many entries as a span has, from its first on or from one that is found as it runs."""
    given = [_view(name, start or span.first, span.size) for name in ("theta", "grad")]
    given += [_state(calls, span, start), *([bound] if bound else []), calls.setting]
    return called(rule.functions[0], rule.step, span.size, given)


def _update(calls: Signatures, parts: Sequence[UpdatePart], bound: str) -> Iterator[str]:
    yield f"{NUMBA.text(COUNTED)} += 1"
    if bound:
        yield "norm = 0.0"
        for span in merged(span for part in parts for span in part.spans):
            yield f"norm = math.hypot(norm, euclidean_norm({_view('grad', span.first, span.size)}))"
    for part in parts:
        for span in part.spans:
            yield f"# {', '.join(span.names)}"
            yield _call(calls, part, span, bound=bound)


def _look_ahead(calls: Signatures, parts: Sequence[UpdatePart]) -> Iterator[str]:
    yield from COPIED
    for part in parts:
        for span in part.spans:
            given = [_view(name, span.first, span.size) for name in ("theta", "ahead")]
            given += [_state(calls, span), calls.setting]
            yield called(part.functions[1], part.ahead, span.size, given)


def _state(calls: Signatures, span: Span, start: str = "") -> str:
    behind = span.first - span.kept
    moved = f"{start} - {behind}" if behind else start
    first = moved if start else span.kept
    return listed(["step", *(_view(name, first, span.size) for name in calls.states)])


def _view(vector: str, first: int | str, size: int) -> str:
    return f"view({vector}, {first}, ({size},))"
