"""The functions of the network in an emitted module: values, loss, gradient, and what callers get of them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from symgrad.compiler.module.records import Definition
from symgrad.compiler.module.signatures import listed

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from symgrad.compiler.module.records import ResultText
    from symgrad.compiler.module.signatures import Signatures
    from symgrad.compiler.planning.plan import PhaseName

    Bodies = Mapping[PhaseName, Sequence[str]]


def work_size(calls: Signatures, size: str) -> Definition:
    """How many numbers the workspace holds."""
    return Definition(
        "_work_size", listed(calls.extents), ("The numbers that the workspace holds.",), (f"return {size}",)
    )


def values(calls: Signatures, bodies: Bodies) -> tuple[Definition, ...]:
    """Outputs and prediction."""
    arguments, run = listed(["theta", calls.forward]), f"_forward(theta, {calls.forward})"
    outputs, prediction = bodies["forward"], (run, *bodies["prediction"])
    return (
        driver("_forward", arguments, "The outputs, in the workspace.", outputs),
        driver("_predict", arguments, "The prediction, in the workspace.", prediction),
    )


def loss_and_gradient(
    calls: Signatures, bodies: Bodies, loss_view: str, *, accumulates: bool
) -> tuple[Definition, ...]:
    """The loss, and its gradient: in a vector of its own, or added to another while it is formed."""
    run = f"_forward(theta, {calls.forward})"
    lines = (run, *bodies["loss"], f"return {loss_view}[0]")
    loss = driver("_loss", listed(["theta", calls.loss]), "The loss.", lines)
    arguments, value = listed(["theta", "grad", calls.loss]), f"value = _loss(theta, {calls.loss})"
    doc = "The loss; its gradient goes into `grad`."
    if not accumulates:
        return loss, driver("_gradient", arguments, doc, (value, *bodies["gradient"], "return value"))
    whole = (
        "real = theta.dtype.type",
        value,
        f"_backward(theta, grad, real(0), real(1), {calls.loss})",
        "return value",
    )
    backward = driver(
        "_backward",
        listed(["theta", "into", "keep", "scale", calls.loss]),
        "After _loss: the gradient of the loss at theta, added to a vector while it is formed.",
        bodies["gradient"],
    )
    return loss, backward, driver("_gradient", arguments, doc, whole)


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


def _copies(found: Sequence[ResultText]) -> tuple[str, ...]:
    if len(found) == 1:
        return (f"return {found[0].copied}",)
    return ("return (", *(f"    {r.copied}," for r in found), ")")


def driver(name: str, arguments: str, doc: str, lines: Sequence[str]) -> Definition:
    """A compiled function that calls kernels."""
    return Definition(name, arguments, (doc,), tuple(lines), "driver")
