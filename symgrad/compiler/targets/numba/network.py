"""The functions of the network in an emitted module: values, loss, gradient, and what callers get of them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from symgrad.compiler.kernels.instructions import (
    Applied,
    Assign,
    Clear,
    Give,
    Invoke,
    Literal,
    Typed,
    TypeOf,
    Variable,
    Verbatim,
    Window,
)
from symgrad.compiler.targets.numba.records import Definition, Driver
from symgrad.compiler.targets.numba.signatures import as_tuple, listed

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from symgrad.compiler.kernels.function_bodies import Sections
    from symgrad.compiler.kernels.instructions import Instruction
    from symgrad.compiler.planning.plan import PhaseName
    from symgrad.compiler.planning.trained_spans import Span
    from symgrad.compiler.targets.numba.records import ResultText
    from symgrad.compiler.targets.numba.signatures import Signatures

    Bodies = Mapping[PhaseName, Sections]


VALUE = Variable("value")
"""The loss of a batch."""


def work_size(calls: Signatures, size: str) -> Definition:
    """How many numbers the workspace holds."""
    return Definition(
        "_work_size", listed(calls.extents), ("How many numbers the workspace holds.",), (f"return {size}",)
    )


def sizes(calls: Signatures, written: Sequence[str]) -> Definition:
    """The sizes that follow from those of free axes, behind these."""
    doc = "All sizes that the data decide, by those of the free axes."
    return Definition("_sizes", listed(calls.free_extents), (doc,), (f"return {as_tuple(written)}",))


def values(calls: Signatures, bodies: Bodies) -> Iterator[Driver]:
    """Outputs and prediction."""
    arguments, run = listed(["theta", calls.forward]), Invoke("_forward", _given("theta", calls.forward))
    yield from driver("_forward", arguments, "The outputs, in the workspace.", bodies["forward"])
    doc = "The prediction, in the workspace."
    yield from driver("_predict", arguments, doc, bodies["prediction"], before=(run,))


def driver(
    name: str,
    arguments: str,
    doc: str,
    sections: Sections,
    *,
    before: tuple[Instruction, ...] = (),
    after: tuple[Instruction, ...] = (),
) -> Iterator[Driver]:
    """A driver with a body; where that has several sections, these, and one that runs them in order."""
    if len(sections) == 1:
        yield Driver(name, arguments, doc, (*before, *sections[0], *after))
        return
    names = [f"{name}_{n}" for n in range(1, len(sections) + 1)]
    for n, body in enumerate(sections):
        said = f"Section {n + 1} of {len(sections)} of {name}."
        yield Driver(names[n], arguments, said, body, section_of=name)
    run = (Invoke(section, _given(arguments)) for section in names)
    yield Driver(name, arguments, doc, (*before, *run, *after))


def evaluation(calls: Signatures, bodies: Bodies, view: str) -> Iterator[Driver]:
    """The loss of inference."""
    run = Invoke("_forward", _given("theta", calls.forward))
    given, found = listed(["theta", calls.loss]), Give((Verbatim(f"{view}[0]"),))
    doc = "The loss as inference has it."
    yield from driver("_evaluation", given, doc, bodies["evaluation"], before=(run,), after=(found,))


def loss(calls: Signatures, bodies: Bodies, view: str, *, anew: bool) -> Iterator[Driver]:
    """The loss, after the outputs; `anew` where training does not begin as inference does."""
    run = Invoke("_forward", _given("theta", calls.forward))
    given, found = listed(["theta", calls.loss]), Give((Verbatim(f"{view}[0]"),))
    doc, before = ("The loss as training has it.", ()) if anew else ("The loss.", (run,))
    yield from driver("_loss", given, doc, bodies["loss"], before=before, after=(found,))


_OF_ALL = "The loss; its gradient goes into `grad`."
_OF_STEP = "The loss; the gradient of what a step changes goes into `grad`."


def gradient(calls: Signatures, bodies: Bodies) -> Iterator[Driver]:
    """The gradient of the loss, in a vector of its own."""
    arguments, value = listed(["theta", "grad", calls.loss]), _loss_first(calls)
    sections = bodies["gradient"]
    yield from driver("_gradient", arguments, _OF_ALL, sections, before=(value,), after=(Give((VALUE,)),))


def added_gradient(calls: Signatures, bodies: Bodies, states: Sequence[Span]) -> Iterator[Driver]:
    """The gradient of the loss, added to a vector while it is formed; states get their next values there."""
    renewed = ", and states get their next values there" if states else ""
    yield from driver(
        "_backward",
        listed(["theta", "destination", "keep", "scale", calls.loss]),
        f"After _loss: the gradient of the loss at theta, added to a vector while it is formed{renewed}.",
        bodies["gradient"],
    )
    alone = (Verbatim("theta, grad"), Typed(Literal(0)), Typed(Literal(1)), Verbatim(calls.loss))
    formed = (TypeOf(Variable("theta")), _loss_first(calls), Invoke("_backward", alone))
    views = (Window(Variable("grad"), Literal(s.first), (Literal(s.size),)) for s in states)
    arguments, given = listed(["theta", "grad", calls.loss]), Give((VALUE,))
    yield Driver("_gradient", arguments, _OF_ALL, (*formed, *map(Clear, views), given))
    if states:
        yield Driver("_step_gradient", arguments, _OF_STEP, (*formed, given))


def _loss_first(calls: Signatures) -> Assign:
    return Assign(VALUE, Applied("_loss", _given("theta", calls.loss)))


def step_gradient(calls: Signatures, sections: Sections) -> Iterator[Driver]:
    """The loss, and the gradient of those parameters that a step changes."""
    arguments, value = listed(["theta", "grad", calls.loss]), _loss_first(calls)
    after = (Give((VALUE,)),)
    yield from driver("_step_gradient", arguments, _OF_STEP, sections, before=(value,), after=after)


def _given(*arguments: str) -> tuple[Verbatim, ...]:
    return (Verbatim(listed(arguments)),)


def results(
    calls: Signatures, outputs: Sequence[ResultText], predictions: Sequence[ResultText]
) -> tuple[Definition, ...]:
    """What callers of `forward` and `predict` get."""
    arguments = listed(["theta", calls.forward])
    return (
        Definition("_outputs", arguments, ("Copies of the outputs.",), _copies(outputs)),
        Definition("_predictions", arguments, ("Copies of the prediction.",), _copies(predictions)),
    )


def gradients(calls: Signatures, found: Sequence[ResultText]) -> Definition:
    """What callers of `input_gradients` get."""
    doc = "Copies of the derivatives that the spec asks for, from the workspace where _gradient left them."
    arguments = listed(["work", *calls.extents])
    lines = ("return Gradients(", *(f"    {g.copied}," for g in found), ")")
    return Definition("_input_gradients", arguments, (doc,), lines if found else ("return ()",))


def tensors(calls: Signatures, found: Sequence[ResultText]) -> Definition:
    """What a training that breaks looks through."""
    doc = "Those of the spec's tensors that stand in the workspace after _loss, by name."
    lines = ("return (", *(f'    ("{t.name}", {t.view}),' for t in found), ")") if found else ("return ()",)
    return Definition("_tensors", listed(["work", *calls.extents]), (doc,), lines)


def weight_of_rows(calls: Signatures, weight: str) -> Definition:
    """What rows weigh in the loss of inference, where that is a mean by something else than their number."""
    doc = "What the rows whose loss of inference was just computed weigh in that of more."
    return Definition(
        "_weight_of_rows", listed(["work", *calls.extents]), (doc,), (f"return float({weight})",)
    )


def _copies(found: Sequence[ResultText]) -> tuple[str, ...]:
    if len(found) == 1:
        return (f"return {found[0].copied}",)
    return ("return (", *(f"    {r.copied}," for r in found), ")")
