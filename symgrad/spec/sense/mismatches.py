"""Functions applied to what they are not for: probabilities twice, scores as probabilities, log of scores."""

from __future__ import annotations

from typing import TYPE_CHECKING

from symgrad.errors import SpecError, SpecWarning
from symgrad.spec import library
from symgrad.spec.intervals import interval
from symgrad.spec.language.trees import calls
from symgrad.spec.language.unparse import unparse
from symgrad.spec.scalars import SCALARS
from symgrad.spec.sense.argument_ranges import formulas
from symgrad.spec.sense.images import Image, Images, Widths

if TYPE_CHECKING:
    from collections.abc import Iterator

    from symgrad.spec.language.syntax import Call
    from symgrad.spec.library import Function
    from symgrad.spec.model import Model

_FIT = {"scores": "(-inf, inf)", "probabilities": "[0, 1]", "log-probabilities": "(-inf, 0]"}
_REMEDIES = {
    "scores": "leave out {source}",
    "probabilities": "apply sigmoid or softmax first, or take a loss of scores, "
    "such as binary_cross_entropy_with_logits",
    "log-probabilities": "apply log_softmax first, or take softmax_cross_entropy, a loss of scores",
}


def check_widths(model: Model) -> None:
    """Refuse a loss of classes where there is one class: it is 0 whatever the weights.

    Raises:
        SpecError: for such a loss.
    """
    for call, row in _narrow(model):
        if call.function in library.losses:
            problem = f"{call.function} of one output, so of one class: its gradient is 0"
            remedy = f"write {row.least_width} outputs or more, or binary_cross_entropy_with_logits for one"
            raise SpecError(problem, at=call.at, remedy=remedy)


def mismatches(model: Model) -> Iterator[SpecWarning]:
    """What functions are applied to, against what their rows say they take."""
    images, own = Images(model), {function.name for function in model.spec.functions}
    for call in _calls(model):
        image = images.of(call.arguments[0])
        row = library.functions.get(call.function) if call.function not in own else None
        if image is not None and row is not None and row.takes:
            yield from _against_kind(call, row.takes, image)
        elif image is not None and call.function in SCALARS:
            yield from _against_domain(call, image)
    for call, _ in _narrow(model):
        if call.function in library.activations:
            problem = f"{call.function} over one entry does not depend on it"
            yield SpecWarning(problem, at=call.at, remedy="take sigmoid, or two outputs")


def _calls(model: Model) -> Iterator[Call]:
    return (call for formula in formulas(model) for call in calls(formula) if call.arguments)


def _against_kind(call: Call, takes: str, image: Image) -> Iterator[SpecWarning]:
    fits = interval(_FIT[takes]).within(image.values) if takes == "scores" else _holds(takes, image)
    if fits or image.kind == takes:
        return
    what = f"{image.kind}, of {image.source}" if image.kind else f"values of {image.source}"
    problem = f"{call.function} takes {takes}, and {unparse(call.arguments[0])} holds {what}"
    yield SpecWarning(problem, at=call.at, remedy=_REMEDIES[takes].format(source=image.source))


def _holds(takes: str, image: Image) -> bool:
    return image.kind not in ("scores", "probabilities", "log-probabilities") and image.values.within(
        interval(_FIT[takes])
    )


def _against_domain(call: Call, image: Image) -> Iterator[SpecWarning]:
    domain = SCALARS[call.function].arguments
    if not image.values.within(domain):
        what = f"{image.values}, of {image.source}"
        problem = f"{call.function} of {unparse(call.arguments[0])}, which holds numbers {what}"
        remedy = f"{call.function} has a value for numbers {domain}"
        yield SpecWarning(problem, at=call.at, remedy=remedy)


def _narrow(model: Model) -> Iterator[tuple[Call, Function]]:
    """Calls over a last axis too short for the result to depend on what stands there."""
    widths = Widths(model)
    for call in _calls(model):
        row = library.functions.get(call.function)
        if row is None or call.function in widths.own:
            continue
        width = widths.of(call.arguments[0])
        if width is not None and width < row.least_width:
            yield call, row
