"""The functions of the network in an emitted module: values, loss, gradient, and what callers get of them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from symgrad.compiler.kernels.instructions import (
    Applied,
    Assign,
    Give,
    Invoke,
    Literal,
    Typed,
    TypeOf,
    Variable,
    Verbatim,
)
from symgrad.compiler.targets.numba.records import Definition, Driver
from symgrad.compiler.targets.numba.signatures import listed

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from symgrad.compiler.kernels.instructions import Instruction
    from symgrad.compiler.planning.plan import PhaseName
    from symgrad.compiler.targets.numba.records import ResultText
    from symgrad.compiler.targets.numba.signatures import Signatures

    Bodies = Mapping[PhaseName, tuple[Instruction, ...]]


VALUE = Variable("value")
"""The loss of a batch."""


def work_size(calls: Signatures, size: str) -> Definition:
    """How many numbers the workspace holds."""
    return Definition(
        "_work_size", listed(calls.extents), ("How many numbers the workspace holds.",), (f"return {size}",)
    )


def values(calls: Signatures, bodies: Bodies) -> tuple[Driver, ...]:
    """Outputs and prediction."""
    arguments, run = listed(["theta", calls.forward]), Invoke("_forward", _given("theta", calls.forward))
    return (
        Driver("_forward", arguments, "The outputs, in the workspace.", bodies["forward"]),
        Driver("_predict", arguments, "The prediction, in the workspace.", (run, *bodies["prediction"])),
    )


def loss_and_gradient(
    calls: Signatures, bodies: Bodies, loss_view: str, *, accumulates: bool
) -> tuple[Driver, ...]:
    """The loss, and its gradient: in a vector of its own, or added to another while it is formed."""
    run = Invoke("_forward", _given("theta", calls.forward))
    body = (run, *bodies["loss"], Give((Verbatim(f"{loss_view}[0]"),)))
    loss = Driver("_loss", listed(["theta", calls.loss]), "The loss.", body)
    arguments, doc = listed(["theta", "grad", calls.loss]), "The loss; its gradient goes into `grad`."
    value = Assign(VALUE, Applied("_loss", _given("theta", calls.loss)))
    if not accumulates:
        return loss, Driver("_gradient", arguments, doc, (value, *bodies["gradient"], Give((VALUE,))))
    backward = Driver(
        "_backward",
        listed(["theta", "destination", "keep", "scale", calls.loss]),
        "After _loss: the gradient of the loss at theta, added to a vector while it is formed.",
        bodies["gradient"],
    )
    alone = (Verbatim("theta, grad"), Typed(Literal(0)), Typed(Literal(1)), Verbatim(calls.loss))
    whole = (TypeOf(Variable("theta")), value, Invoke("_backward", alone), Give((VALUE,)))
    return loss, backward, Driver("_gradient", arguments, doc, whole)


def step_gradient(calls: Signatures, body: tuple[Instruction, ...]) -> Driver:
    """The loss, and the gradient of those parameters that a step changes."""
    doc = "The loss; the gradient of what a step changes goes into `grad`."
    value = Assign(VALUE, Applied("_loss", _given("theta", calls.loss)))
    arguments = listed(["theta", "grad", calls.loss])
    return Driver("_step_gradient", arguments, doc, (value, *body, Give((VALUE,))))


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


def _copies(found: Sequence[ResultText]) -> tuple[str, ...]:
    if len(found) == 1:
        return (f"return {found[0].copied}",)
    return ("return (", *(f"    {r.copied}," for r in found), ")")
